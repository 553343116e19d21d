import csv
import io
import itertools
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from apmlib import comparison, evaluation, metrics, ratings, training, variants
from apmlib.comparison import Mechanism
from apmlib.errors import InputError
from apmlib.simulated import crowd, frozen, world


def collection(root, images=40, bins=10, seed=0, latents=False):
    """Votes without photographs: nothing here looks at one."""
    rng = np.random.default_rng(seed)
    names = [f"i{i:04d}" for i in range(images)]
    counts = rng.multinomial(100, rng.dirichlet(np.ones(bins), images))
    table = pd.DataFrame(counts, columns=[f"n{k + 1}" for k in range(bins)], index=names)
    split = np.where(np.arange(images) % 2 == 0, "test", "train")
    return ratings.Collection(root, table.assign(path="", split=split, category=""))


@pytest.fixture
def data(tmp_path):
    return collection(tmp_path)


@pytest.fixture
def make(tmp_path):
    """A function that makes run folders with the predictions that a test wants."""
    numbers = itertools.count()

    def run(names, predicted, seed=0, **config):
        folder = tmp_path / f"run-{next(numbers)}"
        folder.mkdir()
        about = {"seed": seed, "settings": {"target": "dist"}}
        about["trained"] = {"mean_distribution": [0.1] * 10}
        evaluation.write_json(folder / "config.json", about | config)
        if predicted.ndim == 1:
            predicted = {"mean": predicted}
        else:
            predicted = {f"p{k}": column for k, column in enumerate(predicted.T, 1)}
        evaluation.write_table(
            folder / "predictions.csv", pd.DataFrame({"image": names} | predicted)
        )
        return folder

    return run


def test_a_constant_difference_has_no_interval(data, make):
    part = data.split("test")
    # The error of the one is 1 for each photograph, of the other 2: 1 - 4 on every draw.
    a = [make(part.table.index, part.means + 1, s) for s in range(3)]
    b = [make(part.table.index, part.means - 2, s) for s in range(3)]
    found = comparison.paired(a, b, data, draws=50)
    for key in ("value", "low", "high"):
        assert found["mse"][key] == pytest.approx(-3)
    assert found["mse"]["by_seed"] == pytest.approx([-3] * 3)
    assert found["mse"]["detectable"] == pytest.approx(0, abs=1e-9)
    assert found["rho"]["value"] == pytest.approx(0, abs=1e-9)
    assert found["kldiv"] is found["cdloss"] is None  # of mean scores there is none
    assert found["seeds"] == [0, 1, 2] and found["n"] == 20
    assert found["a"] == [run.name for run in a]


def noisy(data, seed, size):
    rng = np.random.default_rng(seed)
    p = data.split("test").distributions
    return metrics.normalise(np.maximum(p + size * rng.normal(size=p.shape), 0.001))


def test_every_metric_is_that_of_the_package(data, make):
    part = data.split("test")
    p, q = noisy(data, 1, 0.05), noisy(data, 2, 0.1)
    found = comparison.paired([make(part.table.index, p)], [make(part.table.index, q)], data)
    one, two = metrics.report(p, part.counts), metrics.report(q, part.counts)
    for key in evaluation.METRICS:
        assert found[key]["value"] == pytest.approx(one[key]["value"] - two[key]["value"])
    g = part.counts
    same = metrics.paired(metrics.average, metrics.cdloss(p, g), metrics.cdloss(q, g))
    assert [found["cdloss"][key] for key in ("value", "low", "high")] == pytest.approx(same)
    power = metrics.detectable(metrics.average, metrics.cdloss(p, g), metrics.cdloss(q, g))
    assert found["cdloss"]["detectable"] == pytest.approx(power)


def test_one_bad_seed_widens_the_interval(data, make):
    part = data.split("test")
    b = [make(part.table.index, noisy(data, 9, 0.1), s) for s in range(4)]
    a = [make(part.table.index, noisy(data, s, 0.05), s) for s in range(4)]
    bad = [*a[:3], make(part.table.index, noisy(data, 3, 0.5), 3)]

    def width(found):
        return found["cdloss"]["high"] - found["cdloss"]["low"]

    even, odd = comparison.paired(a, b, data), comparison.paired(bad, b, data)
    assert width(odd) > 2 * width(even)
    assert odd["cdloss"]["detectable"] > even["cdloss"]["detectable"]
    assert width(comparison.summary(bad, data)) > 2 * width(comparison.summary(a, data))


