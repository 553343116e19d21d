import numpy as np
import pandas as pd
from PIL import Image

from apmlib.simulated import objects


def test_at_least_thirty_kinds_with_names_of_their_own():
    assert len(objects.KINDS) >= 30
    assert len(set(objects.KINDS)) == len(objects.KINDS)
    assert all(name.isidentifier() and not name.startswith("_") for name in objects.KINDS)


def test_each_kind_is_drawn_and_differs_from_the_next():
    pictures = [objects.draw(label, seed=3, side=48) for label in range(len(objects.KINDS))]
    for picture, other in zip(pictures, pictures[1:], strict=False):
        assert picture.shape == (48, 48, 3) and picture.dtype == np.uint8
        assert picture.std() > 5
        assert np.abs(picture.astype(int) - other).mean() > 5


def test_same_picture_at_every_size():
    small = objects.draw(3, seed=8, side=48).astype(float)
    large = Image.fromarray(objects.draw(3, seed=8, side=192)).resize((48, 48), Image.BOX)
    assert np.corrcoef(small.ravel(), np.asarray(large, float).ravel())[0, 1] > 0.85


def test_same_bytes_whatever_the_workers_and_after_an_interruption(tmp_path):
    one = objects.simulate(tmp_path / "one", 64, side=48, seed=2, workers=1)
    two = objects.simulate(tmp_path / "two", 64, side=48, seed=2, workers=2)
    for path in sorted((one / "images").iterdir())[:10]:
        path.unlink()
    objects.simulate(one, 64, side=48, seed=2, workers=1)
    names = sorted(path.name for path in (one / "images").iterdir())
    assert names == sorted(path.name for path in (two / "images").iterdir())
    for name in names:
        assert (one / "images" / name).read_bytes() == (two / "images" / name).read_bytes()


def test_table_names_the_kinds_and_keeps_a_tenth_for_validation(tmp_path):
    root = objects.simulate(tmp_path, 10 * len(objects.KINDS), side=48, workers=2)
    table = pd.read_csv(root / "objects.csv")
    assert list(table.columns) == ["image", "label", "kind", "split"]
    assert (table["kind"] == [objects.KINDS[label] for label in table["label"]]).all()
    assert (table["split"] == "val").mean() == 0.1
    assert table.loc[table["split"] == "val", "label"].nunique() == len(objects.KINDS)
