"""Cities at night: skylines over water, wet streets with trails of light."""

from __future__ import annotations

import numpy as np

from apmlib.simulated.canvas import Canvas, F, linear, mix, noise, oklch, smoothstep
from apmlib.simulated.scenes import outdoors as out
from apmlib.simulated.scenes.landscape import moon

SODIUM, COLD, NEON = "#ffb35c", "#cfe2ff", "#ff4fa3"


def draw(canvas: Canvas, row: dict, rng: np.random.Generator) -> None:
    """Paint a city at night: see `scenes.draw`."""
    _, hy = canvas.place(0.5, row["horizon"])
    names = ["night", "night", "dusk", "dusk", "ember", "teal"]
    hour = out.hour(canvas, row, rng, names, hy)
    palette = out.Palette(rng, row["harmony"])
    light = float(row["light"])
    canvas.key = 0.045 + 0.02 * (hour.name != "night")
    street = rng.random() < 0.5
    sky_rng = np.random.default_rng(int(rng.integers(1 << 30)))
    dark = F(0.35 if hour.name == "night" else 0.22)
    out.sky(canvas, hour, palette, hy, sky_rng, cover=0.5)
    top = canvas.window(canvas.left, canvas.top, canvas.right, hy + 0.02)
    canvas.rgb[top] *= dark
    glow = linear("#ff9c4a" if rng.random() < 0.6 else "#8a6cff")
    fall = np.exp(-np.maximum(F(hy) - canvas.ys[top[0]], 0) * F(4.5))
    canvas.glow(
        palette(glow, "sky") * F(0.10 + 0.12 * light),
        np.repeat(fall[:, None], len(canvas.xs), 1),
        at=top,
    )
    (_street if street else _skyline)(canvas, row, rng, hour, palette, hy)
    out.clutter(canvas, row, rng, _lamplit(hour), palette, hy)


def _lamplit(hour: out.Hour) -> out.Hour:
    """The light that falls on what is near, from street lamps."""
    return out.Hour(
        hour.name,
        hour.zenith,
        hour.middle,
        hour.horizon,
        sun=np.array([0.35, 0.26, 0.16], F),
        shade=np.array([0.06, 0.06, 0.09], F),
        sun_x=hour.sun_x,
        sun_y=hour.sun_y,
        light=hour.light,
    )


def _lamps(rng, palette, light, count=64):
    """Colours of lit windows (count, 3): warm, some cold; dull light makes them all grey."""
    warm = linear(SODIUM) * np.exp(rng.normal(0, 0.25, (count, 1)))
    cold = linear(COLD) * np.exp(rng.normal(0, 0.25, (count, 1)))
    neon = np.stack([oklch(0.75, 0.2, h) for h in rng.random(count)])
    pick = rng.random((count, 1))
    colours = np.where(pick < 0.68, warm, np.where(pick < 0.92, cold, neon))
    grey = (colours @ out.LUMA)[:, None] * np.array([0.9, 0.95, 1.0])
    colours = colours + (grey - colours) * max(0.0, 0.6 - light)
    return palette(colours.astype(F), "accent")


def _windows(u, v, table, lamps, px, dark):
    """Lit windows on a wall: u, v count windows; table (64, 64) random, dark share unlit."""
    i, j = np.floor(u).astype(np.int32), np.floor(v).astype(np.int32)
    chance = table[j & 63, i & 63]
    fu, fv = u - i, v - j
    pane = np.clip((F(0.36) - np.abs(fu - F(0.5))) / F(px) + F(0.5), 0, 1)
    pane = pane * np.clip((F(0.30) - np.abs(fv - F(0.5))) / F(px) + F(0.5), 0, 1)
    dark = np.asarray(dark, F)
    lit = np.sqrt(np.clip((chance - dark) / (F(1.001) - dark), 0, 1))
    colour = lamps[(chance * F(9973)).astype(np.int32) & 63]
    return colour * (pane * lit)[..., None]