def test_images_are_joined_by_name(data, make):
    part = data.split("test")
    p, names = noisy(data, 1, 0.05), part.table.index
    other = [make(names, noisy(data, 2, 0.1))]
    mixed = np.random.default_rng(0).permutation(len(names))
    here = comparison.paired([make(names, p)], other, data, draws=20)
    there = comparison.paired([make(names[mixed], p[mixed])], other, data, draws=20)
    assert {**here, "a": None} == {**there, "a": None}


def test_runs_that_do_not_belong_together_are_refused(data, make, tmp_path):
    part, whole = data.split("test"), data.split("train")
    good = make(part.table.index, part.means)
    elsewhere = make(whole.table.index, whole.means)
    with pytest.raises(InputError, match="predictions.csv.*photographs that are compared"):
        comparison.paired([good], [elsewhere], data)
    with pytest.raises(InputError, match="paired by seed"):
        comparison.paired([good], [good, good], data)
    with pytest.raises(InputError, match="seeds 0 against 1"):
        comparison.paired([good], [make(part.table.index, part.means, 1)], data)
    with pytest.raises(InputError, match="scale of 5"):
        comparison.paired([good], [make(part.table.index, part.distributions[:, :5])], data)
    with pytest.raises(InputError, match="'val'"):
        comparison.paired([good], [good], data, "val")
    (good / "predictions.csv").unlink()
    with pytest.raises(InputError, match="no such file"):
        comparison.paired([good], [good], data)


def test_a_collapsed_run_has_no_ranking(data, make):
    part = data.split("test")
    flat = make(part.table.index, np.full(len(part), 5.0))
    found = comparison.paired([make(part.table.index, part.means)], [flat], data, draws=20)
    assert found["rho"]["value"] is None and "collapsed" in found["rho"]["reason"]
    assert found["mse"]["value"] < 0


# --- A simulated world ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    return ratings.read(world.simulate(tmp_path_factory.mktemp("world") / "root", 60, 48))


def test_a_mechanism_is_other_votes_on_the_same_photographs(simulated):
    off = Mechanism("outliers", 0.0)
    assert off.label == "outliers=0" and off.crowd == replace(crowd.DEFAULT, outliers=0.0)
    latents = world.read_latents(simulated.root)
    again = comparison.votes(simulated, Mechanism("spread", 0.0))
    assert (again.counts == crowd.vote(latents, Mechanism("spread", 0.0).crowd)).all()
    assert again.table.index.equals(simulated.table.index)
    assert comparison.votes(simulated, None) is simulated


def test_what_is_covered_lies_between_constant_and_ceiling(simulated, make):
    part = simulated.split("test")
    latents = world.read_latents(simulated.root).loc[part.table.index]
    ceiling = crowd.visible_distribution(latents)
    constant = np.tile(simulated.split("train").distributions.mean(axis=0), (len(part), 1))
    trained = {"mean_distribution": constant[0].tolist()}
    names = part.table.index
    best = comparison.summary([make(names, ceiling, trained=trained)], simulated, draws=50)
    for entry in best["covered"].values():
        assert [entry[key] for key in ("value", "low", "high")] == pytest.approx([1] * 3)
    expected = crowd.ceilings(latents, part.counts, train=simulated.split("train").counts)
    for name, values in expected.items():
        for key in evaluation.METRICS:
            if (name, key) != ("constant", "rho"):
                found = best["references"][name][key]["value"]
                assert found == pytest.approx(values[key])
    assert best["references"]["constant"]["rho"] is None
    worst = comparison.summary([make(names, constant, trained=trained)], simulated, draws=50)
    assert worst["covered"]["mse"]["value"] == pytest.approx(0, abs=1e-9)
    assert worst["covered"]["rho"] is None


def test_other_votes_have_other_ceilings(simulated, make):
    off = Mechanism("hidden", 0.0)
    data = comparison.votes(simulated, off)
    part = data.split("test")
    run = make(part.table.index, part.distributions)
    unsaid = comparison.summary([run], data, draws=20)
    assert set(unsaid["references"]) == {"constant"} and unsaid["covered"] is None
    said = comparison.summary([run], data, crowd=off.crowd, draws=20)
    latents = world.read_latents(data.root).loc[part.table.index]
    expected = crowd.ceilings(latents, part.counts, off.crowd)["image"]["mse"]
    assert said["references"]["image"]["mse"]["value"] == pytest.approx(expected)


