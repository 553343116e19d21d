"""Still lifes: fruit, bottles, bowls, candles and books on a table by the window."""

from __future__ import annotations

import math

import numpy as np
from scipy.interpolate import PchipInterpolator

from apmlib.simulated import shapes, studio
from apmlib.simulated.canvas import Canvas, F, linear, mix, oklch, smoothstep

GROUPS = (
    ("bottle", "apple", "pear"),
    ("bowl", "orange", "lemon"),
    ("vase", "apple"),
    ("candle", "book"),
    ("jug", "bread", "grapes"),
    ("cup", "book"),
    ("bottle", "glass", "grapes"),
    ("pear", "apple", "lemon"),
    ("candle", "bottle", "orange"),
    ("vase", "lemon", "cup"),
    ("bowl", "egg", "jug"),
    ("glass", "lemon"),
)


def draw(canvas: Canvas, row: dict, rng: np.random.Generator) -> None:
    """Paint a group of things whose middle is the subject's place."""
    light = studio.lamp(row, rng)
    size = float(row["subject_size"])
    x, y = canvas.place(float(row["subject_x"]), float(row["subject_y"]))
    group = GROUPS[int(rng.integers(len(GROUPS)))]
    foot = y + 0.40 * size
    edge = foot - rng.uniform(0.10, 0.30) * (0.4 + size)
    hue = rng.uniform(0.02, 0.28) if rng.random() < 0.6 else rng.random()
    own = np.random.default_rng(int(rng.integers(1 << 40)))  # so that the light moves nothing
    wall(canvas, row, own, hue, edge, light)
    table(canvas, row, own, hue, edge, foot, light)
    count = len(group) + int(rng.integers(0, 3))
    items = [group[i] if i < len(group) else group[-1] for i in range(count)]
    gap = 0.95 * size / max(count, 2)
    places = []
    for i, kind in enumerate(items):
        big = kind in ("bottle", "vase", "jug", "candle", "bowl")
        tall = size * (rng.uniform(0.80, 1.0) if big else rng.uniform(0.34, 0.46))
        if count == 1:
            tall = size
        sx = (
            x
            + (i - 0.5 * (count - 1))
            * gap
            * rng.uniform(0.75, 1.05)
            * (1 if i % 2 else -1)
            * (-1) ** count
        )
        sx = x + (((i + 1) // 2) * (1 if i % 2 else -1) + 0.25) * gap * rng.uniform(0.8, 1.0)
        back = rng.uniform(-0.02, 0.0) if big else rng.uniform(0.02, 0.10)
        places.append((foot + back * size, sx, tall, kind, int(rng.integers(1 << 40))))
    for base, sx, tall, kind, seed in sorted(places):
        own = np.random.default_rng(seed)
        thing(canvas, own, kind, sx, base, tall, light, row)
    if "candle" in items:
        canvas.key = 0.09
    studio.clutter(canvas, row, rng, ("can", "sign", "cable", "bag", "spot", "cup"), 0.32)


def wall(canvas, row, rng, hue, edge, light) -> None:
    """The room behind: a painted wall, a window or the patch of sun that it throws."""
    quality = float(row["light"])
    other, chroma = studio.beside(hue, row, rng)
    dark = rng.random() < 0.5
    tone = oklch(
        rng.uniform(0.20, 0.36) if dark else rng.uniform(0.5, 0.8), 0.7 * chroma, other
    )
    if dark:
        canvas.key = 0.08
    side = light.direction[0]
    studio.backdrop(canvas, row, rng, tone, 0.7 * side, edge - 0.35)
    plaster = canvas.noise(canvas.x, canvas.y, 0.16, int(rng.integers(1 << 30)))
    canvas.rgb *= (F(0.85) + F(0.3) * plaster)[..., None]
    choice = rng.random()
    if choice < 0.34:
        window(canvas, rng, edge, side)
    elif choice < 0.68:
        patch(canvas, rng, edge, side, quality)
    else:
        rail = edge - rng.uniform(0.2, 0.5)
        line = np.abs(canvas.y - F(rail)) - F(0.012)
        canvas.rgb *= (1 - F(0.45) * canvas.edge(line))[..., None]


def window(canvas, rng, edge, side) -> None:
    """A window beside the things, bright and out of focus."""
    wide, tall = rng.uniform(0.3, 0.55), rng.uniform(0.5, 0.8)
    left = math.copysign(canvas.half_width * rng.uniform(0.45, 0.95), side) - 0.5 * wide
    top = edge - tall - rng.uniform(0.02, 0.15)
    u, v = canvas.x - F(left), canvas.y - F(top)
    frame = shapes.box(u, v, 0.5 * wide, 0.5 * tall, 0.5 * wide + 0.03, 0.5 * tall + 0.03)[0]
    canvas.paint(linear("#6a5a48"), canvas.edge(frame), 1.0)
    trees = canvas.noise(canvas.x, canvas.y, 0.22, int(rng.integers(1 << 30)))
    view = mix(linear("#f3f1e4"), linear("#8aa27c"), smoothstep(0.4, 0.9, trees + F(0.3) * v))
    for i in (0, 1):
        for j in (0, 1):
            pane = shapes.box(
                u,
                v,
                (0.25 + 0.5 * i) * wide,
                (0.25 + 0.5 * j) * tall,
                0.25 * wide - 0.012,
                0.25 * tall - 0.012,
            )[0]
            canvas.paint(view * F(1.7), canvas.edge(pane), 1.0)


def patch(canvas, rng, edge, side, quality) -> None:
    """Sun through a window, as a slanted grid on the wall."""
    slant = -0.5 * math.copysign(1, side)
    x = rng.uniform(-0.5, 0.5) * canvas.half_width
    u = canvas.x - F(x) + F(slant) * (canvas.y - F(edge))
    v = canvas.y - F(edge - rng.uniform(0.35, 0.55))
    lit_ = np.zeros_like(u)
    for i in (-1, 1):
        for j in (-1, 1):
            pane = shapes.box(u, v, 0.16 * i, 0.2 * j, 0.135, 0.175)[0]
            lit_ = np.maximum(lit_, canvas.edge(pane, 0.035))
    canvas.rgb *= (1 + F(0.4 + 2.2 * quality) * lit_)[..., None] ** np.array(
        [1.0, 0.9, 0.72], F
    )


def table(canvas, row, rng, hue, edge, foot, light) -> None:
    """A table top of wood, stone or cloth, with its back edge straight across."""
    kind = ("wood", "cloth", "stone", "check")[int(rng.integers(4))]
    below = canvas.y - F(edge)
    far = F(0.45) / np.maximum(below + F(0.30), F(0.05))
    seed = int(rng.integers(1 << 30))
    if kind == "wood":
        grain = canvas.noise(canvas.x * far * F(0.25), far, 0.10, seed)
        planks = np.floor(far * F(5))
        tone = linear(("#8a5a34", "#5a3a22", "#b08458", "#3c2a1e")[int(rng.integers(4))])
        level = F(0.55) + F(0.65) * grain + F(0.10) * np.sin(planks * F(9))
        seam = np.abs(far * F(5) - planks - F(0.5)) > F(0.485)
        colour = tone * np.where(seam, level * F(0.6), level)[..., None]
    elif kind == "stone":
        vein = canvas.noise(canvas.x * far, far * F(1.5), 0.5, seed, "ridged")
        colour = oklch(rng.uniform(0.4, 0.8), 0.02, hue) * (F(0.7) + F(0.5) * vein)[..., None]
    else:
        other, chroma = studio.beside(hue, row, rng)
        cloth = oklch(rng.uniform(0.55, 0.85), 0.6 * chroma, other)
        fold = canvas.noise(canvas.x * far + far, far * F(0.7), 0.5, seed, "soft")
        colour = cloth * (F(0.65) + F(0.6) * fold)[..., None]
        if kind == "check":
            a = np.sin(canvas.x * far * F(26)) > 0
            b = np.sin(far * F(60)) > 0
            ink = oklch(0.5, min(0.08 + chroma, 0.2), hue)
            weight = F(0.38) * a + F(0.38) * b
            colour = mix(colour, ink * (F(0.6) + F(0.6) * fold)[..., None], weight)
    clash = studio.clashing(row)
    if clash > 0:
        loud = oklch(0.66, 0.22, hue + 0.32)
        colour = mix(
            colour, loud * (colour.mean(axis=-1) * F(1.6) + F(0.15))[..., None], 0.8 * clash
        )
    lx = light.direction[0]
    quality = float(row["light"])
    falloff = F(1) + F(0.9 * quality * lx) * canvas.x
    level = (light.key * F(0.8) + light.fill) * np.clip(falloff, 0.12, 2.2)[..., None]
    depth = np.clip(F(0.34) + (F(foot) - canvas.y) * F(1.4), 0.2, 0.8)
    canvas.paint(colour * level, canvas.edge(-below), depth)
    front = np.abs(below - F(0.006)) - F(0.006)
    canvas.rgb *= (1 - F(0.4) * canvas.edge(front))[..., None]


# --- things: (x, base) is where they stand, tall their height ------------------------------


def cast(canvas, x, base, wide, tall, light) -> None:
    """The shadow on the table, away from the lamp."""
    lx = light.direction[0]
    shapes.shadow(canvas, x, base, 1.05 * wide, 0.16 * wide + 0.01, 0.75)
    long = 0.9 * tall * abs(lx)
    away = -math.copysign(1, lx)
    shapes.shadow(
        canvas,
        x + away * (0.5 * wide + 0.5 * long),
        base - 0.02 * tall,
        0.5 * wide + 0.6 * long,
        0.14 * wide + 0.01,
        0.25 + 0.45 * abs(lx),
        0.06 * away,
    )


def thing(canvas, rng, kind, x, base, tall, light, row) -> None:
    """One thing."""
    if kind in ("apple", "orange", "lemon", "pear", "egg", "bread"):
        fruit(canvas, rng, kind, x, base, tall, light)
    elif kind == "grapes":
        grapes(canvas, rng, x, base, tall, light)
    elif kind == "book":
        books(canvas, rng, x, base, tall, light, row)
    else:
        vessel(canvas, rng, kind, x, base, tall, light, row)


def fruit(canvas, rng, kind, x, base, tall, light) -> None:
    """A fruit, an egg or a loaf: a body with its own skin, bloom and stalk."""
    r = 0.46 * tall
    y = base - 0.92 * r
    cast(canvas, x, base - 0.05 * tall, r, tall, light)
    at, u, v = shapes.local(canvas, x, y, 2.1 * r, rng.uniform(-0.2, 0.2))
    seed = int(rng.integers(1 << 30))
    mottled = canvas.noise(u, v * F(0.5), 0.7 * r, seed)
    fine = canvas.noise(u, v, 0.15 * r, seed + 1, "grain")
    shine = 0.55
    if kind == "apple":
        shape = shapes.join(
            shapes.ellipse(u, v, -0.25 * r, 0, 0.78 * r, 0.9 * r),
            shapes.ellipse(u, v, 0.25 * r, 0, 0.78 * r, 0.9 * r),
            k=0.2 * r,
        )
        pairs = (("#b3202a", "#d9a23a"), ("#7da33a", "#c9c85a"), ("#c23b30", "#8f1d24"))
        a, b = pairs[int(rng.integers(3))]
        tone = mix(linear(a), linear(b), smoothstep(0.45, 0.95, mottled + F(0.2) * v / F(r)))
    elif kind == "orange":
        shape = shapes.circle(u, v, 0, 0, 0.95 * r)
        tone = linear("#e8812a") * (F(0.85) + F(0.3) * fine)[..., None]
    elif kind == "lemon":
        shape = shapes.join(
            shapes.ellipse(u, v, 0, 0.1 * r, 1.05 * r, 0.78 * r),
            shapes.circle(u, v, 1.1 * r, 0.1 * r, 0.13 * r),
            k=0.25 * r,
        )
        tone = linear("#ecc92f") * (F(0.88) + F(0.24) * fine)[..., None]
    elif kind == "pear":
        y -= 0.25 * r
        shape = shapes.join(
            shapes.circle(u, v, 0, 0.1 * r, 0.84 * r),
            shapes.circle(u, v, 0.1 * r, -0.85 * r, 0.46 * r),
            k=0.55 * r,
        )
        tone = mix(linear("#b7b04a"), linear("#b9803a"), smoothstep(0.4, 1, mottled))
    elif kind == "egg":
        shape = shapes.ellipse(u, v, 0, 0.1 * r, 0.72 * r, 0.86 * r)
        tone, shine = linear(("#f2e6d6", "#d9b08c")[int(rng.integers(2))]), 0.12
    else:
        shape = shapes.join(
            shapes.ellipse(u, v, -0.5 * r, 0.25 * r, 0.9 * r, 0.62 * r),
            shapes.ellipse(u, v, 0.5 * r, 0.25 * r, 0.9 * r, 0.62 * r),
            k=0.2 * r,
        )
        slash = np.sin((u + F(0.5) * v) * F(7 / r)) > F(0.75)
        tone = mix(
            linear("#a8683a"), linear("#e0bd8a"), np.where(slash, 0.8, 0.15) * mottled + F(0.1)
        )
        shine = 0.1
    cover = shapes.body(
        canvas, at, shape, tone, light, 0.30, subject=True, shine=shine, sharpness=45
    )
    bounce = smoothstep(0.2 * r, 0.95 * r, v) * cover
    canvas.glow(np.asarray(linear("#a07850")) * light.key, bounce * F(0.06), at)
    if kind in ("apple", "pear"):
        top = -0.86 * r if kind == "apple" else -1.28 * r
        dip = np.exp(-((u * F(4 / r)) ** 2) - ((v - F(top + 0.12 * r)) * F(6 / r)) ** 2)
        if kind == "apple":
            canvas.rgb[at] *= (1 - F(0.6) * dip * cover)[..., None]
        stalk = shapes.limb(
            u, v, (0.02 * r, top + 0.1 * r), (0.14 * r, top - 0.22 * r), 0.045 * r, 0.06 * r
        )
        shapes.body(canvas, at, stalk, linear("#4a3420"), light, 0.30, subject=True)


def grapes(canvas, rng, x, base, tall, light) -> None:
    """A bunch of grapes lying on the table."""
    cast(canvas, x, base - 0.03 * tall, 0.55 * tall, 0.6 * tall, light)
    ink = linear(("#4a2344", "#8fa53e", "#5c1f2c")[int(rng.integers(3))])
    r = 0.125 * tall
    for _ in range(30):
        t = rng.random()
        gx = x + (t - 0.5) * 1.25 * tall
        gy = base - r - rng.random() * 0.62 * tall * (1 - 0.75 * t)
        at, u, v = shapes.local(canvas, gx, gy, 1.3 * r)
        canvas.rgb[at] *= (
            1 - F(0.4) * canvas.edge(shapes.circle(u, v, 0, 0, 1.1 * r)[0], 0.4 * r)
        )[..., None]
        tone = ink * F(rng.uniform(0.8, 1.4))
        shapes.body(
            canvas,
            at,
            shapes.circle(u, v, 0, 0, r),
            tone,
            light,
            0.29,
            subject=True,
            shine=0.8,
            sharpness=40,
            wrap=0.5,
        )


def books(canvas, rng, x, base, tall, light, row) -> None:
    """A stack of books, a little askew."""
    y = base
    wide = 0.85 * tall
    cast(canvas, x, base, wide, 0.5 * tall, light)
    hue = rng.random()
    for _ in range(int(rng.integers(2, 5))):
        thick, w = tall * rng.uniform(0.13, 0.22), wide * rng.uniform(0.8, 1.05)
        sx = x + rng.uniform(-0.06, 0.06) * tall
        at, u, v = shapes.local(canvas, sx, y - 0.5 * thick, 1.2 * w)
        hue, chroma = studio.beside(hue, row, rng)
        cover = oklch(rng.uniform(0.3, 0.6), min(0.03 + chroma, 0.2), hue)
        block = shapes.box(u, v, 0, 0, w, 0.5 * thick, 0.10 * thick)
        shapes.body(canvas, at, block, cover, light, 0.31, subject=True)
        if rng.random() < 0.5:
            pages = shapes.box(u, v, 0.04 * w, 0, 0.93 * w, 0.36 * thick)[0]
            lines = F(0.8) + F(0.2) * np.sin(v * F(60 / thick))
            tone = (
                linear("#e6d9bd")
                * lines[..., None]
                * (light.key * F(0.5) + light.fill * F(0.8))
            )
            canvas.paint(tone, canvas.edge(pages), 0.31, subject=True, at=at)
        else:
            for sx in (-0.7, 0.7, 0.6):
                bar = shapes.box(u, v, sx * w, 0, 0.02 * w, 0.5 * thick)[0]
                canvas.paint(
                    linear("#d0a850") * light.key,
                    canvas.edge(bar) * F(0.8),
                    0.31,
                    subject=True,
                    at=at,
                )
        y -= thick


VESSELS = {  # from the top down: (share of the height, half width as share of the height)
    "bottle": [
        (0, 0.055),
        (0.06, 0.06),
        (0.07, 0.05),
        (0.30, 0.052),
        (0.42, 0.13),
        (0.5, 0.155),
        (0.97, 0.155),
        (1, 0.14),
    ],
    "vase": [
        (0, 0.14),
        (0.04, 0.12),
        (0.14, 0.085),
        (0.30, 0.13),
        (0.52, 0.235),
        (0.70, 0.24),
        (0.9, 0.15),
        (1, 0.13),
    ],
    "jug": [
        (0, 0.19),
        (0.05, 0.17),
        (0.2, 0.15),
        (0.45, 0.26),
        (0.7, 0.29),
        (0.92, 0.21),
        (1, 0.19),
    ],
    "bowl": [
        (0, 0.52),
        (0.05, 0.515),
        (0.3, 0.47),
        (0.6, 0.36),
        (0.85, 0.2),
        (0.87, 0.17),
        (1, 0.18),
    ],
    "cup": [(0, 0.44), (0.05, 0.43), (0.6, 0.39), (0.9, 0.30), (1, 0.24)],
    "candle": [(0, 0.085), (0.02, 0.10), (1, 0.105)],
    "glass": [
        (0, 0.30),
        (0.3, 0.33),
        (0.55, 0.22),
        (0.60, 0.04),
        (0.92, 0.035),
        (0.95, 0.2),
        (1, 0.24),
    ],
}


def vessel(canvas, rng, kind, x, base, tall, light, row) -> None:
    """Something turned on a wheel or blown: the profile swept around an upright axis."""
    if kind == "bowl":
        tall = 0.52 * tall
    elif kind == "glass":
        tall = 1.5 * tall
    knots, widths = np.array(VESSELS[kind], np.float64).T
    shares = np.linspace(0, 1, 60)
    widths = PchipInterpolator(knots, widths)(shares)
    fat = rng.uniform(0.9, 1.15)
    widths = widths * tall * fat
    top = base - tall
    cast(canvas, x, base - 0.02 * tall, float(widths[-1]) * 1.2, tall, light)
    widest = float(widths.max())
    reach = max(1.5 * widest, 0.75 * tall)
    at, u, v = shapes.local(canvas, x, base - 0.5 * tall, reach)
    v = v + F(0.5 * tall)
    mouth = float(widths[0])
    flat = 0.24
    rim = shapes.ellipse(u, v, 0, 0, mouth, flat * mouth)[0]
    foot = shapes.ellipse(u, v, 0, tall, float(widths[-1]), 0.22 * float(widths[-1]))[0]
    side, height = shapes.lathe(u, v, shares * tall, widths)
    side = np.minimum(side, foot)
    hue = rng.random()
    other, chroma = studio.beside(hue, row, rng)
    clear = kind == "glass" or (kind == "bottle" and rng.random() < 0.6)
    smooth = (
        np.interp(v[:, 0], shares * tall, widths).astype(F)[:, None]
        if v.size
        else np.ones_like(u)
    )
    across = np.clip(u / smooth, -1, 1)
    if kind == "bowl" or kind == "vase":
        shapes.body(
            canvas, at, (rim, np.zeros_like(u)), linear("#2a2018"), light, 0.31, subject=True
        )
        inside(canvas, rng, kind, x, top, mouth, light)
    if clear:
        ink = (linear("#2f5d3a"), linear("#6a4420"), linear("#b9d0d0"))[int(rng.integers(3))]
        if kind == "glass":
            ink = linear("#dfe8e8")
        behind = canvas.rgb[at]
        through = behind * ink * F(1.15) + ink * F(0.015)
        wine = linear(("#5a0f1a", "#c9a03a", "#3a0a14")[int(rng.integers(3))])
        level = (0.22 if kind == "glass" else 0.40) * tall
        filled = (v > F(level)) & (v < F(0.55 * tall if kind == "glass" else 0.99 * tall))
        through = np.where(filled[..., None], behind * wine * F(1.3) + wine * F(0.20), through)
        edge = smoothstep(0.62, 1.0, np.abs(across))
        tone = through * (F(1.0) - F(0.7) * edge)[..., None]
        lx = light.direction[0]
        streak = np.exp(-((across - F(0.55 * lx)) ** 2) * F(70)) + F(0.5) * np.exp(
            -((across + F(0.72 * lx)) ** 2) * F(120)
        )
        tone = tone + (F(0.75) * streak)[..., None] * light.key
        canvas.paint(tone, canvas.edge(side), 0.30, subject=True, at=at)
        ring = np.abs(rim) - F(0.012 * tall)
        canvas.paint(light.key * F(0.8), canvas.edge(ring) * F(0.6), 0.30, subject=True, at=at)
        if kind == "bottle" and rng.random() < 0.6:
            label = shapes.box(u, v, 0, 0.70 * tall, float(widths.max()) * 1.1, 0.12 * tall)[0]
            paper = (
                linear("#e8dcc0")
                * (F(0.15) + F(0.75) * np.clip(1 - across * across, 0, 1) ** F(0.5))[..., None]
            )
            paper = paper * (
                light.key * np.clip(F(0.6) + F(0.7 * lx) * across, 0, 2)[..., None] + light.fill
            )
            canvas.paint(paper, canvas.edge(np.maximum(label, side)), 0.30, subject=True, at=at)
        return
    if kind == "candle":
        tone = linear("#eee0c4") * (F(0.75) + F(0.25) * (F(1) - v / F(tall)))[..., None]
    else:
        glaze = (
            oklch(rng.uniform(0.35, 0.75), min(0.03 + chroma, 0.2), other),
            linear("#e9e2d4"),
            linear("#3d5f7a"),
            linear("#8a4f30"),
            linear("#41503f"),
        )[int(rng.integers(5))]
        mottled = canvas.noise(u, v, 0.4 * tall, int(rng.integers(1 << 30)))
        tone = glaze * (F(0.85) + F(0.3) * mottled)[..., None]
        if rng.random() < 0.4:
            where = rng.uniform(0.3, 0.6) * tall
            band = np.abs(np.abs(v - F(where)) - F(0.03 * tall)) < F(0.012 * tall)
            tone = mix(tone, linear("#28405e"), band.astype(F) * F(0.85))
    if kind in ("cup", "jug"):
        handle = shapes.ellipse(
            u,
            v,
            math.copysign(0.9, rng.uniform(-1, 1)) * widest * 1.05,
            0.42 * tall,
            0.34 * widest,
            0.28 * tall,
        )[0]
        hoop = np.abs(handle) - F(0.045 * tall)
        shapes.body(
            canvas,
            at,
            (hoop, shapes.bulge(hoop, 0.05 * tall)),
            tone,
            light,
            0.31,
            subject=True,
            shine=0.3,
        )
    shapes.body(
        canvas, at, (side, height), tone, light, 0.30, subject=True, shine=0.45, sharpness=40
    )
    if kind in ("cup", "jug"):
        hollow = tone * F(0.35) if kind == "jug" else linear("#2a160c") * np.ones_like(tone)
        canvas.paint(
            tone * (light.key * F(0.8) + light.fill),
            canvas.edge(rim),
            0.30,
            subject=True,
            at=at,
        )
        inner = shapes.ellipse(u, v, 0, 0.02 * tall, 0.9 * mouth, 0.85 * flat * mouth)[0]
        canvas.paint(hollow, canvas.edge(inner), 0.30, subject=True, at=at)
    elif kind in ("vase", "bowl"):
        lip = np.maximum(np.abs(rim) - F(0.016 * tall), -v - F(0.0))
        canvas.paint(tone * light.key, canvas.edge(lip) * F(0.8), 0.30, subject=True, at=at)
    elif kind == "candle":
        flame(canvas, x, top, tall)


def inside(canvas, rng, kind, x, top, mouth, light) -> None:
    """What a bowl or a vase holds."""
    if kind == "bowl":
        for _ in range(int(rng.integers(3, 6))):
            own = np.random.default_rng(int(rng.integers(1 << 40)))
            r = mouth * own.uniform(0.34, 0.42)
            fx = x + own.uniform(-0.55, 0.55) * mouth
            fruit(
                canvas,
                own,
                ("orange", "lemon", "apple", "egg")[int(own.integers(3))],
                fx,
                top + 0.35 * mouth,
                r / 0.46,
                light,
            )
        return
    for _ in range(int(rng.integers(3, 7))):
        own = np.random.default_rng(int(rng.integers(1 << 40)))
        lean, long = own.uniform(-0.55, 0.55), mouth * own.uniform(3.0, 5.5)
        ex, ey = x + math.sin(lean) * long, top - math.cos(lean) * long
        line = shapes.curve(
            [(x, top + 0.1 * mouth), (x + 0.3 * (ex - x), top - 0.55 * long), (ex, ey)], 4
        )
        at = canvas.window(*(line.min(axis=0) - 0.03), *(line.max(axis=0) + 0.03))
        part = shapes.chain(canvas.x[at], canvas.y[at], line, [0.06 * mouth] * len(line))
        shapes.body(canvas, at, part, oklch(0.42, 0.08, 0.36), light, 0.31, subject=True)
        hue = own.choice([0.02, 0.97, 0.22, 0.85, 0.25])
        tone = oklch(own.uniform(0.65, 0.9), own.uniform(0.06, 0.17), float(hue))
        for k in range(7):
            a = k * 0.9 + own.uniform(-0.2, 0.2)
            r = mouth * own.uniform(0.42, 0.6)
            d = 0.0 if k == 6 else 0.55 * r
            at, u, v = shapes.local(canvas, ex + d * math.cos(a), ey + d * math.sin(a), 1.2 * r)
            shapes.body(
                canvas,
                at,
                shapes.circle(u, v, 0, 0, 0.62 * r),
                tone * F(0.8 + 0.06 * k),
                light,
                0.30,
                subject=True,
                wrap=0.5,
            )


def flame(canvas, x, top, tall) -> None:
    """A candle's flame, its wick and the light around it."""
    h = 0.20 * tall
    at, u, v = shapes.local(canvas, x, top - 0.75 * h, 1.5 * h)
    wick = shapes.limb(u, v, (0, 0.75 * h), (0.02 * h, 0.42 * h), 0.035 * h, 0.03 * h)[0]
    canvas.paint(np.full(3, 0.01, F), canvas.edge(wick), 0.30, subject=True, at=at)
    drop = shapes.join(
        shapes.circle(u, v, 0, 0.22 * h, 0.24 * h),
        shapes.limb(u, v, (0, 0), (0, -0.75 * h), 0.14 * h, 0.01 * h),
        k=0.15 * h,
    )[0]
    heart = mix(
        linear("#ffd070") * F(3.5), linear("#fff2c8") * F(5), smoothstep(-0.3 * h, 0.3 * h, v)
    )
    canvas.paint(heart, canvas.edge(drop, 0.05 * h), 0.30, subject=True, at=at)
    at, u, v = shapes.local(canvas, x, top - 0.5 * h, 9 * h)
    d = (u * u + v * v) * F(1 / (h * h))
    canvas.glow(
        linear("#ff9a3c"), F(0.55) * np.exp(-d * F(0.10)) + F(0.22) * np.exp(-d * F(0.018)), at
    )
