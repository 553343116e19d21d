import os

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from apmlib import cache, images, ratings
from apmlib.errors import InputError
from tests import tiny


@pytest.fixture
def root(tmp_path):
    """Photographs of 640 x 800 pixels and the like, one in a folder, one a PNG, one small."""
    root = tiny.rated(tmp_path / "root", images=9)
    table = pd.read_csv(root / "ratings.csv")
    for name in table["image"][1:]:
        path = root / "images" / name
        small = Image.open(path)
        small.resize((small.width * 10, small.height * 10)).save(path, quality=95)
    (root / "images" / "deeper").mkdir()
    os.replace(root / "images" / "003.jpg", root / "images" / "deeper" / "003.jpg")
    Image.open(root / "images" / "004.jpg").save(root / "images" / "004.png")
    (root / "images" / "004.jpg").unlink()
    table["image"] = table["image"].replace({"003.jpg": "deeper/003.jpg", "004.jpg": "004.png"})
    table.to_csv(root / "ratings.csv", index=False)
    return root


def test_the_copy_is_the_same_collection_with_smaller_photographs(root):
    out, left_out = cache.cache(root, side=128)
    assert out == root / "cache-128" and left_out == []
    before, after = ratings.read(root), ratings.read(out)
    columns = ["split", *(f"n{k}" for k in range(1, 6))]
    pd.testing.assert_frame_equal(before.table[columns], after.table[columns])
    assert len(after.table) == 9
    for name in before.table.index:
        old, new = before.table["path"][name], after.table["path"][name]
        if name in ("000.jpg", "004.png"):  # small already, and no JPEG
            assert open(old, "rb").read() == open(new, "rb").read()
            continue
        with Image.open(new) as image:
            assert min(image.size) == 128
        shown = [images.load(path, 128).numpy().astype(float) for path in (old, new)]
        assert np.abs(shown[0] - shown[1]).mean() < 2


def test_what_is_there_stays_and_what_changed_is_made_anew(root):
    out = cache.cache(root, root.parent / "copy", side=128)[0]
    first = {path: path.stat().st_mtime_ns for path in out.rglob("*.jpg")}
    changed = root / "images" / "001.jpg"
    Image.new("RGB", (640, 640)).save(changed)
    os.utime(changed, ns=(2**62, 2**62))
    cache.cache(root, out, side=128)
    again = {path for path, time in first.items() if path.stat().st_mtime_ns != time}
    assert again == {out / "images" / "001.jpg"}
    assert np.asarray(Image.open(out / "images" / "001.jpg")).max() == 0


def test_what_is_no_photograph_is_left_out_and_named(root):
    (root / "images" / "002.jpg").write_text("no photograph")
    out, left_out = cache.cache(root, side=128)
    assert [name for name, _ in left_out] == ["002.jpg"]
    assert "is not an image" in left_out[0][1]
    assert not (out / "images" / "002.jpg").exists()


def test_the_collection_itself_is_not_written_over(root):
    with pytest.raises(InputError, match="collection itself"):
        cache.cache(root, root)


def test_a_copy_inside_the_collection_does_not_copy_itself(root):
    out = root / "small" / "128"
    for _ in range(2):
        assert cache.cache(root, out, side=128) == (out, [])
    assert sorted(path.name for path in out.iterdir()) == ["images", "ratings.csv"]