def _block(canvas, rng, edges, tops, foot, lamps, wall, haze, depth, gain):
    """A row of towers side by side, painted together: edges (n + 1,), tops (n,) in scene y."""
    n = len(tops)
    table, dark = rng.random((64, 64)).astype(F), rng.uniform(0.35, 0.75, n).astype(F)
    pitch = rng.uniform(0.014, 0.024, n).astype(F)
    steps, crowns, aerials, tones = rng.random((4, n))
    at = canvas.window(canvas.left, float(tops.min()) - 0.05, canvas.right, foot)
    y = canvas.y[at]
    if y.size == 0:
        return
    xs = canvas.xs
    k = np.clip(np.searchsorted(edges, xs) - 1, 0, n - 1)
    width = np.diff(edges)[k]
    inside = (xs - edges[k]) / width
    shoulder = (steps[k] < 0.4) & (np.abs(inside - 0.5) > 0.3)
    top = (tops[k] + np.where(shoulder, 0.25 * width, 0)).astype(F)[None, :]
    u = ((xs - edges[k]) / pitch[k]).astype(F)[None, :] + (7 * k)[None, :]
    v = (y - tops[k].astype(F)) / (pitch[k] * F(1.15)) + F(0.35)
    panes = _windows(u, v, table, lamps, canvas.px / 0.019, dark[k][None, :])
    gap = (np.abs(inside - 0.5) < 0.48).astype(F)
    shade = ((0.75 + 0.5 * inside) * (0.8 + 0.4 * tones[k])).astype(F)
    base = wall * shade[None, :, None]
    colour = mix(base + panes * (F(gain) * gap)[None, :, None], haze, 0.35 * depth)
    crown = (np.abs(y - top - F(0.006)) < 0.004) & (crowns[k] < 0.3) & (gap > 0)
    colour = colour + crown[..., None] * (lamps[(k * 5) & 63] * F(gain))
    canvas.paint(colour, canvas.edge(top - y), depth=depth, at=at)
    for i in np.flatnonzero(aerials < 0.35):
        middle, high = 0.5 * (edges[i] + edges[i + 1]), tops[i] - 0.06 - 0.1 * tones[i]
        mast = canvas.window(middle - 0.004, high, middle + 0.004, tops[i])
        canvas.paint(wall * F(0.8), 0.7, depth=depth, at=mast)
        lamp(canvas, middle, high, 0.006, linear("#ff2a1a") * F(2 * gain))


def lamp(canvas, x, y, r, colour, halo=0.35):
    """A point of light with its halo."""
    at = canvas.window(x - 7 * r, y - 7 * r, x + 7 * r, y + 7 * r)
    if canvas.rgb[at].size == 0:
        return
    away = np.hypot(canvas.x[at] - F(x), canvas.y[at] - F(y))
    core = canvas.edge(away - F(r))
    fall = np.clip(1 - away / F(7 * r), 0, 1) ** 3
    canvas.glow(colour, core + F(halo) * fall, at=at)


def _skyline(canvas, row, rng, hour, palette, hy):
    light = float(row["light"])
    lamps = _lamps(rng, palette, light)
    gain = 0.55 + 0.5 * light
    seeds = rng.integers(1 << 30, size=4)
    x, y = canvas.place(row["subject_x"], row["subject_y"])
    size = float(row["subject_size"])
    base = y + size / 2
    haze = hour.horizon * F(0.16) + linear(SODIUM) * F(0.03)
    reach, centre = 1.35 * max(canvas.half_width, 0.7), rng.uniform(-0.5, 0.5)
    shore = max(hy + 0.015, min(base, hy + 0.05))
    for layer in range(3):
        n = 17 - 2 * layer
        wall = palette(mix(hour.zenith * F(0.25), hour.shade * F(0.2), 0.5), "build")
        wall = wall * F(0.75 - 0.2 * layer) + haze * F(0.4 - 0.15 * layer)
        edges = np.sort(np.linspace(-reach, reach, n + 1) + rng.normal(0, 0.035, n + 1))
        edges = np.maximum.accumulate(edges + np.arange(n + 1) * 1e-3)
        hill = np.exp(-((edges[:-1] - centre) ** 2) / 0.35)
        tall = (0.04 + rng.gamma(2.0, 0.045, n) + 0.22 * hill * rng.random(n)) * (
            1.3 - 0.3 * layer
        )
        if layer:
            tall[rng.random(n) < 0.25] = 0.0
        _block(
            canvas,
            rng,
            edges,
            hy - tall,
            shore,
            lamps,
            wall,
            haze,
            0.8 - 0.15 * layer,
            gain * (0.55 + 0.2 * layer),
        )
    # The quay, with its lamps.
    at = canvas.window(canvas.left, hy - 0.01, canvas.right, shore + 0.02)
    canvas.paint(
        hour.shade * F(0.06),
        canvas.edge(np.abs(canvas.y[at] - F((hy + shore) / 2)) - F((shore - hy) / 2)),
        depth=0.5,
        at=at,
    )
    for t in np.linspace(-reach, reach, 22) + rng.normal(0, 0.015, 22):
        lamp(canvas, t, shore - 0.014, 0.0045, linear(SODIUM) * F(1.5 * gain), 0.25)
    kind, inner = rng.random(), int(rng.integers(1 << 30))
    landmark = size * 1.0
    near = base > shore + 0.12
    if not near:
        _landmark(
            canvas,
            x,
            base if base > hy - 0.02 else hy + 0.01,
            landmark + max(0.0, hy - base),
            kind,
            hour,
            palette,
            lamps,
            gain,
            np.random.default_rng(inner),
        )
    water = canvas.window(canvas.left, shore, canvas.right, canvas.bottom)
    tint = palette(hour.zenith * F(0.03) + hour.shade * F(0.02), "water")
    out.reflect(
        canvas,
        np.ones_like(canvas.x[water]),
        shore,
        0.35 + 0.6 * rng.random(),
        int(seeds[0]),
        tint,
        water,
    )
    canvas.mask[water] = 0
    bridge = rng.random()
    if bridge < 0.3:
        _bridge(canvas, rng, shore, hour, lamps, gain)
    if near:
        _afloat(
            canvas,
            x,
            base,
            size,
            kind,
            hour,
            palette,
            lamps,
            gain,
            np.random.default_rng(inner),
        )


