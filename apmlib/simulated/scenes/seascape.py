"""Seascapes: open water, beaches and headlands, mostly at the ends of the day."""

from __future__ import annotations

import numpy as np

from apmlib.simulated.canvas import Canvas, F, linear, mix, noise, smoothstep
from apmlib.simulated.scenes import outdoors as out
from apmlib.simulated.scenes.landscape import moon


def draw(canvas: Canvas, row: dict, rng: np.random.Generator) -> None:
    """Paint a seascape: see `scenes.draw`."""
    _, hy = canvas.place(0.5, row["horizon"])
    names = [
        "sunset",
        "sunset",
        "ember",
        "golden",
        "dusk",
        "noon",
        "storm",
        "teal",
        "dawn",
        "night",
    ]
    hour = out.hour(canvas, row, rng, names, hy)
    palette = out.Palette(rng, row["harmony"])
    canvas.key = {
        "night": 0.06,
        "dusk": 0.11,
        "storm": 0.13,
        "ember": 0.12,
        "sunset": 0.14,
    }.get(hour.name)
    out.sky(canvas, hour, palette, hy, rng)
    seeds, form = rng.integers(1 << 30, size=12), rng.random(10)
    _headland(canvas, hy, hour, palette, seeds, form)

    picks, inner = rng.random(3), np.random.default_rng(int(rng.integers(1 << 30)))
    accent = palette.accent(rng)
    x, y = canvas.place(row["subject_x"], row["subject_y"])
    size = float(row["subject_size"])
    base = y + size / 2
    # What the water ends at, in eye heights; the subject decides which of them it stands on.
    shore = 1.2 + 3.0 * form[0] if form[1] < 0.55 else 0.0
    beach = shore > 0 and 1 / max(base - hy, 0.02) < shore - 0.45 and picks[0] < 0.75
    at_sea = not beach
    above = base < hy + 0.012
    if above:
        if hour.name in ("night", "dusk"):
            moon(canvas, x, y, size, hour, inner)
        else:
            _gull(canvas, x, y, size, hour)
    sea = canvas.window(canvas.left, hy, canvas.right, canvas.bottom)
    if at_sea and shore:
        shore = min(shore, 0.9 / max(base - hy + 0.05, 0.05))
    _sea(canvas, hy, hour, palette, seeds, form, sea)
    if not above and at_sea:
        kind = ["boat", "boat", "lighthouse", "stack", "pier"][int(picks[1] * 5)]
        _at_sea(canvas, x, base, size, kind, accent, hour, inner, hy)
        out.echo(canvas, x, base, size, 0.2 + 0.8 * form[7], int(seeds[10]))
    if shore:
        _beach(canvas, hy, hour, palette, seeds, form, shore)
    elif form[2] < 0.6:
        _rocks(canvas, hour, palette, seeds, form)
    if not above and not at_sea:
        _on_shore(canvas, x, base, size, accent, hour, inner, hy, picks[2])
    out.clutter(canvas, row, rng, hour, palette, hy)


def _headland(canvas, hy, hour, palette, seeds, form):
    for layer in range(int(form[3] * 3.5)):
        line = canvas.ridge(0.5 + 0.3 * layer, 0.03, seeds[0] + layer)
        fall = canvas.xs * (1 if form[4 + layer % 2] < 0.5 else -1) / F(canvas.half_width)
        height = (line + F(0.13 * form[5] + 0.02)) * smoothstep(
            -0.25 + 0.5 * layer * form[6], 0.7, fall
        )
        at = canvas.window(canvas.left, hy - 0.25, canvas.right, hy + 0.01)
        cover = canvas.edge(F(hy) - height[None, at[1]] - canvas.y[at])
        cover = cover * (height[None, at[1]] > 0.002)
        stone = palette(linear("#3c352f"), "far") * (hour.shade + hour.sun * F(0.2))
        colour = mix(stone, hour.horizon * F(0.8), 0.55 - 0.22 * layer)
        canvas.paint(colour, cover, depth=0.9, at=at)


