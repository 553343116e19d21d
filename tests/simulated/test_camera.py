import numpy as np
import pytest

from apmlib.simulated import camera
from apmlib.simulated.canvas import Canvas

ROW = {
    "category": "landscape",
    "scene_seed": 5,
    "tilt": 0.0,
    "blur": 0.0,
    "focus_error": 0.0,
    "vignette": 0.0,
    "noise": 0.0,
    "contrast": 1.0,
    "exposure": 0.0,
    "white_balance": 0.0,
    "saturation": 1.0,
    "divergence": 0.0,
}


def scene(width=96, height=64, tilt=0.0):
    """A grey gradient with a coloured square as subject."""
    canvas = Canvas(width, height, camera.margin(width, height, tilt))
    canvas.rgb[:] = (0.10 + 0.10 * canvas.x)[..., None]
    at = canvas.window(-0.15, -0.15, 0.15, 0.15)
    canvas.paint((0.3, 0.12, 0.1), 1.0, depth=0.3, subject=True, at=at)
    return canvas


def picture(**changes):
    row = ROW | changes
    return camera.expose(scene(tilt=row["tilt"]), row)[0]


def light(rgb):
    return camera.decode(rgb)


def test_shape_and_mask():
    rgb, mask = camera.expose(scene(), ROW)
    assert rgb.shape == (64, 96, 3) and rgb.dtype == np.uint8
    assert mask.shape == (64, 96) and set(np.unique(mask)) == {0, 255}
    assert (mask > 0).mean() == pytest.approx(0.09 / 1.5, rel=0.4)


def test_decode_inverts_encode():
    values = np.linspace(0.002, 1.5, 200, dtype=np.float32)
    shown = camera.encode(values)
    np.testing.assert_allclose(camera.decode(shown), values, rtol=0.02)
    assert np.all(np.diff(shown) >= 0)


def test_exposure_is_a_gain_in_linear_light():
    plain, brighter = light(picture()), light(picture(exposure=0.5))
    np.testing.assert_allclose(brighter, plain * 2**0.5, rtol=0.06, atol=0.003)


def test_metering_does_not_follow_the_scene_brightness_or_the_camera():
    dim = scene()
    dim.rgb *= 0.25
    a = camera.expose(scene(), ROW)[0].astype(int)
    assert np.abs(a - camera.expose(dim, ROW)[0]).mean() < 12
    assert camera.meter(scene(), "landscape") == camera.meter(scene(), "landscape")
    assert camera.meter(scene(), "landscape") > camera.meter(scene(), "cityscape")


def test_white_balance_keeps_luminance_and_turns_from_blue_to_orange():
    for value in (-1, 0, 1):
        assert camera.balance(value) @ camera.LUMA == pytest.approx(1, abs=1e-5)
    warm, cold = (
        picture(white_balance=0.8).mean((0, 1)),
        picture(white_balance=-0.8).mean((0, 1)),
    )
    assert warm[0] > warm[2] and cold[2] > cold[0]


def test_saturation_zero_is_grey():
    grey = picture(saturation=0.0).astype(int)
    assert np.ptp(grey, axis=-1).max() <= 1
    assert (
        np.ptp(picture(saturation=2.0).astype(int), axis=-1).max()
        > np.ptp(picture().astype(int), axis=-1).max()
    )


def test_tilt_turns_clockwise():
    canvas = Canvas(80, 80, camera.margin(80, 80, 10))
    canvas.rgb[:] = np.where(canvas.y > 0, 0.05, 0.6)[..., None]
    rgb, _ = camera.expose(canvas, ROW | {"tilt": 10.0})
    dark = rgb[..., 1] < 128
    # Clockwise: the horizon lies lower on the right.
    assert dark[:, :10].mean() > dark[:, -10:].mean() + 0.1
    slope = (dark[:, 70].sum() - dark[:, 10].sum()) / 60
    assert slope == pytest.approx(-np.tan(np.deg2rad(10)), abs=0.03)


@pytest.mark.parametrize("tilt", [-12, -3, 0.4, 12])
def test_the_margin_is_enough(tilt):
    canvas = Canvas(90, 60, camera.margin(90, 60, tilt))
    turned = camera.turn(np.ones((*canvas.x.shape, 1), np.float32), tilt, 90, 60)
    assert turned.shape == (60, 90, 1)
    half = np.array([[45, 30], [45, -30], [-45, 30], [-45, -30]])
    a = np.deg2rad(tilt)
    corners = half @ np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])
    assert np.abs(corners[:, 0]).max() <= canvas.x.shape[1] / 2
    assert np.abs(corners[:, 1]).max() <= canvas.x.shape[0] / 2


