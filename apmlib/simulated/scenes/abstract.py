"""Abstractions: rhythm, waves, drops and light, with one accent that breaks the pattern."""

from __future__ import annotations

import math

import numpy as np

from apmlib.simulated import shapes, studio
from apmlib.simulated.canvas import Canvas, F, mix, oklch, smoothstep

KINDS = (
    *("paper", "ripples", "drops", "trails", "marble", "rods", "spheres", "fan"),
    *("veins", "veins", "fields", "silk", "silk"),
)


def draw(canvas: Canvas, row: dict, rng: np.random.Generator) -> None:
    """Paint a pattern over the whole canvas and an accent at the subject's place."""
    light = studio.lamp(row, rng)
    kind = KINDS[int(rng.integers(len(KINDS)))]
    hue = rng.random()
    other, _ = studio.beside(hue, row, rng)
    loud = studio.clashing(row)
    chroma = rng.uniform(0.05, 0.12) + 0.10 * loud
    palette = [
        oklch(0.32, 0.7 * chroma, hue + 0.03),
        oklch(0.55, chroma, mixed(hue, other, 0.15 + 0.5 * loud)),
        oklch(0.86, 0.6 * chroma + 0.06 * loud, mixed(hue, other, 0.3 + 0.7 * loud)),
    ]
    accent = oklch(
        rng.uniform(0.62, 0.76), 0.17 + 0.06 * loud, other + 0.33 if loud > 0.3 else hue + 0.5
    )
    place = canvas.place(float(row["subject_x"]), float(row["subject_y"]))
    radius = 0.5 * float(row["subject_size"])
    PATTERNS[kind](canvas, row, rng, palette, accent, place, radius, light)
    studio.clutter(canvas, row, rng, ("sign", "cable", "can", "bag", "spot", "pole"), 0.3)


def mixed(a: float, b: float, t: float) -> float:
    """Hue on the shorter way round from a (t = 0) to b (t = 1), turns."""
    return a + t * ((b - a + 0.5) % 1.0 - 0.5)


def tint(palette: list, t) -> np.ndarray:
    """Colour of the palette at t in 0 .. 1, scalar or (h, w)."""
    t = np.asarray(t, F)
    return mix(
        mix(palette[0], palette[1], np.minimum(2 * t, 1)), palette[2], np.maximum(2 * t - 1, 0)
    )


def ball(canvas, colour, x, y, r, light, depth=0.3, shine=0.7, subject=True) -> None:
    """A glossy sphere and the shadow that it throws away from the lamp."""
    lx, ly, _ = light.direction
    shapes.shadow(canvas, x - 0.7 * r * lx, y - 0.7 * r * ly, 1.05 * r, 0.95 * r, 0.55)
    at, u, v = shapes.local(canvas, x, y, 1.1 * r)
    shape = shapes.circle(u, v, 0, 0, r)
    shapes.body(canvas, at, shape, colour, light, depth, subject=subject, shine=shine)


def paper(canvas, row, rng, palette, accent, place, radius, light) -> None:
    """Sheets of paper cut into waves, one behind the other, and a disc between them."""
    sheets = int(rng.integers(6, 10))
    wave, lean = rng.uniform(0.25, 0.7), rng.uniform(-0.12, 0.12)
    canvas.paint(tint(palette, 1.0) * F(1.1), 1.0, 1.0)
    glow = np.exp(-((canvas.x - F(place[0])) ** 2 + (canvas.y - F(place[1])) ** 2) * F(3))
    canvas.glow(accent, F(0.35 * float(row["light"])) * glow)
    for i in range(sheets):
        t = i / (sheets - 1)
        y = canvas.top + (canvas.bottom - canvas.top) * (0.14 + 0.80 * t)
        height, seed = rng.uniform(0.05, 0.14), int(rng.integers(1 << 30))
        if y > place[1] >= y - (canvas.bottom - canvas.top) * 0.8 / (sheets - 1):
            ball(canvas, accent, *place, radius, light, 0.9 - 0.6 * t, 0.1)
        edge = y + canvas.ridge(wave, height, seed, "soft") + F(lean) * canvas.xs
        below = canvas.y - edge[None, :]
        fibre = canvas.noise(canvas.x, canvas.y, 0.05, seed + 1, "grain")
        shade = F(0.80 + 0.15 * (1 - t)) + F(0.12) * fibre
        rim = F(0.5 * float(row["light"])) * smoothstep(0.05, 0.0, below)
        dark = np.exp(-np.maximum(-below, 0) * F(26)) * F(0.45)
        canvas.paint(np.zeros(3), np.where(below < 0, dark, 0))
        tone = tint(palette, 0.9 - 0.85 * t) * (shade + rim)[..., None]
        canvas.paint(tone, canvas.edge(-below), 0.9 - 0.6 * t)
    if place[1] > y:
        ball(canvas, accent, *place, radius, light, 0.3, 0.1)


