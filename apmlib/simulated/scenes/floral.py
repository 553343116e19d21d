"""Flowers close up: petals laid ring by ring, leaves, dew, and a garden out of focus."""

from __future__ import annotations

import math

import numpy as np

from apmlib.simulated import shapes, studio
from apmlib.simulated.canvas import Canvas, F, linear, mix, oklch, smoothstep

KINDS = (
    "daisy",
    "gerbera",
    "sunflower",
    "rose",
    "poppy",
    "tulip",
    "blossom",
    "orchid",
    "dahlia",
)
HUES = {
    "daisy": (0.30, 0.97, 0.90, 0.83),
    "gerbera": (0.02, 0.12, 0.20, 0.97, 0.25),
    "sunflower": (0.24, 0.22, 0.25),
    "rose": (0.03, 0.98, 0.16, 0.27, 0.93),
    "poppy": (0.08, 0.06, 0.10, 0.99, 0.22),
    "tulip": (0.05, 0.14, 0.24, 0.95, 0.85),
    "blossom": (0.97, 0.99, 0.30),
    "orchid": (0.93, 0.90, 0.86, 0.30),
    "dahlia": (0.05, 0.14, 0.92, 0.86, 0.20),
}


def draw(canvas: Canvas, row: dict, rng: np.random.Generator) -> None:
    """Paint a flower whose head sits at the subject's place."""
    light = studio.lamp(row, rng)
    kind = KINDS[int(rng.integers(len(KINDS)))]
    hues = HUES[kind]
    hue = hues[int(rng.integers(len(hues)))] + rng.uniform(-0.015, 0.015)
    pale = rng.random() < 0.3 or (kind in ("daisy", "orchid") and rng.random() < 0.5)
    own = np.random.default_rng(
        int(rng.integers(1 << 40))
    )  # so that the light changes no flower
    background(canvas, row, own, hue, light)
    cx, cy = canvas.place(float(row["subject_x"]), float(row["subject_y"]))
    radius = 0.5 * float(row["subject_size"])
    company(canvas, row, rng, kind, hue, pale, radius, light, (cx, cy))
    if kind == "blossom":
        branch(canvas, row, rng, hue, cx, cy, radius, light)
    else:
        sway = rng.uniform(-0.35, 0.35)
        if kind == "tulip":
            stem(canvas, rng, cx, cy + 0.8 * radius, sway, 0.09 * radius, light, leaves=2)
            tulip(canvas, rng, cx, cy, radius, hue, pale, light)
        else:
            if rng.random() < 0.75:
                stem(canvas, rng, cx, cy, sway, 0.07 * radius, light, leaves=2)
            head(canvas, rng, kind, cx, cy, radius, hue, pale, light)
        if rng.random() < 0.45:
            dew(canvas, rng, cx, cy, 0.75 * radius, light)
    studio.clutter(canvas, row, rng, ("sign", "cable", "can", "bag", "spot", "pole"))


def background(canvas, row, rng, hue, light) -> None:
    """A garden, a painted wall, night, or the sky, out of reach of the flower's light."""
    choice = rng.random()
    quality = float(row["light"])
    other, chroma = studio.beside(hue, row, rng)
    if 0.22 < other % 1 < 0.50 and studio.clashing(row) > 0:
        other = 2 * hue - other  # green would be no surprise
    if choice < 0.55:
        studio.foliage(canvas, row, rng, rng.uniform(0.37, 0.43), rng.uniform(0.25, 0.9))
    elif choice < 0.68:
        tone = oklch(rng.uniform(0.55, 0.8), max(chroma, 0.04), other)
        studio.backdrop(canvas, row, rng, tone, rng.uniform(-0.5, 0.5), rng.uniform(-0.5, 0.2))
    elif choice < 0.82:
        studio.backdrop(canvas, row, rng, oklch(0.24, 0.02, other), 0.3, -0.3)
        canvas.key = 0.07
    else:
        horizon = rng.uniform(-0.05, 0.35)
        glow = studio.sky(canvas, row, rng, horizon)
        near = oklch(0.42, 0.10, 0.37)
        studio.ground(canvas, rng, horizon, near, mix(near * F(1.4), glow, 0.25), 0.08)
        spots = [oklch(0.65, 0.16, hue), oklch(0.6, 0.12, 0.36)]
        studio.bokeh(canvas, row, rng, spots, 26, 0.03, 0.1, 0.55)
    clash = studio.clashing(row)
    if clash > 0:
        loud = oklch(0.68, 0.21, other)
        grey = canvas.rgb.mean(axis=-1) + F(0.08)
        canvas.rgb[:] = mix(canvas.rgb, loud * (F(1.6) * grey)[..., None], 0.85 * clash)
    if quality > 0.6:
        lx, ly, _ = light.direction
        sun = np.exp(-((canvas.x - F(0.8 * lx)) ** 2 + (canvas.y - F(ly)) ** 2) * F(1.6))
        canvas.glow(studio.WARM, sun * F(0.5 * (quality - 0.5)))


