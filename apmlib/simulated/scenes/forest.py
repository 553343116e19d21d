"""Forests: trunks in layers of mist, light from above, undergrowth, a path."""

from __future__ import annotations

import numpy as np

from apmlib.simulated.canvas import Canvas, F, linear, mix, noise, smoothstep
from apmlib.simulated.scenes import outdoors as out

# Mist and far light, leaves in the sun, leaves in the shade, bark, ground: sRGB
WOODS = {
    "beech": ("#dff0b8", "#9ccb3b", "#2f5a1e", "#4a4238", "#6a5a34"),
    "autumn": ("#ffe2a6", "#ee9a1f", "#8a3d12", "#3a2c22", "#a85a22"),
    "pine": ("#cfdfd6", "#5f8f58", "#1e3d2c", "#5a3f2e", "#5a4a34"),
    "mist": ("#c9d4da", "#8ea794", "#3b5149", "#2d3234", "#59604f"),
    "spring": ("#f3f6cf", "#b9dd58", "#4f8a3a", "#5b5448", "#5a7a34"),
    "winter": ("#e3eaf2", "#c9d3dd", "#8896a6", "#33302f", "#e4ebf4"),
    "blue": ("#8fb4d8", "#4f86a8", "#15304a", "#141c26", "#22364a"),
    "birch": ("#fff0c4", "#e8c53a", "#8a8a2c", "#d9d6cc", "#8a7a3a"),
    "crimson": ("#ffd9c4", "#e2502c", "#7a1f22", "#2c1f20", "#8c3b26"),
}


def draw(canvas: Canvas, row: dict, rng: np.random.Generator) -> None:
    """Paint a forest: see `scenes.draw`."""
    light = float(row["light"])
    hour = out.hour(canvas, row, rng, ["noon", "golden", "golden", "dawn", "teal"], 0.0)
    palette = out.Palette(rng, row["harmony"])
    name = list(WOODS)[int(rng.integers(len(WOODS)))]
    fog, bright, dim, bark, soil = (linear(c) for c in WOODS[name])
    grey = np.full(3, float(fog @ out.LUMA), F) * F(0.8)
    fog = palette(mix(grey, fog * hour.sun / (hour.sun @ out.LUMA), 0.25 + 0.75 * light), "sky")
    bright, dim, soil = palette(bright, "ground"), palette(dim, "far"), palette(soil, "accent")
    seeds, form = rng.integers(1 << 30, size=24), rng.random(12)
    canvas.key = {"blue": 0.07, "mist": 0.17, "winter": 0.26, "birch": 0.16}.get(name, 0.12)

    x, y = canvas.place(row["subject_x"], row["subject_y"])
    size = float(row["subject_size"])
    base = y + size / 2
    gy = canvas.place(0, 0.50 + 0.22 * form[0])[1]
    perched = base < canvas.place(0, 0.42)[1]
    if not perched:
        gy = min(gy, base - 0.06)
    glow_x, glow_y = canvas.half_width * (1.5 * form[1] - 0.75), gy - 0.12 - 0.35 * form[2]

    # The far wood: light between leaves.
    away = np.hypot(canvas.x - F(glow_x), (canvas.y - F(glow_y)) * F(0.9))
    shine = np.exp(-away * F(2.6)) * F(0.25 + 1.5 * light) + F(0.22 + 0.3 * (1 - light))
    leaves = noise(canvas.x, canvas.y, 0.16, seeds[0], smooth=True)
    canvas.rgb[:] = mix(fog * F(0.55), fog, leaves) * shine[..., None]
    canvas.depth[:] = 1.0

    layers = 5
    for k in range(layers):
        near = k / (layers - 1)
        ground = gy + 0.012 + (canvas.bottom - gy) * 0.42 * near**2.2
        _wood(
            canvas,
            rng,
            k,
            near,
            ground,
            fog,
            shine,
            bright,
            dim,
            bark,
            name,
            seeds,
            light,
            hour,
            glow_x,
            row,
        )
        if k == 0:
            _ground(
                canvas,
                gy,
                fog,
                shine,
                soil,
                bright,
                dim,
                seeds,
                form,
                light,
                glow_x,
                name,
                hour,
            )
        else:
            _undergrowth(
                canvas, near, ground, fog, shine, bright, dim, seeds[10 + k], light, form
            )
        if k == 3 and not perched:
            _subject(canvas, rng, x, base, size, palette, hour, light, shine, form)
    _shafts(canvas, glow_x, glow_y, fog, seeds[20], light, form)
    if perched:
        _bird(canvas, rng, x, y, size, palette, light, hour)
    if form[9] < 0.6:
        _ferns(canvas, rng, bright, dim, light, x)
    out.clutter(canvas, row, rng, _inside(hour, light), palette, gy)