def ripples(canvas, row, rng, palette, accent, place, radius, light) -> None:
    """Sand drawn into ridges by the wind, lit from the side, and a smooth stone."""
    seed, count = int(rng.integers(1 << 30)), rng.uniform(9, 17)
    angle = rng.uniform(-0.25, 0.25)
    across = canvas.y * F(math.cos(angle)) + canvas.x * F(math.sin(angle))
    warp = canvas.noise(canvas.x, canvas.y, 0.6, seed, "soft")
    fine = canvas.noise(canvas.x * 2, canvas.y, 0.3, seed + 1)
    away = np.hypot(canvas.x - F(place[0]), canvas.y - F(place[1]))
    bend = F(0.5 * radius) * np.exp(-((away / F(1.7 * radius)) ** 2))
    phase = (across + F(0.25) * warp + F(0.05) * fine + bend) * F(count)
    saw = phase - np.floor(phase)
    height = np.where(saw < 0.72, saw / F(0.72), (1 - saw) / F(0.28)) * F(0.5 / count)
    grain = canvas.noise(canvas.x, canvas.y, 0.02, seed + 2, "grain")
    normal = shapes.normals(height + grain * F(0.0012), canvas.px)
    tone = tint(palette, F(0.45) + F(0.45) * warp)
    canvas.paint(
        tone * shapes.lit(normal, light, 0.1) * (F(0.8) + F(0.3) * grain)[..., None], 1, 0.45
    )
    ball(canvas, accent, *place, radius, light, 0.4, 0.35)


def drops(canvas, row, rng, palette, accent, place, radius, light) -> None:
    """Drops of oil on water: each a lens that turns the colours behind it upside down."""
    seed, lean = int(rng.integers(1 << 30)), rng.uniform(-0.6, 0.6)
    behind = F(0.5) + F(0.55) * (canvas.y + F(lean) * canvas.x)
    haze = canvas.noise(canvas.x, canvas.y, 0.8, seed, "soft")
    canvas.paint(tint(palette, np.clip(F(0.7) * behind + F(0.3) * haze, 0, 1)), 1, 0.6)
    places = [(*place, radius, accent)]
    for _ in range(34):
        x = rng.uniform(-1, 1) * canvas.half_width
        y = rng.uniform(-1, 1) * canvas.half_height
        r = 0.02 + 0.11 * rng.random() ** 2.2
        colour = tint(palette, rng.random())
        if all(math.hypot(x - a, y - b) > r + c + 0.01 for a, b, c, _ in places):
            places.append((x, y, r, colour))
    for i, (x, y, r, colour) in reversed(list(enumerate(places))):
        at, u, v = shapes.local(canvas, x, y, 1.15 * r)
        distance = np.sqrt(u * u + v * v)
        inside = canvas.edge(distance - F(r))
        turned = F(0.5) - F(0.5 / r) * (v + F(lean) * u)
        body = mix(tint(palette, np.clip(turned, 0, 1)), colour, 0.75 if i == 0 else 0.25)
        rim = smoothstep(0.72, 1.0, distance / F(r))
        canvas.paint(body * (F(1.15) - F(0.75) * rim)[..., None], inside, 0.45, i == 0, at)
        lx, ly, _ = light.direction
        spot = np.exp(-((u - F(0.5 * r * lx)) ** 2 + (v - F(0.5 * r * ly)) ** 2) * F(30 / r**2))
        canvas.glow(light.key, spot * F(0.3 + 1.5 * float(row["light"])), at)


