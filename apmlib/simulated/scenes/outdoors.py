"""What outdoor scenes share: skies, terrain in perspective, water, trees, clutter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apmlib.simulated.canvas import (
    Canvas,
    F,
    gradient,
    linear,
    mix,
    noise,
    oklch,
    smoothstep,
)

LUMA = np.array([0.2126, 0.7152, 0.0722], F)

# Hours and weathers: colours of the sky from zenith to horizon, of the sun and of the shade.
HOURS = {
    "noon": ("#1f5fae", "#5b9ad6", "#c4def2", (1.25, 1.15, 1.0), (0.30, 0.42, 0.62)),
    "golden": ("#46719f", "#a9b7b4", "#ffd68c", (1.75, 1.1, 0.50), (0.26, 0.30, 0.42)),
    "sunset": ("#263a6e", "#b8607c", "#ff9440", (1.7, 0.72, 0.28), (0.22, 0.20, 0.36)),
    "ember": ("#3b1f4d", "#c2394d", "#ffb03a", (1.7, 0.6, 0.2), (0.25, 0.15, 0.24)),
    "dusk": ("#101c46", "#3d4f92", "#e5a08c", (0.75, 0.50, 0.50), (0.16, 0.20, 0.42)),
    "storm": ("#2a323c", "#55616e", "#c2bf9f", (1.3, 1.15, 0.72), (0.20, 0.24, 0.30)),
    "dawn": ("#7f9dbd", "#dcc3c6", "#ffe2bf", (1.4, 1.0, 0.70), (0.36, 0.38, 0.50)),
    "teal": ("#0f4a63", "#4f9fa3", "#f3e3b0", (1.45, 1.1, 0.65), (0.18, 0.32, 0.38)),
    "night": ("#050a1c", "#11254d", "#33527a", (0.42, 0.52, 0.80), (0.08, 0.12, 0.25)),
}


@dataclass(frozen=True)
class Hour:
    """The light of a scene. Colours are linear (3,), the sun's place in scene units."""

    name: str
    zenith: np.ndarray
    middle: np.ndarray
    horizon: np.ndarray
    sun: np.ndarray
    shade: np.ndarray
    sun_x: float
    sun_y: float
    light: float

    @property
    def low(self) -> bool:
        """Whether the sun stands near the horizon."""
        return self.name in ("golden", "sunset", "ember", "dusk", "dawn", "teal")


def hour(
    canvas: Canvas, row: dict, rng: np.random.Generator, names: list[str], hy: float
) -> Hour:
    """Draw the hour of the day; dull light turns it into an overcast one.

    Args:
        names: the hours to choose from, keys of HOURS.
        hy: y of the horizon, scene units.
    """
    name = names[int(rng.integers(len(names)))]
    zenith, middle, horizon, sun, shade = HOURS[name]
    light = float(row["light"])
    flat = (1 - light) ** 1.3 * 0.92
    swing = rng.normal(0, 0.06, 3)
    pale = np.array([0.42, 0.45, 0.49], F) * float(rng.uniform(0.8, 1.3))
    if name == "night":
        pale = pale * F(0.12)
    colours = [linear(c) * np.exp(swing).astype(F) for c in (zenith, middle, horizon)]
    colours = [mix(c, pale * f, flat) for c, f in zip(colours, (0.75, 0.95, 1.15), strict=True)]
    side = -1 if rng.random() < 0.5 else 1
    sun_x = side * canvas.half_width * float(rng.uniform(0.1, 1.1))
    sun_y = hy - float(rng.uniform(0.01, 0.16))
    if name in ("noon", "night", "storm"):
        sun_y = hy - float(rng.uniform(0.3, 0.6))
    strength = 0.12 + 0.95 * light
    return Hour(
        name,
        *colours,
        sun=np.array(sun, F) * F(strength),
        shade=mix(np.array(shade, F), np.full(3, 0.55, F) * np.mean(shade) * 2, flat),
        sun_x=sun_x,
        sun_y=sun_y,
        light=light,
    )


