import numpy as np
import pytest
from PIL import Image

from apmlib.simulated import camera, latents
from apmlib.simulated.render import render, shape

TABLE = latents.sample(120, seed=3)
CATEGORIES = latents.CATEGORIES


def first(category, **changes):
    row = TABLE[TABLE["category"] == category].iloc[0].to_dict()
    return row | changes


def shrunk(rgb, size):
    return np.asarray(Image.fromarray(rgb).resize(size, Image.BOX), float)


def test_shapes():
    assert shape(1.5, 64) == (64, 96)
    assert shape(2 / 3, 64) == (96, 64)
    assert shape(1.0, 64) == (64, 64)


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_row_is_a_photograph(category):
    row = first(category)
    photograph = render(row, 64)
    assert photograph.rgb.shape[:2] == photograph.mask.shape == shape(row["aspect"], 64)
    assert photograph.rgb.dtype == photograph.mask.dtype == np.uint8
    assert set(photograph.measured) == set(latents.MEASURED)
    signed = {"warmth", "framing"}
    assert all(-1 <= value <= 1.1 for value in photograph.measured.values())
    assert all(0 <= photograph.measured[name] for name in set(latents.MEASURED) - signed)
    again = render(row, 64)
    np.testing.assert_array_equal(photograph.rgb, again.rgb)
    np.testing.assert_array_equal(photograph.mask, again.mask)


@pytest.mark.parametrize("category", CATEGORIES)
def test_all_sizes_show_the_same_picture(category):
    row = first(category, tilt=0.0, noise=0.0, divergence=0.0, exposure=0.0)
    small, large = render(row, 64), render(row, 192)
    height, width = small.mask.shape
    a, b = (
        shrunk(small.rgb, (width // 4, height // 4)),
        shrunk(large.rgb, (width // 4, height // 4)),
    )
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.9
    assert small.measured["mask_area"] == pytest.approx(
        large.measured["mask_area"], rel=0.25, abs=0.01
    )
    assert small.measured["lightness"] == pytest.approx(large.measured["lightness"], abs=0.05)


@pytest.mark.parametrize("category", CATEGORIES)
def test_the_subject_lies_where_the_row_says(category):
    places = []
    for x in (0.3, 0.7):
        row = first(category, tilt=0.0, subject_x=x, subject_y=0.55, clutter=0.0)
        mask = render(row, 64).mask > 0
        assert mask.any()
        places.append(np.nonzero(mask)[1].mean() / mask.shape[1])
    assert places[1] - places[0] > 0.15


def test_exposure_of_a_row_is_exposure_of_its_photograph():
    row = first("landscape", noise=0.0, divergence=0.0, exposure=-0.8, saturation=1.0)
    plain, brighter = render(row, 64).rgb, render(row | {"exposure": -0.3}, 64).rgb
    edited = camera.encode(camera.decode(plain) * 2**0.5) * 255
    error = np.mean((edited - brighter) ** 2)
    assert 10 * np.log10(255**2 / error) > 30


def test_the_camera_does_not_change_the_scene():
    row = first("seascape", tilt=0.0, noise=0.0)
    mask = render(row, 64).mask
    edited = row | {"exposure": 1.0, "white_balance": 0.8, "saturation": 0.0, "vignette": 1.0}
    np.testing.assert_array_equal(mask, render(edited, 64).mask)


def test_faults_can_be_measured():
    for category in ("landscape", "cityscape", "architecture"):
        row = first(category, exposure=0.0, saturation=1.0, divergence=0.0)
        light = [
            render(row | {"exposure": e}, 64).measured["lightness"] for e in (-1.5, 0, 1.5)
        ]
        assert light[0] < light[1] < light[2]
        colour = [render(row | {"saturation": s}, 64).measured["chroma"] for s in (0, 1, 2)]
        assert colour[0] < 0.01 < colour[1] < colour[2]
