"""Landscapes: mountains, hills, meadows, lakes, at all hours."""

from __future__ import annotations

import numpy as np

from apmlib.simulated.canvas import Canvas, F, linear, mix, noise, smoothstep
from apmlib.simulated.scenes import outdoors as out

GROUNDS = {  # grass, dry patches, rock: sRGB
    "meadow": ("#5d7f2c", "#93a544", "#6f6a60"),
    "autumn": ("#9a7a32", "#b5562a", "#6a5a4e"),
    "desert": ("#c58a52", "#a85f38", "#8a4a32"),
    "snow": ("#dfe7f0", "#b9c8da", "#5b5c62"),
    "moor": ("#5d5a35", "#7d5068", "#55524f"),
    "spring": ("#6d9a3c", "#b7b93e", "#70706a"),
}


def draw(canvas: Canvas, row: dict, rng: np.random.Generator) -> None:
    """Paint a landscape: see `scenes.draw`."""
    _, hy = canvas.place(0.5, row["horizon"])
    hour = out.hour(
        canvas,
        row,
        rng,
        [
            "noon",
            "golden",
            "golden",
            "sunset",
            "ember",
            "dusk",
            "storm",
            "dawn",
            "teal",
            "night",
        ],
        hy,
    )
    palette = out.Palette(rng, row["harmony"])
    canvas.key = {"night": 0.06, "dusk": 0.12, "storm": 0.14, "ember": 0.13}.get(hour.name)
    out.sky(canvas, hour, palette, hy, rng)

    ground = str(rng.choice(list(GROUNDS)))
    grass, dry, rock = (linear(c) for c in GROUNDS[ground])
    far_kind = str(rng.choice(["alps", "alps", "hills", "plain", "mesa"]))
    if ground == "desert" and far_kind == "alps":
        far_kind = "mesa"
    seeds = rng.integers(1 << 30, size=16)
    form, feature = rng.random(8), str(rng.choice(["path", "river", "lake", "field", "none"]))
    wood = rng.random() < 0.6 and ground not in ("desert", "snow")
    peak = {"alps": 0.26, "hills": 0.12, "plain": 0.03, "mesa": 0.14}[far_kind]
    peak = min(peak * (0.75 + 0.6 * form[0]), 0.75 * (hy + canvas.half_height)) * 60
    bend, width = 1.6 * (form[1] - 0.5), 0.35 + 0.3 * form[2]

    def course(z):
        """Where a path or river runs, world x for a distance."""
        return F(bend) * z * F(0.3) + F(1.5 + form[3]) * np.sin(
            z * F(0.55) + F(9 * form[4])
        ) * (1 - 1 / (1 + z * F(0.15)))

    def heights(x, z):
        rise = smoothstep(16, 55, z)
        kind = "ridged" if far_kind == "alps" else "fbm"
        big = noise(x, z, 26 if far_kind == "alps" else 30, seeds[0], kind, smooth=True)
        if far_kind == "mesa":
            big = smoothstep(0.55, 0.68, big) * F(0.8) + F(0.2) * big
        elif far_kind == "alps":
            big = big * F(0.55) + F(0.45) * noise(x, z, 40, seeds[1], "soft", smooth=True)
            big = big * big * F(1.15) + F(0.15) * big
        h = rise * big * F(peak)
        roll = noise(x, z, 9, seeds[2], "soft", smooth=True) - F(0.5)
        h = h + roll * F(0.9) * smoothstep(2, 12, z) * (1 if feature != "lake" else F(0.3))
        h = h + (noise(x, z, 2.0, seeds[3], smooth=True) - F(0.5)) * F(0.10)
        if feature in ("path", "river"):
            off = np.abs(x - course(z))
            h = h - F(0.10) * np.exp(-((off / F(width * 1.6)) ** 2)) * smoothstep(40, 20, z)
        if wood:
            trees = smoothstep(0.5, 0.62, noise(x, z, 7, seeds[4], smooth=True))
            trees *= smoothstep(7, 11, z) * smoothstep(40, 25, z)
            h = h + trees * F(0.55) * (
                F(0.45) + noise(x, z, 1.6, seeds[5], "grain", smooth=True)
            )
        return h.astype(F)

    sun = (0.9 * np.sign(hour.sun_x), 0.30 if hour.low else 0.9, -0.35)
    land = out.terrain(canvas, hy, heights, sun)
    at, x, z = land.at, land.x, land.z
    grain = noise(x * F(1.5), z * F(0.8), 0.9, seeds[6], "grain")
    patches = noise(x, z, 5, seeds[7], smooth=True)
    colour = mix(grass, dry, smoothstep(0.35, 0.8, patches * F(0.75) + grain * F(0.25)))
    if wood:
        trees = smoothstep(0.5, 0.62, noise(x, z, 7, seeds[4], smooth=True))
        trees *= smoothstep(7, 11, z) * smoothstep(40, 25, z)
        leaf = mix(grass * F(0.35), dry * F(0.5), 0.3)
        colour = mix(colour, leaf, trees)
    mountain = smoothstep(0.8, 2.5, land.height) * smoothstep(12, 20, z)
    stone = mix(rock, rock * F(0.55), noise(x, land.height * 4, 8, seeds[8], smooth=True))
    colour = mix(colour, stone, mountain * (1 if far_kind in ("alps", "mesa") else F(0.25)))
    if far_kind == "alps":
        line = F(peak * (0.15 + 0.5 * form[5])) if ground != "snow" else F(0.4)
        snow = smoothstep(0.0, 0.8, (land.height - line) + F(2.2) * (F(0.25) - land.steep))
        colour = mix(colour, linear("#eef3fa"), snow * mountain)
    # Striped fields and flowers lead the eye.
    if feature == "field":
        stripe = np.sin((x - F(bend) * z) * F(7.5)) * F(0.5) + F(0.5)
        near = smoothstep(22, 4, z)
        bloom = palette(
            linear(["#8a4fb0", "#d8435a", "#e7c12e", "#4d8a35"][int(form[6] * 4)]), "accent"
        )
        colour = mix(
            colour,
            mix(grass * F(0.7), bloom, smoothstep(0.3, 0.7, stripe + grain * 0.4)),
            near * F(0.9),
        )
    elif feature == "path":
        off = np.abs(x - course(z)) - F(width)
        colour = mix(
            colour,
            linear("#b89a72") * (F(0.75) + F(0.5) * grain[..., None]),
            smoothstep(0.08, -0.08, off) * smoothstep(45, 25, z),
        )
    elif form[6] < 0.4 and ground in ("meadow", "spring", "moor"):
        bloom = palette(
            linear(["#f2d11f", "#c62f3f", "#b58be0", "#f6f3ea"][int(form[7] * 4)]), "accent"
        )
        dots = smoothstep(0.80, 0.9, noise(x, z, 0.9, seeds[9], "grain")) * smoothstep(14, 4, z)
        colour = mix(colour, bloom, dots)

    colour = palette(colour, "ground")
    shadow = smoothstep(0.42, 0.62, noise(x, z, 24, seeds[10], "soft", smooth=True))
    direct = land.facing * (F(0.45) + F(0.55) * shadow if hour.name in ("storm", "noon") else 1)
    direct = direct * (F(0.75) + F(0.5) * grain)
    light = hour.shade * F(1.0) + direct[..., None] * hour.sun * F(1.45)
    lit = colour * light
    haze = palette(mix(hour.horizon, hour.middle, 0.25) * F(0.9), "far")
    thick = 1 - np.exp(-z * F(0.010 + 0.02 * form[7]))
    mist = np.exp(-np.maximum(land.height + F(0.2), 0) * F(1.4)) * smoothstep(9, 26, z)
    thick = np.maximum(
        thick, mist * F(0.75 if hour.name in ("dawn", "golden", "teal") else 0.25)
    )
    lit = mix(lit, haze, thick)
    canvas.paint(lit, land.cover, depth=out.distance(z), at=at)

    if feature in ("lake", "river"):
        _water(canvas, hy, land, feature, course, width, form, seeds, hour, palette)
    _subject(canvas, row, rng, hour, palette, hy, grass)
    out.clutter(canvas, row, rng, hour, palette, hy)


