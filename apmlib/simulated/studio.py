"""What the scenes with a subject have in common: lamps, palettes, backgrounds, distractions."""

from __future__ import annotations

import math

import numpy as np

from apmlib.simulated import shapes
from apmlib.simulated.canvas import Canvas, F, linear, mix, oklch, smoothstep
from apmlib.simulated.shapes import Light

WARM = np.array([1.0, 0.70, 0.40], F)
COOL = np.array([0.62, 0.78, 1.0], F)
WHITE = np.array([1.0, 0.98, 0.95], F)


def lamp(row: dict, rng: np.random.Generator) -> Light:
    """A lamp by the latent `light`: flat, from the front (0) .. golden, from the side (1)."""
    quality = float(row["light"])
    side = 1.0 if rng.random() < 0.5 else -1.0
    turn = math.radians(12 + 62 * quality + rng.uniform(-6, 6)) * side
    rise = math.radians(rng.uniform(22, 40))
    x = math.sin(turn) * math.cos(rise)
    y, z = -math.sin(rise), math.cos(turn) * math.cos(rise)
    key = mix(WHITE, WARM, 0.75 * quality) * F(0.45 + 0.95 * quality)
    fill = mix(WHITE, COOL, 0.8 * quality) * F(0.62 - 0.54 * quality)
    return Light((x, y, z), key, fill, 1.2 * quality)


def beside(hue: float, row: dict, rng: np.random.Generator) -> tuple[float, float]:
    """Hue (turns) and chroma (OKLCH) that go with a hue, or clash, by the latent `harmony`.

    Harmonious: near the hue or opposite to it, and muted. Clashing: a third of the circle
    away, and loud.
    """
    harmony = float(row["harmony"])
    near = hue + (0.0 if rng.random() < 0.55 else 0.5) + rng.uniform(-0.05, 0.05)
    far = hue + rng.choice([-1.0, 1.0]) * rng.uniform(0.22, 0.36)
    loud = rng.uniform(0.17, 0.24)
    muted = rng.uniform(0.03, 0.08)
    share = float(smoothstep(0.35, 0.65, 1 - harmony))
    return (float(far) if share > 0.5 else near), muted + (loud - muted) * share


def clashing(row: dict) -> float:
    """How much a scene's colours fight, 0 .. 1: nothing in the harmonious half."""
    return float(smoothstep(0.55, 0.05, float(row["harmony"])))


def fill(canvas: Canvas, colour, depth: float = 1.0) -> None:
    """Paint the whole canvas."""
    canvas.paint(colour, 1.0, depth)


def backdrop(canvas: Canvas, row: dict, rng: np.random.Generator, colour, x=0.0, y=0.0) -> None:
    """A studio's painted cloth with a pool of light around (x, y)."""
    quality = float(row["light"])
    seed, scale = int(rng.integers(1 << 30)), rng.uniform(0.5, 1.2)
    pool = np.exp(-((canvas.x - F(x)) ** 2 + (canvas.y - F(y)) ** 2) * F(1 / 0.55))
    cloud = canvas.noise(canvas.x, canvas.y, scale, seed)
    level = F(0.5) + F(0.35) * (cloud - F(0.5)) + F(0.75 * quality + 0.1) * (pool - F(0.4))
    canvas.paint(np.asarray(colour, F) * np.maximum(level, F(0.03))[..., None], 1.0, 1.0)


def bokeh(canvas, row, rng, colours, number: int, size: float, low=-0.6, high=0.6) -> None:
    """Far lights: points that a wide aperture spreads into discs."""
    spread = 0.35 + 0.65 * float(row["blur"])
    rng = np.random.default_rng(int(rng.integers(1 << 40)))  # however many there are
    for _ in range(number):
        x = rng.uniform(-1.05, 1.05) * canvas.half_width
        y = rng.uniform(low, high) * 2 * canvas.half_height
        r = size * spread * rng.uniform(0.6, 1.4)
        colour = colours[int(rng.integers(len(colours)))]
        strength = rng.uniform(0.2, 0.9)
        at, u, v = shapes.local(canvas, x, y, r * 1.2)
        d = np.sqrt(u * u + v * v)
        disc = canvas.edge(d - F(r), 0.12 * r) * (
            F(0.75) + F(0.5) * smoothstep(0.6, 1, d / F(r))
        )
        canvas.glow(colour, disc * F(strength), at)