def _landmark(canvas, x, base, size, kind, hour, palette, lamps, gain, rng):
    top, u = base - size, size
    stone = linear("#e3b878") * F(0.30 * gain)
    board, accent = canvas.stencil(), oklch(0.72, 0.2, float(rng.random()))
    accent = palette(accent, "accent")
    if kind < 0.28:  # a wheel
        r = 0.42 * u
        cy = base - 0.5 * u
        t = np.linspace(0, 2 * np.pi, 60)
        rim = np.stack([x + r * np.cos(t), cy + r * np.sin(t)], 1)
        board.line(rim, 0.03 * u)
        for k in range(12):
            a = k * np.pi / 6
            board.line([(x, cy), (x + r * np.cos(a), cy + r * np.sin(a))], 0.008 * u)
        legs = canvas.stencil()
        legs.line([(x, cy), (x - 0.22 * u, base)], 0.025 * u)
        legs.line([(x, cy), (x + 0.22 * u, base)], 0.025 * u)
        canvas.paint(
            linear("#cfd6e6") * F(0.25 * gain), legs.coverage(), depth=0.45, subject=True
        )
        canvas.paint(accent * F(1.3 * gain), board.coverage(), depth=0.45, subject=True)
        for k in range(24):
            a = k * np.pi / 12
            lamp(
                canvas,
                x + r * np.cos(a),
                cy + r * np.sin(a),
                0.011 * u,
                accent * F(1.6 * gain) + F(0.2),
                0.4,
            )
        at = canvas.window(x - r, cy - r, x + r, cy + r)
        inside = canvas.edge(np.hypot(canvas.x[at] - F(x), canvas.y[at] - F(cy)) - F(r))
        np.maximum(canvas.mask[at], inside, out=canvas.mask[at])
        return
    if kind < 0.5:  # a lattice tower
        for s in (-1, 1):
            curve = [
                (x + s * u * (0.22 * (1 - t) ** 2.2 + 0.012), base - u * t)
                for t in np.linspace(0, 1, 20)
            ]
            board.line(curve, 0.035 * u)
        for t in (0.12, 0.27, 0.45, 0.6):
            w = 0.22 * (1 - t) ** 2.2 + 0.02
            board.line([(x - w * u, base - t * u), (x + w * u, base - t * u)], 0.03 * u)
        for t in np.linspace(0.05, 0.9, 12):
            w, v = 0.22 * (1 - t) ** 2.2, 0.22 * (1 - t - 0.07) ** 2.2
            board.line(
                [(x - w * u, base - t * u), (x + v * u, base - (t + 0.07) * u)], 0.014 * u
            )
            board.line(
                [(x + w * u, base - t * u), (x - v * u, base - (t + 0.07) * u)], 0.014 * u
            )
        canvas.paint(
            linear("#ffbe55") * F(1.0 * gain), board.coverage(), depth=0.45, subject=True
        )
        lamp(canvas, x, top, 0.014 * u, linear("#fff2d0") * F(2 * gain))
        return
    if kind < 0.75:  # a clock tower
        w = 0.10 * u
        at = canvas.window(x - w * 1.5, top, x + w * 1.5, base)
        X, Y = canvas.x[at], canvas.y[at]
        body = np.maximum(np.abs(X - F(x)) - F(w), F(base - 0.80 * u) - Y)
        roof = np.abs(X - F(x)) - F(w * 1.15) * np.clip((Y - F(top)) / F(0.22 * u), 0, 1)
        roof = np.maximum(roof, Y - F(base - 0.78 * u))
        ribs = F(0.6) + F(0.4) * (np.abs(np.mod((X - F(x)) / F(w) * F(2.5), 1) - F(0.5)) > 0.2)
        up = F(0.7) + F(0.6) * (F(base) - Y) / F(u)
        canvas.paint(
            stone * F(1.3) * (ribs * up)[..., None],
            canvas.edge(body),
            depth=0.45,
            subject=True,
            at=at,
        )
        canvas.paint(
            linear("#3e6f63") * F(0.25 * gain),
            canvas.edge(roof),
            depth=0.45,
            subject=True,
            at=at,
        )
        face = np.hypot(X - F(x), Y - F(base - 0.68 * u)) - F(0.75 * w)
        canvas.paint(
            linear("#fff3cf") * F(1.3 * gain),
            canvas.edge(face),
            depth=0.45,
            subject=True,
            at=at,
        )
        return
    # a lit skyscraper with a spire
    w = 0.15 * u
    wall = accent * F(0.10 * gain)
    for k, (half, height) in enumerate(((1.0, 0.62), (0.72, 0.76), (0.42, 0.86))):
        _slab(
            canvas, rng, x, w * half, base - height * u, base, wall * (1 + k), lamps, gain * 1.2
        )
    board.polygon([(x - 0.03 * u, base - 0.86 * u), (x + 0.03 * u, base - 0.86 * u), (x, top)])
    canvas.paint(accent * F(0.9 * gain), board.coverage(), depth=0.45, subject=True)
    lamp(canvas, x, top, 0.010 * u, linear("#ff4030") * F(2 * gain))