def _inside(hour: out.Hour, light: float) -> out.Hour:
    return out.Hour(
        hour.name,
        hour.zenith,
        hour.middle,
        hour.horizon,
        sun=hour.sun * F(0.35),
        shade=hour.shade * F(0.6),
        sun_x=hour.sun_x,
        sun_y=hour.sun_y,
        light=light,
    )


def _wood(
    canvas,
    rng,
    k,
    near,
    ground,
    fog,
    shine,
    bright,
    dim,
    bark,
    name,
    seeds,
    light,
    hour,
    glow_x,
    row,
):
    """One layer of trunks with the leaves above them."""
    count = (34, 22, 13, 7, 3)[k]
    reach = 1.15 * max(canvas.half_width, 0.6) + 0.1
    xs = np.linspace(-reach, reach, count) + rng.normal(0, 0.75 * reach / count, count)
    widths = (0.007 + 0.055 * near**1.8) * rng.uniform(0.6, 1.4, count)
    leans, seeds_ = rng.normal(0, 0.03, count), rng.integers(1 << 30, size=count)
    subject_x = canvas.place(row["subject_x"], 0)[0]
    thin = (1 - near) ** 1.4 * 0.85
    if k < 3:
        _far_trunks(
            canvas,
            xs,
            widths,
            leans,
            seeds_,
            ground,
            near,
            bark,
            fog,
            shine,
            thin,
            glow_x,
            light,
        )
        xs = xs[:0]
    for x, w, lean, seed in zip(xs, widths, leans, seeds_, strict=False):
        clear = 0.6 * float(row["subject_size"]) + w
        if abs(x - subject_x) < clear:
            x = subject_x + np.sign(x - subject_x + 1e-9) * clear
        foot = ground + (seed % 97) / 97 * 0.03 * (1 + 2 * near)
        bow = abs(lean) * 1.6 + 2.2 * w
        at = canvas.window(x - bow - 0.02, canvas.top, x + bow + 0.02, foot + 0.02)
        X, Y = canvas.x[at], canvas.y[at]
        if X.size == 0:
            continue
        up = F(foot) - Y
        wave = F(0.25 * w) * np.sin(up * F(4 + seed % 5) + F(seed % 7))
        across = X - F(x) - F(lean) * up - wave
        half = F(w) * (F(1) - F(0.22) * up) * (1 + F(0.7) * np.exp(-up * F(0.9 / w) * F(0.25)))
        cover = canvas.edge(np.maximum(np.abs(across) - half, -up))
        u = np.clip(across / np.maximum(half, F(1e-4)), -1, 1)
        side = np.sign(glow_x - x)
        rim = smoothstep(0.1, 1.0, u * F(side)) * F(0.15 + 1.1 * light)
        texture = F(0.7)
        if near > 0.2:
            texture = F(0.5) + F(0.8) * noise(
                across * F(3.5), up * F(0.8), 0.12, seed, smooth=True
            )
        tone = (
            bark
            * ((F(0.22) + rim) * texture)[..., None]
            * (F(0.5) + F(0.9) * shine[at])[..., None]
        )
        if name == "birch" and near > 0.2:
            marks = smoothstep(0.72, 0.8, noise(across * F(0.5), up * F(3), 0.10, seed + 1))
            tone = mix(tone, bark * F(0.05), marks)
        canvas.paint(
            mix(tone, fog * shine[at][..., None], thin), cover, depth=0.85 - 0.7 * near, at=at
        )
    if k in (0, 2):
        return
    # The crowns.
    low = ground - 0.40 - 0.10 * k
    at = canvas.window(canvas.left, canvas.top, canvas.right, low + 0.25)
    X, Y = canvas.x[at], canvas.y[at]
    if X.size == 0:
        return
    scale = 0.10 + 0.11 * near
    n = noise(X, Y, scale * 1.8, seeds[1 + k], smooth=True)
    fine = noise(X, Y, scale, seeds[6], "grain")
    sparse = 0.30 if name in ("winter", "birch") else 0.0
    edge = np.clip((F(low) - Y) * F(1.6), -1, 0.55) + F(0.05) - F(sparse)
    cover = smoothstep(0.52, 0.68, n * F(0.7) + fine * F(0.3) + edge * F(0.55))
    lit = smoothstep(0.35, 0.9, n * F(0.45) + fine * F(0.4) + shine[at] * F(0.35)) * F(
        0.2 + 0.8 * light
    )
    tone = mix(dim, bright, lit) * (F(0.25) + F(0.65) * shine[at] + F(0.25 * light))[..., None]
    canvas.paint(
        mix(tone, fog * shine[at][..., None], thin * 0.9), cover, depth=0.85 - 0.7 * near, at=at
    )


