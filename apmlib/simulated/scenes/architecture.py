"""Architecture: towers, temples, facades, arcades, houses in perspective, staircases."""

from __future__ import annotations

import numpy as np

from apmlib.simulated.canvas import Canvas, F, linear, mix, noise, oklch, smoothstep
from apmlib.simulated.scenes import outdoors as out

STONES = (
    "#d8c6a4",
    "#cbb9a0",
    "#b4603f",
    "#e6dccb",
    "#9c8f80",
    "#c98f5a",
    "#d9a79a",
    "#8f9aa6",
)


def draw(canvas: Canvas, row: dict, rng: np.random.Generator) -> None:
    """Paint a building: see `scenes.draw`."""
    kinds = [_tower, _temple, _facade, _arcade, _corner, _spiral, _glass]
    kind = kinds[int(rng.choice(7, p=[0.18, 0.18, 0.17, 0.14, 0.16, 0.07, 0.10]))]
    x, y = canvas.place(row["subject_x"], row["subject_y"])
    size = float(row["subject_size"])
    ground = min(y + size / 2, 0.92 * canvas.half_height)
    hour = out.hour(
        canvas,
        row,
        rng,
        ["noon", "noon", "golden", "golden", "sunset", "dusk", "teal", "storm"],
        ground - 0.05,
    )
    palette = out.Palette(rng, row["harmony"])
    stone = palette(linear(STONES[int(rng.integers(len(STONES)))]), "build")
    canvas.key = {"dusk": 0.10, "storm": 0.15, "sunset": 0.15}.get(hour.name, 0.20)
    kind(canvas, row, rng, hour, palette, stone, x, y, size, ground)
    out.clutter(canvas, row, rng, hour, palette, ground)


def _lights(hour: out.Hour):
    """Light on a wall that faces the sun, and on one that does not."""
    return hour.shade * F(0.85) + hour.sun * F(1.0), hour.shade * F(0.75) + hour.sun * F(0.08)


def _square(canvas, hour, palette, ground, rng, stone):
    """Sky, far roofs, and a paved or grassy place in front of the building."""
    horizon = ground - 0.03
    out.sky(canvas, hour, palette, horizon, rng)
    seeds, form = rng.integers(1 << 30, size=4), rng.random(4)
    for layer in range(2):
        steps = np.floor(canvas.xs * F(9 - 3 * layer) + F(40 * form[0])).astype(np.int64)
        roofs = np.random.default_rng(int(seeds[layer])).random(400)
        line = horizon - (0.02 + 0.07 * roofs[steps % 400]) * (1.1 - 0.4 * layer)
        at = canvas.window(canvas.left, horizon - 0.12, canvas.right, horizon + 0.03)
        cover = canvas.edge(line[None, at[1]].astype(F) - canvas.y[at])
        tone = mix(
            stone * (hour.shade * F(0.6) + hour.sun * F(0.2)), hour.horizon, 0.6 - 0.25 * layer
        )
        canvas.paint(palette(tone, "far"), cover, depth=0.85, at=at)
    at = canvas.window(canvas.left, horizon, canvas.right, canvas.bottom)
    X, Y = canvas.x[at], canvas.y[at]
    z = 1 / np.maximum(Y - F(horizon), F(0.02))
    u = X * z
    lit, dim = _lights(hour)
    grain = noise(u, z, 0.8, seeds[2], "grain")
    if form[1] < 0.45:
        colour = palette(linear("#5f7f34"), "ground") * (F(0.6) + F(0.5) * grain)[..., None]
        path = smoothstep(0.1, -0.1, np.abs(u) - F(1.1))
        colour = mix(colour, palette(linear("#c2b090"), "ground"), path)
    else:
        tiles = (np.floor(u * F(1.3)) + np.floor(z * F(1.3))) % 2
        joint = F(0.8) + F(0.2) * tiles
        colour = (
            palette(linear("#a99c8c"), "ground")
            * (joint * (F(0.8) + F(0.3) * grain))[..., None]
        )
    shade = smoothstep(
        0.45, 0.6, noise(u * F(0.4), z * F(0.6), 2.5, seeds[3], "soft", smooth=True)
    )
    light = dim * F(0.9) + (lit - dim) * (F(0.35) + F(0.55) * shade)[..., None]
    canvas.paint(colour * light, 1.0, depth=np.clip(out.distance(z), 0.05, 0.9), at=at)
    return form[2]