def _slab(canvas, rng, x, half, top, foot, wall, lamps, gain):
    table, pitch = rng.random((64, 64)).astype(F), max(half / 4, 0.010)
    at = canvas.window(x - half, top, x + half, foot)
    X, Y = canvas.x[at], canvas.y[at]
    cover = canvas.edge(np.maximum(np.abs(X - F(x)) - F(half), F(top) - Y))
    panes = _windows(
        (X - F(x - half)) / F(pitch),
        (Y - F(top)) / F(pitch),
        table,
        lamps,
        canvas.px / pitch,
        0.2,
    )
    canvas.paint(wall + panes * F(gain), cover, depth=0.45, subject=True, at=at)
    crown = canvas.edge(np.abs(Y - F(top)) - F(0.006)) * (np.abs(X - F(x)) < F(half))
    canvas.glow(lamps[3] * F(gain), crown, at=at)


def _bridge(canvas, rng, shore, hour, lamps, gain):
    deck = shore - 0.035
    span, start = rng.uniform(0.7, 1.1), rng.uniform(-0.5, 0.5)
    board, piers = canvas.stencil(), canvas.stencil()
    board.line([(canvas.left, deck), (canvas.right, deck)], 0.012)
    for k in range(-2, 3):
        px = start + k * span
        piers.line([(px, deck - 0.17), (px, shore + 0.03)], 0.018)
        t = np.linspace(0, 1, 24)
        cable = deck - 0.16 + 0.14 * (1 - (2 * t - 1) ** 2)
        board.line(np.stack([px + span * t, cable], 1), 0.006)
        for a, b in zip(px + span * t[2:-2:2], cable[2:-2:2], strict=True):
            board.line([(a, b), (a, deck)], 0.003)
    canvas.paint(linear("#9fb4d8") * F(0.22 * gain), piers.coverage(), depth=0.4)
    canvas.paint(linear("#ffd9a0") * F(0.45 * gain), board.coverage(), depth=0.4)