def trails(canvas, row, rng, palette, accent, place, radius, light) -> None:
    """Lamps swung in the dark around one glowing orb."""
    canvas.key = 0.06
    canvas.paint(palette[0] * F(0.10), 1.0, 0.8)
    u, v = canvas.x - F(place[0]), canvas.y - F(place[1])
    turn = np.arctan2(v, u)
    distance = np.hypot(u, v)
    strength = F(0.35 + 0.75 * float(row["light"]))
    for i in range(int(rng.integers(9, 16))):
        orbit = radius * (1.15 + 0.32 * i * rng.uniform(0.8, 1.2))
        lobes, phase = int(rng.integers(1, 5)), rng.uniform(0, 2 * math.pi)
        wobble = F(orbit) * (1 + F(rng.uniform(0.05, 0.3)) * np.sin(lobes * turn + F(phase)))
        off = np.abs(distance - wobble)
        fade = F(0.35) + F(0.65) * (F(0.5) + F(0.5) * np.sin(turn + F(phase * 2)))
        line = np.exp(-((off / F(max(0.004, canvas.px))) ** 2)) + F(0.16) * np.exp(-off * F(45))
        canvas.glow(tint(palette, rng.uniform(0.45, 1.0)), line * fade * strength)
    at, p, q = shapes.local(canvas, *place, 1.8 * radius)
    orb = shapes.circle(p, q, 0, 0, radius)
    core = F(1.3) - F(0.9) * np.minimum(np.hypot(p, q) / F(radius), 1)
    canvas.paint(accent * core[..., None], canvas.edge(orb[0]), 0.4, True, at)
    canvas.glow(accent, F(0.6) * np.exp(-np.maximum(orb[0], 0) * F(4 / radius)), at)


def marble(canvas, row, rng, palette, accent, place, radius, light) -> None:
    """Paint poured and drawn into a swirl, an unmixed drop in its eye."""
    seed = int(rng.integers(1 << 30))
    u, v = canvas.x - F(place[0]), canvas.y - F(place[1])
    distance = np.hypot(u, v)
    twist = F(rng.choice([-1.0, 1.0]) * rng.uniform(1.5, 3.5)) * np.exp(-distance * F(2.2))
    c, s = np.cos(twist), np.sin(twist)
    p, q = u * c - v * s, v * c + u * s
    bend = canvas.noise(p, q, 0.7, seed, "soft") - F(0.5)
    bands = (q + F(0.4) * p + F(0.9) * bend) * F(rng.uniform(4, 8))
    level = F(0.5) + F(0.5) * np.sin(bands * F(math.pi))
    normal = shapes.normals(level * F(0.035), canvas.px)
    streaks = canvas.noise(p * F(0.4), bands, 0.25, seed + 1)
    tone = tint(palette, np.clip(level * F(0.85) + F(0.3) * (streaks - F(0.5)) + F(0.1), 0, 1))
    shine = shapes.gloss(normal, light, 24) * F(0.5 * float(row["light"]))
    canvas.paint(tone * shapes.lit(normal, light, 0.35) + shine[..., None] * light.key, 1, 0.5)
    ball(canvas, accent, *place, radius, light, 0.45, 0.8)


def rods(canvas, row, rng, palette, accent, place, radius, light) -> None:
    """A row of round rods, upright or lying, one of another colour: rhythm, broken once."""
    upright = rng.random() < 0.6
    across = canvas.x if upright else canvas.y
    along = canvas.y if upright else canvas.x
    centre = place[0] if upright else place[1]
    wide = max(0.05, 0.30 * radius)
    where = (across - F(centre)) * F(0.5 / wide) + F(0.5)
    number = np.floor(where)
    offset = (where - number - F(0.5)) * F(2 * wide)
    height = np.sqrt(np.maximum(F(wide * wide) - offset * offset, 0))
    levels = rng.random(64).astype(F)
    level = levels[number.astype(np.int32) % 64]
    normal = shapes.normals(height, canvas.px)
    grain = canvas.noise(along * F(0.3), across * F(4), 0.3, int(rng.integers(1 << 30)))
    tone = tint(palette, F(0.25) + F(0.5) * level + F(0.2) * (grain - F(0.5)))
    colour = mix(tone, accent, number == 0)
    gloss = F(0.5) * shapes.gloss(normal, light, 18)[..., None] * light.key
    canvas.paint(colour * shapes.lit(normal, light, 0.1) + gloss, 1.0, 0.5)
    other = place[1] if upright else place[0]
    shadow = smoothstep(1.3, 0.2, np.abs(along - F(other)))
    canvas.rgb *= (F(1 - 0.5 * float(row["light"])) + F(0.5 * float(row["light"])) * shadow)[
        ..., None
    ]
    canvas.mask[:] = (number == 0) & (np.abs(along - F(other)) < F(radius))
    ends = canvas.edge(np.abs(along - F(other)) - F(radius)) * (number == 0)
    canvas.rgb *= (F(1) + F(0.5) * ends)[..., None]