def _opening(X, Y, w, h, arched):
    """Signed distance to a window of half width w and height h that stands on Y = 0."""
    if not arched:
        return np.maximum(np.abs(X) - w, np.abs(Y + h / 2) - h / 2)
    straight = h - w
    body = np.maximum(np.abs(X) - w, np.maximum(Y, -Y - straight))
    return np.minimum(body, np.hypot(X, Y + straight) - w)


def _wall(
    canvas,
    at,
    X,
    Y,
    width,
    height,
    floors,
    bays,
    stone,
    hour,
    rng,
    arched,
    lit_share,
    depth,
    subject,
):
    """A wall with rows of framed windows; X, Y from its lower left corner, Y up negative."""
    lit, dim = _lights(hour)
    light = dim + (lit - dim) * F(lit_share)
    relief = noise(X, Y, 0.12, int(rng.integers(1 << 30)), "grain")
    cover = canvas.edge(
        np.maximum(
            np.abs(X - F(width / 2)) - F(width / 2), np.abs(Y + F(height / 2)) - F(height / 2)
        )
    )
    tone = stone * light * (F(0.88) + F(0.2) * relief)[..., None]
    canvas.paint(tone, cover, depth=depth, subject=subject, at=at)
    cell_w, cell_h = width / bays, height / floors
    i, j = np.floor(X / F(cell_w)), np.floor(-Y / F(cell_h))
    fx = X - (i + F(0.5)) * F(cell_w)
    fy = Y + j * F(cell_h) + F(cell_h * 0.20)
    inside = cover * (j >= 0) * (j < floors)
    w, h = 0.24 * cell_w, 0.62 * cell_h
    side = float(np.sign(hour.sun_x) or 1)
    frame = _opening(fx, fy - F(0.03 * cell_h), w * 1.35, h * 1.12, arched)
    canvas.paint(stone * light * F(1.18), canvas.edge(frame) * inside, subject=subject, at=at)
    hole = _opening(fx, fy, w, h, arched)
    table = rng.random((32, 32)).astype(F)
    chance = table[j.astype(np.int32) & 31, i.astype(np.int32) & 31]
    if hour.name in ("dusk", "sunset"):
        glass = np.where(
            (chance > 0.45)[..., None],
            np.array([1.3, 0.75, 0.28], F) * F(0.75),
            hour.middle * F(0.15),
        )
    else:
        glass = hour.middle * (F(0.10) + F(0.30) * chance)[..., None]
    bars = (np.abs(fx) < 0.07 * w) | (np.abs(fy + F(0.5 * h)) < 0.03 * h)
    glass = np.where(bars[..., None], stone * light * F(0.7), glass)
    depth_shade = np.clip(
        F(0.55) + F(0.5) * side * -fx / F(w) + F(0.3) * (-fy / F(h)), 0.3, 1.15
    )
    canvas.paint(
        glass * depth_shade[..., None], canvas.edge(hole) * inside, subject=subject, at=at
    )
    ledge = np.abs(-Y - np.round(-Y / F(cell_h)) * F(cell_h)) - F(0.025 * cell_h)
    canvas.paint(
        stone * light * F(1.2), canvas.edge(ledge) * cover * F(0.8), subject=subject, at=at
    )
    below = np.abs(-Y - np.round(-Y / F(cell_h)) * F(cell_h) + F(0.06 * cell_h)) - F(
        0.025 * cell_h
    )
    canvas.paint(
        stone * light * F(0.5), canvas.edge(below) * cover * F(0.6), subject=subject, at=at
    )


