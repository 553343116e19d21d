"""Shapes by signed distance, rounded into bodies and lit.

A shape is a pair (distance, height), both (h, w) float32 in scene units: the distance to its
outline, negative inside, and how far its surface bulges towards the viewer. Shapes flow
together with `join`; normals of the height carry the light. Coordinates come from `local`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from apmlib.simulated.canvas import Canvas, F

Shape = tuple[np.ndarray, np.ndarray]


class Light(NamedTuple):
    """One lamp and what fills its shadows.

    `direction` points from the picture to the lamp: x right, y down, z to the viewer; of
    length 1. `key` and `fill` are linear colours (3,). `rim` is the strength of a second
    light from behind, on the edges.
    """

    direction: tuple[float, float, float]
    key: np.ndarray
    fill: np.ndarray
    rim: float = 0.0


def local(canvas: Canvas, cx: float, cy: float, reach: float, angle: float = 0.0):
    """Coordinates around a point, only as far as `reach`.

    Args:
        canvas: the canvas.
        cx, cy, reach: scene units.
        angle: radians clockwise by which the u axis is turned from x.

    Returns:
        (at, u, v): the window for `Canvas.paint`, and two (h, w) float32 arrays.
    """
    at = canvas.window(cx - reach, cy - reach, cx + reach, cy + reach)
    x, y = canvas.x[at] - F(cx), canvas.y[at] - F(cy)
    if angle == 0:
        return at, x, y
    c, s = F(math.cos(angle)), F(math.sin(angle))
    return at, x * c + y * s, y * c - x * s


def circle(u, v, x: float, y: float, r: float) -> Shape:
    """A ball."""
    square = (u - F(x)) ** 2 + (v - F(y)) ** 2
    return np.sqrt(square) - F(r), np.sqrt(np.maximum(F(r * r) - square, 0))


def ellipse(u, v, x: float, y: float, a: float, b: float, turn: float = 0.0) -> Shape:
    """An ellipsoid of half axes a, b, min(a, b), turned clockwise by `turn` radians.

    The distance is the usual first-order one, exact on the outline.
    """
    p, q = u - F(x), v - F(y)
    if turn:
        c, s = F(math.cos(turn)), F(math.sin(turn))
        p, q = p * c + q * s, q * c - p * s
    p, q = p * F(1 / a), q * F(1 / b)
    square = p * p + q * q
    k = np.sqrt(square)
    slope = np.sqrt((p * F(1 / a)) ** 2 + (q * F(1 / b)) ** 2) + F(1e-6)
    distance = np.where(k > 0.1, k * (k - 1) / slope, F(-min(a, b)))
    return distance, F(min(a, b)) * np.sqrt(np.maximum(1 - square, 0))


def limb(u, v, start, end, r0: float, r1: float) -> Shape:
    """A tapering capsule from `start` to `end`, (2,) each, with radii r0 and r1."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = dx * dx + dy * dy + 1e-9
    p, q = u - F(start[0]), v - F(start[1])
    t = np.clip(p * F(dx / length) + q * F(dy / length), 0, 1)
    square = (p - t * F(dx)) ** 2 + (q - t * F(dy)) ** 2
    radius = F(r0) + t * F(r1 - r0)
    return np.sqrt(square) - radius, np.sqrt(np.maximum(radius * radius - square, 0))


def chain(u, v, points, radii) -> Shape:
    """Capsules through (n, 2) points with a radius at each: necks, tails, stems, branches."""
    pairs = zip(points[:-1], points[1:], radii[:-1], radii[1:], strict=True)
    parts = [limb(u, v, a, b, ra, rb) for a, b, ra, rb in pairs]
    distance, height = parts[0]
    for d, h in parts[1:]:
        distance, height = np.minimum(distance, d), np.maximum(height, h)
    return distance, height


def box(u, v, x: float, y: float, a: float, b: float, corner: float = 0.0) -> Shape:
    """A cushion of half sides a, b with rounded corners."""
    p, q = np.abs(u - F(x)) - F(a - corner), np.abs(v - F(y)) - F(b - corner)
    outside = np.sqrt(np.maximum(p, 0) ** 2 + np.maximum(q, 0) ** 2)
    distance = outside + np.minimum(np.maximum(p, q), 0) - F(corner)
    return distance, bulge(distance, min(a, b))