def spheres(canvas, row, rng, palette, accent, place, radius, light) -> None:
    """Balls laid out in rows, and one that is not like the others."""
    canvas.paint(tint(palette, 0.08) * F(0.7), 1.0, 0.6)
    small = float(np.clip(0.42 * radius, 0.06, 0.14))
    step_x, step_y = 2.15 * small, 1.9 * small
    seed = int(rng.integers(1 << 30))
    line = 0
    for y in np.arange(canvas.top, canvas.bottom + small, step_y):
        line += 1
        for x in np.arange(canvas.left, canvas.right + small, step_x):
            x += 0.5 * step_x * (line % 2)
            if math.hypot(x - place[0], y - place[1]) < radius + 0.75 * small:
                continue
            level = float(canvas.noise(np.array([x]), np.array([y]), 0.8, seed, "soft")[0])
            at, u, v = shapes.local(canvas, x, y, small)
            shape = shapes.circle(u, v, 0, 0, small * 0.97)
            shapes.body(
                canvas, at, shape, tint(palette, 0.15 + 0.8 * level), light, 0.5, shine=0.4
            )
    ball(canvas, accent, *place, radius, light, 0.4, 0.9)


def fan(canvas, row, rng, palette, accent, place, radius, light) -> None:
    """Ribs that spread from a point beyond the frame, as of a leaf or a fan, and a drop."""
    ox = -rng.choice([-1.0, 1.0]) * (canvas.half_width + rng.uniform(0.05, 0.4))
    oy = rng.uniform(0.2, 0.7) * canvas.half_height + 0.4
    u, v = canvas.x - F(ox), canvas.y - F(oy)
    distance = np.hypot(u, v)
    turn = np.arctan2(v, u) + F(rng.uniform(-0.35, 0.35)) * distance
    ribs = turn * F(rng.uniform(6, 11))
    crest = np.abs(np.sin(ribs * F(math.pi)))
    seed = int(rng.integers(1 << 30))
    veins = canvas.noise(ribs * F(0.25), distance, 0.05, seed, "ridged")
    height = (F(0.05) * crest + F(0.004) * veins) * np.minimum(distance, 1)
    normal = shapes.normals(height, canvas.px)
    level = F(0.15) + F(0.5) * crest + F(0.15) * veins + F(0.2) * np.sin(distance * F(3))
    tone = tint(palette, np.clip(level, 0, 1))
    canvas.paint(
        tone * shapes.lit(normal, light, 0.3), 1.0, np.clip(distance * F(0.4), 0.3, 0.8)
    )
    ball(canvas, accent, *place, radius, light, 0.4, 0.9)


def veins(canvas, row, rng, palette, accent, place, radius, light) -> None:
    """A leaf against the light, its net of veins, and a patch that has turned."""
    turn, seed = rng.uniform(0, math.pi), int(rng.integers(1 << 30))
    c, s = F(math.cos(turn)), F(math.sin(turn))
    x, y = canvas.x - F(0.3 * place[0]), canvas.y - F(0.3 * place[1])
    u, v = x * c + y * s, y * c - x * s
    v = v + F(rng.uniform(-0.25, 0.25)) * u * u
    side = (u - F(rng.uniform(0.7, 1.1)) * np.abs(v)) * F(rng.uniform(3.5, 5.5))
    side = side + np.where(v > 0, F(0), F(0.5))
    rib = np.exp(-np.abs(v) * F(45))
    branch = np.exp(-np.abs(side - np.round(side)) * F(22))
    net = canvas.noise(u, v, 0.14, seed, "ridged") ** 3
    cell = canvas.noise(u, v, 0.5, seed + 1, "soft")
    vein = np.clip(rib * F(1.3) + F(0.8) * branch + F(0.45) * net, 0, 1.3)
    rough = canvas.noise(canvas.x, canvas.y, 0.25, seed + 2) - F(0.5)
    distance = (
        np.hypot(canvas.x - F(place[0]), canvas.y - F(place[1])) + F(0.3 * radius) * rough
    )
    patch = smoothstep(1.1 * radius, 0.75 * radius, distance)
    tone = mix(tint(palette, F(0.15) + F(0.45) * cell), accent * F(0.8), patch)
    glow = F(1) + F(float(row["light"])) * (F(0.9) - F(1.1) * np.hypot(x - c, y - s))
    tone = tone * np.maximum(glow, F(0.25))[..., None]
    normal = shapes.normals(vein * F(0.012), canvas.px)
    bright = mix(tone, tone * F(0.4) + palette[2] * F(0.8), np.minimum(vein, 1))
    canvas.paint(bright * shapes.lit(normal, light, 0.5), 1.0, 0.5)
    canvas.mask[:] = patch