def foliage(canvas, row, rng, hue: float = 0.36, bright: float = 1.0) -> None:
    """Leaves far behind the subject: dark gaps, lit leaves, discs of sky between them."""
    seeds = rng.integers(1 << 30, size=3)
    dark, lit_ = oklch(0.24, 0.06, hue + 0.03), oklch(0.56, 0.12, hue - 0.03)
    gold = oklch(0.72, 0.13, hue - 0.07)
    broad = canvas.noise(canvas.x, canvas.y, rng.uniform(0.3, 0.6), int(seeds[0]), "soft")
    leaves = np.random.default_rng(int(seeds[1]))
    quality = float(row["light"])
    level = F(0.12) + F(0.6) * broad
    reach = canvas.half_width + 0.2, canvas.half_height + 0.2
    for weight in (-0.22, 0.20, 0.38):
        layer = canvas.stencil()
        for _ in range(46):
            x, y = leaves.uniform(-1, 1) * reach[0], leaves.uniform(-1, 1) * reach[1]
            angle, long = leaves.uniform(0, 2 * math.pi), leaves.uniform(0.06, 0.17)
            along = np.array([math.cos(angle), math.sin(angle)]) * long
            across = np.array([-along[1], along[0]]) * 0.26
            middle = np.array([x, y])
            layer.polygon(
                [
                    middle - along,
                    middle - 0.3 * along + across,
                    middle + 0.2 * along + across,
                    middle + along,
                    middle + 0.2 * along - across,
                    middle - 0.3 * along - across,
                ]
            )
        level += F(weight) * layer.coverage() * (F(0.4) + broad)
    tone = canvas.gradient(level, [(0.0, dark), (0.5, lit_), (1.0, mix(lit_, gold, quality))])
    lean = rng.uniform(-0.5, 0.5)
    fade = F(1.0) - F(0.5) * (canvas.y + F(lean) * canvas.x)
    canvas.paint(tone * (F(bright) * np.clip(fade, 0.25, 1.8))[..., None], 1.0, 1.0)
    glints = [oklch(0.9, 0.06, hue - 0.1) * F(0.6), oklch(0.75, 0.12, hue - 0.03) * F(0.5)]
    bokeh(canvas, row, rng, glints, 8 + int(14 * quality), 0.05)


def sky(canvas, row, rng, horizon: float, kind: str = "") -> np.ndarray:
    """A sky over the whole canvas above a ground to be painted; returns its glow colour (3,).

    Args:
        canvas, row, rng: as in a scene.
        horizon: y in scene units.
        kind: "dusk", "gold", "day", "grey", or "" to go by the latent `light`.
    """
    quality = float(row["light"])
    chosen = rng.random()
    if not kind:
        kind = ("gold" if chosen < 0.6 else "dusk") if quality > 0.55 else "day"
        kind = "grey" if quality < 0.3 else kind
    stops = {
        "gold": ["#5f7fae", "#e9c08a", "#ffb35c"],
        "dusk": ["#27305f", "#a2628c", "#ff9a66"],
        "day": ["#3f74b5", "#86b0d8", "#cfe0ea"],
        "grey": ["#9aa2a8", "#b6bbbe", "#c9cbca"],
    }[kind]
    top = horizon - 1.0
    t = (canvas.y - F(top)) * F(1 / (horizon - top))
    colours = [linear(c) for c in stops]
    tone = canvas.gradient(t, [(0.0, colours[0]), (0.7, colours[1]), (1.0, colours[2])])
    cloud = canvas.noise(
        canvas.x, canvas.y * F(2.6), rng.uniform(0.5, 1.1), int(rng.integers(1 << 30))
    )
    amount = rng.uniform(0.15, 0.5)
    tone = mix(tone, colours[1] * F(1.25), smoothstep(0.5, 1.0, cloud) * F(amount))
    canvas.paint(tone, 1.0, 1.0)
    return colours[2]


def ground(canvas, rng, horizon: float, near, far, scale: float = 0.06, kind="grain") -> None:
    """A plain that runs to the horizon, its texture in perspective, depth falling with y."""
    below = canvas.y - F(horizon)
    reach = F(0.25) / np.maximum(below, F(0.012))
    grass = canvas.noise(
        canvas.x * reach, reach * F(3.0), scale * 4, int(rng.integers(1 << 30)), kind
    )
    t = np.clip(below * F(1.6), 0, 1)
    tone = mix(far, near, t) * (F(0.55) + F(0.9) * grass)[..., None]
    canvas.paint(tone, canvas.edge(-below), np.clip(F(1.0) - below * F(1.3), 0.3, 1.0))


# --- distractions ------------------------------------------------------------------------

ITEMS = ("cup", "can", "bag", "sign", "cable", "pole", "spot", "bystander")


def clutter(canvas, row, rng, items=ITEMS, depth: float = 0.32, scale: float = 1.0) -> None:
    """Things that should not be in the picture, by the latent `clutter`; at the edges mostly.

    Always draws the same random numbers, so that the rest of the scene does not depend on
    how many are shown.
    """
    amount = float(row["clutter"])
    shown = round(max(0.0, amount - 0.12) * 7.5)
    cx, cy = canvas.place(float(row["subject_x"]), float(row["subject_y"]))
    reach = 0.5 * float(row["subject_size"])
    for i in range(7):
        own = np.random.default_rng(int(rng.integers(1 << 40)))
        if i >= shown:
            continue
        for _ in range(12):
            if own.random() < 0.5:
                fx, fy = (
                    own.choice([0.03, 0.97]) + own.uniform(-0.05, 0.05),
                    own.uniform(0.1, 0.98),
                )
            else:
                fx, fy = own.uniform(0.03, 0.97), own.choice([0.06, 0.93, 0.96])
            x, y = canvas.place(float(fx), float(fy))
            if math.hypot(x - cx, y - cy) > reach + 0.16:
                break
        kind = items[int(own.integers(len(items)))]
        if kind == "pole" and abs(x - cx) < 0.8 * reach + 0.06:
            kind = "cable"
        size = scale * own.uniform(0.09, 0.17) * (0.75 + 0.5 * amount)
        distraction(canvas, own, kind, x, y, size, depth)