class Palette:
    """Pulls the colours of a scene together (harmony 1) or apart (harmony 0).

    Every zone of a picture ("sky", "ground", "water", "accent", ...) has its hue: near one
    common hue in harmony, far from each other and strong when they clash.
    """

    ZONES = ("sky", "ground", "far", "water", "accent", "build")

    def __init__(self, rng: np.random.Generator, harmony: float):
        base, spread = float(rng.random()), rng.permutation(len(self.ZONES))
        warm = 0.17 + 0.1 * float(rng.normal())
        self.clash = max(0.0, 1 - harmony * 1.25) ** 1.2 * 0.62
        self.unite = max(0.0, harmony - 0.5) * 0.3
        self.hues = {}
        for i, zone in enumerate(self.ZONES):
            loud = oklch(0.7, 0.25, base + spread[i] * 0.382)
            calm = oklch(0.75, 0.07, warm)
            self.hues[zone] = (loud / (loud @ LUMA), calm / (calm @ LUMA))

    def __call__(self, colour: np.ndarray, zone: str) -> np.ndarray:
        """A colour (..., 3) as it looks in this palette; the luminance is kept."""
        loud, calm = self.hues[zone]
        light = (colour @ LUMA)[..., None]
        if self.clash > 0.01:
            return colour + (light * loud - colour) * F(self.clash)
        return colour + (light * calm - colour) * F(self.unite)

    def accent(self, rng: np.random.Generator) -> np.ndarray:
        """The colour of a made thing (3,): red, yellow, blue or white, clashing at will."""
        hue = float(rng.choice([0.07, 0.12, 0.22, 0.28, 0.70, 0.08]))
        return self(oklch(float(rng.uniform(0.5, 0.75)), 0.17, hue), "accent")


# --- sky ---------------------------------------------------------------------------------


def sky(canvas: Canvas, hour: Hour, palette: Palette, hy: float, rng, cover=None) -> None:
    """The whole sky above hy: gradient, the sun's glow, clouds in perspective, stars.

    Args:
        cover: share of the sky under clouds; None draws it.
    """
    at = canvas.window(canvas.left, canvas.top, canvas.right, hy + 0.02)
    x, y = canvas.x[at], canvas.y[at]
    up = np.maximum(hy - canvas.ys[at[0]], 0)
    stops = [(0.0, hour.horizon), (0.38, hour.middle), (1.0, hour.zenith)]
    stops = [(p, palette(c, "sky")) for p, c in stops]
    rows = gradient(np.sqrt(up / 1.05), stops)
    colour = np.repeat(rows[:, None, :], x.shape[1], axis=1)
    dx, dy = x - F(hour.sun_x), (y - F(hour.sun_y)) * F(1.5)
    away = np.sqrt(dx * dx + dy * dy)
    warm = palette(hour.sun, "sky")
    colour += (F(0.55) * np.exp(-away * F(3.2)) + F(0.16) * np.exp(-away * F(1.1)))[
        ..., None
    ] * warm
    seeds = rng.integers(1 << 30, size=8)
    kind = str(rng.choice(["cumulus", "cumulus", "streaks", "ripples", "bands", "clear"]))
    cover = float(rng.uniform(0.25, 0.7)) if cover is None else cover
    if hour.light < 0.3:
        kind, cover = "bands", 0.6
    if hour.name == "storm":
        kind, cover = "cumulus", 0.8
    shown = rng.random(3)
    if hour.name == "night":
        _stars(canvas, colour, at, hy, rng)
    if kind != "clear":
        lit, density = _clouds(canvas, at, hour, hy, kind, cover, seeds)
        glow = np.exp(-away * F(1.6))[..., None]
        bright = palette(hour.sun * F(0.50) + hour.horizon * F(0.35), "sky")
        dark = palette(
            (hour.shade * F(0.35) + hour.middle * F(0.5)) * F(0.9 if hour.light > 0.3 else 1.1),
            "sky",
        )
        if hour.name in ("noon", "storm"):
            bright = bright + F(0.25) * hour.light
        cloud = mix(dark, bright * F(0.85 + 0.3 * shown[0]), lit) + glow * warm * F(0.45)
        colour += (cloud - colour) * density[..., None]
    # The sun itself, a disc too bright to look at.
    if hour.low and hour.name != "dusk" and shown[1] < 0.75 and hour.light > 0.35:
        radius = 0.022 + 0.02 * shown[2]
        true = np.hypot(x - F(hour.sun_x), y - F(hour.sun_y))
        disc = canvas.edge(true - F(radius), 0.006)
        colour += disc[..., None] * (hour.sun * F(2.5) + F(0.6))
    canvas.paint(colour, 1.0, depth=1.0, at=at)