def test_change_is_the_difference_of_differences(simulated, make):
    off = comparison.votes(simulated, Mechanism("hidden", 0.0))
    names = simulated.split("test").table.index
    runs = [
        [make(names, noisy(simulated, 4 * s + i, 0.05), s) for s in (0, 1)] for i in range(4)
    ]
    found = comparison.change(*runs[:2], simulated, *runs[2:], off, draws=20)
    on = comparison.paired(*runs[:2], simulated, draws=20)
    without = comparison.paired(*runs[2:], off, draws=20)
    for key in evaluation.METRICS:
        gap = on[key]["value"] - without[key]["value"]
        assert found[key]["value"] == pytest.approx(gap)
    same = comparison.change(*runs[:2], simulated, *runs[:2], simulated, draws=20)
    assert same["rho"]["low"] == same["rho"]["high"] == 0
    other = replace(simulated, table=simulated.table.assign(split="test"))
    with pytest.raises(InputError, match="other photographs"):
        comparison.change(*runs[:2], simulated, *runs[2:], other)


def test_a_stage_without_scores_has_its_agreement(data, make):
    part = data.split("test")
    runs = []
    for seed, share in enumerate((0.5, 0.7)):
        run = make(part.table.index, part.means, seed, settings={"target": "semantic"})
        (run / "predictions.csv").unlink()
        about = {"split": "test", "split_hash": "x", "n": 20, "accuracy": {"value": share}}
        evaluation.write_json(run / "metrics.json", about)
        runs.append(run)
    found = comparison.summary(runs, data)
    assert found["accuracy"]["value"] == pytest.approx(0.6) and found["mse"] is None
    assert found["seeds"] == [0, 1]


# --- Claims and the paper ------------------------------------------------------------------


def test_claims_and_puzzle_name_what_there_is():
    for claim in comparison.CLAIMS:
        assert {claim.a, claim.b} <= set(variants.TABLE)
        assert set(claim.controls) <= set(variants.CONTROLS)
        assert set(claim.expected) <= set(comparison.BETTER) == set(evaluation.METRICS)
        for mechanism in claim.mechanisms:
            assert mechanism.value != getattr(crowd.DEFAULT, mechanism.name)
        # What a claim expects is what the paper's own numbers say.
        a, b = comparison.PUBLISHED[claim.a], comparison.PUBLISHED[claim.b]
        for key, sign in claim.expected.items():
            assert sign == 0 or np.sign(a[key] - b[key]) == sign
    for (loss, scale), name in comparison.PUZZLE.items():
        found = variants.VARIANTS[name]
        assert (found.loss, found.scale, found.family) == (loss, scale, "vgg")
    for changes in comparison.PUZZLE_RATES.values():
        variants.settings("vgg-imn-dist", "laptop", changes)


def test_ours_stands_beside_the_papers(data):
    entry = {"value": 0.5, "low": 0.4, "high": 0.6}
    ours = {"vgg-imn-dist": dict.fromkeys(evaluation.METRICS, entry)}
    ours["vgg-imn-mean"] = ours["vgg-imn-dist"] | {"kldiv": None}
    lines = comparison.published(ours).splitlines()
    assert len(lines) == 1 + 6 + 2
    assert lines[1].split()[0] == lines[2].split()[0] == "vgg-imn-mean"
    assert comparison.PUBLISHED_ON in lines[1]
    assert lines[1].split()[-5:] == ["-", "-", "0.314", "0.659", "78.4"]
    assert comparison.OURS_ON in lines[2] and "50.0 [40.0, 60.0]" in lines[2]
    assert "0.0607" in lines[-1] and lines[-1].endswith("80.3")
    markdown = comparison.published(ours, "markdown").splitlines()
    assert len({line.count("|") for line in markdown}) == 1
    latex = comparison.published(ours, "latex").splitlines()
    assert sum(line.endswith(r"\\") for line in latex) == 9
    table = list(csv.DictReader(io.StringIO(comparison.published(ours, "csv", "tiny"))))
    assert [row["data"] for row in table[:2]] == [comparison.PUBLISHED_ON, "tiny"]
    assert float(table[0]["accuracy"]) == 0.784 and float(table[1]["mse_low"]) == 0.4
    with pytest.raises(InputError, match="html"):
        comparison.published(ours, "html")