def _sea(canvas, hy, hour, palette, seeds, form, at):
    x, y = canvas.x[at], canvas.y[at]
    down = np.maximum(y - F(hy), F(1e-4))
    z = 1 / (down + F(0.012))
    calm = form[7]
    deep = palette(mix(linear("#0d3b4f"), hour.zenith, 0.35), "water")
    deep = deep * (hour.shade * F(1.2) + hour.sun * F(0.25))
    ripple = 0.2 + 0.8 * calm
    swell = noise(x * z * F(0.55), z * F(2.0), 0.9, seeds[1], smooth=True)
    chop = noise(x * z, z * F(3.2), 0.45, seeds[2], "ridged", smooth=True)
    shallow = palette(linear("#2f9f9a"), "water") * (hour.shade + hour.sun * F(0.5))
    near = smoothstep(0.15, 0.8, down) * F(
        0.6 if hour.name in ("noon", "teal", "dawn") else 0.15
    )
    tint = mix(deep, shallow, near * swell) * (F(0.55) + F(0.9) * swell)[..., None]
    out.reflect(canvas, np.ones_like(x), hy + 0.003, ripple, int(seeds[3]), tint, at)
    # The glittering road below the sun.
    if hour.name not in ("noon", "storm"):
        road = np.exp(-(((x - F(hour.sun_x)) / (F(0.035) + down * F(0.35))) ** 2))
        spark = smoothstep(0.50, 0.95, chop * F(0.6) + swell * F(0.4))
        gain = 1.5 * hour.light + 0.05
        canvas.glow(hour.sun * F(gain), road * (spark * F(1.3) + F(0.10)), at=at)
    crest = smoothstep(0.80, 0.97, chop * F(0.65) + swell * F(0.35)) * smoothstep(
        0.02, 0.25, down
    )
    foam = hour.shade * F(0.9) + hour.sun * F(0.45)
    canvas.paint(foam, crest * F(0.75 if hour.name == "storm" else 0.35 * calm), at=at)


def _beach(canvas, hy, hour, palette, seeds, form, shore):
    at = canvas.window(canvas.left, hy + 0.1, canvas.right, canvas.bottom)
    x, y = canvas.x[at], canvas.y[at]
    z = 1 / np.maximum(y - F(hy), F(0.02))
    slope = F(2.2 * (form[5] - 0.5))
    edge = (
        F(shore)
        + slope * x * z * F(0.45)
        + (noise(x * z, z, 2.6, seeds[4], smooth=True) - F(0.5)) * F(0.9)
    )
    inland = edge - z
    grain = noise(x * z, z, 0.8, seeds[5], "grain")
    ripples = noise(x * z * F(0.6), z * F(2.5), 0.7, seeds[6], smooth=True)
    sand = palette(linear(["#cfae7c", "#e2c79b", "#8d7a68"][int(form[6] * 3)]), "ground")
    light = hour.shade + hour.sun * F(0.75)
    dry = sand * light * (F(0.7) + F(0.35) * grain + F(0.3) * ripples)[..., None]
    wet = mix(canvas.rgb[at], sand * light * F(0.45), 0.45)
    colour = mix(wet, dry, smoothstep(0.30, 0.85, inland))
    canvas.paint(colour, smoothstep(-0.02, 0.03, inland), depth=out.distance(z), at=at)
    lace = noise(x * z, z * F(1.6), 0.8, seeds[7], "ridged", smooth=True)
    foam = np.zeros_like(inland)
    for offset, width in ((0.0, 0.10), (-0.55, 0.14), (-1.3, 0.16)):
        band = 1 - np.abs(inland - F(offset) - (lace - F(0.5)) * F(0.2)) / F(width)
        foam = np.maximum(foam, np.clip(band, 0, 1) * (F(0.35) + F(0.65) * lace))
    white = hour.shade * F(1.15) + hour.sun * F(0.7)
    canvas.paint(white, smoothstep(0.1, 0.55, foam), at=at)


def _rocks(canvas, hour, palette, seeds, form):
    """Dark rocks in the foreground, wet and lit from the sun's side."""
    ground = canvas.half_height - 0.04 - 0.22 * form[6]
    slope = (form[8] - 0.5) * 0.5
    line = (
        F(ground)
        + canvas.ridge(0.45, 0.10, seeds[8])
        + canvas.ridge(0.12, 0.035, seeds[9], "ridged")
        + F(slope) * canvas.xs
    )
    at = canvas.window(canvas.left, float(line.min()) - 0.02, canvas.right, canvas.bottom)
    x, y = canvas.x[at], canvas.y[at]
    cover = canvas.edge(line[None, at[1]] - y)
    n = noise(x, y * F(1.6), 0.22, seeds[9], "ridged", smooth=True)
    side = F(0.03) * np.sign(hour.sun_x)
    lit = np.clip(
        F(0.35)
        + (n - noise(x + side, y * F(1.6) - F(0.03), 0.22, seeds[9], "ridged", smooth=True))
        * F(1.6),
        0,
        1.2,
    )
    stone = palette(linear("#41403e"), "ground")
    top = smoothstep(0.10, 0.0, y - line[None, at[1]])
    colour = stone * (
        hour.shade * F(0.8) + hour.sun * (lit * (F(0.35) + F(0.9) * top))[..., None]
    )
    canvas.paint(colour, cover, depth=0.2, at=at)