def _clouds(canvas, at, hour: Hour, hy, kind, cover, seeds):
    x, y = canvas.x[at], canvas.y[at]
    high = np.maximum(F(hy) - y, 0) + F(0.05)
    u, v = x / high, F(0.9) / high
    if kind == "streaks":
        u, v = u * F(0.35) + v * F(0.4), v * F(1.5) - u * F(0.25)
        scale, soft = 1.1, 0.65
    elif kind == "ripples":
        v = v * F(1.4)
        scale, soft = 0.45, 0.5
    elif kind == "bands":
        u = u * F(0.4)
        scale, soft = 2.2, 0.6
    else:
        scale, soft = 1.7, 0.28
    n = noise(u, v, scale, seeds[0], smooth=True)
    if kind == "cumulus":
        n = F(0.72) * n + F(0.28) * noise(u, v, scale * 0.3, seeds[1], smooth=True)
    toward_x = F(0.10 * scale) * np.sign(hour.sun_x)
    shift = noise(u + toward_x, v + F(0.12 * scale), scale, seeds[0], smooth=True)
    threshold = 1 - cover
    density = smoothstep(threshold - soft * 0.3, threshold + soft * 0.7, n)
    thick = smoothstep(threshold, 1.05, n)
    lit = np.clip(F(0.62) + (n - shift) * F(2.4) - F(0.45) * thick, 0, 1)
    density = density * smoothstep(0.03, 0.13, high) * F(0.55 + 0.4 * hour.light)
    if hour.light < 0.3:
        density = density * F(0.5)
    return lit, density


def _stars(canvas, colour, at, hy, rng):
    n = 240
    xs, ys = rng.uniform(-1.2, 1.2, n), rng.uniform(-1.2, 1.0, n)
    strength = rng.pareto(1.6, n) * 0.12 + 0.05
    c = np.round((xs - canvas.xs[at[1]][0]) / canvas.px).astype(int)
    r = np.round((ys - canvas.ys[at[0]][0]) / canvas.px).astype(int)
    height, width = colour.shape[:2]
    ok = (c >= 0) & (c < width) & (r >= 0) & (r < height) & (ys < hy - 0.05)
    # A star's light falls on fewer, so brighter, small pixels.
    gain = min(1.0, 192 * canvas.px) if canvas.px > 1 / 192 else 1.0
    np.add.at(colour, (r[ok], c[ok]), (np.minimum(strength, 1.2) * gain)[ok, None].astype(F))


# --- terrain -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Land:
    """What is seen of a terrain, for each pixel of the window `at`.

    Attributes:
        at: slices of the window.
        cover: (h, w) coverage 0..1. x, z, height: world coordinates of what is seen, in
        eye heights. steep: slope. facing: how it faces the sun, 0..1, before shadows.
    """

    at: tuple[slice, slice]
    cover: np.ndarray
    x: np.ndarray
    z: np.ndarray
    height: np.ndarray
    steep: np.ndarray
    facing: np.ndarray


