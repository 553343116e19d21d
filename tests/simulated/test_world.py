import json
import shutil

import numpy as np
import pytest
from PIL import Image

from apmlib import ratings
from apmlib.errors import InputError
from apmlib.simulated import crowd, frozen, latents, world

IMAGES, SIDE, SEED = 90, 48, 4


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return world.simulate(tmp_path_factory.mktemp("world") / "one", IMAGES, SIDE, SEED, 1)


def contents(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_it_is_a_collection_in_the_layout_of_ava(root):
    collection = ratings.read(root)
    assert len(collection.table) == IMAGES
    assert collection.bins == 10
    assert (collection.table["split"] == "test").sum() == round(IMAGES * world.TEST_SHARE)
    votes = collection.counts.sum(axis=1)
    assert votes.min() >= 78 and votes.max() <= 549
    assert set(collection.table["category"]) <= set(latents.CATEGORIES)


def test_every_photograph_has_its_mask_and_its_row(root):
    table = world.read_latents(root)
    assert list(table.index) == [str(i) for i in range(1, IMAGES + 1)]
    assert set(latents.MEASURED) <= set(table.columns)
    for image in table.index[::15]:
        photograph = Image.open(root / "images" / f"{image}.jpg")
        mask = Image.open(root / "masks" / f"{image}.png")
        assert photograph.size == mask.size
        assert min(photograph.size) == SIDE
        share = np.asarray(mask.convert("L")).mean() / 255
        assert share == pytest.approx(table.loc[image, "mask_area"], abs=1e-6)


def test_the_votes_are_those_of_the_written_latents(root):
    collection, table = ratings.read(root), world.read_latents(root)
    votes = crowd.vote(table, crowd.DEFAULT, SEED)
    order = table.index.get_indexer(collection.table.index)
    np.testing.assert_array_equal(collection.counts, votes[order])


def test_same_bytes_whatever_the_workers(root, tmp_path):
    other = world.simulate(tmp_path / "two", IMAGES, SIDE, SEED, 2)
    assert contents(other) == contents(root)


def test_what_was_interrupted_goes_on(root, tmp_path, monkeypatch):
    drawn = []

    def stop(row, side, draw=world.render):
        if len(drawn) == world.PART + 5:
            raise KeyboardInterrupt
        drawn.append(row)
        return draw(row, side)

    monkeypatch.setattr(world, "render", stop)
    with pytest.raises(KeyboardInterrupt):
        world.simulate(tmp_path / "half", IMAGES, SIDE, SEED, 1)
    assert not (tmp_path / "half" / "AVA.txt").exists()
    monkeypatch.undo()
    again = []
    monkeypatch.setattr(
        world, "render", lambda row, side, draw=world.render: again.append(1) or draw(row, side)
    )
    world.simulate(tmp_path / "half", IMAGES, SIDE, SEED, 1)
    assert len(again) == IMAGES - world.PART
    assert contents(tmp_path / "half") == contents(root)


def test_a_finished_collection_is_left_alone(root):
    before = (root / "AVA.txt").stat().st_mtime_ns
    assert world.simulate(root, IMAGES, SIDE, SEED, 1) == root
    assert (root / "AVA.txt").stat().st_mtime_ns == before


def test_another_collection_is_not_overwritten(root, tmp_path):
    with pytest.raises(InputError, match="was made with seed 4"):
        world.simulate(root, IMAGES, SIDE, SEED + 1, 1)
    copy = tmp_path / "real"
    copy.mkdir()
    shutil.copy(root / "AVA.txt", copy / "AVA.txt")
    with pytest.raises(InputError, match="not simulated"):
        world.simulate(copy, IMAGES, SIDE, SEED, 1)


@pytest.mark.parametrize(
    ("images", "side", "seed"), [(3, 64, 0), (20, 20, 0), (20, 4000, 0), (20, 64, -1)]
)
def test_sizes_that_cannot_be_drawn(tmp_path, images, side, seed):
    with pytest.raises(InputError):
        world.simulate(tmp_path / "x", images, side, seed, 1)
    assert not (tmp_path / "x").exists()


def test_latents_of_another_folder(tmp_path):
    with pytest.raises(InputError, match="latents.csv"):
        world.read_latents(tmp_path)


def test_simulated_json_says_how_it_was_made(root):
    about = json.loads((root / "simulated.json").read_text())
    assert about["seed"] == SEED and about["side"] == SIDE and about["images"] == IMAGES
    assert about["licence"] == "CC0-1.0"
    assert about["code"] == frozen.world_hash()
