import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "ci"))

import oasis_cv  # noqa: E402
from apmlib import metrics, ratings  # noqa: E402


def collection(photographs=120, bins=7, seed=0):
    """Votes whose distribution is linear in a few features, which are returned as well."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(photographs, 6))
    g = np.maximum(1 + 0.3 * x @ rng.normal(size=(6, bins)), 0.05)
    counts = rng.multinomial(200, g / g.sum(axis=1, keepdims=True))
    table = pd.DataFrame(counts, columns=[f"n{i}" for i in range(1, bins + 1)])
    table["path"], table["category"] = "", ""
    table["split"] = np.where(np.arange(photographs) % 6 == 0, "test", "train")
    return x, ratings.Collection(Path("nowhere"), table)


def test_more_photographs_bring_the_ridge_nearer_to_what_it_has_not_seen():
    x, data = collection()
    fold = np.arange(len(x)) % oasis_cv.FOLDS
    found = oasis_cv.by_photographs(x, data, fold)
    assert list(found) == [12, 24, 48, 96]
    errors = [entry["mse"]["value"] for entry in found.values()]
    assert errors[-1] < errors[0] and errors[-1] < data.means.var() / 4
    assert all(e["rho"]["low"] <= e["rho"]["value"] <= e["rho"]["high"] for e in found.values())


def test_votes_are_described_as_by_hand():
    _, data = collection(60)
    found = oasis_cv.about(data)
    assert found["photographs"] == {"train": 50, "val": 0, "test": 10}
    assert found["bins"] == 7 and found["votes"] == {"mean": 200, "low": 200, "high": 200}
    assert found["mean"] == pytest.approx((data.counts @ np.arange(1, 8)).mean() / 200)
    # Votes drawn again differ by chance alone: twice the variance of a mean of 200.
    noise = 2 * (metrics.std(data.counts) ** 2).mean() / 200
    assert found["drawn again"]["mse"]["value"] == pytest.approx(noise, rel=1)


def test_comparison_is_a_difference_of_what_is_reported():
    x, data = collection()
    p = {name: data.distributions + 0.01 * k for k, name in enumerate(oasis_cv.ROWS)}
    p |= {name: data.distributions for name in oasis_cv.RIDGES}
    found = oasis_cv.compare(p, data.counts)
    pair = found["differences"]["resnet-ava-dist-m less ridge, pyramid and average"]
    better, worse = found["models"][oasis_cv.RIDGES[1]], found["models"]["resnet-ava-dist-m"]
    for key in ("cdloss", "mse", "kldiv"):
        assert pair[key]["value"] == pytest.approx(worse[key]["value"] - better[key]["value"])
        assert pair[key]["value"] > 0 and pair[key]["detectable"] > 0