def terrain(
    canvas: Canvas, hy: float, heights, sun: tuple[float, float, float], far=60.0
) -> Land:
    """Look over a height field: every column finds the first slice that rises above it.

    Args:
        hy: y of the horizon, scene units. The eye is at height 1.
        heights: function of world (x, z) arrays that returns heights.
        sun: direction to the sun: right, up, away from the camera.
        far: how far one sees, in eye heights.
    """
    rows = len(canvas.ys)
    slices = int(np.clip(rows * 0.9, 90, 260))
    near = 1.0 / (canvas.bottom - hy + 0.08) * 0.8
    z = np.geomspace(near, far, slices, dtype=F)[:, None]
    x = canvas.xs[None, :] * z
    h = heights(x, np.broadcast_to(z, x.shape))
    y = F(hy) + (1 - h) / z
    top = np.minimum.accumulate(y, axis=0)

    highest = float(top[-1].min())
    at = canvas.window(canvas.left, highest - 2 * canvas.px, canvas.right, canvas.bottom)
    ys = canvas.ys[at[0]]
    n, width = len(ys), x.shape[1]
    below = np.clip(np.ceil((top - ys[0]) * F(1 / canvas.px)), 0, n).astype(np.int64)
    flat = below * width + np.arange(width)
    count = np.bincount(flat.ravel(), minlength=(n + 1) * width)[: (n + 1) * width]
    count = count.reshape(n + 1, width)
    index = count[::-1].cumsum(axis=0)[::-1][1:]  # slices whose edge lies below the pixel
    first = (top > top[-1] + F(1e-6)).sum(axis=0)  # the slice that makes the skyline
    index = np.clip(index, 1, np.maximum(first, 1))
    flat = index * width + np.arange(width)
    before, after = y.ravel().take(flat - width), y.ravel().take(flat)
    t = np.clip((before - ys[:, None]) / np.maximum(before - after, F(1e-6)), 0, 1)
    depth = z.ravel()
    zz = depth.take(index - 1) * (1 - t) + depth.take(index) * t

    dx = np.gradient(h, axis=1) / (z * F(canvas.px))
    dz = np.gradient(h, axis=0) / np.gradient(z, axis=0)
    inverse = 1 / np.sqrt(1 + dx * dx + dz * dz)
    length = F(1 / np.linalg.norm(sun))
    facing = np.clip((F(sun[1]) - F(sun[0]) * dx - F(sun[2]) * dz) * inverse * length, 0, 1)
    steep = 1 - inverse

    def seen(values):
        values = values.ravel()
        return values.take(flat - width) * (1 - t) + values.take(flat) * t

    cover = np.clip((ys[:, None] - top[-1]) * F(1 / canvas.px) + F(0.5), 0, 1)
    return Land(at, cover, canvas.x[at] * zz, zz, seen(h), seen(steep), seen(facing))


def distance(z: np.ndarray) -> np.ndarray:
    """Depth 0..1 of a distance in eye heights."""
    return np.clip(np.log2(np.asarray(z, F)) * F(1 / 6), 0, 1)


# --- water -------------------------------------------------------------------------------