def detail(rgb, rows, columns):
    part = rgb[rows, columns].astype(float).mean(-1)
    return np.abs(np.diff(part, axis=1)).mean()


def test_blur_spares_the_subject_and_focus_error_does_not():
    def shoot(**changes):
        canvas = Canvas(96, 96)
        stripes = (np.floor(canvas.x * 24) % 2)[..., None]
        canvas.rgb[:] = 0.05 + 0.4 * stripes
        canvas.depth[:] = 0.9
        at = canvas.window(-0.2, -0.2, 0.2, 0.2)
        canvas.paint(canvas.rgb[at].copy(), 1.0, depth=0.2, subject=True, at=at)
        return camera.expose(canvas, ROW | changes)[0]

    inside, outside = (slice(36, 60), slice(36, 60)), (slice(0, 20), slice(0, 96))
    sharp, wide, missed = shoot(), shoot(blur=1.0), shoot(focus_error=1.0)
    assert detail(wide, *outside) < 0.35 * detail(sharp, *outside)
    assert detail(wide, *inside) > 0.8 * detail(sharp, *inside)
    assert detail(missed, *inside) < 0.6 * detail(sharp, *inside)
    np.testing.assert_array_equal(shoot(blur=0.1), sharp)


@pytest.mark.parametrize("radius", [0.5, 1.5, 3.0, 6.0])
def test_soften_keeps_light_and_has_the_radius(radius):
    point = np.zeros((80, 80), np.float32)
    point[40, 40] = 1
    soft = camera.soften(point, radius)
    assert soft.sum() == pytest.approx(1, rel=0.03)
    y, x = np.mgrid[:80, :80]
    spread = np.sqrt((soft * ((x - (soft * x).sum()) ** 2)).sum() / soft.sum())
    assert spread == pytest.approx(radius, rel=0.35)


def test_noise_vignette_and_contrast_show():
    noisy = picture(noise=1.0).astype(float) - picture()
    assert noisy.std() > 10
    assert abs(noisy.mean()) < 4
    dark = picture(vignette=1.0)
    assert dark[0, 0].mean() < 0.75 * picture()[0, 0].mean()
    assert picture(contrast=1.5).std() > 1.2 * picture(contrast=0.7).std()


def test_treatments_change_the_picture_by_strength():
    plain = camera.encode(np.random.default_rng(0).random((40, 60, 3)).astype(np.float32))
    for seed in range(12):
        np.testing.assert_array_equal(camera.treat(plain, 0.0, seed), plain)
        weak, strong = (np.abs(camera.treat(plain, s, seed) - plain).mean() for s in (0.5, 1))
        assert 0.02 < weak < strong


def test_measure_by_hand_and_at_two_sizes():
    white = np.full((48, 64, 3), 255, np.uint8)
    values = camera.measure(white, np.zeros((48, 64), np.uint8))
    assert values["lightness"] == pytest.approx(1, abs=1e-3)
    assert values["chroma"] == pytest.approx(0, abs=1e-3)
    assert values["clipped"] == 1 and values["mask_area"] == 0
    assert values["tones"] == values["framing"] == pytest.approx(0, abs=1e-5)
    red = np.zeros((48, 48, 3), np.uint8)
    red[..., 0] = 255
    values = camera.measure(red, np.full((48, 48), 255, np.uint8))
    assert values["lightness"] == pytest.approx(0.5324, abs=2e-3)  # L* of sRGB red
    assert values["chroma"] == pytest.approx(1.0455, abs=5e-3)  # C* of sRGB red
    assert values["warmth"] == pytest.approx(0.6720, abs=5e-3)  # b* of sRGB red
    assert values["mask_area"] == 1


def test_measure_tells_a_lit_middle_from_lit_edges():
    lit = np.zeros((48, 96, 3), np.uint8)
    lit[16:32, 32:64] = 255
    values = camera.measure(lit, np.zeros((48, 96), np.uint8))
    assert values["framing"] == pytest.approx(1, abs=1e-3)
    assert values["tones"] == pytest.approx(np.sqrt(1 / 9 * 8 / 9), abs=1e-3)
    turned = camera.measure(255 - lit, np.zeros((48, 96), np.uint8))
    assert turned["framing"] == pytest.approx(-1, abs=1e-3)
    assert turned["tones"] == pytest.approx(values["tones"], abs=1e-3)
