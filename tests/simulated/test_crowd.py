import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from apmlib import metrics
from apmlib.errors import InputError
from apmlib.simulated import crowd, latents, marginals
from apmlib.simulated.crowd import Crowd
from tests.simulated.stand_in import measured


@pytest.fixture(scope="module")
def table():
    return measured(10_000, seed=1)


@pytest.fixture(scope="module")
def counts(table):
    return crowd.vote(table, seed=1)


def one(**changes) -> pd.DataFrame:
    """A single photograph without faults, as its category has it."""
    row = measured(1).assign(
        **{
            **{"category": "landscape", "aspect": 1.5, "horizon": 1 / 3, "clutter": 0.1},
            **{"subject_x": 1 / 3, "subject_y": 0.5, "subject_size": 0.3, "harmony": 0.8},
            **{"light": 0.8, "white_balance": 0.0, "saturation": 1.0, "blur": 0.05},
            **{"focus_error": 0.0, "tilt": 0.0, "divergence": 0.0, "hidden": 0.0},
            **{"discord": 0.0, "lightness": 0.47, "chroma": 0.22, "clipped": 0.0},
            **{"tones": 0.12, "warmth": 0.04, "framing": 0.03},
        }
    )
    return row.assign(**changes)


def worth(**changes) -> float:
    return crowd.visible(one(**changes))[0]


def test_claims_have_the_shares_of_the_budget(table):
    shares = crowd.budget(table)
    wanted = pd.Series(0.0, index=crowd.CLAIMS)
    for factor in crowd.FACTORS.values():
        wanted[factor.claim] += factor.share
    assert wanted.sum() == pytest.approx(1)
    assert shares.sum() == pytest.approx(1)
    assert (shares - wanted).abs().max() < 0.03
    assert crowd.visible(table).std() == pytest.approx(crowd.VISIBLE, rel=0.08)


def test_features_are_scaled_alike(table):
    look = crowd.features(table).drop(columns=["category", "horizon"])
    assert look.mean().abs().max() < 0.12
    assert (look.std() - 1).abs().max() < 0.12


def test_votes_look_like_those_of_ava(counts):
    found = marginals.describe(counts)
    for name, (value, tolerance) in marginals.AVA.items():
        assert found[name] == pytest.approx(value, abs=tolerance), name


def test_the_ceilings_are_where_much_is_hidden(table, counts):
    found = pd.DataFrame(crowd.ceilings(table, counts)).T
    assert found.loc["image", "rho"] == pytest.approx(0.82, abs=0.03)
    assert found.loc["image", "mse"] == pytest.approx(0.17, abs=0.03)
    assert found.loc["image", "cdloss"] == pytest.approx(0.035, abs=0.006)
    assert found.loc["image", "accuracy"] == pytest.approx(0.84, abs=0.03)
    assert found.loc["vote", "rho"] > 0.98
    assert np.isnan(found.loc["constant", "rho"])
    worse = ["kldiv", "cdloss", "mse", "emd1", "emd2"]
    assert (found.loc["constant", worse] > found.loc["image", worse]).all()
    assert (found.loc["image", worse] > found.loc["vote", worse]).all()


def test_the_image_ceiling_cannot_be_beaten_by_knowing_less(table):
    """E[p | picture] has the lowest expected cross entropy among functions of the picture."""
    true, best = crowd.distribution(table), crowd.visible_distribution(table)
    guess = crowd.distribution(table.assign(hidden=0.0, discord=0.0))
    assert metrics.kl(true, best).mean() < metrics.kl(true, guess).mean()


def test_the_hidden_effect_is_integrated_out(table):
    some = table.head(40)
    rng = np.random.default_rng(0)
    drawn = np.zeros((len(some), 10))
    for _ in range(400):
        hidden, discord = rng.standard_normal((2, len(some)))
        drawn += crowd.distribution(some.assign(hidden=hidden, discord=discord)) / 400
    assert np.abs(drawn - crowd.visible_distribution(some)).max() < 0.02