def _far_trunks(
    canvas, xs, widths, leans, seeds, ground, near, bark, fog, shine, thin, glow_x, light
):
    """Trunks so far off that a shaded and a lit side are all that is seen of them."""
    whole, lit = canvas.stencil(), canvas.stencil()
    for x, w, lean, seed in zip(xs, widths, leans, seeds, strict=True):
        foot = ground + (seed % 97) / 97 * 0.03 * (1 + 2 * near)
        height = foot - canvas.top
        top, side = x + lean * height, np.sign(glow_x - x)
        whole.polygon(
            [
                (x - 1.3 * w, foot),
                (x - w, foot - 0.1),
                (top - 0.75 * w, canvas.top),
                (top + 0.75 * w, canvas.top),
                (x + w, foot - 0.1),
                (x + 1.3 * w, foot),
            ]
        )
        lit.polygon(
            [
                (x + side * 0.3 * w, foot),
                (top + side * 0.2 * w, canvas.top),
                (top + side * 0.75 * w, canvas.top),
                (x + side * 1.1 * w, foot),
            ]
        )
    base = bark * F(0.17) * (F(0.5) + F(0.9) * shine)[..., None]
    tone = base * (1 + F(0.6 + 3.2 * light) * lit.coverage())[..., None]
    canvas.paint(
        mix(tone, fog * shine[..., None], thin), whole.coverage(), depth=0.85 - 0.7 * near
    )


def _ground(canvas, gy, fog, shine, soil, bright, dim, seeds, form, light, glow_x, name, hour):
    at = canvas.window(canvas.left, gy - 0.02, canvas.right, canvas.bottom)
    x, y = canvas.x[at], canvas.y[at]
    line = F(gy) + canvas.ridge(0.5, 0.012, seeds[7])[None, at[1]]
    z = 1 / np.maximum(y - line + F(0.04), F(0.02))
    u = x * z
    litter = noise(u, z, 0.5, seeds[8], "grain")
    moss = smoothstep(0.45, 0.7, noise(u, z, 1.6, seeds[9], smooth=True))
    colour = mix(
        soil * F(0.75), mix(dim, bright, 0.4), moss * F(0.7 if name != "winter" else 0.1)
    )
    colour = colour * (F(0.45) + F(0.9) * litter)[..., None]
    if form[4] < 0.6:  # a path
        middle = (
            F(2.2 * (form[5] - 0.5))
            + F(0.9) * np.sin(z * F(0.30) + F(6 * form[6]))
            + F(glow_x) * z * F(0.8)
        )
        off = np.abs(u - middle * (F(1) - F(0.8) / (1 + z * F(0.2)))) - F(0.42)
        track = mix(linear("#b59c74"), soil, 0.35) if name != "winter" else linear("#aeb9c8")
        colour = mix(
            colour, track * (F(0.6) + F(0.5) * litter)[..., None], smoothstep(0.10, -0.10, off)
        )
    dapple = smoothstep(0.52, 0.72, noise(u * F(0.8), z * F(0.5), 0.9, seeds[19], smooth=True))
    sun = hour.sun / (hour.sun @ out.LUMA)
    level = F(0.20) + F(0.5) * shine[at] + F(0.25 * (1 - light))
    lit = colour * (level[..., None] + sun * (dapple * F(1.3 * light))[..., None])
    # Long shadows of trunks run towards the eye, away from the light.
    bars = noise(
        (x - F(glow_x)) * z / (1 + z * F(0.35)), np.zeros_like(x), 0.45, seeds[18], smooth=True
    )
    lit = lit * (1 - F(0.5 * light) * smoothstep(0.55, 0.75, bars))[..., None]
    lit = mix(
        lit, fog * shine[at][..., None], np.clip(np.exp(-(y - line) * F(7)) * F(0.75), 0, 1)
    )
    canvas.paint(
        lit, canvas.edge(line - y), depth=np.clip(out.distance(z) + 0.1, 0.1, 0.95), at=at
    )