def company(canvas, row, rng, kind, hue, pale, radius, light, place) -> None:
    """Other flowers, smaller and further away, and grass blades."""
    for i in range(4):
        own = np.random.default_rng(int(rng.integers(1 << 40)))
        if own.random() < 0.45:
            continue
        x, y = canvas.place(own.uniform(0.0, 1.0), own.uniform(0.15, 0.95))
        if math.hypot(x - place[0], y - place[1]) < 1.1 * radius:
            continue
        r = radius * own.uniform(0.3, 0.6)
        depth = 0.75 + 0.05 * i
        dim = shapes.Light(light.direction, light.key * F(0.6), light.fill * F(0.6))
        stem(canvas, own, x, y, own.uniform(-0.3, 0.3), 0.06 * r, dim, 0, depth, False)
        simple = "daisy" if kind in ("orchid", "blossom", "tulip") else kind
        head(canvas, own, simple, x, y, r, hue, pale, dim, depth, False)
    blades = np.random.default_rng(int(rng.integers(1 << 40)))
    for _ in range(int(blades.integers(0, 9))):
        x, y = blades.uniform(-1, 1) * canvas.half_width, canvas.bottom + 0.05
        lean = -math.pi / 2 + blades.uniform(-0.5, 0.5)
        long = blades.uniform(0.4, 1.0)
        tone = oklch(blades.uniform(0.35, 0.6), 0.11, 0.35 + blades.uniform(-0.03, 0.03))
        leaf(canvas, x, y, lean, long, 0.022, tone, light, 0.62, blades, False)


def leaf(canvas, x, y, angle, length, width, colour, light, depth, rng, subject=True) -> None:
    """A leaf from (x, y) at an angle: midrib, side veins, one half in more light."""
    at, u, v = shapes.local(
        canvas,
        x + 0.5 * length * math.cos(angle),
        y + 0.5 * length * math.sin(angle),
        0.56 * length + width,
        angle,
    )
    u = u + F(0.5 * length)
    bend = rng.uniform(-0.25, 0.25) * length
    v = v - F(bend) * ((u * F(1 / length)) ** 2 - u * F(0.5 / length))
    distance, height = shapes.blade(u, v, length, width, 0.4, 0.9)
    side = np.where(v > 0, F(1.12), F(0.84))
    veins = F(1) + F(0.10) * np.sin((u - np.abs(v) * F(1.2)) * F(26 / length * 2.4))
    rib = np.exp(-((v * F(9 / width)) ** 2)) * F(0.5)
    tone = np.asarray(colour, F) * (side * veins + rib)[..., None]
    shapes.body(
        canvas,
        at,
        (distance, height),
        tone,
        light,
        depth,
        subject=subject,
        wrap=0.6,
        shine=0.10,
        sharpness=12,
    )