def _tower(canvas, row, rng, hour, palette, stone, x, y, size, ground):
    """A church or town tower against the sky, with a nave beside it."""
    pick = _square(canvas, hour, palette, ground, rng, stone)
    lit, dim = _lights(hour)
    side = 1 if hour.sun_x > x else -1
    foot, top = y + size / 2, y - size / 2
    w, body = size * 0.13, size * (0.66 if pick < 0.7 else 0.82)
    roof = palette(
        linear(["#7d3325", "#3f6f66", "#4a4d55", "#a85a2a"][int(rng.integers(4))]), "accent"
    )
    # The nave.
    n = -side * size * (0.45 + 0.2 * rng.random())
    a, b = sorted((x, x + n))
    high = size * 0.30
    at = canvas.window(a, foot - high, b, foot)
    _wall(
        canvas,
        at,
        canvas.x[at] - F(a),
        canvas.y[at] - F(foot),
        b - a,
        high,
        1,
        4,
        stone,
        hour,
        rng,
        True,
        0.35,
        0.45,
        True,
    )
    board = canvas.stencil()
    board.polygon(
        [
            (a - 0.02 * size, foot - high),
            (b + 0.02 * size, foot - high),
            (b - 0.02 * size, foot - high * 1.55),
            (a + 0.02 * size, foot - high * 1.55),
        ]
    )
    canvas.paint(
        roof * (dim * F(0.5) + lit * F(0.4)), board.coverage(), depth=0.45, subject=True
    )
    # The tower: a lit and a shaded face.
    split = x + side * w * 0.05
    at = canvas.window(x - w, foot - body, x + w, foot)
    _wall(
        canvas,
        at,
        canvas.x[at] - F(x - w),
        canvas.y[at] - F(foot),
        2 * w,
        body,
        5,
        2,
        stone,
        hour,
        rng,
        True,
        0.85,
        0.42,
        True,
    )
    dark = (
        canvas.edge((split - canvas.x[at]) * F(side) * -1)
        * canvas.edge(np.abs(canvas.x[at] - F(x)) - F(w))
        * (canvas.y[at] <= foot)
    )
    canvas.rgb[at] *= (
        1
        - F(0.55 * (0.4 + 0.6 * hour.light))
        * (1 - dark)
        * canvas.edge(np.abs(canvas.x[at] - F(x)) - F(w))
    )[..., None]
    lit_roof, dark_roof, trim = canvas.stencil(), canvas.stencil(), canvas.stencil()
    ty = foot - body
    trim.polygon(
        [
            (x - 1.15 * w, ty),
            (x + 1.15 * w, ty),
            (x + 1.15 * w, ty - 0.018 * size),
            (x - 1.15 * w, ty - 0.018 * size),
        ]
    )
    if pick < 0.7:
        dark_roof.polygon([(x - 1.12 * w, ty), (x + 1.12 * w, ty), (x, top)])
        lit_roof.polygon([(split, ty), (x + side * 1.12 * w, ty), (x, top)])
    else:
        t = np.linspace(0, np.pi, 24)
        rise = ty - top
        dark_roof.polygon([(x - w * np.cos(s), ty - 0.75 * rise * np.sin(s) ** 0.8) for s in t])
        lit_roof.polygon(
            [(split, ty)]
            + [
                (x + side * w * np.cos(s), ty - 0.75 * rise * np.sin(s) ** 0.8)
                for s in np.linspace(0, np.pi / 2, 14)
            ]
        )
        dark_roof.line([(x, ty - 0.7 * rise), (x, top)], 0.012 * size)
    canvas.paint(roof * dim, dark_roof.coverage(), depth=0.42, subject=True)
    canvas.paint(roof * lit, lit_roof.coverage(), depth=0.42, subject=True)
    canvas.paint(stone * lit * F(1.1), trim.coverage(), depth=0.42, subject=True)
    r = 0.55 * w
    at = canvas.window(x - 2 * r, ty, x + 2 * r, ty + 4 * r)
    face = np.hypot(canvas.x[at] - F(x), canvas.y[at] - F(ty + 0.11 * size)) - F(r)
    canvas.paint(
        linear("#f5efdc") * (lit * F(0.7) + dim * F(0.3)),
        canvas.edge(face),
        subject=True,
        at=at,
    )
    canvas.paint(
        linear("#c49a3a") * lit, canvas.edge(np.abs(face) - F(0.1 * r)), subject=True, at=at
    )
    hands = canvas.stencil()
    hands.line(
        [
            (x, ty + 0.11 * size - 0.75 * r),
            (x, ty + 0.11 * size),
            (x + 0.5 * r, ty + 0.11 * size + 0.2 * r),
        ],
        0.12 * r,
    )
    canvas.paint(linear("#20222a"), hands.coverage(), subject=True)