def _undergrowth(canvas, near, ground, fog, shine, bright, dim, seed, light, form):
    height = 0.05 + 0.10 * near
    bushes = noise(canvas.xs, np.zeros_like(canvas.xs), 0.5, seed, smooth=True)
    tuft = noise(canvas.xs, np.zeros_like(canvas.xs), 0.09, seed + 1, smooth=True)
    rise = F(height) * (smoothstep(0.5, 0.95, bushes) * (F(0.6) + F(0.7) * tuft))
    at = canvas.window(canvas.left, ground - 0.2, canvas.right, ground + 0.04)
    X, Y = canvas.x[at], canvas.y[at]
    if X.size == 0:
        return
    line = F(ground) - rise[None, at[1]]
    bottom = smoothstep(0.03, 0.0, Y - F(ground))
    cover = canvas.edge(line - Y) * bottom * (rise[None, at[1]] > 0.004)
    fine = noise(X, Y, 0.07 + 0.05 * near, seed + 2, "grain")
    top = smoothstep(0.07, 0.0, Y - line) * F(0.2 + 0.8 * light)
    tone = (
        mix(dim, bright, np.clip(top * (F(0.4) + fine), 0, 1))
        * (F(0.25) + F(0.6) * shine[at])[..., None]
    )
    canvas.paint(
        mix(tone, fog * shine[at][..., None], (1 - near) ** 1.5 * 0.7),
        cover * (F(0.6) + F(0.4) * (fine > 0.25)),
        depth=0.8 - 0.65 * near,
        at=at,
    )


def _shafts(canvas, gx, gy, fog, seed, light, form):
    """Beams of light through mist, from one point above."""
    strength = max(0.0, light - 0.35) * (0.4 + 1.0 * (form[8] < 0.65))
    if strength <= 0:
        return
    sx, sy = gx * 1.2, gy - 0.55
    dx, dy = canvas.x - F(sx), canvas.y - F(sy)
    angle = np.arctan2(dx, np.maximum(dy, F(0.01)))
    beams = smoothstep(0.5, 0.9, noise(angle, np.zeros_like(angle), 0.35, seed, smooth=True))
    fall = np.exp(-np.hypot(dx, dy) * F(1.1)) * smoothstep(-0.1, 0.3, dy)
    canvas.glow(fog * F(1.1 * strength), beams * fall)


def _ferns(canvas, rng, bright, dim, light, subject_x):
    """Fronds at the lower edge, close to the lens."""
    near = canvas.window(canvas.left, canvas.half_height - 0.25, canvas.right, canvas.bottom)
    shadowed, sunny = canvas.stencil(near), canvas.stencil(near)
    t = np.linspace(0, 1, 15)
    tooth = np.where(np.arange(15) % 2, 1.0, 0.25) * (1 - t) * np.minimum(6 * t + 0.2, 1)
    for _ in range(8):
        x = rng.uniform(-1.1, 1.1) * canvas.half_width
        foot, length, lean = (
            canvas.half_height + 0.03,
            rng.uniform(0.12, 0.26),
            rng.normal(0, 0.6),
        )
        if abs(x - subject_x) < 0.2:
            length *= 0.5
        for blade in rng.normal(lean, 0.5, 4):
            px = x + np.sin(blade) * length * t + 0.3 * blade * length * t**2
            py = foot - length * t * np.cos(blade * 0.6) + 0.22 * length * t**2
            out_x, out_y = np.gradient(py), -np.gradient(px)
            norm = 0.22 * length * tooth / (np.hypot(out_x, out_y) + 1e-9)
            left = np.stack([px + out_x * norm, py + out_y * norm], 1)
            right = np.stack([px - out_x * norm, py - out_y * norm], 1)
            board = sunny if blade > lean else shadowed
            board.polygon(np.concatenate([left, right[::-1]]).tolist())
    canvas.paint(dim * F(0.22 + 0.12 * light), shadowed.coverage(), depth=0.08, at=near)
    canvas.paint(
        mix(dim, bright, 0.6) * F(0.25 + 0.45 * light), sunny.coverage(), depth=0.08, at=near
    )