def test_results_of_other_code_or_another_world_are_stale(monkeypatch):
    monkeypatch.setattr(frozen, "world_hash", lambda: "world")  # a second each
    now = {"code": training.code_key(), "world": "world"}
    assert not comparison.stale(json.loads(json.dumps({"provenance": now})))
    assert comparison.stale({"provenance": now | {"code": "other"}})
    assert comparison.stale({"provenance": now | {"world": "other"}})
    assert not comparison.stale({"provenance": now | {"world": None}})
    assert comparison.stale({"provenance": {"code": training.code_key()}})
    assert comparison.stale({})
    further = {"names": ["adversarial"], "code": training.code_key(["adversarial"])}
    assert not comparison.stale({"provenance": now | {"modules": further}})
    assert comparison.stale({"provenance": now | {"modules": further | {"code": "other"}}})


def test_rows_of_the_figure_are_on_off_and_controls():
    def side(value):
        return {"rho": {"value": value}}

    claim = {
        "paired": side(3),
        "mechanisms": {
            "x=0": {"more": False, "paired": side(2)},
            "x=2": {"more": True, "paired": None},
        },
        "controls": {"c": {"what": "as many steps", "instead": side(1)}},
    }
    assert comparison.rows({"claim": claim}, "rho") == {
        "claim": {
            "as it is": {"value": 3},
            "mechanism off": {"value": 2},
            "mechanism stronger": None,
            "as many steps": {"value": 1},
        }
    }


def entry(value, low, high, detectable=0.01):
    return {"value": value, "low": low, "high": high, "detectable": detectable}


def test_a_verdict_follows_from_the_interval_and_the_sign():
    said = comparison.verdict
    assert said(entry(-0.02, -0.03, -0.01), -1) == "holds here"
    assert said(entry(0.02, 0.01, 0.03), -1).startswith("does not hold here")
    assert said(entry(0.02, 0.01, 0.03), 0) == "not on par: the first is larger"
    assert "about 4 times the data" in said(entry(0.005, -0.001, 0.011), 1)
    assert "far more data" in said(entry(0.0, -0.01, 0.01), 1)
    assert "against the claim" in said(entry(-0.005, -0.011, 0.001), 1)
    assert said(entry(0.001, -0.01, 0.01), 0) == "no difference found; 0.0100 would have been"
    assert said(entry(0.0, 0.0, 0.0, 0.0), 1) == "no difference at all"
    assert said(None, 1) == comparison.NOT_MEASURED
    assert said({"value": None, "reason": "undefined"}, 1) == "undefined"


def test_a_span_has_signs_and_brackets():
    assert comparison.span(entry(0.5, -0.25, 1)) == "+0.5000 [-0.2500, +1.0000]"
    assert comparison.span(entry(0.5, -0.25, 1), 1) == "+0.5 [-0.2, +1.0]"
    assert comparison.span(None) == comparison.NOT_MEASURED
    assert comparison.span({"value": None, "reason": "undefined"}) == "undefined"


def test_what_was_not_recorded_is_empty_and_says_so():
    assert comparison.recorded("no-such-file") == {}
    assert comparison.origin("x.json", {}) == "x.json: not measured in this edition."
    told = comparison.origin("world", {"profile": "laptop", "provenance": PROVENANCE})
    assert told.startswith(
        "From world: commit 0123456789, two cores, profile laptop, seeds 0, 1."
    )
    assert told.endswith("Measured with other code than today's.")
    assert "intervals tell of the photographs" not in told
    kept = {"0": {"commit": "fedcba9876543210", "machine": "four cores"}}
    told = comparison.origin(
        "x", {"profile": "laptop", "provenance": PROVENANCE | {"kept": kept}}
    )
    assert "seeds 0, 1. Seeds trained earlier: 0 at fedcba9876." in told


def test_one_seed_is_called_one():
    seeds = {"provenance": PROVENANCE}
    assert (comparison.seeds_of({}), comparison.seeds_of(seeds)) == ("no seeds", "2 seeds")
    alone = {"profile": "laptop", "provenance": PROVENANCE | {"seeds": {"runs": [0]}}}
    assert comparison.seeds_of(alone) == "one seed"
    assert "intervals tell of the photographs" in comparison.origin("world", alone)


PROVENANCE = {"commit": "0123456789ab", "machine": "two cores", "seeds": {"runs": [0, 1]}}