def _temple(canvas, row, rng, hour, palette, stone, x, y, size, ground):
    """Columns under a pediment, or a domed hall between towers."""
    pick = _square(canvas, hour, palette, ground, rng, stone)
    lit, dim = _lights(hour)
    side = 1 if hour.sun_x > x else -1
    dome = pick < 0.6
    foot = y + size / 2
    half = size * (0.62 if not dome else 0.58)
    tall = size * (0.62 if not dome else 0.36)
    columns = int(rng.integers(5, 9))
    at = canvas.window(x - half * 1.2, y - size * 0.55, x + half * 1.2, foot + 0.02)
    X, Y = canvas.x[at] - F(x), canvas.y[at] - F(foot)

    def put(tone, distance):
        canvas.paint(tone, canvas.edge(distance), depth=0.45, subject=True, at=at)

    def box(x0, x1, y0, y1):
        return np.maximum(
            np.abs(X - F((x0 + x1) / 2)) - F((x1 - x0) / 2),
            np.abs(Y - F((y0 + y1) / 2)) - F(abs(y1 - y0) / 2),
        )

    across = np.clip(F(0.55) + F(0.45) * side * X / F(half), 0.05, 1)[..., None]
    face = dim + (lit - dim) * (F(0.45) + F(0.55) * across)
    u = tall
    if dome:
        r = size * 0.27
        cy = -u * 1.32
        drum = box(-r * 0.92, r * 0.92, cy - 0.02, -u * 0.95)
        turned = np.clip(F(0.5) + F(0.55) * side * X / F(r), 0.0, 1)[..., None]
        around = dim + (lit - dim) * turned
        ribs = (F(0.82) + F(0.25) * np.cos(np.arcsin(np.clip(X / F(r), -1, 1)) * 14))[..., None]
        put(stone * around * ribs, drum)
        skin = palette(
            linear(["#6fa08f", "#c9a54a", "#7f8790", "#b9b2a4"][int(rng.integers(4))]), "accent"
        )
        shell = np.maximum(np.hypot(X, (Y - F(cy)) * F(0.82)) - F(r), Y - F(cy))
        up = np.clip((F(cy) - Y) / F(r), 0, 1.3)
        vault = dim + (lit - dim) * np.clip(turned * F(0.75) + F(0.4) * up[..., None], 0, 1.2)
        put(
            skin
            * vault
            * (F(0.92) + F(0.10) * np.cos(X * F(40 / r) / (1.2 - 0.5 * up)))[..., None],
            shell,
        )
        lantern_y = cy - r / 0.82
        put(
            stone * around, box(-0.16 * r, 0.16 * r, lantern_y - 0.20 * r, lantern_y + 0.05 * r)
        )
        put(
            skin * lit,
            np.maximum(
                np.abs(X) - (Y - F(lantern_y - 0.5 * r)) * F(0.5),
                np.maximum(Y - F(lantern_y - 0.18 * r), F(lantern_y - 0.55 * r) - Y),
            ),
        )
        for s in (-1, 1):
            tx = s * half * 0.98
            put(stone * face * F(0.95), box(tx - 0.09 * size, tx + 0.09 * size, -u * 1.5, 0))
            put(
                skin * face,
                np.maximum(
                    np.abs(X - F(tx)) - (Y - F(-u * 2.0)) * F(0.25),
                    np.maximum(Y - F(-u * 1.48), F(-u * 2.0) - Y),
                ),
            )
    put(stone * F(0.16) * (dim + F(0.15) * lit), box(-half, half, -u, 0))
    cell = 2 * half * 0.96 / columns
    k = np.floor((X + F(half * 0.96)) / F(cell))
    fx = X + F(half * 0.96) - (k + F(0.5)) * F(cell)
    swell = F(cell * 0.25) * (1 + F(0.12) * (-Y / F(u)) * -1)
    shaft = np.maximum(np.maximum(np.abs(fx) - swell, -Y - F(u * 0.93)), Y)
    shaft = np.maximum(shaft, np.abs(X) - F(half * 0.96))
    roundness = np.clip(F(0.5) + F(0.62) * side * fx / F(cell * 0.25), 0.02, 1)
    flutes = F(0.9) + F(0.14) * np.cos(fx * F(26 / cell))
    put(stone * (dim + (lit - dim) * (roundness * flutes)[..., None]), shaft)
    caps = np.minimum(np.abs(Y + F(u * 0.91)), np.abs(Y + F(u * 0.03))) - F(u * 0.03)
    caps = np.maximum(np.maximum(caps, np.abs(fx) - F(cell * 0.36)), np.abs(X) - F(half * 0.98))
    put(stone * face * F(1.05), caps)
    door = _opening(X, Y, cell * 0.24, u * 0.6, True)
    put(
        np.array([1.3, 0.8, 0.35], F) * F(0.5 if hour.name in ("dusk", "sunset") else 0.05),
        np.maximum(door, F(cell * 0.02) - np.abs(X)),
    )
    put(stone * face * F(1.1), box(-half * 1.03, half * 1.03, -u * 1.12, -u * 0.93))
    put(stone * face * F(0.6), box(-half * 1.03, half * 1.03, -u * 0.955, -u * 0.93))
    if not dome:
        peak, eave = -u * 1.12 - size * 0.24, -u * 1.10
        gable = np.maximum(
            np.abs(X) * F((eave - peak) / (half * 1.06)) - (Y - F(peak)), Y - F(eave)
        )
        put(stone * face * F(1.12), gable * F(0.9))
        put(stone * face * F(0.55), gable + F(0.035 * size))
        relief = smoothstep(0.55, 0.75, noise(X, Y, 0.09 * size, 5, smooth=True))
        canvas.paint(
            stone * face, canvas.edge(gable + F(0.05 * size)) * relief, subject=True, at=at
        )
    for i in range(4):
        wide = half * (1.04 + 0.05 * i)
        put(
            stone * (face if i % 2 else lit * F(0.5) + dim * F(0.5)),
            box(-wide, wide, 0.012 * i * size - 0.004, 0.012 * (i + 1) * size),
        )