def stem(canvas, rng, x, y, sway, width, light, leaves=2, depth=0.3, subject=True) -> None:
    """A stem from (x, y) down past the frame, with leaves."""
    end = canvas.bottom + 0.1
    long = max(end - y, 0.1)
    line = shapes.curve(
        [(x, y), (x + 0.25 * sway * long, y + 0.5 * long), (x + sway * long, end)], 5
    )
    at, u, v = canvas.window(*(line.min(axis=0) - width), *(line.max(axis=0) + width)), 0, 0
    u, v = canvas.x[at], canvas.y[at]
    green = oklch(0.50, 0.11, 0.35 + rng.uniform(-0.02, 0.02))
    part = shapes.chain(u, v, line, [width] * len(line))
    shapes.body(canvas, at, part, green, light, depth, subject=subject, wrap=0.4)
    for i in range(leaves):
        where = line[int((0.35 + 0.25 * i) * len(line))]
        side = 1 if (i + int(rng.integers(2))) % 2 else -1
        angle = -math.pi / 2 + side * rng.uniform(0.7, 1.25)
        size = width * rng.uniform(9, 15)
        leaf(
            canvas,
            where[0],
            where[1],
            angle,
            size,
            size * rng.uniform(0.16, 0.26),
            green * F(rng.uniform(0.7, 1.1)),
            light,
            depth + 0.02,
            rng,
            subject,
        )


def ring(
    canvas,
    at,
    polar,
    n,
    inner,
    length,
    width,
    phase,
    base,
    tip,
    light,
    rng,
    depth,
    subject,
    belly=0.6,
    round_=0.5,
    cup=0.35,
    curl=0.7,
    dark=0.35,
) -> None:
    """A ring of n petals (n even): every second one lies on top.

    Args:
        canvas, at: where.
        polar: (radius, angle) around the flower's centre, each (h, w).
        inner, length, width: where petals begin, how long and (half) wide they are.
        phase: turns the ring, radians.
        base, tip: colours (3,) along a petal.
        cup, curl: how much a petal rises towards its tip and rolls across.
        dark: shadow that it casts on what lies below.
    """
    radius, angle = polar
    lengths = (length * rng.uniform(0.86, 1.06, n)).astype(F)
    tints = rng.uniform(0.86, 1.10, n).astype(F)
    bends = rng.uniform(-0.10, 0.10, n).astype(F)
    for parity in (0, 1):
        turn = (angle + F(phase)) * F(n / (4 * math.pi)) - F(parity * 0.5)
        nearest = np.floor(turn + F(0.5))
        k = (nearest.astype(np.int32) * 2 + parity) % n
        theta = (turn - nearest) * F(4 * math.pi / n) + bends.take(k) * F(6 / n)
        own = lengths.take(k)
        p, q = radius * np.cos(theta) - F(inner), radius * np.sin(theta)
        t = np.clip(p / own, 0, 1)
        power = math.log(0.5) / math.log(belly)
        arch = np.maximum(np.sin(F(math.pi) * t ** F(power)), 0)
        half = F(width) * arch ** F(round_) + F(1e-5)
        distance = np.maximum(np.abs(q) - half, np.maximum(-p, p - own))
        if dark:
            under = canvas.edge(distance - F(0.03 * length), 0.16 * length)
            canvas.rgb[at] *= (1 - F(dark) * under)[..., None]
        across = np.clip(q / half, -1.1, 1.1)
        direction = angle - theta
        slope = F(cup) * (F(1.2) - F(2.2) * t)
        roll = F(curl) * across
        c, s = np.cos(direction), np.sin(direction)
        nx, ny = -slope * c - roll * s, -slope * s + roll * c
        nz = 1 / np.sqrt(nx * nx + ny * ny + 1)
        veins = F(1) + F(0.07) * np.cos(across * F(11)) * (F(1) - t) - F(0.12) * across * across
        shade = tints.take(k) * veins * (F(0.55) + F(0.5) * t ** F(0.6))
        colour = mix(base, tip, smoothstep(0.05, 0.6, t)) * shade[..., None]
        tone = colour * shapes.lit((nx * nz, ny * nz, nz), light, 0.55)
        canvas.paint(tone, canvas.edge(distance), depth, subject=subject, at=at)