def _gull(canvas, x, y, size, hour):
    board, tips = canvas.stencil(), canvas.stencil()
    s = size * 0.5
    for side in (-1, 1):
        board.polygon(
            [
                (x, y),
                (x + side * 0.45 * s, y - 0.42 * s),
                (x + side * s, y - 0.28 * s),
                (x + side * 0.5 * s, y - 0.22 * s),
                (x + side * 0.1 * s, y + 0.13 * s),
            ]
        )
        tips.polygon(
            [
                (x + side * 0.72 * s, y - 0.36 * s),
                (x + side * s, y - 0.28 * s),
                (x + side * 0.66 * s, y - 0.27 * s),
            ]
        )
    board.ellipse(x, y + 0.05 * s, 0.2 * s, 0.12 * s)
    light = hour.shade * F(1.1) + hour.sun * F(0.6)
    canvas.paint(linear("#f4f4f2") * light, board.coverage(), depth=0.5, subject=True)
    canvas.paint(linear("#2b2d33") * light, tips.coverage(), depth=0.5, subject=True)


def _at_sea(canvas, x, base, size, kind, accent, hour, rng, hy):
    depth = float(out.distance(1 / max(base - hy, 0.02)))
    side = 1 if hour.sun_x > x else -1
    lit, dim = hour.shade + hour.sun * F(0.9), hour.shade * F(0.85) + hour.sun * F(0.08)
    box = canvas.window(x - 1.2 * size, base - 1.2 * size, x + 1.2 * size, base + 0.3 * size)

    def put(tone, *polygons, lines=()):
        board = canvas.stencil(box)
        for polygon in polygons:
            board.polygon(np.asarray(polygon) * size + (x, base))
        for points, width in lines:
            board.line(np.asarray(points) * size + (x, base), width * size)
        canvas.paint(tone, board.coverage(), depth=depth, subject=True, at=box)

    if kind == "boat":
        s = side
        put(accent * dim * F(1.2), [(-0.30, -0.10), (0.34, -0.10), (0.24, 0.0), (-0.22, 0.0)])
        put(
            linear("#f3efe4") * dim,
            [(-0.31, -0.13), (0.36, -0.13), (0.34, -0.10), (-0.30, -0.10)],
        )
        put(
            linear("#f7f2e6") * (lit * F(0.8) + dim * F(0.2)),
            [(0.02 * s, -0.98), (0.02 * s, -0.17), (0.40 * s, -0.19), (0.22 * s, -0.55)],
        )
        put(
            linear("#f7f2e6") * (lit * F(0.35) + dim * F(0.5)),
            [(-0.02 * s, -0.9), (-0.02 * s, -0.17), (-0.30 * s, -0.19)],
        )
        put(linear("#3a2a1c") * dim, lines=[([(0, -1.0), (0, -0.1)], 0.015)])
    elif kind == "lighthouse":
        put(
            linear("#3b3631") * dim,
            [
                (-0.42, 0.02),
                (-0.30, -0.10),
                (-0.10, -0.16),
                (0.14, -0.15),
                (0.32, -0.07),
                (0.44, 0.02),
            ],
        )
        w = 0.085
        bands = [linear("#f2efe8"), linear("#b8322a")]
        for i in range(5):
            y0, y1 = -0.14 - 0.13 * i, -0.14 - 0.13 * (i + 1)
            a, b = w * (1 - 0.07 * i), w * (1 - 0.07 * (i + 1))
            tone = bands[i % 2]
            put(tone * dim, [(-a, y0), (a, y0), (b, y1), (-b, y1)])
            put(
                tone * lit,
                [(0.1 * a * side, y0), (a * side, y0), (b * side, y1), (0.1 * b * side, y1)],
            )
        put(
            linear("#1f2226") * dim,
            [(-0.08, -0.79), (0.08, -0.79), (0.08, -0.81), (-0.08, -0.81)],
        )
        put(linear("#b8322a") * dim, [(-0.06, -0.92), (0.06, -0.92), (0, -1.0)])
        put(
            np.array([2.2, 1.7, 0.9], F) * F(0.4 + (hour.name in ("night", "dusk"))),
            [(-0.045, -0.81), (0.045, -0.81), (0.045, -0.92), (-0.045, -0.92)],
        )
    elif kind == "stack":
        t = np.linspace(0, 1, 14)
        wob = rng.normal(0, 0.03, (2, 14))
        left = np.stack([-0.26 + 0.16 * t + wob[0], -t * 0.98], 1)
        right = np.stack([0.28 - 0.18 * t[::-1] + wob[1], -t[::-1] * 0.98], 1)
        put(linear("#57493d") * dim, [*left, *right])
        mid = np.stack([0.05 * side + wob[1] * 0.8, -t * 0.98], 1)
        edge_ = right[::-1] if side > 0 else left
        put(linear("#6d5846") * (lit * F(0.75)), [*mid, *edge_[::-1]])
        put(
            linear("#4c6b2c") * lit,
            [(-0.11, -0.97), (0.11, -0.97), (0.07, -1.0), (-0.06, -1.01)],
        )
    else:
        planks = linear("#6b5138")
        put(
            planks * dim,
            *[
                [(px, -0.38), (px + 0.03, -0.38), (px + 0.03, 0.02), (px, 0.02)]
                for px in np.linspace(-0.5, 0.45, 7)
            ],
        )
        put(
            planks * (lit * F(0.7) + dim * F(0.3)),
            [(-0.55, -0.44), (0.55, -0.44), (0.55, -0.37), (-0.55, -0.37)],
        )
        put(
            accent * (lit * F(0.5) + dim * F(0.5)),
            [(0.05, -0.44), (0.45, -0.44), (0.45, -0.74), (0.05, -0.74)],
        )
        put(linear("#3d2b24") * dim, [(0.0, -0.72), (0.5, -0.72), (0.25, -1.0)])
        put(
            np.array([1.6, 1.0, 0.4], F) * F(0.5),
            [(0.17, -0.68), (0.30, -0.68), (0.30, -0.52), (0.17, -0.52)],
        )