def fields(canvas, row, rng, palette, accent, place, radius, light) -> None:
    """Fields of colour with soft edges, laid on with a broad brush, and one small square."""
    seed = int(rng.integers(1 << 30))
    canvas.paint(palette[1] * F(0.8), 1.0, 0.5)
    brush = canvas.noise(canvas.x * F(0.35), canvas.y, 0.12, seed) - F(0.5)
    height = brush * F(0.006)
    edges = np.cumsum(rng.uniform(0.5, 1.0, 4))
    edges = (edges / edges[-1] - 0.5) * 2 * canvas.half_height
    top = -canvas.half_height
    for bottom in edges.tolist():
        tone = tint(palette, rng.uniform(0.0, 1.0)) * F(rng.uniform(0.7, 1.2))
        half = 0.5 * (bottom - top) - 0.03
        inset = canvas.half_width - rng.uniform(0.04, 0.12)
        shape = shapes.box(canvas.x, canvas.y, 0, top + half + 0.03, inset, half, 0.03)[0]
        layer = tone * (F(1) + F(0.5) * brush)[..., None]
        canvas.paint(layer, canvas.edge(shape + F(0.025) * brush, 0.03) * F(0.93), 0.5)
        top = bottom
    at, u, v = shapes.local(canvas, *place, 1.6 * radius, rng.uniform(-0.06, 0.06))
    square = shapes.box(u, v, 0, 0, 0.8 * radius, 0.8 * radius, 0.02)[0]
    layer = accent * (F(1) + F(0.4) * brush[at])[..., None]
    cover = canvas.edge(square + F(0.02) * brush[at], 0.015)
    canvas.paint(layer, cover, 0.45, subject=True, at=at)
    canvas.rgb *= shapes.lit(shapes.normals(height, canvas.px), light, 0.2) + F(0.25)
    lx, ly, _ = light.direction
    slant = F(1) + F(0.7 * float(row["light"])) * (canvas.x * F(lx) + canvas.y * F(ly))
    canvas.rgb *= np.maximum(slant, F(0.2))[..., None]


def silk(canvas, row, rng, palette, accent, place, radius, light) -> None:
    """Cloth gathered into folds that run towards a knot of another colour."""
    u, v = canvas.x - F(place[0]), canvas.y - F(place[1])
    distance = np.hypot(u, v)
    one, two = rng.uniform(0, 2 * math.pi, 2).astype(F)
    bend = F(0.25) * np.sin(F(3.1) * u + F(2.3) * v + one)
    bend = bend + F(0.25) * np.sin(F(4.3) * v - F(2.7) * u + two)
    angle = np.arctan2(v, u)
    swirl = angle + F(rng.choice([-1.0, 1.0]) * rng.uniform(0.6, 1.6)) * np.log(
        distance + F(0.1)
    )
    folds = int(rng.integers(4, 8))
    wave = np.sin(swirl * F(folds) + F(3.5) * bend)
    fine = np.sin(swirl * F(2 * folds) - F(5) * bend + F(9) * distance)
    height = (
        (F(0.6) * wave + F(0.22) * fine) * F(0.10) * np.minimum(distance * F(2) + F(0.2), 1)
    )
    normal = shapes.normals(height, canvas.px)
    knot = smoothstep(1.15 * radius, 0.7 * radius, distance + F(0.10 * radius) * wave)
    tone = mix(tint(palette, F(0.45) + F(0.3) * wave), accent, knot)
    low = shapes.Light(light.direction, light.key, light.fill * F(0.6))
    shine = shapes.gloss(normal, light, 10) * F(0.25 + 0.35 * float(row["light"]))
    canvas.paint(
        tone * shapes.lit(normal, low, 0.1) + shine[..., None] * light.key * tone, 1, 0.5
    )
    canvas.mask[:] = knot


PATTERNS = {
    "paper": paper,
    "ripples": ripples,
    "drops": drops,
    "trails": trails,
    "marble": marble,
    "rods": rods,
    "spheres": spheres,
    "fan": fan,
    "veins": veins,
    "fields": fields,
    "silk": silk,
}