def head(canvas, rng, kind, x, y, radius, hue, pale, light, depth=0.3, subject=True) -> None:
    """A flower seen at an angle, centred at (x, y)."""
    turn = rng.uniform(0, math.pi)
    squash = rng.uniform(0.68, 1.0)
    at, u, v = shapes.local(canvas, x, y, 1.12 * radius, turn)
    v = v * F(1 / squash)
    r, angle = np.sqrt(u * u + v * v), np.arctan2(v, u) + F(turn)
    vivid = 0.035 if pale else rng.uniform(0.15, 0.21)
    bright = 0.84 if pale else rng.uniform(0.55, 0.72)
    if kind == "sunflower":
        vivid, bright = 0.18, 0.80
    tip = oklch(bright, vivid, hue)
    base = oklch(bright * 0.8, vivid * 1.2, hue - 0.03)
    say = (light, rng, depth, subject)
    phase = rng.uniform(0, 6.28)
    R = radius
    if kind == "daisy":
        n = 2 * int(rng.integers(7, 13))
        w = 1.5 * R / n * 1.7
        ring(canvas, at, (r, angle), n, 0.12 * R, 0.85 * R, w, phase, base, tip, *say)
        ring(canvas, at, (r, angle), n, 0.10 * R, 0.72 * R, w, phase + 0.2, base, tip, *say)
        disc(canvas, rng, x, y, 0.27 * R, oklch(0.78, 0.17, 0.24), light, depth, subject)
    elif kind == "gerbera":
        for i, n in enumerate((22, 18, 14)):
            s = R * (1 - 0.22 * i)
            ring(
                canvas,
                at,
                (r, angle),
                n,
                0.1 * R,
                0.9 * s,
                3.0 * s / n,
                phase + 0.4 * i,
                base,
                tip,
                *say,
            )
        disc(canvas, rng, x, y, 0.24 * R, oklch(0.35, 0.09, hue + 0.05), light, depth, subject)
    elif kind == "sunflower":
        ring(
            canvas,
            at,
            (r, angle),
            22,
            0.25 * R,
            0.75 * R,
            0.13 * R,
            phase,
            base,
            tip,
            *say,
            round_=0.8,
        )
        ring(
            canvas,
            at,
            (r, angle),
            18,
            0.25 * R,
            0.66 * R,
            0.13 * R,
            phase + 0.2,
            base,
            tip,
            *say,
            round_=0.8,
        )
        disc(canvas, rng, x, y, 0.44 * R, linear("#4a2c14"), light, depth, subject)
    elif kind == "rose":
        centre = oklch(bright * 0.62, vivid * 1.25, hue - 0.01)
        rings = int(rng.integers(5, 8))
        for i in range(rings):
            s = R * (1 - 0.86 * (i / rings) ** 0.85)
            drift = 0.07 * R * (i / rings)
            du, dv = F(rng.uniform(-1, 1) * drift), F(rng.uniform(-1, 1) * drift)
            rr = np.sqrt((u - du) ** 2 + (v - dv) ** 2)
            n = 8 if i < 2 else 6
            ring(
                canvas,
                at,
                (rr, angle),
                n,
                0.0,
                s,
                3.1 * s / n,
                phase + 0.7 * i,
                mix(centre, base, 0.4),
                mix(tip, base, 0.5 * i / rings),
                *say,
                belly=0.72,
                round_=0.42,
                cup=0.75,
                curl=0.45,
                dark=0.5,
            )
        spot, su, sv = shapes.local(canvas, x, y, 0.12 * R)
        deep = np.exp(-(su * su + sv * sv) * F(1 / (0.05 * R * R * 0.3)))
        canvas.rgb[spot] *= (1 - F(0.6) * deep)[..., None]
    elif kind == "poppy":
        wave = canvas.noise(angle * F(0.5), r * F(0.5 / R), 0.25, int(rng.integers(1 << 30)))
        rr = r * (F(0.93) + F(0.16) * wave)
        dark = oklch(0.25, 0.05, hue)
        ring(
            canvas,
            at,
            (rr, angle),
            4,
            0.0,
            0.98 * R,
            0.72 * R,
            phase,
            mix(base, dark, 0.6),
            tip,
            *say,
            belly=0.68,
            round_=0.42,
            cup=0.8,
            curl=0.5,
        )
        ring(
            canvas,
            at,
            (rr, angle),
            4,
            0.0,
            0.86 * R,
            0.60 * R,
            phase + 0.8,
            mix(base, dark, 0.8),
            tip,
            *say,
            belly=0.68,
            round_=0.42,
            cup=0.8,
            curl=0.5,
        )
        ring(
            canvas,
            at,
            (r, angle),
            30,
            0.06 * R,
            0.27 * R,
            0.012 * R,
            phase,
            dark,
            linear("#1c1420"),
            *say,
        )
        disc(canvas, rng, x, y, 0.13 * R, oklch(0.45, 0.08, 0.34), light, depth, subject)
    elif kind == "orchid":
        ring(
            canvas,
            at,
            (r, angle),
            6,
            0.0,
            0.98 * R,
            0.24 * R,
            phase,
            base,
            tip,
            *say,
            belly=0.6,
        )
        ring(
            canvas,
            at,
            (r, angle),
            2,
            0.0,
            0.95 * R,
            0.50 * R,
            phase + 0.5,
            base,
            tip,
            *say,
            belly=0.58,
            round_=0.45,
        )
        lip = oklch(0.45, 0.20, hue + 0.02)
        ring(
            canvas,
            at,
            (r, angle),
            4,
            0.0,
            0.42 * R,
            0.14 * R,
            phase + 1.1,
            oklch(0.8, 0.15, 0.24),
            lip,
            *say,
        )
        disc(canvas, rng, x, y, 0.09 * R, oklch(0.85, 0.12, 0.25), light, depth, subject)
    else:
        for i, n in enumerate((20, 18, 16, 14, 10, 8)):
            s = R * (1 - 0.155 * i)
            ring(
                canvas,
                at,
                (r, angle),
                n,
                0.02 * R,
                s,
                2.6 * s / n,
                phase + 0.37 * i,
                base * F(1 - 0.07 * i),
                mix(tip, base, 0.12 * i),
                *say,
                belly=0.62,
                round_=0.7,
                cup=0.6,
                curl=1.0,
            )


