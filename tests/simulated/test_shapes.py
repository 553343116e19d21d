"""Shapes against geometry and optics; scenes by property."""

import numpy as np
import pytest

from apmlib.simulated import latents, render, shapes
from apmlib.simulated.canvas import Canvas, F


@pytest.fixture
def grid():
    axis = np.linspace(-1, 1, 201, dtype=F)
    return np.meshgrid(axis, axis)


def test_distances_of_circle_limb_and_box_are_exact(grid):
    u, v = grid
    d, _ = shapes.circle(u, v, 0.1, -0.2, 0.4)
    np.testing.assert_allclose(d, np.hypot(u - 0.1, v + 0.2) - 0.4, atol=1e-6)
    d, _ = shapes.limb(u, v, (-0.5, 0), (0.5, 0), 0.2, 0.2)
    assert d[100, 100] == pytest.approx(-0.2, abs=1e-6)
    assert d[0, 100] == pytest.approx(0.8, abs=1e-6)
    assert d[100, 200] == pytest.approx(0.3, abs=1e-6)
    d, _ = shapes.box(u, v, 0, 0, 0.5, 0.25)
    assert d[100, 100] == pytest.approx(-0.25, abs=1e-6)
    assert d[0, 0] == pytest.approx(np.hypot(0.5, 0.75), abs=1e-6)


def test_ellipse_is_zero_on_its_outline_and_has_its_area(grid):
    u, v = grid
    a = np.linspace(0, 2 * np.pi, 40, dtype=F)
    x, y = 0.7 * np.cos(a), 0.3 * np.sin(a)
    turned = np.cos(0.5) * x - np.sin(0.5) * y, np.sin(0.5) * x + np.cos(0.5) * y
    d, _ = shapes.ellipse(turned[0].astype(F), turned[1].astype(F), 0, 0, 0.7, 0.3, 0.5)
    np.testing.assert_allclose(d, 0, atol=1e-5)
    inside = shapes.ellipse(u, v, 0, 0, 0.7, 0.3)[0] < 0
    assert inside.mean() * 4.04 == pytest.approx(np.pi * 0.7 * 0.3, rel=0.02)


def test_polygon_agrees_with_box(grid):
    u, v = grid
    corners = [(-0.5, -0.25), (0.5, -0.25), (0.5, 0.25), (-0.5, 0.25)]
    np.testing.assert_allclose(
        shapes.polygon(u, v, corners)[0], shapes.box(u, v, 0, 0, 0.5, 0.25)[0], atol=1e-5
    )


def test_smooth_union_is_no_larger_than_either_and_equal_far_from_the_seam(grid):
    u, v = grid
    a, b = shapes.circle(u, v, -0.3, 0, 0.3)[0], shapes.circle(u, v, 0.3, 0, 0.3)[0]
    both = shapes.smooth_union(a, b, 0.1)
    assert (both <= np.minimum(a, b) + 1e-6).all()
    far = np.abs(a - b) > 0.1
    np.testing.assert_allclose(both[far], np.minimum(a, b)[far], atol=1e-6)


def test_curves_pass_through_their_points():
    points = np.array([(0, 0), (1, 0.5), (2, -0.5), (3, 0)])
    line = shapes.curve(points, 5)
    assert line.shape == (16, 2)
    np.testing.assert_allclose(line[::5], points, atol=1e-12)
    np.testing.assert_allclose(shapes.outline(points, 5)[::5], points, atol=1e-12)


def test_normals_of_a_ball_point_outwards(grid):
    u, v = grid
    _, height = shapes.circle(u, v, 0, 0, 0.8)
    nx, ny, nz = shapes.normals(height, 0.01)
    inside = np.hypot(u, v) < 0.6
    np.testing.assert_allclose(nx[inside], u[inside] / 0.8, atol=0.01)
    np.testing.assert_allclose(ny[inside], v[inside] / 0.8, atol=0.01)
    np.testing.assert_allclose(nx**2 + ny**2 + nz**2, 1, atol=1e-5)


def test_light_follows_lambert_and_leaves_fill_in_shadow():
    light = shapes.Light((1.0, 0.0, 0.0), np.ones(3, F), np.full(3, 0.1, F))
    z = np.zeros(3, F)
    nx = np.array([1, 0.5, -1], F)
    tone = shapes.lit((nx, z, np.sqrt(1 - nx * nx)), light, wrap=0)
    np.testing.assert_allclose(tone[:, 0], [1.075, 0.575, 0.075], atol=1e-6)


def test_body_marks_the_subject_and_writes_depth():
    canvas = Canvas(60, 60)
    light = shapes.Light((0.0, 0.0, 1.0), np.ones(3, F), np.zeros(3, F))
    at, u, v = shapes.local(canvas, 0, 0, 0.4)
    shapes.body(
        canvas, at, shapes.circle(u, v, 0, 0, 0.3), np.ones(3, F), light, 0.25, subject=True
    )
    assert canvas.mask.mean() == pytest.approx(np.pi * 0.09, rel=0.02)
    assert canvas.depth[30, 30] == F(0.25) and canvas.depth[0, 0] == 1
    assert canvas.rgb[30, 30, 0] > canvas.rgb[30, 14, 0] > 0


def test_a_window_outside_the_canvas_paints_nothing():
    canvas = Canvas(40, 30)
    light = shapes.Light((0.0, 0.0, 1.0), np.ones(3, F), np.zeros(3, F))
    at, u, v = shapes.local(canvas, 5, 5, 0.2, 0.3)
    shapes.body(canvas, at, shapes.circle(u, v, 0, 0, 0.1), np.ones(3, F), light, 0.3)
    shapes.shadow(canvas, 5, 5, 0.1, 0.1, 0.5)
    assert canvas.rgb.max() == 0


@pytest.mark.parametrize("category", ["portrait", "floral", "stilllife", "animal", "abstract"])
def test_scenes_are_the_same_picture_at_every_size(category):
    table = latents.sample(240, seed=5)
    rows = table[(table.category == category) & (table.noise < 0.3)].head(4).to_dict("records")
    for row in rows:
        row |= {"noise": 0.0, "divergence": 0.0}
        small, large = render.render(row, 48), render.render(row, 96)
        again = render.render(row, 48)
        assert (small.rgb == again.rgb).all() and (small.mask == again.mask).all()
        half = large.rgb[: small.rgb.shape[0] * 2, : small.rgb.shape[1] * 2].astype(F)
        half = half.reshape(small.rgb.shape[0], 2, small.rgb.shape[1], 2, 3).mean(axis=(1, 3))
        a, b = half - half.mean(), small.rgb - small.rgb.mean()
        assert (a * b).mean() / (a.std() * b.std()) > 0.85  # fine texture may differ


@pytest.mark.parametrize("category", ["portrait", "floral", "stilllife", "animal", "abstract"])
def test_the_subject_lies_where_the_latents_say(category):
    row = latents.sample(240, seed=5)
    row = row[row.category == category].iloc[0].to_dict()
    row |= {"aspect": 1.5, "tilt": 0.0, "subject_y": 0.5, "subject_size": 0.4, "clutter": 0.0}
    for share in (0.25, 0.75):
        mask = render.render(row | {"subject_x": share}, 64).mask > 127
        assert mask.any()
        left, right = mask[:, :48].sum(), mask[:, 48:].sum()
        assert (left > right) if share < 0.5 else (right > left)
