import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "ci"))

import book  # noqa: E402
import chapters  # noqa: E402


def executed(out, name, seconds):
    """A chapter that was executed already, as ``book.make`` leaves it."""
    folder = out / "executed"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.ipynb").write_text("{}")
    key = chapters.key(chapters.BOOK / f"{name}.ipynb", "smoke")
    (folder / f"{name}.json").write_text(json.dumps({"key": key, "seconds": seconds}))


def test_chapters_side_by_side_keep_their_order_and_what_is_up_to_date(tmp_path):
    wanted = chapters.names()[:3]
    for seconds, name in enumerate(reversed(wanted)):
        executed(tmp_path, name, float(seconds))
    assert list(book.make_all(wanted, "smoke", tmp_path).items()) == [
        (name, 2.0 - i) for i, name in enumerate(wanted)
    ]


def test_a_chapter_that_fails_is_told_without_a_traceback(tmp_path):
    executed(tmp_path, chapters.names()[0], 1.0)
    with pytest.raises(chapters.ChapterError, match=r"^99-none.ipynb is not in book/$"):
        book.make_all([chapters.names()[0], "99-none"], "smoke", tmp_path)
