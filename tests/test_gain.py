import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from apmlib import editing, gain
from apmlib.editing import Edit, Search
from apmlib.simulated import crowd, latents
from apmlib.simulated.render import render

SIDE = 128


@pytest.fixture(scope="module")
def row():
    """A photograph without a fault and without noise."""
    table = latents.sample(400, 5)
    table = table[gain.faults(table) == "none"]
    found = table[table["category"] == "stilllife"].iloc[0].to_dict()
    return found | {"noise": 0.0, "vignette": 0.0, "white_balance": 0.0, "saturation": 1.0}


def taken(row, **changed):
    photograph = render(row | changed, SIDE)
    return (
        row | changed | photograph.measured,
        Image.fromarray(photograph.rgb),
        Image.fromarray(photograph.mask),
    )


def psnr(a, b):
    """Decibels between two photographs, where neither is clipped."""
    a, b = np.asarray(a).astype(float), np.asarray(b).astype(float)
    good = ((a > 4) & (a < 245) & (b > 4) & (b < 245)).all(axis=2)
    assert good.mean() > 0.5
    return 10 * np.log10(255**2 / np.mean((a - b)[good] ** 2))


@pytest.mark.parametrize(
    "edit",
    [
        Edit(exposure=0.7),
        Edit(exposure=-0.8),
        Edit(saturation=1.4),
        Edit(saturation=0.5),
        Edit(white_balance=0.4),
        Edit(white_balance=-0.4),
        Edit(contrast=0.85),
        Edit(contrast=1.15, exposure=0.3),
    ],
    ids=editing.changes,
)
def test_an_edit_is_what_the_camera_would_have_done(row, edit):
    before, photograph, mask = taken(row)
    after, edited, _ = gain.apply_edit(before, photograph, mask, edit)
    assert psnr(edited, render(after, SIDE).rgb) >= 30


def test_a_rotation_is_what_the_camera_would_have_done(row):
    before, photograph, mask = taken(row, tilt=7.0)
    edit = Edit(rotation=-7.0)
    after, edited, _ = gain.apply_edit(before, photograph, mask, edit)
    assert after["tilt"] == 0
    upright = taken(row, tilt=0.0)[1]
    left, top = (upright.width - edited.width) / 2, (upright.height - edited.height) / 2
    box = (left, top, left + edited.width, top + edited.height)
    same = upright.resize(edited.size, Image.Resampling.BICUBIC, box)
    assert psnr(edited, same) >= 30


def test_a_crop_moves_the_subject_and_the_mask_alike(row):
    before, photograph, mask = taken(row)
    for edit in (Edit(zoom=0.8, x=0.7, y=-0.4), Edit(zoom=0.9, aspect=0.8, rotation=5)):
        after, edited, shown = gain.apply_edit(before, photograph, mask, edit)
        assert edited.size == shown.size
        assert after["aspect"] == edited.width / edited.height
        moved = []
        for picture, known in ((mask, before), (shown, after)):
            y, x = np.argwhere(np.asarray(picture) > 127).mean(axis=0)
            # Of a tilted photograph the latents are those of the upright scene.
            angle = np.deg2rad(known["tilt"])
            u, v = x - picture.width / 2, y - picture.height / 2
            u, v = np.cos(angle) * u + np.sin(angle) * v, np.cos(angle) * v - np.sin(angle) * u
            moved.append(
                (
                    0.5 + u / picture.width - known["subject_x"],
                    0.5 + v / picture.height - known["subject_y"],
                )
            )
        assert moved[1] == pytest.approx(moved[0], abs=0.06)
        assert after["mask_area"] == (np.asarray(shown) > 127).mean()


def test_no_edit_gains_nothing_and_the_truth_is_the_crowds(row):
    before, photograph, mask = taken(row)
    assert gain.true_gain(before, photograph, mask, [Edit()]) == pytest.approx([0])
    (mean,) = gain.true_means([before])
    p = crowd.distribution(pd.DataFrame([before]))[0]
    assert mean == pytest.approx(p @ np.arange(1, 11))


def test_a_photograph_taken_again_is_the_same_at_any_size(row):
    known, large, mask = gain.taken(row, SIDE)
    assert large.mode == "RGB" and mask.size == large.size
    small = gain.taken(row, SIDE // 2)[1]
    shrunk = large.resize(small.size, Image.Resampling.BOX)
    gap = np.asarray(small, float) - np.asarray(shrunk, float)
    assert np.sqrt(np.mean(gap**2)) < 12
    assert known["lightness"] == pytest.approx(render(row, SIDE).measured["lightness"])
    assert all(known[name] == row[name] for name in ("scene_seed", "tilt", "exposure"))


def test_of_changed_pixels_only_what_is_measured_changes(row):
    before, photograph, mask = taken(row | {"horizon": 0.5})
    assert gain.shown_as(before, photograph, mask) == before
    lighter = photograph.point(lambda value: min(255, value + 30))
    after = gain.shown_as(before, lighter, mask)
    assert after["lightness"] > before["lightness"]
    changed = {name for name in before if after[name] != before[name]}
    assert changed <= set(latents.MEASURED)


def test_nothing_clipped_comes_back(row):
    before, photograph, mask = taken(row, exposure=2.0)
    after, edited, _ = gain.apply_edit(before, photograph, mask, Edit(exposure=-2.0))
    white = (np.asarray(photograph) == 255).all(axis=2)
    assert white.sum() > 20
    assert np.ptp(np.asarray(edited)[white], axis=0).max() == 0
    assert after["exposure"] == pytest.approx(0)


@pytest.mark.parametrize("exposure", [-1.6, 1.6])
def test_the_best_edit_mends_a_fault(row, exposure):
    before, photograph, mask = taken(row, exposure=exposure)
    search = Search(only=("exposure",), penalty=0.02)
    best = gain.best_edit(before, photograph, mask, search, generations=5)
    assert np.sign(best.exposure) == -np.sign(exposure)
    found = gain.true_gain(before, photograph, mask, [best, Edit(exposure=exposure)])
    assert found[0] > 0.1 > found[1]


def test_taste_can_be_the_readers_own(row):
    before, photograph, mask = taken(row)
    edits = [Edit(exposure=-1.0), Edit(exposure=0.5)]

    def dark(table):
        return 8 - 6 * table["lightness"]

    found = gain.true_gain(before, photograph, mask, edits, taste=dark)
    assert found[0] > 0 > found[1]


@given(st.floats(0, 5), st.integers(0, 2**31))
@settings(deadline=None)
def test_a_random_edit_has_the_size_asked_for(size, seed):
    edit = gain.random_edit(size, np.random.default_rng(seed))
    assert float(editing.size(editing.vector(edit))) == pytest.approx(size, abs=0.15)
    tones = gain.random_edit(size, np.random.default_rng(seed), ("exposure", "contrast"))
    assert tones == Edit(exposure=tones.exposure, contrast=tones.contrast)


def test_faults_are_told_apart():
    table = latents.sample(3000, 1)
    found = gain.faults(table)
    assert set(found) == {*gain.FAULTS, "none", "several"}
    assert (table.loc[found == "tilt", "tilt"].abs() >= 4).all()
    assert (table.loc[found == "none", "exposure"].abs() < 1.6).all()
    assert (table.loc[found == "dull", "divergence"] == 0).all()