def _water(canvas, hy, land, feature, course, width, form, seeds, hour, palette):
    at = canvas.window(canvas.left, hy + 0.02, canvas.right, canvas.bottom)
    down = canvas.y[at] - F(hy)
    z = 1 / np.maximum(down, F(0.01))
    x = canvas.x[at] * z
    if feature == "river":
        cover = smoothstep(0.06, -0.06, np.abs(x - course(z)) - F(width * 1.3))
    else:
        shore = noise(x, z, 11, seeds[11], "soft", smooth=True) * F(7) + F(1.2 + 1.6 * form[4])
        cover = smoothstep(-0.25, 0.25, z - shore) * smoothstep(
            32, 26, z + F(4) * (noise(x, z, 9, seeds[12]) - F(0.5))
        )
    tint = palette(mix(linear("#17404c"), hour.zenith, 0.4) * F(0.5), "water")
    level = hy + 1 / 29
    out.reflect(canvas, cover, level, 0.15 + 0.4 * form[5], int(seeds[13]), tint, at)


def _subject(canvas, row, rng, hour, palette, hy, grass):
    """A tree, house, church, balloon, wanderer, rock or the moon, where the row has it."""
    x, y = canvas.place(row["subject_x"], row["subject_y"])
    size = float(row["subject_size"])
    base = y + size / 2
    pick, accent = rng.random(), palette.accent(rng)
    inner = np.random.default_rng(int(rng.integers(1 << 30)))
    light = hour.sun * F(0.75) + hour.shade
    if base < hy + 0.015:
        if hour.name in ("night", "dusk"):
            moon(canvas, x, y, size, hour, inner)
        else:
            balloon(canvas, x, y, size, accent, hour, inner)
        return
    depth = float(out.distance(1 / max(base - hy, 0.02)))
    shadow = canvas.window(x - size, base - 0.05 * size, x + size, base + 0.08 * size)
    reach = np.hypot(
        (canvas.x[shadow] - F(x)) / F(0.5 * size), (canvas.y[shadow] - F(base)) / F(0.06 * size)
    )
    canvas.rgb[shadow] *= (1 - F(0.6) * np.clip(F(1.3) - reach, 0, 1))[..., None]
    leaf = palette(
        mix(grass, linear("#4f6b22"), 0.5) if pick < 0.5 else linear("#b5702a"), "accent"
    )
    if pick < 0.34:
        out.tree(
            canvas, inner, x, base, size, leaf, hour, depth, subject=True, bare=pick > 0.30
        )
    elif pick < 0.60:
        house(canvas, x, base, size, accent, hour, depth, inner, church=pick > 0.50)
    elif pick < 0.76:
        out.conifers(
            canvas,
            inner,
            [
                (x + d * size * 0.35, base, size * s)
                for d, s in ((-1, 0.7), (0.9, 0.8), (0, 1.0))
            ],
            palette(linear("#2c4a2a"), "accent"),
            light * F(0.7),
            depth,
            subject=True,
        )
    elif pick < 0.88:
        out.person(
            canvas,
            x,
            base,
            size,
            accent,
            linear("#2a2d35"),
            light * F(0.9),
            depth,
            subject=True,
        )
    else:
        windmill(canvas, x, base, size, hour, depth, inner)