def _subject(canvas, rng, x, base, size, palette, hour, light, shine, form):
    pick = rng.random()
    inner = np.random.default_rng(int(rng.integers(1 << 30)))
    accent = palette.accent(inner)
    side = 1 if inner.random() < 0.5 else -1
    lamp = (hour.shade * F(0.7) + hour.sun * F(0.45 * light + 0.12)) * F(1.1)
    depth = 0.35
    at = canvas.window(x - size, base - 0.12 * size, x + size, base + 0.12 * size)
    reach = np.hypot(
        (canvas.x[at] - F(x)) / F(0.55 * size), (canvas.y[at] - F(base)) / F(0.09 * size)
    )
    canvas.rgb[at] *= (1 - F(0.55) * np.clip(F(1.3) - reach, 0, 1))[..., None]
    if pick < 0.34:
        deer(canvas, x, base, size, lamp, depth, side, linear("#a8703f"), inner.random() < 0.6)
    elif pick < 0.58:
        mushroom(
            canvas,
            x,
            base,
            size,
            lamp,
            depth,
            palette(linear("#c8281c" if inner.random() < 0.7 else "#a8672c"), "build"),
            inner,
            light,
        )
    elif pick < 0.82:
        out.person(
            canvas,
            x,
            base,
            size * 0.95,
            accent,
            linear("#262a30"),
            lamp * F(1.3),
            depth,
            subject=True,
        )
    else:
        leaf = palette(linear("#f0b429" if inner.random() < 0.5 else "#b8dd3a"), "build")
        out.tree(canvas, inner, x, base, size, leaf * F(1.2), hour, depth, subject=True)


def deer(canvas, x, base, size, light, depth, side, coat, antlers):
    """A deer seen from the side, its head raised."""
    u = size
    box = canvas.window(x - 0.6 * u, base - 1.15 * u, x + 0.6 * u, base + 0.02)
    body, legs, horns, pale = (canvas.stencil(box) for _ in range(4))

    def p(*points):
        return [(x + side * a * u, base - b * u) for a, b in points]

    for a, w in ((-0.24, 0.0), (-0.15, 0.02), (0.15, 0.0), (0.22, 0.02)):
        legs.line(p((a, 0.36), (a - 0.02, 0.18), (a + w, 0.0)), 0.038 * u)
    body.polygon(
        p(
            (-0.33, 0.50),
            (-0.26, 0.56),
            (0.0, 0.54),
            (0.18, 0.58),
            (0.27, 0.48),
            (0.24, 0.34),
            (0.05, 0.29),
            (-0.22, 0.32),
            (-0.34, 0.40),
        )
    )
    body.polygon(p((0.12, 0.55), (0.24, 0.78), (0.33, 0.78), (0.30, 0.42)))
    body.polygon(
        p((0.22, 0.80), (0.28, 0.86), (0.36, 0.82), (0.46, 0.73), (0.44, 0.69), (0.32, 0.72))
    )
    body.polygon(p((0.23, 0.82), (0.13, 0.88), (0.20, 0.79)))
    pale.ellipse(x - side * 0.32 * u, base - 0.47 * u, 0.035 * u, 0.06 * u)
    pale.polygon(p((-0.2, 0.32), (0.05, 0.29), (0.2, 0.33), (0.0, 0.345)))
    if antlers:
        for s in (0.0, 0.07):
            horns.line(p((0.26 + s, 0.85), (0.20 + s, 0.97), (0.24 + s, 1.08)), 0.016 * u)
            horns.line(p((0.215 + s, 0.93), (0.32 + s, 1.02)), 0.013 * u)
            horns.line(p((0.235 + s, 0.89), (0.33 + s, 0.93)), 0.012 * u)
    shade = np.clip(F(0.5) + (F(base) - canvas.y[box]) / F(u), 0.4, 1.25)[..., None]
    canvas.paint(coat * F(0.55) * light, legs.coverage(), depth=depth, subject=True, at=box)
    canvas.paint(
        coat * light * shade * F(1.3), body.coverage(), depth=depth, subject=True, at=box
    )
    canvas.paint(linear("#e9d8bd") * light, pale.coverage(), depth=depth, subject=True, at=box)
    canvas.paint(linear("#cdb892") * light, horns.coverage(), depth=depth, subject=True, at=box)