def _afloat(canvas, x, base, size, kind, hour, palette, lamps, gain, rng):
    """A lit boat on the water in front of the city."""
    depth = 0.3
    hull, cabin = canvas.stencil(), canvas.stencil()
    hull.polygon(
        [
            (x - 0.5 * size, base - 0.2 * size),
            (x + 0.55 * size, base - 0.24 * size),
            (x + 0.42 * size, base),
            (x - 0.42 * size, base),
        ]
    )
    cabin.polygon(
        [
            (x - 0.36 * size, base - 0.2 * size),
            (x - 0.33 * size, base - 0.42 * size),
            (x + 0.25 * size, base - 0.42 * size),
            (x + 0.33 * size, base - 0.2 * size),
        ]
    )
    canvas.paint(
        linear("#c9d2e2") * F(0.25 * gain), cabin.coverage(), depth=depth, subject=True
    )
    canvas.paint(
        palette(linear("#8c1f24"), "accent") * F(0.35 * gain),
        hull.coverage(),
        depth=depth,
        subject=True,
    )
    glass = canvas.stencil()
    for t in np.linspace(-0.3, 0.2, 5):
        glass.polygon(
            [
                (x + t * size, base - 0.38 * size),
                (x + (t + 0.07) * size, base - 0.38 * size),
                (x + (t + 0.07) * size, base - 0.27 * size),
                (x + t * size, base - 0.27 * size),
            ]
        )
    canvas.paint(linear(SODIUM) * F(1.6 * gain), glass.coverage(), depth=depth, subject=True)
    mast = canvas.stencil()
    mast.line([(x, base - 0.4 * size), (x, base - 0.98 * size)], 0.02 * size)
    mast.line([(x, base - 0.95 * size), (x - 0.48 * size, base - 0.2 * size)], 0.006)
    mast.line([(x, base - 0.95 * size), (x + 0.5 * size, base - 0.24 * size)], 0.006)
    canvas.paint(linear("#d8c8a8") * F(0.4 * gain), mast.coverage(), depth=depth, subject=True)
    for t in np.linspace(0.1, 0.9, 6):
        for s in (-1, 1):
            lamp(
                canvas,
                x + s * 0.49 * size * t,
                base - size * (0.95 - 0.73 * t),
                0.008 * size,
                linear("#ffe2a8") * F(1.8 * gain),
            )
    out.echo(canvas, x, base, size, 0.5, 11)
    at = canvas.window(x - 0.6 * size, base, x + 0.6 * size, base + 0.5 * size)
    down = (canvas.y[at] - F(base)) / F(0.5 * size)
    streak = noise(canvas.x[at] * 3, canvas.y[at] * 9, 0.4, 7, smooth=True)
    fall = np.clip(1 - down, 0, 1) * canvas.edge(
        np.abs(canvas.x[at] - F(x)) - F(0.35 * size), 0.1
    )
    canvas.glow(linear(SODIUM) * F(0.5 * gain), fall * smoothstep(0.4, 0.8, streak), at=at)