def _facade(canvas, row, rng, hour, palette, stone, x, y, size, ground):
    """A house front seen straight on; the subject is its door or a balcony window."""
    form = rng.random(6)
    lit, dim = _lights(hour)
    arched = form[0] < 0.5
    cell = 0.20 + 0.16 * form[1]
    bays, floors = 14, 10
    foot = min(y + size / 2, canvas.half_height * 0.92) + 0.02
    at = canvas.window(canvas.left, canvas.top, canvas.right, canvas.bottom)
    left = x - (bays / 2) * cell
    wall = palette(mix(stone, oklch(0.75, 0.10, float(rng.random())), 0.45 * form[2]), "build")
    share = 0.55 + 0.3 * hour.light
    _wall(
        canvas,
        at,
        canvas.x - F(left),
        canvas.y - F(foot),
        bays * cell,
        floors * cell * 1.25,
        floors,
        bays,
        wall,
        hour,
        rng,
        arched,
        share,
        0.4,
        False,
    )
    # A slanting shadow of the house opposite divides the front into sun and shade.
    slope = (form[3] - 0.5) * 1.6
    line = canvas.y - F(foot - 0.35 - 0.5 * form[4]) - F(slope) * canvas.x
    shade = smoothstep(0.0, 0.015, -line if form[5] < 0.3 else line)
    canvas.rgb *= (1 - F(0.62 * hour.light) * shade)[..., None] * (
        1 - shade[..., None] * F(0.10) * np.array([1, 0.5, -0.6], F)
    )
    walk = canvas.window(canvas.left, foot, canvas.right, canvas.bottom)
    z = 1 / (canvas.y[walk] - F(foot) + F(0.25))
    slab = F(0.9) + F(0.15) * ((np.floor(canvas.x[walk] * z * F(1.2)) + np.floor(z * 4)) % 2)
    canvas.paint(
        palette(linear("#8f8a84"), "ground") * (dim + (lit - dim) * F(0.45)) * slab[..., None],
        1.0,
        depth=0.3,
        at=walk,
    )
    door = canvas.window(x - 0.6 * size, y - 0.55 * size, x + 0.6 * size, y + 0.55 * size)
    X, Y = canvas.x[door] - F(x), canvas.y[door] - F(y + size / 2)
    accent = palette.accent(rng)
    w, h = 0.27 * size, 0.95 * size

    def put(tone, distance):
        canvas.paint(tone, canvas.edge(distance), depth=0.38, subject=True, at=door)

    light = dim + (lit - dim) * F(0.8)
    put(wall * light * F(1.35) + F(0.02), _opening(X, Y, w * 1.32, h * 1.05, True))
    put(wall * light * F(0.45), _opening(X, Y, w * 1.05, h * 0.96, True))
    put(accent * light * F(0.9), _opening(X, Y, w * 0.97, h * 0.92, True))
    fan = np.mod(np.arctan2(X, -(Y + F(h * 0.92 - w * 0.97))) * F(3.2), 1)
    top = _opening(X, Y, w * 0.85, h * 0.87, True)
    glow = (
        np.array([1.4, 0.85, 0.35], F) * F(0.8)
        if hour.name in ("dusk", "sunset")
        else hour.middle * F(0.4)
    )
    put(
        glow * np.where(fan < 0.15, F(0.3), F(1.0))[..., None], np.maximum(top, Y + F(h * 0.66))
    )
    panel = np.maximum(
        np.abs(np.abs(X) - F(0.46 * w)) - F(0.30 * w),
        np.abs(np.abs(Y + F(0.31 * h)) - F(0.15 * h)) - F(0.11 * h),
    )
    put(accent * light * F(0.55), panel)
    put(accent * light * F(1.1), panel + F(0.02 * size))
    put(
        accent * light * F(0.25),
        np.maximum(np.abs(X) - F(0.02 * w), np.maximum(Y, -Y - F(h * 0.64))),
    )
    put(
        wall * light * F(1.2),
        np.maximum(np.abs(X) - F(w * 1.6), np.abs(Y - F(0.01 * size)) - F(0.022 * size)),
    )
    lamp = np.minimum(
        np.hypot(X - F(1.75 * w), Y + F(0.62 * h)), np.hypot(X + F(1.75 * w), Y + F(0.62 * h))
    )
    put(np.array([1.3, 0.95, 0.5], F), lamp - F(0.05 * size))


