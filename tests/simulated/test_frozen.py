import shutil

import pytest

from apmlib.simulated import frozen


def test_the_world_is_the_one_that_was_frozen():
    assert frozen.record()["hash"] == frozen.world_hash(), (
        "the simulated world has changed; if that is meant, log it with "
        'python -m apmlib.simulated.frozen "the reason" and train anew what is released'
    )


def test_every_change_is_logged_with_its_reason():
    record = frozen.record()
    log = record["log"]
    assert log[-1]["hash"] == record["hash"]
    assert all(entry["reason"].strip() and entry["date"] for entry in log)
    assert [entry["date"] for entry in log] == sorted(entry["date"] for entry in log)


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(frozen.FOLDER, tmp_path / "simulated")
    return tmp_path / "simulated"


def test_comments_and_docstrings_do_not_count(copy):
    path = copy / "crowd.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(text + "\n\n# A remark.\n", encoding="utf-8")
    assert frozen.world_hash(copy) == frozen.world_hash()


def test_a_changed_number_counts(copy):
    path = copy / "crowd.py"
    text = path.read_text(encoding="utf-8")
    changed = text.replace("DISCORD = 0.", "DISCORD = 1.")
    assert changed != text
    path.write_text(changed, encoding="utf-8")
    assert frozen.world_hash(copy) != frozen.world_hash()