def _on_shore(canvas, x, base, size, accent, hour, rng, hy, pick):
    depth = float(out.distance(1 / max(base - hy, 0.02)))
    lit, dim = hour.shade + hour.sun * F(0.8), hour.shade * F(0.9) + hour.sun * F(0.1)
    if pick < 0.45:
        out.person(
            canvas,
            x,
            base,
            size,
            accent,
            linear("#2b3038"),
            dim + hour.sun * F(0.3),
            depth,
            subject=True,
        )
        return
    s = size * 0.8
    box = canvas.window(x - 1.2 * s, base - 0.6 * s, x + 1.2 * s, base + 0.05)
    board, inside, seats = (canvas.stencil(box) for _ in range(3))
    t = np.linspace(0, np.pi, 20)
    rim = [(x - s * np.cos(a), base - 0.22 * s - 0.12 * s * np.cos(a) ** 2) for a in t]
    hull = [(x - 0.8 * s * np.cos(a), base - 0.02 * s * (1 - np.sin(a))) for a in t[::-1]]
    board.polygon(rim + hull)
    inside.polygon(
        [(x - 0.97 * s * np.cos(a), base - 0.225 * s - 0.12 * s * np.cos(a) ** 2) for a in t]
        + [
            (
                x + 0.97 * s * np.cos(a),
                base - 0.27 * s - 0.07 * s * np.cos(a) ** 2 - 0.07 * s * np.sin(a),
            )
            for a in t
        ]
    )
    seats.line([(x - 0.3 * s, base - 0.3 * s), (x - 0.3 * s, base - 0.22 * s)], 0.06 * s)
    seats.line([(x + 0.25 * s, base - 0.3 * s), (x + 0.25 * s, base - 0.22 * s)], 0.06 * s)
    side = np.sign(hour.sun_x - x)
    shade = np.clip(F(0.55) + F(0.5) * side * (canvas.x[box] - F(x)) / F(s), 0.1, 1)[..., None]
    canvas.paint(
        accent * (dim + (lit - dim) * shade),
        board.coverage(),
        depth=depth,
        subject=True,
        at=box,
    )
    canvas.paint(linear("#5a4028") * dim, inside.coverage(), depth=depth, subject=True, at=box)
    canvas.paint(linear("#b08d5b") * lit, seats.coverage(), depth=depth, subject=True, at=box)