def _arcade(canvas, row, rng, hour, palette, stone, x, y, size, ground):
    """A vaulted passage in perspective, light falling in between its columns."""
    form = rng.random(8)
    vx, vy = x * 0.6, canvas.place(0.5, 0.40 + 0.2 * form[0])[1]
    lit, dim = _lights(hour)
    half, eye, spring = 1.1 + 0.5 * form[1], 1.0, 1.3 + 0.6 * form[2]
    X, Y = canvas.x - F(vx), canvas.y - F(vy)
    # Where the ray meets floor, side wall or vault (a half cylinder on the walls).
    floor = F(eye) / np.maximum(Y, F(1e-4))
    wall = F(half) / np.maximum(np.abs(X), F(1e-4))
    a, b = X * X + Y * Y, F(spring) * Y
    root = np.sqrt(np.maximum(b * b - a * (F(spring) ** 2 - F(half) ** 2), 0))
    vault = np.where(Y < 0, (-b + root) / np.maximum(a, F(1e-6)), F(1e4))
    vault = np.where(-vault * Y > spring, vault, F(1e4))
    z = np.minimum(np.minimum(floor, wall), np.maximum(vault, 0.1))
    on_floor, on_wall = (
        (floor <= wall) & (floor <= vault),
        (wall < floor) & (-wall * Y <= spring),
    )
    on_vault = ~on_floor & ~on_wall
    end = 16.0
    z = np.minimum(z, 400)
    height = F(eye) - Y * z
    side = 1 if form[3] < 0.5 else -1
    pitch = F(1.6)
    fz = np.mod(z, pitch) - pitch / 2
    opening = _opening(fz, -(height - F(0.0)), 0.52, eye + spring * 0.72, True)
    sunny = (np.sign(X) == side) & on_wall
    seeds = rng.integers(1 << 30, size=3)
    texture = F(0.85) + F(0.3) * noise(z * 2, height * 2 + X * z, 1.1, seeds[0], smooth=True)
    strength = 0.25 + 0.75 * hour.light
    inside = dim * F(0.42) + lit * F(0.10)
    fade = np.exp(-z * F(0.05))
    colour = stone * inside * texture[..., None]
    bands = smoothstep(0.62, 0.68, np.abs(fz))
    colour = np.where(
        on_vault[..., None], colour * (F(0.8) + F(0.45) * bands)[..., None] * F(1.05), colour
    )
    shadow_side = (np.sign(X) == -side) & on_wall
    # Sun through the openings falls on the floor and up the far wall.
    slant = z * 1.0 - side * X * z * F(0.55)
    beam = _opening(
        np.mod(slant, pitch) - pitch / 2,
        -(height + (side * X * z + F(half)) * F(0.5)),
        0.42,
        eye + spring * 0.7,
        True,
    )
    patch = smoothstep(0.03, -0.03, beam) * (on_floor | shadow_side) * F(strength)
    tiles = F(0.82) + F(0.25) * ((np.floor(X * z * F(1.5)) + np.floor(z * F(1.5))) % 2)
    floor_tone = palette(linear("#b9a88e"), "ground") * inside * F(1.3) * tiles[..., None]
    colour = np.where(on_floor[..., None], floor_tone, colour)
    warm = palette(hour.sun, "accent")
    colour = colour + (stone * warm * F(0.85)) * patch[..., None]
    outside = hour.horizon * F(1.0) + hour.sun * F(0.15)
    green = palette(linear("#7fa04a"), "accent") * lit
    view = mix(
        green,
        outside,
        smoothstep(
            -0.3, 0.5, height - F(1.0) + F(0.5) * noise(z, height, 1.2, seeds[1], smooth=True)
        ),
    )
    cover = np.clip(F(0.5) - opening / (z * F(canvas.px)) * F(0.7), 0, 1) * sunny
    colour = mix(colour, view, cover)
    reveal = smoothstep(0.16, 0.02, np.abs(opening)) * sunny * (1 - cover)
    colour = colour * (1 + F(1.6 * strength) * reveal)[..., None]
    haze = hour.horizon * F(0.9)
    colour = mix(colour, haze, (1 - fade) * F(0.55))
    # The far end: an arch of light.
    exit_ = _opening(X * F(end), (Y * F(end) - F(eye)), half * 0.62, eye + spring * 1.05, True)
    past = z >= end
    colour = np.where(past[..., None], stone * inside * F(0.9), colour)
    colour = mix(
        colour,
        hour.horizon * F(1.2) + hour.sun * F(0.5 * strength),
        np.clip(F(0.5) - exit_ / F(end * canvas.px), 0, 1) * past,
    )
    canvas.paint(colour, 1.0, depth=np.clip(out.distance(np.maximum(z, 1)), 0.05, 1))
    base = y + size / 2
    light = dim * F(0.6) + lit * F(0.35)
    out.person(
        canvas,
        x,
        base,
        size * 0.9,
        palette.accent(rng),
        linear("#23262e"),
        light,
        float(out.distance(1 / max(base - vy, 0.1))),
        subject=True,
    )