def _street(canvas, row, rng, hour, palette, hy):
    light = float(row["light"])
    lamps, gain = _lamps(rng, palette, light), 0.5 + 0.6 * light
    form, seeds = rng.random(10), rng.integers(1 << 30, size=4)
    table = rng.random((64, 64)).astype(F)
    roofs = rng.uniform(2.5, 9.0, (2, 64)).astype(F)
    tones = np.stack([oklch(0.5, 0.05, h) for h in rng.random(64)]).astype(F)
    vx = (form[0] - 0.5) * 0.5
    half, eye = 1.5 + 0.9 * form[1], 1.0

    x, y = canvas.x - F(vx), canvas.y - F(hy)
    z = F(half) / np.maximum(np.abs(x), F(0.004))
    block = np.minimum(np.floor(np.log2(z) * F(3.4) + F(20)), 63).astype(np.int32)
    side = (x > 0).astype(np.int32)
    roof = roofs[side, block & 63]
    ground = F(eye) / np.maximum(y, F(1e-4))
    up = np.where(y < 0, F(eye) - y * z, y * z - F(eye))  # height on the wall, or mirrored
    is_road = (y > 0) & (ground < z)
    far = np.clip(z * F(0.018), 0, 1)
    wall = tones[(block * 7 + side * 29) & 63] * F(0.05)
    panes = _windows(z * F(1.6), up * F(1.7), table, lamps, 0.25, 0.35 + 0.3 * form[2])
    fade = np.clip(2.2 - z * F(0.12), 0.12, 1)
    shop = smoothstep(1.15, 0.9, up) * smoothstep(0.05, 0.2, up)
    fronts = (
        lamps[(block * 13 + side * 31) & 63]
        * (shop * (F(0.5) + F(0.5) * (np.mod(z * F(0.8), 1) < 0.8)))[..., None]
    )
    washed = wall * (F(0.5) + F(2.2) * np.exp(-up * F(0.55)))[..., None] * linear(SODIUM) * F(6)
    colour = (
        washed * F(gain) + panes * (fade * F(0.9 * gain))[..., None] + fronts * F(0.9 * gain)
    )
    haze = palette(linear("#c98a58"), "far") * F(0.10 + 0.10 * light)
    colour = mix(colour, haze, np.clip(far, 0, 0.85))
    standing = np.clip((roof - up) * F(6), 0, 1) * ~((y < 0) & (z > 60))
    canvas.paint(colour, np.where(y < 0, standing, 0), depth=np.clip(out.distance(z), 0.1, 1))

    # The road: dark, wet, the walls mirrored and drawn out towards the eye.
    rows = canvas.window(canvas.left, hy, canvas.right, canvas.bottom)
    X, Z = (x * np.minimum(ground, 400))[rows], np.minimum(ground, 400)[rows]
    wave = noise(X, Z * F(0.35), 0.9, seeds[0], smooth=True) - F(0.5)
    rough = noise(X, Z, 0.5, seeds[1], "grain")
    wet = (
        smoothstep(0.25, 0.75, noise(X, Z, 2.5, seeds[2], smooth=True))
        if form[3] < 0.75
        else np.zeros_like(X)
    )
    columns = np.arange(len(canvas.xs))[None, :] + np.rint(
        wave * F(0.03) / F(canvas.px)
    ).astype(np.int32)
    columns = np.clip(columns, 0, len(canvas.xs) - 1)
    mirrored = np.where((standing > 0.5)[..., None], colour, canvas.key * F(0.5))[rows]
    stretch = np.rint(
        np.arange(mirrored.shape[0])[:, None]
        + wave * F(0.25) * (y[rows] + F(0.03)) / F(canvas.px)
    ).astype(np.int32)
    mirrored = mirrored[np.clip(stretch, 0, mirrored.shape[0] - 1), columns]
    asphalt = (linear("#3b3a40") * F(0.16) + linear(SODIUM) * F(0.03 * gain)) * (
        F(0.6) + F(0.5) * rough
    )[..., None]
    walk = np.abs(X) > F(half * 0.68)
    asphalt = np.where(walk[..., None], asphalt * F(1.5), asphalt)
    colour = asphalt + mirrored * (F(0.10) + F(0.75) * wet)[..., None]
    stripe = (np.abs(X) < 0.05) & (np.mod(Z, 2.2) < 1.2)
    colour = np.where(stripe[..., None], colour + F(0.06 * gain), colour)
    canvas.paint(
        colour, np.where(is_road[rows], 1.0, 0.0), depth=out.distance(np.maximum(Z, 1)), at=rows
    )
    stand = (~is_road & (y > 0))[rows]
    low = np.where(y > 0, F(eye) - y * z, 0)
    shop = smoothstep(1.2, 0.9, low) * smoothstep(0.0, 0.15, low)
    fronts = (
        lamps[(block * 13 + side * 31) & 63] * (shop * (np.mod(z * F(0.8), 1) < 0.8))[..., None]
    )
    base = washed * F(0.5 * gain) + fronts * F(0.9 * gain)
    canvas.paint(
        base[rows], stand.astype(F), depth=np.clip(out.distance(z), 0.1, 1)[rows], at=rows
    )

    _street_lamps(canvas, vx, hy, half, eye, palette, gain, form)
    if form[4] < 0.6:
        _trails(canvas, rng, vx, hy, half, eye, gain)
    else:
        for k in range(7):
            lane = (-1 if k % 2 else 1) * half * 0.3
            cz = 3.0 * 1.6**k * (0.8 + 0.4 * form[5])
            for s in (-0.16, 0.16):
                px, py = vx + (lane + s) / cz, hy + (eye - 0.35) / cz
                tone = linear("#ff2a1a") if k % 2 else linear("#fff4dd")
                lamp(canvas, px, py, max(0.04 / cz, 0.002), tone * F(2.5 * gain))
                lamp(canvas, px, hy + (eye + 0.35) / cz, 0.03 / cz, tone * F(0.6 * gain))
    _passer(canvas, row, rng, hour, palette, hy, lamps, gain)
    if form[6] < 0.3:
        _bokeh(canvas, rng, lamps, gain)