def polygon(u, v, points, thickness: float = 0.1) -> Shape:
    """A flat shape with any outline, (n, 2), its border rounded over `thickness`."""
    points = np.asarray(points, F)
    square = np.full(u.shape, 1e9, F)
    inside = np.zeros(u.shape, bool)
    for (ax, ay), (bx, by) in zip(points, np.roll(points, 1, axis=0), strict=True):
        ex, ey = bx - ax, by - ay
        p, q = u - ax, v - ay
        t = np.clip((p * ex + q * ey) / (ex * ex + ey * ey + F(1e-12)), 0, 1)
        np.minimum(square, (p - t * ex) ** 2 + (q - t * ey) ** 2, out=square)
        if ay != by:
            inside ^= ((v >= ay) != (v >= by)) & (p < q * (ex / ey))
    distance = np.sqrt(square)
    distance = np.where(inside, -distance, distance)
    return distance, bulge(distance, thickness)


def outline(points, steps: int = 6) -> np.ndarray:
    """A smooth closed line (n * steps, 2) through (n, 2) points (Catmull-Rom)."""
    p = np.asarray(points, np.float64)
    a, b, c, d = np.roll(p, 1, 0), p, np.roll(p, -1, 0), np.roll(p, -2, 0)
    t = np.arange(steps)[:, None, None] / steps
    line = 0.5 * (
        2 * b
        + (c - a) * t
        + (2 * a - 5 * b + 4 * c - d) * t**2
        + (3 * b - a - 3 * c + d) * t**3
    )
    return line.transpose(1, 0, 2).reshape(-1, 2)


def curve(points, steps: int = 8) -> np.ndarray:
    """A smooth open line through (n, 2) points, ends included."""
    p = np.asarray(points, np.float64)
    ends = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    return outline(ends, steps)[steps : steps * len(p) + 1]


def lathe(u, v, heights, widths) -> Shape:
    """A turned body (bottle, bowl, vase): half widths at heights v, upright along v.

    Args:
        u, v: coordinates; the axis is u = 0.
        heights: rising v, (n,).
        widths: half width at each, (n,).
    """
    width = np.interp(v[:, 0] if v.size else v, heights, widths).astype(F)[:, None]
    distance = np.abs(u) - width
    distance = np.maximum(distance, np.maximum(F(heights[0]) - v, v - F(heights[-1])))
    return distance, np.sqrt(np.maximum(width * width - u * u, 0))


def blade(u, v, length: float, width: float, belly: float = 0.45, tip: float = 1.0) -> Shape:
    """A petal or a leaf from (0, 0) along u.

    Args:
        u, v: local coordinates.
        length, width: full length and half width.
        belly: where it is widest, 0 (base) .. 1 (tip).
        tip: 1 pointed, 0.5 round.
    """
    t = np.clip(u * F(1 / length), 0, 1)
    power = math.log(0.5) / math.log(belly)
    half = F(width) * np.maximum(np.sin(F(math.pi) * t ** F(power)), 0) ** F(tip)
    distance = np.maximum(np.abs(v) - half, np.maximum(-u, u - F(length)))
    return distance, half * F(0.35) * np.sqrt(np.maximum(1 - (v / (half + F(1e-5))) ** 2, 0))


def bulge(distance: np.ndarray, thickness: float) -> np.ndarray:
    """A height that rises from the outline in a quarter circle of radius `thickness`."""
    t = np.clip(distance * F(-1 / thickness), 0, 1)
    return F(thickness) * np.sqrt(t * (2 - t))


def smooth_union(a: np.ndarray, b: np.ndarray, k: float) -> np.ndarray:
    """The smaller of two distances, rounded where they meet within k (polynomial)."""
    t = np.clip(F(0.5) + (b - a) * F(0.5 / k), 0, 1)
    return b + (a - b) * t - F(k) * t * (1 - t)


def join(*shapes: Shape, k: float = 0.02) -> Shape:
    """Shapes that flow into each other within k scene units."""
    distance, height = shapes[0]
    for d, h in shapes[1:]:
        distance = smooth_union(distance, d, k)
        height = -smooth_union(-height, -h, k)
    return distance, np.where(distance < 0, height, 0)