def reflect(
    canvas: Canvas, water: np.ndarray, level: float, ripple: float, seed: int, tint, at
):
    """Mirror what stands above y = level in the water below it.

    Args:
        water: coverage (h, w) of the water in the window `at`.
        ripple: 0 (a mirror) .. 1 (a choppy sea).
        tint: colour of the water itself, linear (3,) or (h, w, 3).
    """
    x, y = canvas.x[at], canvas.y[at]
    down = np.maximum(y - F(level), 0)
    z = 1 / (down + F(0.02))
    wave = noise(x * z * F(0.5), z * F(2.2), 0.5, seed, smooth=True) - F(0.5)
    wave += F(0.6) * (noise(x * z, z * F(4.5), 0.35, seed + 1, "ridged") - F(0.5))
    source = F(level) - down * F(1.02) + wave * (F(0.30 * ripple) * np.sqrt(down + F(0.002)))
    row = np.rint((source - canvas.ys[0]) * F(1 / canvas.px)).astype(np.int32)
    limit = int(np.clip((level - canvas.ys[0]) / canvas.px, 1, len(canvas.ys) - 1))
    row = np.clip(np.abs(row), 0, limit)
    side = wave * (F(0.05 * ripple) * np.sqrt(down + F(0.002))) / F(canvas.px)
    columns = np.arange(len(canvas.xs), dtype=F)[at[1]]
    column = np.clip(np.rint(columns + side), 0, len(canvas.xs) - 1).astype(np.int32)
    image = canvas.rgb[row, column]
    fresnel = np.clip(
        F(0.86) - down * F(0.55 + 0.3 * ripple) + wave * F(0.6 * ripple), 0.08, 0.92
    )
    colour = mix(tint, image, fresnel)
    canvas.paint(colour, water, depth=distance(z), at=at)


def echo(canvas: Canvas, x: float, base: float, size: float, ripple: float, seed: int) -> None:
    """Mirror the subject, which floats or stands in water at y = base, below itself."""
    at = canvas.window(x - size, base, x + size, base + 0.9 * size)
    X, Y = canvas.x[at], canvas.y[at]
    if X.size == 0:
        return
    down = np.maximum(Y - F(base), 0)
    wave = noise(X * F(2), down * F(9), 0.25, seed, smooth=True) - F(0.5)
    rows = (F(base) - down + wave * F(0.10 * ripple) * np.sqrt(down) - canvas.ys[0]) / F(
        canvas.px
    )
    rows = np.clip(np.rint(rows), 0, len(canvas.ys) - 1).astype(np.int32)
    columns = np.arange(len(canvas.xs))[None, at[1]] + np.rint(
        wave * F(0.05 * ripple / canvas.px)
    )
    columns = np.clip(columns, 0, len(canvas.xs) - 1).astype(np.int32)
    cover = canvas.mask[rows, columns] * np.clip(F(0.85) - down * F(0.6 / size), 0, 1)
    colour = canvas.rgb[rows, columns] * F(0.8)
    canvas.paint(colour, cover * (F(0.75) + wave * F(ripple)).clip(0, 1), at=at)


# --- trees -------------------------------------------------------------------------------


def tree(
    canvas: Canvas, rng, x, base, height, colour, hour: Hour, depth, subject=False, bare=False
):
    """A broad-leaved tree: trunk, branches, and a crown of lit clumps.

    Args:
        x, base: the foot of the trunk, scene units. height: of the whole tree.
        colour: of the leaves, linear (3,), before the light falls on it.
    """
    dark = linear("#2a1d14") * F(0.6)
    box = canvas.window(x - height, base - height * 1.3, x + height, base + 0.02)
    skeleton, tips = canvas.stencil(box), []

    def grow(px, py, angle, length, width, level):
        qx, qy = px + np.sin(angle) * length, py - np.cos(angle) * length
        skeleton.line([(px, py), (qx, qy)], width)
        if level == 0:
            tips.append((qx, qy))
            return
        for turn in rng.uniform(0.2, 0.65, 2) * (-1, 1):
            grow(
                qx,
                qy,
                angle * 0.9 + turn,
                length * rng.uniform(0.66, 0.86),
                width * 0.66,
                level - 1,
            )

    grow(x, base, rng.normal(0, 0.06), height * 0.28, height * 0.055, 5 if bare else 4)
    side = np.sign(hour.sun_x - x) or 1.0
    trunk = dark * (hour.shade * F(1.2) + hour.sun * F(0.25))
    canvas.paint(trunk, skeleton.coverage(), depth=depth, subject=subject, at=box)
    if bare:
        return
    clumps = np.array(tips)
    spread = height * 0.11
    for step, light in enumerate((0.0, 0.4, 1.0)):
        board = canvas.stencil(box)
        shift = step * spread * 0.42
        for cx, cy in clumps:
            for ox, oy, r in rng.normal(0, 1, (5, 3)):
                size = spread * (0.62 - 0.17 * step) * (1 + 0.25 * r)
                board.ellipse(
                    cx + ox * spread * 0.75 + side * shift,
                    cy + oy * spread * 0.6 - shift,
                    abs(size),
                    abs(size) * 0.85,
                )
        tone = colour * (hour.shade * F(1.0 + 0.3 * step) + hour.sun * F(light * 0.85))
        canvas.paint(
            tone,
            board.coverage() * F(1 - 0.25 * step),
            depth=depth,
            subject=subject,
            at=box,
        )