def distraction(canvas, rng, kind: str, x, y, size: float, depth: float) -> None:
    """One distracting thing of about `size`, centred at (x, y) in scene units."""
    hue = float(rng.choice([0.02, 0.08, 0.16, 0.28, 0.40, 0.55, 0.72, 0.90]))
    loud = oklch(rng.uniform(0.6, 0.75), rng.uniform(0.17, 0.24), hue)
    light = Light((0.3, -0.4, 0.87), WHITE * F(0.8), WHITE * F(0.35))
    at, u, v = shapes.local(canvas, x, y, 1.6 * size)
    if kind in ("cup", "can"):
        tall = 0.75 if kind == "cup" else 1.0
        top = 0.50 if kind == "cup" else 0.42
        heights = [-tall * size, tall * size]
        part = shapes.lathe(u, v, heights, [top * size, 0.40 * size])
        stripe = np.where(np.abs(v + F(0.1 * size)) < F(0.22 * size), F(1), F(0))
        shapes.body(
            canvas, at, part, mix(loud, WHITE * F(0.9), stripe), light, depth, shine=0.5
        )
        lid = shapes.ellipse(u, v, 0, -tall * size, top * size, 0.12 * size)
        canvas.paint(WHITE * F(0.85), canvas.edge(lid[0]), depth, at=at)
    elif kind == "bag":
        part = shapes.box(u, v, 0, 0, 0.75 * size, 0.65 * size, 0.25 * size)
        fold = canvas.noise(u, v, size * 0.8, int(rng.integers(1 << 30)), "ridged") * F(
            0.1 * size
        )
        shapes.body(canvas, at, part, loud, light, depth, relief=fold, shine=0.5)
    elif kind == "sign":
        frame = shapes.box(u, v, 0, 0, 0.85 * size, 0.5 * size, 0.04 * size)[0]
        canvas.paint(loud * F(1.1), canvas.edge(frame), depth, at=at)
        for line in (-0.22, 0.02, 0.24):
            bar = shapes.box(
                u, v, rng.uniform(-0.1, 0.1) * size, line * size, 0.6 * size, 0.06 * size
            )
            canvas.paint(WHITE, canvas.edge(bar[0]), depth, at=at)
    elif kind == "cable":
        start = (-1.4 * size, rng.uniform(-1, 1) * size)
        points = [start, *[(t * size, rng.uniform(-0.7, 0.7) * size) for t in (-0.5, 0.3, 0.9)]]
        line = shapes.curve([*points, (1.5 * size, rng.uniform(-1, 1) * size)], 5)
        part = shapes.chain(u, v, line, [0.05 * size] * len(line))
        ink = loud if rng.random() < 0.6 else np.full(3, 0.012, F)
        canvas.paint(ink, canvas.edge(part[0]), depth, at=at)
    elif kind == "pole":
        wide = 0.16 * size
        at = canvas.window(x - wide * 2, canvas.top, x + wide * 2, canvas.bottom)
        u = canvas.x[at] - F(x)
        band = np.floor((canvas.y[at] + F(3)) * F(1 / (1.1 * size))) % 2
        round_ = np.sqrt(np.maximum(F(wide * wide) - u * u, 0)) * F(1 / wide)
        tone = mix(loud, WHITE * F(0.9), band) * (F(0.3) + F(0.8) * round_)[..., None]
        canvas.paint(tone, canvas.edge(np.abs(u) - F(wide)), depth, at=at)
    elif kind == "spot":
        disc = shapes.circle(u, v, 0, 0, 0.45 * size)[0]
        canvas.paint(WHITE * F(4.0), canvas.edge(disc, 0.04 * size), depth, at=at)
        halo = np.exp(-(u * u + v * v) * F(1 / (0.6 * size * size)))
        canvas.glow(WHITE * F(0.7), halo, at)
    else:
        body = shapes.join(
            shapes.limb(u, v, (0, -0.15 * size), (0, 1.4 * size), 0.36 * size, 0.42 * size),
            shapes.circle(u, v, 0, -0.75 * size, 0.26 * size),
            k=0.06 * size,
        )
        skin = smoothstep(-0.50 * size, -0.56 * size, v)
        shapes.body(canvas, at, body, mix(loud, linear("#c08a68"), skin), light, depth)
        hair = shapes.ellipse(u, v, 0, -0.88 * size, 0.28 * size, 0.18 * size)
        canvas.paint(linear("#2a1d16"), canvas.edge(hair[0]), depth, at=at)