def test_one_plain_voter_is_a_normal_deviate_rounded():
    plain = Crowd(schools=0, spread=0, careless=0, hidden=0)
    p = crowd._opinions(np.array([5.2]), np.array([1.3]), np.array([0.0]), plain)[0]
    wide = 1.3 * np.exp(crowd.SWELL * (5.2 - crowd.BASE) ** 2)
    narrow = norm(5.2 - crowd.MEEK, wide)
    keen = norm(5.2 + crowd.KEEN, crowd.WIDE * wide)
    share = crowd.ENTHUSIASTS
    for score in range(2, 10):
        by_hand = (1 - share) * (narrow.cdf(score + 0.5) - narrow.cdf(score - 0.5))
        by_hand += share * (keen.cdf(score + 0.5) - keen.cdf(score - 0.5))
        assert p[score - 1] == pytest.approx(by_hand, abs=1e-12)
    assert p[0] == pytest.approx((1 - share) * narrow.cdf(1.5) + share * keen.cdf(1.5))


def test_faults_cost():
    good = worth()
    for fault in (
        {"lightness": 0.75},
        {"lightness": 0.20},
        {"clipped": 0.3},
        {"tones": 0.05},
        {"warmth": -0.15},
        {"framing": -0.15},
        {"white_balance": 0.8},
        {"focus_error": 0.8},
        {"tilt": 8.0},
        {"tilt": -8.0},
        {"clutter": 0.9},
        {"harmony": 0.1},
        {"light": 0.1},
        {"horizon": 0.5},
        {"subject_x": 0.05},
        {"subject_x": 0.5},
    ):
        assert worth(**fault) < good - 0.1, fault
    assert worth(tilt=1.0) == good


def test_what_is_good_depends_on_the_category():
    def gain(category, **change):
        start = {"category": category, "horizon": np.nan, "subject_y": 1 / 3}
        return worth(**start | change) - worth(**start)

    for liked, disliked, change in (
        (("seascape", "floral"), ("portrait",), {"chroma": 0.5}),
        (("portrait", "floral", "animal"), ("landscape", "cityscape"), {"blur": 0.9}),
        (("seascape", "portrait"), ("cityscape",), {"warmth": 0.25}),
        (("portrait", "animal"), ("landscape", "forest"), {"subject_size": 0.75}),
        (("architecture", "abstract"), ("portrait",), {"subject_x": 0.5, "subject_y": 0.5}),
        (("landscape",), ("portrait", "forest"), {"aspect": 16 / 9}),
        (("stilllife",), ("floral",), {"lightness": 0.36}),
    ):
        for category in liked:
            assert gain(category, **change) > 0.02, (category, change)
        for category in disliked:
            assert gain(category, **change) < -0.02, (category, change)
    assert 0.5 * gain("portrait", clutter=0.9) < gain("cityscape", clutter=0.9) < 0


def test_a_cast_cannot_be_seen_in_black_and_white():
    grey = {"saturation": 0.0, "chroma": 0.0}
    assert worth(**grey, white_balance=0.9) == worth(**grey, white_balance=0.0)


def test_every_claim_can_be_switched_off(table):
    some = table.head(500)
    for claim in crowd.CLAIMS:
        off = dataclasses.replace(crowd.DEFAULT, **{claim: 0.0})
        for name, points in crowd.contributions(some, off).items():
            assert (points.std() == 0) == (crowd.FACTORS[name].claim == claim), (claim, name)
    nothing = Crowd(**dict.fromkeys(crowd.CLAIMS, 0.0))
    assert np.allclose(crowd.visible(some, nothing), crowd.BASE)


def test_without_interaction_all_categories_like_the_same(table):
    points = crowd.contributions(table, Crowd(interaction=0.0)).drop(columns="category")
    look = crowd.features(table)
    for name in points:
        ratio = (points[name] / look[name])[look[name].abs() > 0.01]
        assert np.ptp(ratio) < 1e-9, name
    aspect = crowd.budget(table)["aspect"]
    assert crowd.budget(table, Crowd(interaction=0.0))["aspect"] < 0.1 * aspect


def test_the_schools_fall_out_over_treatments(table):
    treated = table[table["divergence"] > 0.7]
    true = crowd.distribution(treated)
    assert marginals.two_modes(true).mean() > 0.6
    assert marginals.two_modes(crowd.distribution(treated, Crowd(schools=0.0))).mean() < 0.02
    assert marginals.two_modes(crowd.distribution(table)).mean() == pytest.approx(
        0.04, abs=0.02
    )

    alone = metrics.mean(crowd.distribution(treated, Crowd(shares=(1.0, 0.0))))
    assert (alone < metrics.mean(true) - 0.5).mean() > 0.95