def disc(canvas, rng, x, y, r, colour, light, depth, subject) -> None:
    """The heart of a composite flower: a dome of seeds in Vogel's spirals."""
    at, u, v = shapes.local(canvas, x, y, 1.2 * r)
    shapes.shadow(canvas, x, y, 1.25 * r, 1.25 * r, 0.35)
    distance, height = shapes.circle(u, v, 0, 0, r)
    rr, angle = np.sqrt(u * u + v * v) * F(1 / r), np.arctan2(v, u)
    seeds = np.cos(F(13) * angle + F(22) * rr) * np.cos(F(21) * angle - F(34) * rr)
    grain = canvas.noise(u, v, 0.5 * r, int(rng.integers(1 << 30)), "grain")
    tone = np.asarray(colour, F) * (F(0.65) + F(0.3) * seeds + F(0.5) * grain)[..., None]
    tone = mix(tone * F(0.55), tone * F(1.15), smoothstep(0.15, 0.75, rr))
    shapes.body(canvas, at, (distance, height * F(0.6)), tone, light, depth, subject=subject)


def tulip(canvas, rng, x, y, radius, hue, pale, light) -> None:
    """A tulip from the side: three petals in front of two."""
    bright, vivid = (0.88, 0.08) if pale else (rng.uniform(0.58, 0.72), 0.19)
    tip, base = oklch(bright, vivid, hue), oklch(bright * 0.85, vivid * 0.9, hue + 0.06)
    open_ = rng.uniform(0.12, 0.40)
    foot = y + 0.95 * radius
    for turn, wide, shade in (
        (-0.55 * open_, 0.52, 0.62),
        (0.55 * open_, 0.52, 0.66),
        (0.0, 0.40, 0.5),
        (-open_, 0.50, 0.92),
        (open_, 0.50, 1.0),
        (rng.uniform(-0.08, 0.08), 0.56, 1.12),
    ):
        length = radius * rng.uniform(1.75, 1.95)
        angle = -math.pi / 2 + turn
        at, u, v = shapes.local(
            canvas,
            x + 0.5 * length * math.cos(angle),
            foot + 0.5 * length * math.sin(angle),
            0.62 * length,
            angle,
        )
        u = u + F(0.5 * length)
        distance, height = shapes.blade(u, v, length, wide * radius, 0.42, 0.55)
        canvas.rgb[at] *= (1 - F(0.35) * canvas.edge(distance, 0.2 * radius))[..., None]
        t = np.clip(u * F(1 / length), 0, 1)
        veins = F(1) + F(0.08) * np.cos(v * F(28 / radius))
        tone = mix(base, tip, smoothstep(0.1, 0.7, t)) * (F(shade) * veins)[..., None]
        shapes.body(
            canvas, at, (distance, height * F(1.5)), tone, light, 0.3, subject=True, wrap=0.6
        )