def conifers(canvas: Canvas, rng, places, colour, light, depth, subject=False):
    """Firs, painted together: places is a list of (x, base, height)."""
    board = canvas.stencil()
    for x, base, height in places:
        tiers = 7
        lean = rng.normal(0, 0.02)
        for i in range(tiers):
            t = i / tiers
            half = height * 0.22 * (1 - t) ** 0.9 * rng.uniform(0.8, 1.15)
            y0 = base - height * (0.06 + 0.92 * t)
            y1 = y0 - height * (0.24 - 0.08 * t)
            cx = x + lean * height * t
            board.polygon([(cx - half, y0), (cx, y1), (cx + half, y0)])
        board.line([(x, base), (x, base - height * 0.5)], height * 0.035)
    canvas.paint(colour * light, board.coverage(), depth=depth, subject=subject)


# --- what disturbs -----------------------------------------------------------------------


def clutter(canvas: Canvas, row: dict, rng, hour: Hour, palette: Palette, hy: float) -> None:
    """Signs, wires, bins, passers-by cut off by the edge, litter, branches in the way.

    The number and the prominence grow with row["clutter"]; more clutter keeps what was there.
    """
    kinds = list(rng.permutation(["sign", "wires", "bin", "person", "litter", "flare", "twig"]))
    draws = rng.random((len(kinds), 8))
    amount = float(row["clutter"]) * 6.0
    light = hour.sun * F(0.5) + hour.shade * F(1.1)
    for i, kind in enumerate(kinds):
        strength = min(1.0, amount - i)
        if strength <= 0.15:
            break
        d = draws[i]
        edge = (0.5 + 0.42 * d[0]) * (-1 if d[1] < 0.5 else 1)
        x, size = (
            edge * 2 * canvas.half_width * 0.98,
            (0.55 + 0.45 * strength) * (0.8 + 0.4 * d[2]),
        )
        foot = canvas.half_height * (0.55 + 0.5 * d[3])
        _ITEMS[kind](canvas, x, foot, size, d, light, palette, hy)


def _sign(canvas, x, foot, size, d, light, palette, hy):
    board, top = canvas.stencil(), foot - 0.42 * size
    board.line([(x, foot + 0.1), (x, top)], 0.013 * size)
    canvas.paint(linear("#8a8d90") * light, board.coverage(), depth=0.25)
    r = 0.075 * size
    plate = canvas.window(x - 2 * r, top - 2 * r, x + 2 * r, top + 2 * r)
    dx, dy = canvas.x[plate] - F(x), canvas.y[plate] - F(top)
    if d[4] < 0.4:
        shape = np.hypot(dx, dy) - F(r)
    elif d[4] < 0.7:
        shape = np.maximum(np.abs(dx) - F(1.35 * r), np.abs(dy) - F(0.8 * r))
    else:
        shape = np.maximum(np.abs(dx) * F(1.1) + dy * F(0.62) - F(0.62 * r), -dy - F(r))
        shape = np.maximum(np.abs(dx) * F(0.86) - dy * F(0.5) - F(0.5 * r), dy - F(0.7 * r))
    face = linear(["#e01b24", "#f5c211", "#1c71d8", "#f6f5f4"][int(d[5] * 4)])
    rim = linear("#f6f5f4" if d[5] < 0.75 else "#e01b24")
    lamp = np.maximum(light, 0.25)
    canvas.paint(rim * lamp, canvas.edge(shape), depth=0.25, at=plate)
    canvas.paint(face * lamp, canvas.edge(shape + F(0.18 * r)), depth=0.25, at=plate)
    bar = np.maximum(np.abs(dx) - F(0.55 * r), np.abs(dy) - F(0.12 * r))
    canvas.paint(rim * lamp, canvas.edge(bar), depth=0.25, at=plate)