def test_hidden_and_spread_are_switches(table):
    some = table.head(300)
    plain = Crowd(hidden=0.0)
    changed = some.assign(hidden=-some["hidden"])
    assert np.array_equal(crowd.distribution(some, plain), crowd.distribution(changed, plain))
    calm = table[table["divergence"] == 0]
    assert np.ptp(crowd.sigma(calm, Crowd(spread=0.0))) == 0
    deviation = metrics.std(crowd.distribution(calm)).std()
    assert metrics.std(crowd.distribution(calm, Crowd(spread=0.0))).std() < 0.75 * deviation


def test_gross_outliers_come_as_often_as_asked(table):
    clean = crowd.vote(table, Crowd(outliers=0.0), seed=5)
    some = crowd.vote(table, Crowd(outliers=0.05), seed=5)
    assert np.array_equal(clean.sum(axis=1), some.sum(axis=1))
    true = crowd.distribution(table)
    excess = (metrics.normalise(some) - true)[:, [0, -1]].max(axis=1)
    assert (excess > 1 / 9).mean() == pytest.approx(0.05, abs=0.01)
    assert ((metrics.normalise(clean) - true)[:, [0, -1]] > 1 / 9).mean() < 0.0004


def test_votes_are_whole_and_as_many_as_asked(table, counts):
    assert counts.dtype == np.int64
    assert counts.shape == (10_000, 10)
    assert counts.min() >= 0
    assert counts.sum(axis=1).min() >= 78
    assert counts.sum(axis=1).max() <= 549
    assert (crowd.vote(table.head(50), Crowd(votes=7)).sum(axis=1) == 7).all()


def test_votes_follow_from_the_seed(table):
    some = table.head(100)
    assert np.array_equal(crowd.vote(some, seed=2), crowd.vote(some, seed=2))
    assert not np.array_equal(crowd.vote(some, seed=2), crowd.vote(some, seed=3))


@settings(max_examples=40, deadline=None)
@given(
    st.floats(-3, 14), st.floats(0.3, 3), st.floats(-4, 4), st.floats(0, 1), st.floats(0, 0.5)
)
def test_a_distribution_is_one(location, wide, apart, first, careless):
    who = Crowd(shares=(first, 1 - first), careless=careless)
    low, high = crowd._opinions(
        np.array([location, location + 0.1]), np.full(2, wide), np.full(2, apart), who
    )
    assert low.sum() == pytest.approx(1)
    assert min(low.min(), high.min()) >= 0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 9_000), st.floats(0.05, 1.0))
def test_a_better_picture_has_a_better_mean(start, better):
    some = measured(50, seed=start)
    worse = metrics.mean(crowd.visible_distribution(some, taste=lambda d: 4 + 0 * d["light"]))
    raised = metrics.mean(
        crowd.visible_distribution(some, taste=lambda d: 4 + better + 0 * d["light"])
    )
    assert (raised > worse).all()


def test_a_taste_of_ones_own(table):
    def taste(latents):
        return 3 + 4 * latents["light"]

    p = crowd.visible_distribution(table, taste=taste)
    assert metrics.rho(metrics.mean(p), taste(table)) > 0.98
    found = crowd.ceilings(table, crowd.vote(table, taste=taste), taste=taste)
    assert found["image"]["rho"] > 0.9
    with pytest.raises(InputError, match="taste"):
        crowd.visible(table, taste=lambda d: np.zeros(3))
    with pytest.raises(InputError, match="taste"):
        crowd.visible(table, taste=lambda d: d["horizon"])


def test_revote_joins_by_id(table, tmp_path):
    from apmlib.ratings import Collection

    names = ["7", "3", "11"]
    old = pd.DataFrame(1, index=pd.Index(names), columns=[f"n{k}" for k in range(1, 11)])
    old = old.assign(path="", split=["train", "val", "test"], category="")
    new = crowd.revote(Collection(tmp_path, old), table, seed=4)
    counts = pd.DataFrame(crowd.vote(table, seed=4), index=table.index)
    assert np.array_equal(new.counts, counts.loc[names].to_numpy())
    assert list(new.table["split"]) == ["train", "val", "test"]
    with pytest.raises(InputError, match="no row for image 11"):
        crowd.revote(Collection(tmp_path, old), table.head(3))


def test_a_missing_column_is_named(table):
    with pytest.raises(InputError, match="chroma"):
        crowd.visible(table.drop(columns="chroma"))


def test_columns_needed_are_latents_or_measured():
    known = {*latents.sample(1).columns, *latents.MEASURED}
    assert set(crowd.NEEDED) <= known