def moon(canvas, x, y, size, hour, rng):
    """A full or gibbous moon with its seas."""
    r = size * 0.36
    at = canvas.window(x - 3 * r, y - 3 * r, x + 3 * r, y + 3 * r)
    dx, dy = canvas.x[at] - F(x), canvas.y[at] - F(y)
    reach = np.hypot(dx, dy)
    tone = F(0.75) + F(0.5) * (
        noise(dx, dy, r * 1.3, int(rng.integers(1 << 30)), smooth=True) - F(0.3)
    )
    bright = float(np.max(hour.horizon)) * 1.4 + 0.5
    canvas.glow(linear("#f4ead0") * F(bright * 0.35), np.exp(-reach / F(r)), at=at)
    canvas.paint(
        linear("#f6efdc") * F(bright) * tone[..., None],
        canvas.edge(reach - F(r)),
        depth=1.0,
        subject=True,
        at=at,
    )


def balloon(canvas, x, y, size, accent, hour, rng):
    """A striped hot-air balloon with its basket."""
    r = size * 0.40
    cy = y - size * 0.08
    at = canvas.window(x - 1.3 * r, cy - 1.3 * r, x + 1.3 * r, cy + 2.2 * r)
    dx, dy = canvas.x[at] - F(x), canvas.y[at] - F(cy)
    pinch = np.where(dy > 0, dx * (1 + F(0.55) * dy / F(r)), dx)
    shape = np.hypot(pinch, np.where(dy > 0, dy * F(0.82), dy)) - F(r)
    u = np.clip(
        pinch / np.sqrt(np.maximum(F(r * r) - np.minimum(dy * dy, F(0.8 * r * r)), F(1e-6))),
        -1,
        1,
    )
    stripes = (np.floor(np.arcsin(u) * F(2.6) + F(20)) % 2)[..., None]
    other = linear(["#f7f3e6", "#f5c542", "#22335e"][int(rng.integers(3))])
    side = np.sign(hour.sun_x - x)
    shade = np.clip(F(0.62) + F(0.55) * side * u - F(0.25) * dy / F(r), 0.12, 1.2)[..., None]
    tone = (accent * stripes + other * (1 - stripes)) * (hour.shade + hour.sun * F(1.2) * shade)
    canvas.paint(tone, canvas.edge(shape), depth=0.75, subject=True, at=at)
    board = canvas.stencil()
    by = y + size * 0.5
    for s in (-1, 1):
        board.line(
            [(x + s * 0.45 * r, cy + 0.95 * r), (x + s * 0.12 * r, by - 0.2 * r)], 0.008 * size
        )
    board.polygon(
        [
            (x - 0.14 * r, by - 0.22 * r),
            (x + 0.14 * r, by - 0.22 * r),
            (x + 0.11 * r, by),
            (x - 0.11 * r, by),
        ]
    )
    canvas.paint(
        linear("#4a2f1b") * (hour.shade + hour.sun * F(0.4)),
        board.coverage(),
        depth=0.75,
        subject=True,
    )


