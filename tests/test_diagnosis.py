from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from apmlib import diagnosis, evaluation, metrics, ratings
from apmlib.errors import InputError
from apmlib.simulated import world
from tests import tiny


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("diagnosis")
    tiny.trained(folder)
    return folder


@pytest.fixture(scope="module")
def found(folder):
    return diagnosis.examine(folder / "run", folder / "root")


def test_the_numbers_are_those_of_evaluate(folder, found):
    expected = evaluation.evaluate(folder / "run", folder / "root")
    result = diagnosis.measured(found.p, found.part)
    assert {key: result[key] for key in evaluation.METRICS} == {
        key: expected[key] for key in evaluation.METRICS
    }
    constant = expected["references"]["constant"]
    for key, value in diagnosis.marks(found)["constant"].items():
        wanted = constant[key]["value"]
        assert np.isnan(value) if wanted is None else value == pytest.approx(wanted)
    assert "image ceiling" not in diagnosis.marks(found)


def test_a_simulated_world_has_its_image_ceiling(found, tmp_path):
    root = world.simulate(tmp_path / "world", 30, 48)
    part = ratings.read(root).split("test")
    config = found.config | {"trained": {"mean_distribution": [0.1] * 10}}
    known = diagnosis.marks(
        replace(found, config=config, part=part, p=np.full((len(part), 10), 0.1))
    )
    assert known["image ceiling"]["mse"] < known["constant"]["mse"]
    assert known["votes again"]["mse"] < known["image ceiling"]["mse"]


def test_what_cannot_be_examined_is_one_line(folder, tmp_path):
    other = tiny.rated(tmp_path / "other", images=20, bins=7)
    with pytest.raises(InputError, match="scale of 7"):
        diagnosis.examine(folder / "run", other)
    with pytest.raises(InputError, match="config.json"):
        diagnosis.examine(tmp_path / "none", folder / "root")
    with pytest.raises(InputError, match="gives no scores"):
        diagnosis.examine(folder / "objects-resnet", folder / "root")
    with pytest.raises(InputError, match="is no split"):
        diagnosis.examine(folder / "run", folder / "root", "holdout")
    table = pd.read_csv(other / "ratings.csv")
    table[table["split"] != "test"].to_csv(other / "ratings.csv", index=False)
    with pytest.raises(InputError, match="has no split 'test'; it has train"):
        diagnosis.examine(folder / "run", other)
    broken = tiny.rated(tmp_path / "broken", images=20)
    for path in (broken / "images").iterdir():
        path.write_text("no photograph")
    with pytest.raises(InputError, match="none of the 4 photographs"):
        diagnosis.examine(folder / "run", broken)


def test_a_second_vote_errs_by_what_the_number_of_votes_allows():
    rng = np.random.default_rng(0)
    counts = rng.multinomial(100, metrics.normalise(np.ones(7)), size=500)
    again = diagnosis.revoted(counts)
    assert again["mse"] == pytest.approx(4 / 100, rel=0.1)  # of a uniform vote on 7 scores
    assert diagnosis.revoted(10 * counts)["mse"] == pytest.approx(4 / 1000, rel=0.1)
    assert diagnosis.noise(counts).mean() == pytest.approx(4 / 100, rel=0.05)
    assert np.isnan(diagnosis.noise([[0, 1, 0]])).all()


def test_groups_never_part_what_is_equal():
    values = np.r_[np.zeros(50), np.ones(30), np.arange(2, 22)]
    labels = diagnosis.groups(values)
    assert len(set(labels[:50])) == len(set(labels[50:80])) == 1
    assert (np.diff(labels[np.argsort(values, kind="stable")]) >= 0).all()
    assert set(labels) == set(range(labels.max() + 1))
    assert (diagnosis.groups(np.ones(100)) == 0).all()
    assert (diagnosis.groups(np.arange(9)) == 0).all()


def test_means_by_group_have_intervals_that_hold_them():
    rng = np.random.default_rng(0)
    table = diagnosis.by_group(rng.normal(3, 1, 100), np.repeat(["b", "a"], 50))
    assert list(table.index) == ["a", "b"] and list(table["n"]) == [50, 50]
    assert (table["low"] < table["value"]).all() and (table["value"] < table["high"]).all()


def test_slope_is_that_of_the_regression():
    rng = np.random.default_rng(0)
    x = rng.normal(5, 1, 300)
    y = 2 * x + rng.normal(0, 0.5, 300)
    assert diagnosis.slope(x, y) == pytest.approx(np.polyfit(x, y, 1)[0])
    counts = rng.multinomial(300, np.full(300, 1 / 300), size=3)
    for drawn, value in zip(counts, diagnosis.slope(x, y, counts), strict=True):
        rows = np.repeat(np.arange(300), drawn)
        assert value == pytest.approx(np.polyfit(x[rows], y[rows], 1)[0])
    assert np.isnan(diagnosis.slope(np.ones(300), y))


def test_calibration_of_the_truth_lies_on_the_line():
    values = np.random.default_rng(0).normal(5, 1, 200)
    table = diagnosis.calibration(values, values)
    assert len(table) == diagnosis.GROUPS and table["n"].sum() == 200
    assert np.allclose(table["predicted"], table["value"])


def test_small_categories_are_put_together(found):
    names = [f"c{i}" for i in range(4)]
    part = replace(found.part, table=found.part.table.assign(category=(2 * names)))
    assert set(diagnosis.categories(part)) == set(names)
    assert set(diagnosis.categories(part, most=3)) == {"c0", "c1", "other"}
    assert diagnosis.categories(found.part) is None


def test_explanations_move_the_score_both_ways(found):
    images = list(found.part.table.index[:2])
    told = diagnosis.explained(found, images)
    assert [one["image"] for one in told] == images
    for one in told:
        assert one["down"][0] <= one["mean"] <= one["up"][0]
        assert min(one["photograph"].size) >= diagnosis.SHOWN
        for _, heat in (one["up"], one["down"]):
            assert heat is None or heat.size == one["photograph"].size
