"""Metrics against hand values, scipy and properties; intervals against plain resampling."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from apmlib import metrics

K = 10
SEEDS = st.integers(0, 10_000)


def distributions(seed, images=6, bins=K):
    return np.random.default_rng(seed).dirichlet(np.ones(bins), images)


def point(score, bins=K):
    return np.eye(bins)[score - 1]


# --- One image ------------------------------------------------------------------------------


def test_normalise_by_hand_and_zeros_become_uniform():
    p = metrics.normalise([[1, 3], [0, 0]])
    assert p.tolist() == [[0.25, 0.75], [0.5, 0.5]]
    assert metrics.mean(np.zeros(K)) == 5.5
    assert metrics.std([[0, 0]]).tolist() == [0.5]


def test_mean_and_deviation_of_votes_by_hand():
    votes = [0, 0, 1, 2, 1, 0, 0, 0, 0, 0]
    assert metrics.mean(votes) == 4.0
    assert metrics.std(votes) == pytest.approx(math.sqrt(0.5))


@settings(deadline=None)
@given(SEEDS, st.integers(2, 12))
def test_mean_and_deviation_equal_those_of_the_votes_one_by_one(seed, bins):
    votes = np.random.default_rng(seed).integers(0, 40, bins) + (np.arange(bins) == 0)
    scores = np.repeat(np.arange(1, bins + 1), votes)
    assert metrics.mean(votes) == pytest.approx(scores.mean())
    assert metrics.std(votes) == pytest.approx(scores.std())


def test_a_mean_of_exactly_five_is_five():
    # Normalised first, the mean of these votes comes out as 5.000000000000001: high.
    votes = np.array([30, 25, 17, 16, 28, 18, 16, 18, 19, 13])
    assert (votes / votes.sum() * np.arange(1, 11)).sum() > 5
    assert metrics.mean(votes) == 5.0


def test_kl_by_hand():
    g, p = [0.5, 0.5], [0.25, 0.75]
    by_hand = 0.5 * math.log(2) + 0.5 * math.log(0.5 / 0.75)
    assert metrics.kl(g, p) == pytest.approx(by_hand)


@settings(deadline=None)
@given(SEEDS)
def test_kl_is_scipys_and_never_negative(seed):
    g, p = distributions(seed), distributions(seed + 1)
    assert metrics.kl(g, p, eps=1e-300) == pytest.approx(special.rel_entr(g, p).sum(axis=1))
    assert metrics.kl(g, p, eps=1e-300) == pytest.approx(stats.entropy(g, p, axis=1))
    assert (metrics.kl(g, p) >= 0).all()


def test_kl_clips_the_prediction_and_normalises_it_again():
    g, p = point(1), point(2)
    clipped = np.full(K, 1e-4)
    clipped[1] = 1
    clipped /= clipped.sum()
    assert metrics.kl(g, p) == pytest.approx(-math.log(clipped[0]))
    assert metrics.share_clipped(p) == 0.9
    assert metrics.share_zero(p) == 0.9
    assert metrics.kl(p, p) == pytest.approx(0, abs=1e-3)


def test_cdloss_by_hand():
    # One vote moved by three bins leaves three cumulative differences of one.
    assert metrics.cdloss(point(2), point(5)) == 3
    assert metrics.cdloss([0.5, 0.5], [0.25, 0.75]) == pytest.approx(0.0625)


@settings(deadline=None)
@given(SEEDS, st.integers(2, 12))
def test_cdloss_is_k_times_the_square_of_emd_2(seed, bins):
    p, g = distributions(seed, bins=bins), distributions(seed + 1, bins=bins)
    assert metrics.cdloss(p, g) == pytest.approx(bins * metrics.emd(p, g, 2) ** 2)
    assert metrics.cdloss(p, g) == pytest.approx(metrics.cdloss(g, p))


@settings(deadline=None)
@given(SEEDS, st.integers(2, 12))
def test_emd_1_is_scipys_distance_over_k(seed, bins):
    p, g = distributions(seed, 1, bins)[0], distributions(seed + 1, 1, bins)[0]
    scores = np.arange(1, bins + 1)
    distance = stats.wasserstein_distance(scores, scores, p, g)
    assert metrics.emd(p, g, 1) == pytest.approx(distance / bins)


def test_emd_and_cdloss_grow_with_the_distance_of_the_mass():
    for distance in (lambda p, g: metrics.emd(p, g, 1), metrics.cdloss):
        costs = [distance(point(k), point(3)) for k in range(3, 11)]
        assert costs[0] == 0
        assert (np.diff(costs) > 0).all()


@settings(deadline=None)
@given(SEEDS, st.floats(1e-3, 1e3))
def test_a_prediction_counts_by_its_shape_only(seed, factor):
    p, g = distributions(seed), distributions(seed + 1)
    for per_image in (metrics.cdloss, metrics.emd, lambda p, g: metrics.kl(g, p)):
        assert per_image(p * factor, g) == pytest.approx(per_image(p, g))
    assert metrics.mean(p * factor) == pytest.approx(metrics.mean(p))


# --- A set of images ------------------------------------------------------------------------


def test_mse_by_hand():
    assert metrics.mse([5, 6, 7], [5, 5, 5]) == pytest.approx(5 / 3)


@settings(deadline=None)
@given(SEEDS, st.integers(3, 40), st.integers(2, 8))
def test_rho_is_scipys_with_and_without_ties(seed, n, levels):
    rng = np.random.default_rng(seed)
    for a, b in (rng.normal(size=(2, n)), rng.integers(0, levels, (2, n))):
        if np.ptp(a) and np.ptp(b):
            assert metrics.rho(a, b) == pytest.approx(stats.spearmanr(a, b).statistic)


def test_rho_of_constants_is_undefined():
    assert math.isnan(metrics.rho([5, 5, 5], [1, 2, 3]))
    assert math.isnan(metrics.rho([1, 2, 3], [5, 5, 5]))
    assert metrics.bootstrap(metrics.rho, np.ones(9), np.arange(9))[1:] == pytest.approx(
        (math.nan, math.nan), nan_ok=True
    )


def test_accuracy_by_hand_and_at_the_threshold():
    assert metrics.accuracy([4, 6, 6, 5], [4.9, 5.1, 4, 5]) == 0.75
    # Exactly 5 is low, so it agrees with 4.9 and not with 5.1.
    assert metrics.accuracy([5, 5], [4.9, 5.1]) == 0.5
    assert metrics.accuracy([3, 5], [3, 5], above=4) == 1


def test_the_customary_threshold():
    assert [metrics.threshold(bins) for bins in (10, 7, 5)] == [5, 4, 3]


@settings(deadline=None)
@given(SEEDS, st.integers(4, 30))
def test_counts_stand_for_repeated_images(seed, n):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=n).round(1), rng.normal(size=n).round(1)
    drawn = rng.integers(n, size=n)
    counts = np.bincount(drawn, minlength=n)
    for measure in (metrics.mse, metrics.accuracy, metrics.rho):
        by_counts = measure(a, b, counts=counts)
        assert by_counts == pytest.approx(measure(a[drawn], b[drawn]), nan_ok=True)
        several = measure(a, b, counts=np.array([counts, np.ones(n)]))
        assert several == pytest.approx([by_counts, measure(a, b)], nan_ok=True)


# --- Intervals ------------------------------------------------------------------------------


def test_quick_and_plain_bootstrap_agree():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 60))

    def plain(a, b):
        return stats.spearmanr(a, b).statistic

    quick = metrics.bootstrap(metrics.rho, a, b, draws=200, seed=3)
    assert quick == pytest.approx(metrics.bootstrap(plain, a, b, draws=200, seed=3))


def test_interval_of_a_mean_is_scipys():
    values = np.random.default_rng(1).gamma(2, size=400)
    value, low, high = metrics.bootstrap(metrics.average, values, draws=4000)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    assert value == pytest.approx(values.mean())
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.01)


def test_interval_of_a_mean_follows_the_normal_law():
    values = np.random.default_rng(2).normal(size=2000)
    _, low, high = metrics.bootstrap(metrics.average, values, draws=4000)
    error = values.std() / math.sqrt(2000)
    assert high - low == pytest.approx(2 * 1.96 * error, rel=0.06)


def test_the_interval_is_the_seeds():
    a, b = np.random.default_rng(3).normal(size=(2, 80))
    assert metrics.bootstrap(metrics.rho, a, b) == metrics.bootstrap(metrics.rho, a, b)
    assert metrics.bootstrap(metrics.rho, a, b) != metrics.bootstrap(metrics.rho, a, b, seed=1)


def test_every_draw_has_as_many_images_as_the_set():
    counts = metrics._draw(np.random.default_rng(0), 50, 30)
    assert counts.shape == (30, 50)
    assert (counts.sum(axis=1) == 50).all()
    assert counts.mean(axis=0) == pytest.approx(np.ones(50), abs=0.8)


def test_pairing_removes_what_both_models_share():
    rng = np.random.default_rng(4)
    true = rng.normal(size=500)
    hard = rng.normal(size=500)
    a, b = true + hard, true + hard + 0.1 * rng.normal(size=500)
    value, low, high = metrics.paired(metrics.mse, a, b, true)
    assert value == pytest.approx(metrics.mse(a, true) - metrics.mse(b, true))
    _, alone_low, alone_high = metrics.bootstrap(metrics.mse, a, true)
    assert high - low < 0.5 * (alone_high - alone_low)
    assert low <= value <= high


def test_a_model_does_not_differ_from_itself():
    a = np.random.default_rng(5).normal(size=60)
    assert metrics.paired(metrics.rho, a, a, a[::-1]) == (0, 0, 0)
    assert metrics.detectable(metrics.rho, a, a, a[::-1]) == 0


def test_seeds_are_drawn_too():
    rng = np.random.default_rng(6)
    true = rng.normal(size=300)
    base = true + rng.normal(size=300)
    worse = [base + shift for shift in (0.5, 1.5, 2.5)]
    value, low, high = metrics.paired(metrics.mse, worse, [base] * 3, true)
    one = [metrics.mse(w, true) for w in worse]
    assert value == pytest.approx(np.mean(one) - metrics.mse(base, true))
    _, single_low, single_high = metrics.paired(metrics.mse, worse[1], base, true)
    assert high - low > 2 * (single_high - single_low)


def test_what_two_seeds_share_cancels():
    rng = np.random.default_rng(9)
    true, base = np.zeros(200), rng.normal(size=200)
    b = [base + shift for shift in (0.0, 1.0, 2.0)]
    a = [np.sqrt(x**2 + 0.1) for x in b]  # 0.1 worse on every image, with every seed
    found = metrics.paired(metrics.mse, a, b, true)
    assert found == pytest.approx((0.1, 0.1, 0.1))


def test_drawn_seeds_scatter_as_new_ones_would():
    values = np.array([1.0, 2.0, 6.0])
    found = metrics.over_seeds(np.repeat(values[:, None], 20_000, axis=1))
    assert found.std() == pytest.approx(values.std(ddof=1) / math.sqrt(3), rel=0.02)
    assert metrics.over_seeds(values[None]).tolist() == values.tolist()


def test_differences_of_values_per_image_need_no_truth():
    a, b = np.random.default_rng(7).random((2, 200))
    value, low, high = metrics.paired(metrics.average, a, b)
    assert value == pytest.approx((a - b).mean())
    assert low < value < high


def test_the_detectable_difference_is_the_power_of_a_normal_test():
    a = np.random.default_rng(8).normal(size=1000)
    smallest = metrics.detectable(metrics.average, a, np.zeros(1000), draws=4000)
    assert smallest == pytest.approx((1.95996 + 0.84162) * a.std() / math.sqrt(1000), rel=0.05)


# --- Everything at once ---------------------------------------------------------------------


def test_report_holds_what_the_metrics_say():
    rng = np.random.default_rng(9)
    g = rng.multinomial(200, distributions(9, 1)[0], 40)
    p = rng.random((40, K))
    report = metrics.report(p, g, draws=100)
    m, mu = metrics.mean(p), metrics.mean(g)
    expected = {
        "kldiv": metrics.kl(g, p).mean(),
        "cdloss": metrics.cdloss(p, g).mean(),
        "mse": metrics.mse(m, mu),
        "rho": stats.spearmanr(m, mu).statistic,
        "accuracy": metrics.accuracy(m, mu),
        "emd1": metrics.emd(p, g, 1).mean(),
        "emd2": metrics.emd(p, g, 2).mean(),
    }
    for name, value in expected.items():
        assert report[name]["value"] == pytest.approx(value), name
        assert report[name]["low"] <= report[name]["value"] <= report[name]["high"], name
    assert report["n"] == 40
    assert report["collapsed"] is None
    json.dumps(report, allow_nan=False)


def test_report_of_a_collapsed_model_names_it_and_leaves_rho_out():
    g = np.random.default_rng(10).multinomial(200, np.full(K, 0.1), 30)
    rounding = 1 + 1e-9 * np.random.default_rng(11).random((30, 1)) * np.arange(K)
    report = metrics.report(rounding, g, draws=20)
    assert report["rho"]["value"] is None
    assert "collapsed" in report["rho"]["reason"]
    assert "all 30 photographs score 5.500" in report["collapsed"]
    assert report["mse"]["value"] > 0
    json.dumps(report, allow_nan=False)


def test_report_of_one_photograph_and_of_a_constant_truth_says_why_rho_is_missing():
    p, g = distributions(13, 5), np.tile(np.arange(K), (5, 1))
    one, flat = metrics.report(p[:1], g[:1], draws=5), metrics.report(p, g, draws=5)
    assert one["rho"] == {
        "value": None,
        "low": None,
        "high": None,
        "reason": "undefined: one photograph has no order",
    }
    assert flat["rho"]["reason"].startswith("undefined: the truth is constant")
    json.dumps([one, flat], allow_nan=False)


def test_report_of_means_has_no_metrics_of_distributions():
    g = np.random.default_rng(12).multinomial(50, np.full(7, 1 / 7), 30)
    report = metrics.report(metrics.mean(g) + 0.1, g, draws=20)
    assert report["kldiv"] is report["cdloss"] is report["emd1"] is None
    assert report["mse"]["value"] == pytest.approx(0.01)
    assert report["rho"]["value"] == pytest.approx(1)
    assert report["threshold"] == 4


def test_report_needs_a_prediction_for_every_image():
    with pytest.raises(ValueError, match="3 predictions for 4 images"):
        metrics.report(np.ones((3, K)), np.ones((4, K)))


def test_constant_predictor():
    g = np.array([[2, 0], [1, 3]])
    assert metrics.constant(g, 3).tolist() == [[0.625, 0.375]] * 3


def test_uniform_against_a_point_written_out():
    uniform, one = np.full(K, 0.1), point(1)
    assert metrics.cdloss(uniform, one) == pytest.approx(
        sum((k / 10 - 1) ** 2 for k in range(1, 11))
    )
    assert metrics.emd(uniform, one, 1) == pytest.approx(0.45)
    assert metrics.kl(one, uniform) == pytest.approx(math.log(10))
