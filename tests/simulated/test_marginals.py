import os
from pathlib import Path

import numpy as np
import pytest

from apmlib.simulated import marginals


def test_hand_values():
    counts = np.zeros((4, 10), dtype=int)
    counts[0, [3, 5]] = 50  # mean 5, deviation 1
    counts[1, [3, 9]] = 50  # mean 7, deviation 3
    counts[2] = 10  # mean 5.5, no empty bin, deviation sqrt(8.25)
    counts[3, 0] = 60  # mean 1
    found = marginals.describe(counts)
    assert found["mean of means"] == pytest.approx((5 + 7 + 5.5 + 1) / 4)
    assert found["mean deviation"] == pytest.approx((1 + 3 + np.sqrt(8.25)) / 4)
    assert found["share above 5"] == 0.5
    assert found["share with an empty bin"] == 0.75
    assert found["votes"] == 90
    assert found["g1 - g2 above 1/9"] == 0.25
    assert found["two modes"] == 0.5


def test_by_mean_sorts_into_ranges():
    counts = np.zeros((3, 10), dtype=int)
    counts[0, [0, 1, 6]] = [50, 40, 10]  # a tail of high scores
    counts[1, [4, 5, 6]] = [25, 50, 25]
    counts[2, [4, 8, 9]] = [10, 40, 50]  # a tail of low scores
    table = marginals.by_mean(counts)
    assert table["share"].tolist() == pytest.approx([1 / 3, 0, 1 / 3, 0, 1 / 3])
    assert table.loc["1-4", "skewness"] > 1
    assert table.loc["5-6", "skewness"] == pytest.approx(0)  # a mean of 6 is in the lower range
    assert table.loc["above 7", "skewness"] < -1


def test_two_modes_need_a_valley():
    one = np.array([0, 0.05, 0.1, 0.2, 0.3, 0.2, 0.1, 0.05, 0, 0])
    two = np.array([0, 0.2, 0.25, 0.05, 0.05, 0.2, 0.2, 0.05, 0, 0])
    faint = np.array([0, 0.3, 0.4, 0.2, 0.01, 0.04, 0.03, 0.02, 0, 0])
    assert marginals.two_modes(np.stack([one, two, faint])).tolist() == [False, True, False]


def test_the_real_ava():
    root = os.environ.get("APM_AVA_ROOT")
    if not root:
        pytest.skip("APM_AVA_ROOT is not set: no real AVA to compare with")
    found = marginals.describe(marginals.read_counts(Path(root) / "AVA.txt"))
    for name, (value, tolerance) in marginals.AVA.items():
        assert found[name] == pytest.approx(value, abs=tolerance / 2), name