def normals(height: np.ndarray, px: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit normals (x, y, z), three (h, w) arrays, of a height above pixels of size px."""
    if min(height.shape) < 3:
        return np.zeros_like(height), np.zeros_like(height), np.ones_like(height)
    nx, ny = np.empty_like(height), np.empty_like(height)
    half = F(-0.5 / px)
    nx[:, 1:-1] = (height[:, 2:] - height[:, :-2]) * half
    ny[1:-1] = (height[2:] - height[:-2]) * half
    nx[:, 0], nx[:, -1], ny[0], ny[-1] = nx[:, 1], nx[:, -2], ny[1], ny[-2]
    nz = 1 / np.sqrt(nx * nx + ny * ny + 1)
    return nx * nz, ny * nz, nz


def lit(normal, light: Light, wrap: float = 0.2) -> np.ndarray:
    """Light that a matt surface sends back, (h, w, 3), to be multiplied by its colour.

    Args:
        normal: three (h, w) arrays, from `normals`.
        light: the lamp.
        wrap: how far light creeps around the terminator, 0 (stone) .. 1 (fog, skin).
    """
    nx, ny, nz = normal
    lx, ly, lz = light.direction
    facing = nx * F(lx) + ny * F(ly) + nz * F(lz)
    key = np.maximum((facing + F(wrap)) * F(1 / (1 + wrap)), 0)
    if light.rim:
        edge = (1 - nz) ** 3 * np.clip(F(0.4) - nx * F(lx) * F(0.8) - ny * F(0.6), 0, 1)
        key += F(light.rim) * edge
    sky = F(0.75) - F(0.25) * ny
    result = np.empty((*key.shape, 3), F)
    for i in range(3):
        result[..., i] = key * F(light.key[i]) + sky * F(light.fill[i])
    return result


def gloss(normal, light: Light, sharpness: float = 30.0) -> np.ndarray:
    """The highlight of a glossy surface, (h, w) in 0 .. 1."""
    nx, ny, nz = normal
    lx, ly, lz = light.direction
    hz = lz + 1
    scale = 1 / math.sqrt(lx * lx + ly * ly + hz * hz)
    facing = nx * F(lx * scale) + ny * F(ly * scale) + nz * F(hz * scale)
    return np.maximum(facing, 0) ** F(sharpness)


def body(
    canvas: Canvas,
    at,
    shape: Shape,
    colour,
    light: Light,
    depth=None,
    *,
    subject: bool = False,
    wrap: float = 0.2,
    shine: float = 0.0,
    sharpness: float = 30.0,
    soft: float = 0.0,
    relief: np.ndarray | None = None,
) -> np.ndarray:
    """Paint a shape as a lit body.

    Args:
        canvas, at: where, from `local`.
        shape: (distance, height).
        colour: (3,) or (h, w, 3) linear light.
        light: the lamp.
        depth: 0 (near) .. 1.
        subject: part of the subject's mask.
        wrap, shine, sharpness: matt and glossy parts of the reflection.
        soft: width of the edge in scene units, at least a pixel.
        relief: (h, w) added to the height, for folds and fur.

    Returns:
        The coverage painted, (h, w).
    """
    distance, height = shape
    if relief is not None:
        height = height + relief
    normal = normals(height, canvas.px)
    tone = np.asarray(colour, F) * lit(normal, light, wrap)
    if shine:
        tone = tone + (F(shine) * gloss(normal, light, sharpness))[..., None] * light.key
    coverage = canvas.edge(distance, soft)
    canvas.paint(tone, coverage, depth, subject=subject, at=at)
    return coverage


def shadow(canvas: Canvas, cx, cy, rx, ry, strength: float, angle: float = 0.0) -> None:
    """A soft elliptical shadow that darkens what is there."""
    at, u, v = local(canvas, cx, cy, 2.2 * max(rx, ry), angle)
    dark = np.exp(-((u * F(1 / rx)) ** 2 + (v * F(1 / ry)) ** 2)) * F(strength)
    canvas.rgb[at] *= (1 - dark)[..., None]


class Model:
    """Paints a subject whose shapes are given in a unit of its own, e.g. the head's height.

    `canvas` is the canvas, `unit` the size of that unit in scene units.
    """

    def __init__(self, canvas: Canvas, unit: float):
        self.canvas, self.unit = canvas, unit

    def edge(self, distance: np.ndarray, soft: float = 0.0) -> np.ndarray:
        """Canvas.edge for distances in the unit."""
        return self.canvas.edge(distance * F(self.unit), soft * self.unit)

    def paint(self, colour, coverage, at) -> None:
        """Paint a part of the subject without changing its depth."""
        self.canvas.paint(colour, coverage, None, subject=True, at=at)

    def body(
        self, at, shape: Shape, colour, light, depth, soft=0.0, relief=None, **more
    ) -> None:
        """The function `body` for a shape in the unit, always part of the subject."""
        shape = shape[0] * F(self.unit), shape[1] * F(self.unit)
        if relief is not None:
            relief = relief * F(self.unit)
        body(
            self.canvas,
            at,
            shape,
            colour,
            light,
            depth,
            subject=True,
            soft=soft * self.unit,
            relief=relief,
            **more,
        )