def _street_lamps(canvas, vx, hy, half, eye, palette, gain, form):
    board = canvas.stencil()
    tone = palette(linear(SODIUM if form[7] < 0.7 else COLD), "accent")
    heads = []
    for k in range(7):
        z = 1.7 * 1.5**k
        for s in (-1, 1):
            px, foot, top = vx + s * half * 0.72 / z, hy + eye / z, hy + (eye - 2.6) / z
            board.line([(px, foot), (px, top), (px - s * 0.35 / z, top - 0.05 / z)], 0.05 / z)
            heads.append((px - s * 0.35 / z, top, z))
    canvas.paint(linear("#23242a") * F(0.2), board.coverage(), depth=0.5)
    for px, py, z in heads:
        lamp(canvas, px, py, max(0.06 / z, 0.003), tone * F(2.6 * gain), 0.5)


def _trails(canvas, rng, vx, hy, half, eye, gain):
    """The paths of head and tail lights in a long exposure."""
    for side, colour in ((-1, "#fff0d8"), (1, "#ff2412")):
        board, mirror = canvas.stencil(), canvas.stencil()
        for _ in range(7):
            lane, height = side * half * rng.uniform(0.1, 0.55), rng.uniform(0.25, 0.55)
            far = rng.uniform(15, 60)
            zs = np.geomspace(0.8, far, 12)
            for a, b in zip(zs[:-1], zs[1:], strict=True):
                for target, h in ((board, eye - height), (mirror, eye + height)):
                    target.line(
                        [(vx + lane / a, hy + h / a), (vx + lane / b, hy + h / b)], 0.035 / a
                    )
        canvas.glow(linear(colour) * F(1.6 * gain), board.coverage())
        canvas.glow(linear(colour) * F(0.25 * gain), mirror.coverage())


def _passer(canvas, row, rng, hour, palette, hy, lamps, gain):
    """The subject of a street: someone under an umbrella, a taxi, a sign, the moon above."""
    x, y = canvas.place(row["subject_x"], row["subject_y"])
    size = float(row["subject_size"])
    base, pick, accent = y + size / 2, rng.random(), palette.accent(rng)
    inner = np.random.default_rng(int(rng.integers(1 << 30)))
    lit = np.array([0.55, 0.42, 0.27], F) * F(gain)
    depth = float(out.distance(1 / max(base - hy, 0.05)))
    if base < hy + 0.06:
        if pick < 0.35:
            moon(canvas, x, y, size, hour, inner)
            return
        sign(canvas, x, y, size, accent, gain, inner)
        return
    if pick < 0.6:
        glow = canvas.window(x - size, base - 0.1 * size, x + size, base + 0.5 * size)
        down = np.abs(canvas.y[glow] - F(base)) / F(0.3 * size) + np.abs(
            canvas.x[glow] - F(x)
        ) / F(0.3 * size)
        canvas.rgb[glow] *= (1 - F(0.6) * np.clip(1 - down, 0, 1))[..., None]
        out.person(
            canvas,
            x,
            base,
            size * 0.9,
            linear("#2a2430"),
            linear("#14161c"),
            lit * F(1.4),
            depth,
            subject=True,
        )
        top, r = base - size * 0.80, 0.30 * size
        at = canvas.window(x - 1.2 * r, top - 1.0 * r, x + 1.2 * r, top + 0.3 * r)
        dx, dy = canvas.x[at] - F(x), canvas.y[at] - F(top)
        dome = np.maximum(
            np.hypot(dx, dy * F(1.3)) - F(r), dy - F(0.05 * r) * np.cos(dx * F(14 / r))
        )
        ribs = (
            F(0.75) + F(0.35) * np.cos(np.arcsin(np.clip(dx / F(r), -1, 1)) * 6) - dy / F(3 * r)
        )
        canvas.paint(
            accent * F(0.75 * gain) * ribs[..., None],
            canvas.edge(dome),
            depth=depth,
            subject=True,
            at=at,
        )
        return
    _car(canvas, x, base, size * 0.9, linear("#f5b400") if pick < 0.85 else accent, gain, depth)