def _corner(canvas, row, rng, hour, palette, stone, x, y, size, ground):
    """A house at a street corner: two faces that run to two vanishing points."""
    _square(canvas, hour, palette, ground, rng, stone)
    form = rng.random(6)
    lit_left = hour.sun_x < x
    wall = palette(mix(stone, oklch(0.72, 0.11, float(rng.random())), 0.5 * form[0]), "build")
    foot, top = y + size / 2, y - size / 2
    eye = ground - 0.03
    floors, arched = int(rng.integers(4, 8)), form[1] < 0.4
    for s in (-1, 1):
        span = size * (0.50 + 0.3 * form[2 + (s > 0)])
        recede = 0.55 + 0.5 * form[4]
        x0, x1 = sorted((x, x + s * span))
        at = canvas.window(x0, min(top, eye) - 0.02, x1, max(foot, eye) + 0.02)
        X, Y = canvas.x[at], canvas.y[at]
        if X.size == 0:
            continue
        t = (X - F(x)) * F(s / size)
        far = 1 / (1 - np.minimum(t * F(recede * 0.62), 0.85))
        u = t * far * F(size)  # along the wall
        v = (Y - F(eye)) * far + F(eye) - F(foot)
        width = span * float(1 / (1 - min(span / size * recede * 0.62, 0.85)))
        share = 0.95 if (s < 0) == lit_left else 0.12
        _wall(
            canvas,
            at,
            u,
            v,
            width,
            size,
            floors,
            max(3, round(width / size * floors * 0.9)),
            wall,
            hour,
            rng,
            arched,
            share * (0.4 + 0.6 * hour.light) + 0.2,
            0.42,
            True,
        )
        cornice = np.abs(v + F(size)) - F(0.02 * size)
        inside = canvas.edge(np.abs(X - F((x0 + x1) / 2)) - F((x1 - x0) / 2))
        lit, dim = _lights(hour)
        canvas.paint(
            wall * (dim + (lit - dim) * F(share)) * F(1.25),
            canvas.edge(cornice) * inside,
            depth=0.42,
            subject=True,
            at=at,
        )
        shop = np.maximum(v + F(0), -v - F(0.75 * size / floors))
        tone = (
            palette.accent(np.random.default_rng(3)) * (dim + (lit - dim) * F(share)) * F(0.8)
        )
        awning = np.abs(v + F(0.85 * size / floors)) - F(0.09 * size / floors)
        canvas.paint(tone, canvas.edge(awning) * inside, subject=True, at=at)
        canvas.rgb[at] *= (1 - F(0.25) * canvas.edge(shop) * inside)[..., None]


