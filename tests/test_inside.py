import json
import sys
from pathlib import Path

import numpy as np
import pytest

from apmlib import comparison, pairs
from apmlib.adversarial import Descent
from tests import tiny

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "ci"))

import inside  # noqa: E402

COUNT = 6


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What the program writes at the smoke profile, where that has 40 photographs."""
    home = tmp_path_factory.mktemp("home")
    caches = (inside.collection, inside.drawn)
    with pytest.MonkeyPatch.context() as patch:
        tiny.smoke_store(home, patch)
        [cached.cache_clear() for cached in caches]
        # A few steps are enough to see that what is written is what was found.
        patch.setattr(inside, "RACE", Descent(iterations=8, step=0.4, budget=4.0))
        patch.setattr(inside, "STEPS", 6)
        patch.setattr(inside, "REACH", 2)
        patch.setattr(inside, "MOVES", (0.05, 0.25))
        out = home / "inside.json"
        asked = ["--profile", "smoke", "--photographs", str(COUNT), "--out", str(out)]
        assert inside.main(asked) == 0
        first = out.read_bytes()
        # Called again it measures nothing, and says the same.
        patch.setattr(inside, "PARTS", dict.fromkeys(inside.PARTS))
        assert inside.main(asked) == 0
        assert out.read_bytes() == first
        found = json.loads(first)
        assert not comparison.stale(found)
        yield found
    [cached.cache_clear() for cached in caches]


def entries(found):
    """Every value with an interval, however deep."""
    if isinstance(found, dict):
        if {"value", "low", "high"} <= found.keys():
            yield found
        else:
            for part in found.values():
                yield from entries(part)


def test_every_interval_holds_its_value(results):
    found = list(entries(results))
    assert len(found) > 100
    for entry in found:
        assert entry["low"] - 1e-9 <= entry["value"] <= entry["high"] + 1e-9


def test_claims_are_of_the_models_asked_for(results):
    full, softmax = results["claims"]["full"], results["claims"]["softmax"]
    assert full["variant"] == "resnet-ava-dist-m" and full["n"] == COUNT
    assert softmax["variant"] == inside.SOFTMAX
    assert list(full["budgets"]) == [str(budget) for budget in inside.BUDGETS]
    assert list(softmax["budgets"]) == [str(inside.MIDDLE)]
    assert softmax["dead"]["before"]["value"] == softmax["dead"]["down"]["value"] == 0
    curve = full["race"]["curves"]["up"]["mean"]
    assert len(curve) == 9 and curve[0] == 0
    small, large = (full["budgets"][key] for key in ("0.5", "4.0"))
    for way in ("up", "down"):
        assert large[way]["value"] > small[way]["value"]
        assert large["psnr"][way]["value"] < small["psnr"][way]["value"]
    rows = np.array(full["headroom"]["photographs"])
    assert rows.shape == (COUNT, 3)
    middle = full["budgets"][str(inside.MIDDLE)]
    assert rows[:, 1].mean() == pytest.approx(middle["up"]["value"], abs=1e-3)
    difference = middle["down"]["value"] - middle["up"]["value"]
    assert middle["down less up"]["value"] == pytest.approx(difference)


def test_survival_is_a_share_of_the_change(results):
    found = results["survival"]
    for way in ("up", "down"):
        assert found[way]["saved"]["as it is"]["kept"]["value"] == pytest.approx(1)
        for part in (*found[way]["saved"].values(), *found[way]["others"].values()):
            share = part["effect"]["value"] / found[way]["saved"]["as it is"]["effect"]["value"]
            assert part["kept"]["value"] == pytest.approx(share)
        assert set(found[way]["others"]) == set(inside.OTHERS)


def test_maps_stand_beside_maps_that_know_nothing(results):
    found = results["maps"]["maps"]
    low, high = inside.AREA
    assert low <= found["area"]["inside"]["value"] <= high
    assert found["area"]["beyond area"]["value"] == 0
    less = results["maps"]["inside, less a control"]
    assert set(less) == {
        "descent, worse",
        "descent, better",
        "gradient",
        "integrated gradients",
    }
    for name, controls in less.items():
        assert set(controls) == set(found) - set(less)
        for control, entry in controls.items():
            gap = found[name]["inside"]["value"] - found[control]["inside"]["value"]
            assert entry["value"] == pytest.approx(gap)
    # All pixels of an even map are hottest: the share of them inside is the area.
    assert found["area"]["points"]["value"] == pytest.approx(found["area"]["inside"]["value"])
    assert {name for name in found if "unlearnt" in name} == {
        f"{name}, unlearnt head"
        for name in results["maps"]["like its own with an unlearnt head"]
    }


def test_rules_hold_their_pairs(results):
    for rule, found in results["rules"]["rules"].items():
        _, true, predicted = np.array(found["pairs"]).T
        assert len(true) == COUNT and found["latent"] == pairs.RULES[rule].latent
        if found["slope"]:
            slope = pairs.slope(predicted, true)
            assert found["slope"]["value"] == pytest.approx(slope, abs=0.05 + abs(slope) / 10)


def test_each_taste_judges_each_model(results):
    found = results["whose"]
    assert "def taste" in found["taste"]
    assert found["runs"]["crowd"] != found["runs"]["reader"]
    # Each is asked by votes of its own: their order is not one and the same.
    assert found["rho of the votes"]["value"] < 0.9
    for rule in found["rules"].values():
        assert {(model, judge) for model in rule for judge in rule[model]} == {
            (model, judge) for model in ("crowd", "reader") for judge in ("crowd", "reader")
        }


def test_first_time_by_hand():
    moved = np.array([[0, 0, 0], [0.2, 0.6, 0], [0.5, 0.4, 0]])
    assert list(inside.first_time(moved, 0.5)) == [2, 1, 3]


def test_room_alone_leaves_no_difference_at_equal_room():
    rng = np.random.default_rng(0)
    mean = rng.uniform(4, 8, 300)
    up, down = 0.1 * (10 - mean), 0.1 * (mean - 1)
    both = {
        "up": {"moved": up[None], "mean": mean},
        "down": {"moved": down[None], "mean": mean},
    }
    found = inside.headroom(both, 10, 1.0)
    assert found["at equal room"]["value"] == pytest.approx(0, abs=1e-9)
    assert found["per point"]["value"] == pytest.approx(0.2)
    assert abs(found["near the middle"]["down less up"]["value"]) < 0.05
    assert np.mean(down - up) > 0.05  # the difference that room makes


def test_a_part_does_not_replace_the_results(capsys):
    with pytest.raises(SystemExit):
        inside.main(["--only", "maps"])
    assert "--out" in capsys.readouterr().err