def mushroom(canvas, x, base, size, light, depth, cap, rng, glow):
    """A toadstool with white flecks, and a small one beside it."""
    for dx, scale in ((0.42, 0.45), (0.0, 1.0)):
        u, cx = size * scale, x + dx * size
        at = canvas.window(cx - 0.6 * u, base - 1.05 * u, cx + 0.6 * u, base + 0.05 * u)
        X, Y = canvas.x[at] - F(cx), canvas.y[at] - F(base)
        if X.size == 0:
            continue
        half = F(0.09 * u) + F(0.05 * u) * np.clip(1 + Y / F(0.5 * u), 0, 1) ** 2
        stem = np.maximum(np.abs(X) - half, np.maximum(Y, -Y - F(0.62 * u)))
        round_ = np.clip(F(0.75) + X / F(0.4 * u), 0.35, 1.2)[..., None]
        canvas.paint(
            linear("#efe6d2") * light * round_,
            canvas.edge(stem),
            depth=depth,
            subject=True,
            at=at,
        )
        h = F(-0.56 * u)
        dome = np.maximum(
            np.hypot(X / F(0.47 * u), (Y - h) / F(0.42 * u)) - 1,
            (Y - h) / F(0.42 * u) - F(0.10) * np.cos(X * F(3 / u)),
        ) * F(0.42 * u)
        sheen = np.clip(F(1.0) + (X * F(0.5) - (Y - h)) / F(0.42 * u) * F(0.55), 0.25, 1.7)
        canvas.paint(
            cap * light * (sheen * F(1.15))[..., None],
            canvas.edge(dome),
            depth=depth,
            subject=True,
            at=at,
        )
        flecks = canvas.stencil(at)
        for a, b, r in rng.random((15, 3)):
            px, py = (a - 0.5) * 1.6, -(b**0.8) * 0.9
            if px * px + py * py < 0.82:
                flecks.ellipse(
                    cx + px * 0.47 * u,
                    base + float(h) + py * 0.42 * u,
                    (0.02 + 0.03 * r) * u,
                    (0.015 + 0.022 * r) * u,
                )
        canvas.paint(
            linear("#fbf4e6") * light * F(1.2),
            flecks.coverage(),
            depth=depth,
            subject=True,
            at=at,
        )


def _bird(canvas, rng, x, y, size, palette, light, hour):
    """A small bird on a branch."""
    side, lit = (1 if x < 0 else -1), (hour.shade * F(0.8) + hour.sun * F(0.4 * light + 0.15))
    u = size * 0.8
    board = canvas.stencil()
    board.line(
        [
            (-side * 1.3 * canvas.half_width, y + 0.42 * u),
            (x, y + 0.36 * u),
            (x + side * 0.7 * u, y + 0.30 * u),
        ],
        0.05 * u + 0.008,
    )
    board.line([(x - side * 0.4 * u, y + 0.38 * u), (x - side * 0.1 * u, y + 0.75 * u)], 0.02)
    canvas.paint(linear("#3a2d22") * lit, board.coverage(), depth=0.3)
    breast = palette(linear(["#e2622b", "#f2c230", "#4b8fd6"][int(rng.integers(3))]), "accent")
    back, belly, wing, dark = (canvas.stencil() for _ in range(4))
    back.ellipse(x, y, 0.26 * u, 0.33 * u)
    back.ellipse(x + side * 0.10 * u, y - 0.32 * u, 0.19 * u, 0.18 * u)
    back.polygon(
        [
            (x - side * 0.15 * u, y + 0.12 * u),
            (x - side * 0.62 * u, y + 0.50 * u),
            (x - side * 0.50 * u, y + 0.55 * u),
            (x - side * 0.02 * u, y + 0.32 * u),
        ]
    )
    belly.ellipse(x + side * 0.10 * u, y + 0.02 * u, 0.18 * u, 0.28 * u)
    belly.ellipse(x + side * 0.15 * u, y - 0.27 * u, 0.12 * u, 0.10 * u)
    wing.polygon(
        [
            (x - side * 0.02 * u, y - 0.15 * u),
            (x - side * 0.26 * u, y),
            (x - side * 0.42 * u, y + 0.36 * u),
            (x + side * 0.02 * u, y + 0.16 * u),
        ]
    )
    dark.ellipse(x + side * 0.16 * u, y - 0.36 * u, 0.027 * u, 0.027 * u)
    dark.polygon(
        [
            (x + side * 0.28 * u, y - 0.35 * u),
            (x + side * 0.42 * u, y - 0.30 * u),
            (x + side * 0.27 * u, y - 0.27 * u),
        ]
    )
    dark.line([(x, y + 0.3 * u), (x, y + 0.38 * u)], 0.02 * u)
    for board, tone in (
        (back, linear("#6d5c48")),
        (belly, breast),
        (wing, linear("#463a2e")),
        (dark, linear("#0c0b0a")),
    ):
        canvas.paint(tone * lit * F(1.2), board.coverage(), depth=0.3, subject=True)
