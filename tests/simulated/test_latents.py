import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apmlib.simulated import latents

RANGES = {
    "scene_seed": (0, 2**31 - 1),
    "subject_x": (0, 1),
    "subject_y": (0, 1),
    "subject_size": (0.12, 0.8),
    "clutter": (0, 1),
    "harmony": (0, 1),
    "light": (0, 1),
    "exposure": (-2, 2),
    "white_balance": (-1, 1),
    "saturation": (0, 2),
    "contrast": (0.55, 1.6),
    "blur": (0, 1),
    "focus_error": (0, 1),
    "tilt": (-12, 12),
    "noise": (0, 1),
    "vignette": (0, 1),
    "divergence": (0, 1),
    "jpeg": (78, 95),
}


@pytest.fixture(scope="module")
def table():
    return latents.sample(20_000, seed=3)


def test_every_column_is_documented_and_within_its_range(table):
    for name in table:
        assert f"\n{name} " in latents.__doc__, name
    for name, (low, high) in RANGES.items():
        assert table[name].between(low, high).all(), name
    assert table.index.name == "image"
    assert list(table.index[:3]) == ["1", "2", "3"]
    numbers = table.drop(columns=["category", "horizon"]).to_numpy(float)
    assert np.isfinite(numbers).all()


def test_only_open_scenes_have_a_horizon(table):
    open_air = table["category"].isin(latents.WITH_HORIZON)
    assert table.loc[open_air, "horizon"].between(0.15, 0.85).all()
    assert table.loc[~open_air, "horizon"].isna().all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 40), st.integers(0, 40))
def test_a_row_does_not_depend_on_how_many_are_drawn(seed, few, more):
    whole = latents.sample(few + more, seed)
    assert latents.sample(few, seed).equals(whole.head(few))


def test_seeds_differ_and_streams_are_independent(table):
    assert not latents.sample(5, 1).equals(latents.sample(5, 2))
    assert table["scene_seed"].nunique() > 0.999 * len(table)
    scene = ["scene_seed", "subject_x", "subject_y", "clutter", "harmony", "light"]
    camera = ["exposure", "white_balance", "saturation", "blur", "focus_error", "tilt"]
    voters = ["hidden", "discord"]
    corr = table[scene + camera + voters].corr().abs().to_numpy(copy=True)
    np.fill_diagonal(corr, 0)
    assert corr.max() < 0.04  # 5.6 deviations of the correlation of 20,000 pairs
    by_category = table.groupby("category")[camera + voters].mean()
    assert (by_category.sub(table[by_category.columns].mean()).abs().max() < 0.5).all()


def test_every_category_and_every_aspect_occurs_in_each_other(table):
    shares = table.groupby("category")["aspect"].value_counts(normalize=True).unstack()
    assert shares.shape == (10, 8)
    assert (shares > 0.01).all(axis=None)
    assert (table["category"].value_counts(normalize=True) - 0.1).abs().max() < 0.01
    tall = table["aspect"].lt(1).groupby(table["category"]).mean()
    assert tall["portrait"] > 0.4 > 0.25 > tall["landscape"]


def test_photographs_are_mostly_good_and_clearly_faulty_otherwise(table):
    assert (table["exposure"].abs() < 0.6).mean() == pytest.approx(0.76, abs=0.04)
    assert table["tilt"].abs().between(1.5, 4).mean() < 0.01
    assert (table["tilt"].abs() >= 4).mean() == pytest.approx(0.20, abs=0.02)
    assert (table["focus_error"] >= 0.4).mean() == pytest.approx(0.18, abs=0.02)
    assert (table["saturation"] == 0).mean() == pytest.approx(0.13, abs=0.02)
    assert (table["divergence"] > 0).mean() == pytest.approx(0.07, abs=0.01)