def _glass(canvas, row, rng, hour, palette, stone, x, y, size, ground):
    """A modern tower of glass seen from below, its lines running together."""
    out.sky(canvas, hour, palette, canvas.bottom + 0.15, rng)
    lit, dim = _lights(hour)
    form, seeds = rng.random(6), rng.integers(1 << 30, size=2)
    vy = y - size * (1.1 + 0.8 * form[0])  # all verticals meet here, above
    side = 1 if hour.sun_x > x else -1
    others = [
        (x + s * (0.75 + 0.5 * form[1]), 0.26, 0.5 + 0.4 * form[2], False) for s in (-1, 1)
    ]
    for cx, half, rise, subject in [*others, (x, 0.30 * size + 0.06, 1.0, True)]:
        roof = y - size / 2 + (1 - rise) * 0.8 * size
        at = canvas.window(canvas.left, roof, canvas.right, canvas.bottom)
        X, Y = canvas.x[at], canvas.y[at]
        far = np.maximum(Y - F(vy), F(0.05)) / F(canvas.bottom - vy)
        u = (X - F(x)) / far - F((cx - x) * (1.0 if subject else 1.5))
        half_ = half * (1.0 if not subject else 1.15)
        v = np.log(far) * F(2.2)
        cover = canvas.edge((np.abs(u) - F(half_)) * far) * canvas.edge(
            F(roof) - Y + F(0.10) * u * side
        )
        face = u * side > F(-0.15 * half_)
        mirror = noise(u * F(1.2) + v, v * F(1.4), 1.0, seeds[0], smooth=True)
        shine = mix(
            hour.zenith * F(0.55),
            hour.horizon * F(0.9) + hour.sun * F(0.12),
            smoothstep(0.35, 0.75, mirror),
        )
        tone = np.where(face[..., None], shine * F(1.15), shine * F(0.42))
        tone = palette(tone, "build")
        lines = np.minimum(
            np.abs(np.mod(u * F(11 / half_ * 0.30) * 2, 1) - F(0.5)),
            np.abs(np.mod(v * F(9), 1) - F(0.5)),
        )
        frame = smoothstep(0.10, 0.04, lines)
        tone = mix(
            tone, stone * (dim + (lit - dim) * face[..., None]) * F(0.7), frame * F(0.85)
        )
        if not subject:
            tone = mix(tone, hour.horizon * F(0.8), 0.35)
        canvas.paint(tone, cover, depth=0.4 if subject else 0.7, subject=subject, at=at)


def _spiral(canvas, row, rng, hour, palette, stone, x, y, size, ground):
    """A winding staircase seen from above; the subject is its eye."""
    form = rng.random(5)
    spin = 1 if form[0] < 0.5 else -1
    X, Y = canvas.x - F(x), (canvas.y - F(y)) * F(1.0 + 0.25 * form[1])
    r = np.hypot(X, Y) + F(1e-4)
    angle = np.arctan2(Y, X) * F(spin)
    eye = size * 0.26
    turn = np.log(r / F(eye)) / F(0.62) - angle / F(2 * np.pi)
    band = np.mod(turn, 1)
    light, dim = _lights(hour)
    warm = palette(hour.sun / (hour.sun @ out.LUMA), "accent")
    deep = np.clip(1 - np.exp(-r * F(1.6)), 0, 1)
    steps = np.mod(angle * F(24 / (2 * np.pi)), 1)
    tread = stone * (F(0.35) + F(0.75) * steps)[..., None]
    wood = palette(linear("#5a2f1c"), "build")
    rail = smoothstep(0.10, 0.07, np.abs(band - F(0.90)))
    wall = smoothstep(0.55, 0.60, band) * (1 - rail)
    side = F(0.55) + F(0.45) * np.cos(angle * spin - F(6.28 * form[2]))
    bright = (F(0.12) + F(0.75) * deep) * (F(0.45) + F(0.75) * side * F(0.3 + 0.7 * hour.light))
    colour = mix(tread, mix(stone, palette(linear("#e9dcc4"), "ground"), 0.5) * F(0.75), wall)
    colour = colour * (F(0.72) + F(0.4) * smoothstep(0.0, 0.3, band))[..., None]
    bars = (
        smoothstep(0.30, 0.15, np.abs(np.mod(angle * F(60 / (2 * np.pi)), 1) - F(0.5)))
        * smoothstep(0.66, 0.68, band)
        * smoothstep(0.84, 0.82, band)
    )
    colour = mix(colour, linear("#1c1a1a"), bars * F(0.7))
    colour = mix(colour, wood, rail)
    colour = colour * bright[..., None] * mix(np.ones(3, F), warm, 0.35 * hour.light)
    heart = canvas.edge(r - F(eye))
    floor = palette(mix(linear("#d9b25a"), hour.horizon, 0.3), "accent") * F(
        0.30 + 0.5 * hour.light
    )
    star = F(0.75) + F(0.35) * (np.cos(angle * 8) > 0)
    inner = np.where((r < 0.55 * eye)[..., None], floor * F(1.1), floor * star[..., None])
    colour = mix(colour, inner, heart)
    canvas.paint(colour, 1.0, depth=np.clip(0.9 - 0.5 * deep, 0, 1))
    np.maximum(canvas.mask, canvas.edge(r - F(size * 0.5)), out=canvas.mask)
