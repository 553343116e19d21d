import numpy as np
import pytest

from apmlib.simulated.canvas import (
    KINDS,
    Canvas,
    gradient,
    hsv,
    linear,
    mix,
    noise,
    oklch,
    smoothstep,
)


def test_scene_units_do_not_depend_on_the_pixels():
    small, large = Canvas(96, 64), Canvas(384, 256)
    assert small.half_width == large.half_width == 0.75
    assert small.half_height == large.half_height == 0.5
    assert small.place(0.5, 0.5) == (0.0, 0.0)
    assert small.place(1.0, 0.0) == (0.75, -0.5)
    assert small.x.shape == (64, 96)
    assert small.x.mean() == pytest.approx(0, abs=1e-6)
    assert small.x[0, 1] - small.x[0, 0] == pytest.approx(small.px)


def test_the_margin_extends_the_canvas_on_all_sides():
    canvas = Canvas(60, 40, margin=5)
    assert canvas.x.shape == canvas.depth.shape == (50, 70)
    assert canvas.left < -canvas.half_width
    assert canvas.bottom > canvas.half_height


def test_paint_lays_over_and_hides_the_subject():
    canvas = Canvas(8, 8)
    canvas.paint((1, 0, 0), 1.0, depth=0.4, subject=True)
    canvas.paint((0, 1, 0), 0.25, depth=0.1)
    np.testing.assert_allclose(canvas.rgb[3, 3], [0.75, 0.25, 0])
    assert canvas.mask[3, 3] == pytest.approx(0.75)
    assert canvas.depth[3, 3] == pytest.approx(0.4)  # less than half covered
    at = canvas.window(-0.01, -0.01, 0.01, 0.01)
    canvas.paint((0, 0, 1), 1.0, depth=0.2, at=at)
    assert canvas.mask[4, 4] == 0
    assert canvas.depth[4, 4] == pytest.approx(0.2)
    assert canvas.mask[0, 0] == pytest.approx(0.75)


def test_glow_adds_light():
    canvas = Canvas(8, 8)
    canvas.rgb[:] = 0.5
    canvas.glow(np.array([1.0, 2.0, 0.0]), 0.25)
    np.testing.assert_allclose(canvas.rgb[0, 0], [0.75, 1.0, 0.5])


def test_window_covers_its_box_and_may_be_empty():
    canvas = Canvas(50, 50)
    rows, columns = canvas.window(-0.1, 0.0, 0.1, 0.2)
    assert canvas.xs[columns][0] <= -0.1 + canvas.px
    assert canvas.xs[columns][-1] >= 0.1 - canvas.px
    assert canvas.ys[rows][-1] >= 0.2 - canvas.px
    outside = canvas.window(3, 3, 4, 4)
    assert canvas.x[outside].size == 0
    canvas.paint((1, 1, 1), 1.0, at=outside)
    assert not canvas.rgb.any()


@pytest.mark.parametrize("side", [64, 256])
def test_a_disc_covers_its_area_at_any_size(side):
    canvas = Canvas(side, side)
    cover = canvas.edge(np.hypot(canvas.x, canvas.y) - 0.3)
    assert cover.mean() == pytest.approx(np.pi * 0.09, rel=0.01)


def test_stencil_matches_areas_on_the_canvas_and_on_a_window():
    canvas = Canvas(120, 80)
    board = canvas.stencil()
    board.polygon([(-0.2, -0.2), (0.2, -0.2), (0.2, 0.1), (-0.2, 0.1)])
    assert board.coverage().sum() * canvas.px**2 == pytest.approx(0.4 * 0.3, rel=0.04)
    at = canvas.window(-0.3, -0.3, 0.3, 0.3)
    part = canvas.stencil(at)
    part.polygon([(-0.2, -0.2), (0.2, -0.2), (0.2, 0.1), (-0.2, 0.1)])
    np.testing.assert_allclose(part.coverage(), board.coverage()[at], atol=0.3)
    ring = canvas.stencil()
    ring.ellipse(0, 0, 0.2, 0.2)
    ring.ellipse(0, 0, 0.1, 0.1, value=0)
    area = ring.coverage().sum() * canvas.px**2
    assert area == pytest.approx(np.pi * 0.03, rel=0.05)
    nowhere = canvas.stencil(canvas.window(5, 5, 6, 6))
    nowhere.line([(0, 0), (1, 1)], 0.1)
    assert nowhere.coverage().size == 0


@pytest.mark.parametrize("kind", KINDS)
def test_noise_is_even_and_repeats_by_seed(kind):
    x, y = np.meshgrid(np.linspace(0, 4, 256), np.linspace(0, 4, 256))
    first = noise(x, y, 1.0, 7, kind)
    assert first.dtype == np.float32
    assert 0 <= first.min() and first.max() <= 1
    assert first.mean() == pytest.approx(0.5, abs=0.08)
    np.testing.assert_array_equal(first, noise(x, y, 1.0, 7, kind))
    assert np.abs(first - noise(x, y, 1.0, 8, kind)).mean() > 0.1


def test_noise_shows_the_same_at_two_sizes():
    small, large = Canvas(64, 64), Canvas(256, 256)
    a = small.noise(small.x, small.y, 0.5, 3, smooth=True)
    b = large.noise(large.x, large.y, 0.5, 3, smooth=True)
    b = b.reshape(64, 4, 64, 4).mean(axis=(1, 3))
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.95


def test_noise_of_nothing_is_empty():
    assert noise(np.zeros((0, 5)), np.zeros((0, 5)), 1.0, 1).shape == (0, 5)


def test_colours():
    np.testing.assert_allclose(linear("#ffffff"), 1)
    assert linear(0.5) == pytest.approx(0.2140, abs=1e-4)
    np.testing.assert_allclose(hsv(0, 1, 1), [1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(hsv(1 / 3, 1, 1), [0, 1, 0], atol=1e-6)
    np.testing.assert_allclose(oklch(1, 0, 0), 1, atol=1e-3)
    np.testing.assert_allclose(mix([0, 0, 0], [1, 2, 3], 0.5), [0.5, 1, 1.5])
    np.testing.assert_allclose(smoothstep(0, 1, [-1, 0.5, 2]), [0, 0.5, 1])
    np.testing.assert_allclose(smoothstep(1, 0, [-1, 0.5, 2]), [1, 0.5, 0])
    colours = gradient(np.array([0.0, 0.5, 2.0]), [(0, np.zeros(3)), (1, np.ones(3))])
    np.testing.assert_allclose(colours[:, 0], [0, 0.5, 1])