def branch(canvas, row, rng, hue, x, y, radius, light) -> None:
    """A twig with blossoms, the fullest cluster at (x, y)."""
    lean = rng.uniform(-0.5, 0.5) + (math.pi if rng.random() < 0.5 else 0)
    reach = canvas.half_width + 0.8
    dx, dy = math.cos(lean), math.sin(lean)
    line = shapes.curve(
        [
            (x - reach * dx, y - reach * dy + rng.uniform(-0.15, 0.15)),
            (x - 0.4 * dx, y - 0.4 * dy + 0.06),
            (x, y + 0.05),
            (x + 0.35 * dx, y + 0.3 * dy - 0.05),
            (x + 0.7 * dx, y + 0.7 * dy + rng.uniform(-0.1, 0.1)),
        ],
        4,
    )
    radii = np.linspace(0.045, 0.012, len(line)) * (0.6 + radius)
    at = canvas.window(*(line.min(axis=0) - 0.05), *(line.max(axis=0) + 0.05))
    bark = canvas.noise(canvas.x[at], canvas.y[at], 0.05, int(rng.integers(1 << 30)))
    tone = linear("#5a4134") * (F(0.5) + bark)[..., None]
    part = shapes.chain(canvas.x[at], canvas.y[at], line, radii.tolist())
    shapes.body(canvas, at, part, tone, light, 0.34, subject=True)
    pink, vivid = (0.93, 0.04) if rng.random() < 0.5 else (0.84, 0.10)
    tip, base = oklch(pink, vivid, hue), oklch(pink * 0.85, vivid * 2.0, hue)
    for i in range(int(rng.integers(9, 15))):
        near = i < 6
        along = 0.55 * radius * rng.standard_normal() if near else rng.uniform(-1.2, 0.7)
        fx = x + along * dx + rng.uniform(-0.5, 0.5) * radius
        fy = y + along * dy + rng.uniform(-0.45, 0.45) * radius
        r = radius * (rng.uniform(0.30, 0.44) if near else rng.uniform(0.16, 0.3))
        own = np.random.default_rng(int(rng.integers(1 << 40)))
        at, u, v = shapes.local(canvas, fx, fy, 1.1 * r, own.uniform(0, 3))
        v = v * F(1 / own.uniform(0.65, 1.0))
        polar = np.sqrt(u * u + v * v), np.arctan2(v, u)
        ring(
            canvas,
            at,
            polar,
            6,
            0.0,
            r,
            0.46 * r,
            own.uniform(0, 6),
            base,
            tip,
            light,
            own,
            0.3,
            True,
            belly=0.64,
            round_=0.45,
            cup=0.5,
        )
        ring(
            canvas,
            at,
            polar,
            16,
            0.05 * r,
            0.36 * r,
            0.02 * r,
            0.0,
            base,
            linear("#c98a3a"),
            light,
            own,
            0.3,
            True,
            dark=0,
        )


def dew(canvas, rng, x, y, reach, light) -> None:
    """Drops that hold a highlight and a bright far edge."""
    for _ in range(int(rng.integers(4, 11))):
        a, d = rng.uniform(0, 6.28), reach * math.sqrt(rng.random())
        r = reach * rng.uniform(0.02, 0.055)
        at, u, v = shapes.local(canvas, x + d * math.cos(a), y + d * math.sin(a), 1.4 * r)
        distance, height = shapes.circle(u, v, 0, 0, r)
        lx, ly, _ = light.direction
        inner = (u * F(lx) + v * F(ly)) * F(1 / r)
        light_through = F(1.0) - F(0.7) * inner
        if canvas.rgb[at].size:
            here = canvas.rgb[at] * light_through[..., None] + F(0.03)
            canvas.paint(here, canvas.edge(distance), None, subject=True, at=at)
            spot = shapes.circle(u, v, 0.4 * r * lx, 0.4 * r * ly, 0.18 * r)[0]
            canvas.paint(studio.WHITE * F(1.3), canvas.edge(spot), None, subject=True, at=at)