def _car(canvas, x, base, size, paint, gain, depth):
    """A taxi from behind."""
    w, h = size * 0.5, size * 0.75
    lit = np.array([0.5, 0.42, 0.3], F) * F(gain)

    box = canvas.window(x - 1.1 * w, base - 1.2 * h, x + 1.1 * w, base + 0.02)

    def put(tone, *polygons):
        board = canvas.stencil(box)
        for polygon in polygons:
            board.polygon([(x + px * w, base - py * h) for px, py in polygon])
        canvas.paint(tone, board.coverage(), depth=depth, subject=True, at=box)

    put(
        linear("#050506"),
        [(-0.85, 0), (-0.55, 0), (-0.55, 0.3), (-0.85, 0.3)],
        [(0.85, 0), (0.55, 0), (0.55, 0.3), (0.85, 0.3)],
    )
    put(
        paint * lit,
        [(-0.95, 0.15), (0.95, 0.15), (1.0, 0.45), (0.92, 0.62), (-0.92, 0.62), (-1.0, 0.45)],
    )
    put(paint * lit * F(0.8), [(-0.85, 0.6), (0.85, 0.6), (0.62, 1.0), (-0.62, 1.0)])
    put(linear("#121a28"), [(-0.72, 0.64), (0.72, 0.64), (0.55, 0.94), (-0.55, 0.94)])
    put(linear("#fff3c8") * F(1.2 * gain), [(-0.2, 1.0), (0.2, 1.0), (0.2, 1.12), (-0.2, 1.12)])
    put(linear("#d8d8d0") * lit, [(-0.2, 0.28), (0.2, 0.28), (0.2, 0.40), (-0.2, 0.40)])
    for s in (-1, 1):
        lamp(
            canvas, x + s * 0.8 * w, base - 0.5 * h, 0.07 * w, linear("#ff2010") * F(2.4 * gain)
        )
        lamp(
            canvas,
            x + s * 0.8 * w,
            base + 0.35 * h,
            0.06 * w,
            linear("#ff2010") * F(0.6 * gain),
            0.8,
        )


def sign(canvas, x, y, size, accent, gain, rng):
    """A neon sign: a frame with an arrow, a cup or a star in glowing tubes."""
    w, h = 0.34 * size, 0.46 * size
    back, tube, inner = canvas.stencil(), canvas.stencil(), canvas.stencil()
    back.polygon([(x - w, y - h), (x + w, y - h), (x + w, y + h), (x - w, y + h)])
    canvas.paint(linear("#15121c") * F(0.3), back.coverage(), depth=0.4, subject=True)
    tube.line(
        [
            (x - 0.9 * w, y - 0.92 * h),
            (x + 0.9 * w, y - 0.92 * h),
            (x + 0.9 * w, y + 0.92 * h),
            (x - 0.9 * w, y + 0.92 * h),
            (x - 0.9 * w, y - 0.92 * h),
        ],
        0.03 * size,
    )
    t = np.linspace(0, 2 * np.pi, 11)
    r = np.where(np.arange(11) % 2, 0.28, 0.7) * w
    inner.line(np.stack([x + r * np.sin(t), y - 0.4 * h - r * np.cos(t)], 1), 0.03 * size)
    for k in range(3):
        yy = y + (0.2 + 0.22 * k) * h
        inner.line([(x - 0.6 * w, yy), (x + (0.6 - 0.2 * (k % 2)) * w, yy)], 0.035 * size)
    other = oklch(0.75, 0.2, float(rng.random()))
    for board, colour in ((tube, accent * F(2)), (inner, other)):
        cover = board.coverage()
        canvas.paint(colour * F(1.5 * gain) + F(0.1), cover, depth=0.4, subject=True)
    at = canvas.window(x - 3 * w, y - 2 * h, x + 3 * w, y + 2 * h)
    away = np.hypot((canvas.x[at] - F(x)) / F(w), (canvas.y[at] - F(y)) / F(h))
    canvas.glow(accent * F(0.25 * gain), np.exp(-away * F(1.2)), at=at)


def _bokeh(canvas, rng, lamps, gain):
    """Out-of-focus lights close to the lens."""
    for bx, by, r, k in rng.random((9, 4)):
        x, y = canvas.place(bx, by)
        r = 0.03 + 0.05 * r
        at = canvas.window(x - r, y - r, x + r, y + r)
        away = np.hypot(canvas.x[at] - F(x), canvas.y[at] - F(y))
        rim = canvas.edge(away - F(r)) * (F(0.7) + F(0.5) * (away / F(r)) ** 4)
        canvas.glow(lamps[int(k * 64)] * F(0.28 * gain), rim, at=at)