def _wires(canvas, x, foot, size, d, light, palette, hy):
    board = canvas.stencil()
    reach = canvas.right + 0.2
    top = -canvas.half_height * (0.25 + 0.6 * d[3])
    board.line([(x, canvas.bottom), (x, top - 0.05)], 0.022 * size)
    t = np.linspace(-reach, reach, 40)
    for k, drop in enumerate((0.0, 0.045, 0.1)):
        board.line([(x - 0.07, top + drop), (x + 0.07, top + drop)], 0.012)
        sag = 0.09 * (1 - (2 * np.mod((t - x) / (2 * reach), 1) - 1) ** 2)
        board.line(
            np.stack([t, top + drop + sag + (d[4] - 0.5) * 0.2 * (t - x)], 1), 0.005 + 0.002 * k
        )
    canvas.paint(linear("#17181a") * (light * F(0.5) + F(0.02)), board.coverage(), depth=0.3)


def _bin(canvas, x, foot, size, d, light, palette, hy):
    w, h = 0.075 * size, 0.19 * size
    box = canvas.window(x - 2 * w, foot - 1.4 * h, x + 2 * w, foot + 0.02)
    board = canvas.stencil(box)
    board.polygon(
        [(x - w, foot - h), (x + w, foot - h), (x + 0.8 * w, foot), (x - 0.8 * w, foot)]
    )
    board.ellipse(x, foot - h, 1.12 * w, 0.22 * w)
    body = linear(["#2e7d32", "#ff7800", "#3584e4", "#6d7278"][int(d[5] * 4)])
    shade = np.clip(F(0.75) + (canvas.x[box] - F(x)) / F(2 * w), 0.3, 1.3)[..., None]
    lamp = np.maximum(light, 0.18)
    canvas.paint(body * lamp * shade, board.coverage(), depth=0.22, at=box)
    lid = canvas.stencil(box)
    lid.ellipse(x, foot - h, 0.95 * w, 0.14 * w)
    canvas.paint(linear("#1b1b1b") * lamp, lid.coverage(), depth=0.22, at=box)


def person(
    canvas, x, foot, height, coat, trousers, light, depth, subject=False, skin="#d9a283"
):
    """A standing figure seen from some way off: legs, coat, head."""
    u = height / 8
    box = canvas.window(x - 2 * u, foot - 9 * u, x + 2 * u, foot + u)
    lower, upper, head, hair = (canvas.stencil(box) for _ in range(4))
    for s in (-1, 1):
        lower.line([(x + 0.35 * s * u, foot - 3.6 * u), (x + 0.65 * s * u, foot)], 0.75 * u)
        upper.line(
            [(x + 0.8 * s * u, foot - 6.2 * u), (x + 1.35 * s * u, foot - 3.5 * u)], 0.55 * u
        )
    upper.polygon(
        [
            (x - 1.0 * u, foot - 6.5 * u),
            (x + 1.0 * u, foot - 6.5 * u),
            (x + 1.0 * u, foot - 3.2 * u),
            (x - 1.0 * u, foot - 3.2 * u),
        ]
    )
    head.ellipse(x, foot - 7.25 * u, 0.50 * u, 0.64 * u)
    hair.ellipse(x - 0.06 * u, foot - 7.55 * u, 0.56 * u, 0.48 * u)
    side = np.clip(F(0.8) + (canvas.x[box] - F(x)) / F(3 * u), 0.35, 1.3)[..., None]
    for board, tone in (
        (lower, trousers),
        (upper, coat),
        (head, linear(skin)),
        (hair, linear("#2b1d14")),
    ):
        canvas.paint(
            tone * light * side, board.coverage(), depth=depth, subject=subject, at=box
        )