def house(canvas, x, base, size, accent, hour, depth, rng, church=False):
    """A farmhouse, or a village church, lit from one side."""
    w, h = size * 0.42, size * 0.42
    side = 1 if hour.sun_x > x else -1
    wall = linear("#efe6d6" if rng.random() < 0.6 else "#a8412e")
    lit, dim = hour.shade + hour.sun * F(1.1), hour.shade * F(0.95) + hour.sun * F(0.12)
    roof = mix(linear("#7d3325"), accent, 0.4)
    g = 0.38 * w * side  # the gable end faces the sun
    box = canvas.window(x - 1.3 * w, base - 2.4 * size, x + 1.3 * w, base + 0.02)
    front, end, top, dark = (canvas.stencil(box) for _ in range(4))
    front.polygon([(x - w, base - h), (x + w, base - h), (x + w, base), (x - w, base)])
    xa, xb = x + side * w, x + side * w - 2 * g
    end.polygon(
        [
            (xa, base),
            (xb, base),
            (xb, base - h),
            ((xa + xb) / 2, base - h * 1.75),
            (xa, base - h),
        ]
    )
    top.polygon(
        [
            (x - side * w * 1.05, base - h * 0.97),
            (x - side * w * 0.8, base - h * 1.72),
            ((xa + xb) / 2, base - h * 1.78),
            (xb + side * 0.02 * w, base - h * 0.95),
        ]
    )
    for i in range(3):
        wx = x - side * w * (0.75 - 0.38 * i)
        dark.polygon(
            [
                (wx - 0.07 * w, base - 0.7 * h),
                (wx + 0.07 * w, base - 0.7 * h),
                (wx + 0.07 * w, base - 0.35 * h),
                (wx - 0.07 * w, base - 0.35 * h),
            ]
        )

    def put(board, tone):
        canvas.paint(tone, board.coverage(), depth=depth, subject=True, at=box)

    put(front, wall * dim)
    put(end, wall * lit)
    put(top, roof * (dim * F(0.6) + lit * F(0.4)))
    lamp = hour.name in ("night", "dusk")
    put(dark, np.array([1.2, 0.75, 0.3], F) if lamp else linear("#22262d") * dim)
    if church:
        tower, spire = canvas.stencil(box), canvas.stencil(box)
        tx, tw = xa - side * 0.1 * w, 0.26 * w
        tower.polygon(
            [
                (tx - tw, base),
                (tx + tw, base),
                (tx + tw, base - size * 0.68),
                (tx - tw, base - size * 0.68),
            ]
        )
        spire.polygon(
            [
                (tx - tw * 1.15, base - size * 0.67),
                (tx + tw * 1.15, base - size * 0.67),
                (tx, base - size),
            ]
        )
        put(tower, wall * (lit * F(0.7) + dim * F(0.3)))
        put(spire, roof * lit * F(0.8))


def windmill(canvas, x, base, size, hour, depth, rng):
    """A tower mill with four sails."""
    w, top = size * 0.15, base - size * 0.66
    box = canvas.window(x - size * 0.5, base - size * 1.1, x + size * 0.5, base + 0.02)
    body, sails = canvas.stencil(box), canvas.stencil(box)
    body.polygon(
        [
            (x - w, base),
            (x - 0.6 * w, top),
            (x, top - 0.7 * w),
            (x + 0.6 * w, top),
            (x + w, base),
        ]
    )
    start = rng.uniform(0, np.pi / 2)
    for k in range(4):
        a = start + k * np.pi / 2
        d, n = np.array([np.cos(a), np.sin(a)]), np.array([-np.sin(a), np.cos(a)])
        hub, reach = np.array([x, top]), size * 0.36
        sails.line([hub, hub + d * reach], 0.02 * size)
        sails.polygon(
            [
                hub + d * reach * 0.2,
                hub + d * reach,
                hub + d * reach + n * 0.07 * size,
                hub + d * reach * 0.2 + n * 0.07 * size,
            ],
            0.75,
        )
    side = np.sign(hour.sun_x - x)
    facing = np.clip(F(0.5) + F(0.5) * side * (canvas.x[box] - F(x)) / F(w), 0.05, 1)[..., None]
    canvas.paint(
        linear("#d9cdb8") * (hour.shade + hour.sun * facing),
        body.coverage(),
        depth=depth,
        subject=True,
        at=box,
    )
    canvas.paint(
        linear("#5b4030") * (hour.shade + hour.sun * F(0.5)),
        sails.coverage(),
        depth=depth,
        subject=True,
        at=box,
    )