def _person(canvas, x, foot, size, d, light, palette, hy):
    coat = linear(["#d7263d", "#f46036", "#2e294e", "#1b998b", "#e8e8e8"][int(d[5] * 5)])
    person(
        canvas,
        np.sign(x) * canvas.half_width * (0.86 + 0.14 * d[4]),
        canvas.half_height * 1.02 + 0.05 * d[6],
        0.55 * size,
        coat,
        linear("#20242c"),
        np.maximum(light, 0.12),
        0.15,
    )


def _litter(canvas, x, foot, size, d, light, palette, hy):
    places = np.random.default_rng(int(d[4] * 1e9)).random((14, 4))
    for colour in ("#ffffff", "#e01b24", "#2ec27e", "#f9f06b"):
        board = canvas.stencil()
        for px, py, s, kind in places:
            if int(kind * 4) != ("#ffffff", "#e01b24", "#2ec27e", "#f9f06b").index(colour):
                continue
            cx, cy = canvas.place(px, 0.80 + 0.19 * py)
            r = (0.010 + 0.016 * s) * size
            board.polygon(
                [
                    (cx - r, cy),
                    (cx - 0.3 * r, cy - r),
                    (cx + r, cy - 0.4 * r),
                    (cx + 0.6 * r, cy + 0.7 * r),
                ]
            )
        canvas.paint(linear(colour) * np.maximum(light, 0.2), board.coverage(), depth=0.2)


def _flare(canvas, x, foot, size, d, light, palette, hy):
    x = np.sign(x) * canvas.half_width * (0.8 + 0.3 * d[4])
    y = canvas.half_height * (2 * d[6] - 1)
    r = 0.12 * size
    box = canvas.window(x - 2 * r, y - 2 * r, x + 2 * r, y + 2 * r)
    reach = np.hypot(canvas.x[box] - F(x), canvas.y[box] - F(y))
    hue = linear(["#fff6d0", "#ff5030", "#40ff90", "#60a0ff"][int(d[5] * 4)])
    level = float(np.mean(light)) + 0.15
    canvas.glow(hue * F(1.3 * level), np.clip(F(1.5) - reach / F(r), 0, 1), at=box)


def _twig(canvas, x, foot, size, d, light, palette, hy):
    side, rng = np.sign(x), np.random.default_rng(int(d[4] * 1e9))
    board = canvas.stencil()
    start = np.array([side * canvas.half_width * 1.1, -canvas.half_height * (1.0 - 0.8 * d[6])])
    for _ in range(3):
        aim = np.array([-side * rng.uniform(0.25, 0.55), rng.uniform(-0.05, 0.3)]) * size
        bend = start + aim * 0.5 + np.array([0, rng.normal(0, 0.03)])
        board.line([start, bend, start + aim], 0.012 * size)
        for t in rng.uniform(0.2, 1.0, 9):
            p = start + aim * t + rng.normal(0, 0.02, 2)
            board.ellipse(p[0], p[1], 0.030 * size, 0.016 * size)
    canvas.paint(linear("#20240f") * (light * F(0.7)), board.coverage(), depth=0.05)


_ITEMS = {
    "sign": _sign,
    "wires": _wires,
    "bin": _bin,
    "person": _person,
    "litter": _litter,
    "flare": _flare,
    "twig": _twig,
}
