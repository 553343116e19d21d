"""People, painted with light more than with features."""

from __future__ import annotations

import math

import numpy as np

from apmlib.simulated import shapes, studio
from apmlib.simulated.canvas import Canvas, F, linear, mix, oklch, smoothstep

SKINS = ("#f0c8ac", "#e3b08c", "#c98f68", "#a56d48", "#7d4e33", "#573524")
HAIRS = ("#15100d", "#2a1a10", "#4a2c18", "#7a4a24", "#b07a3c", "#d8b070", "#8c3a1c", "#b9b4ae")


def draw(canvas: Canvas, row: dict, rng: np.random.Generator) -> None:
    """Paint a person whose head and shoulders surround the subject's place."""
    light = studio.lamp(row, rng)
    size = float(row["subject_size"])
    x, y = canvas.place(float(row["subject_x"]), float(row["subject_y"]))
    pose = rng.random()
    back = rng.random() < (0.34 if float(row["light"]) > 0.5 else 0.12)
    skin = linear(SKINS[int(rng.integers(len(SKINS)))])
    hair = linear(HAIRS[int(rng.integers(len(HAIRS)))])
    hue = rng.random()
    other, chroma = studio.beside(hue, row, rng)
    cloth = oklch(rng.uniform(0.18, 0.62), min(0.02 + 0.8 * chroma, 0.18), hue)
    own = np.random.default_rng(int(rng.integers(1 << 40)))  # so that the light changes no pose
    background(canvas, row, own, other, chroma, back, (x, y - 0.1))
    if back:
        canvas.key = 0.11
        side = light.direction[0] or 0.3
        light = shapes.Light(
            (0.85 * math.copysign(1, side), -0.35, -0.40),
            light.key * F(1.1),
            light.fill * F(0.55),
            2.6,
        )
    unit = size * rng.uniform(0.56, 0.68)  # height of the head
    facing = 1.0 if rng.random() < 0.5 else -1.0
    model = (canvas, rng, x, y - 0.22 * size, unit, facing, skin, hair, cloth, light)
    if pose < 0.32:
        profile(*model)
    elif pose < 0.80:
        facing_us(*model, yaw=facing * rng.uniform(0.0, 0.75))
    else:
        from_behind(*model)
    studio.clutter(
        canvas, row, rng, ("cup", "sign", "pole", "spot", "bystander", "cable", "bag")
    )


def background(canvas, row, rng, hue, chroma, back, place) -> None:
    """A studio's cloth, a room with a window, a street of lights, trees, or a low sun."""
    choice = rng.random()
    clash = studio.clashing(row)
    if back and choice < 0.7:
        horizon = rng.uniform(0.0, 0.35)
        kind = ("gold", "dusk", "day")[int(rng.integers(3))]
        glow = studio.sky(canvas, row, rng, horizon, kind)
        sun = (canvas.x - F(place[0] + rng.uniform(-0.2, 0.2))) ** 2
        sun = sun + (canvas.y - F(horizon - rng.uniform(0.05, 0.25))) ** 2
        canvas.glow(glow, np.exp(sun * F(-9)) * F(1.8))
        canvas.glow(glow, np.exp(sun * F(-160)) * F(3.0))
        studio.ground(canvas, rng, horizon, glow * F(0.10), glow * F(0.35), 0.09)
    elif choice < 0.34:
        bright = rng.uniform(0.22, 0.62)
        canvas.key = 0.035 + 0.17 * bright
        tone = oklch(bright, 0.5 * chroma, hue)
        studio.backdrop(canvas, row, rng, tone, place[0] + rng.uniform(-0.4, 0.4), place[1])
    elif choice < 0.52:
        room(canvas, row, rng, hue, chroma)
    elif choice < 0.72:
        studio.foliage(canvas, row, rng, rng.uniform(0.36, 0.43), rng.uniform(0.35, 0.9))
    elif choice < 0.86:
        studio.backdrop(canvas, row, rng, linear("#1c2433"), 0.0, 0.2)
        lamps = [linear(c) for c in ("#ffb35a", "#ff7a3c", "#ffe0a8", "#7fb0ff", "#ff5a6a")]
        studio.bokeh(canvas, row, rng, lamps, 34, 0.065, -0.55, 0.4)
        canvas.key = 0.09
    else:
        horizon = rng.uniform(-0.1, 0.3)
        glow = studio.sky(canvas, row, rng, horizon)
        near = oklch(0.5, 0.08, rng.choice([0.25, 0.38, 0.2]))
        studio.ground(canvas, rng, horizon, near, mix(near, glow, 0.5), 0.09)
    if clash > 0:
        loud = oklch(0.66, 0.21, hue)
        grey = canvas.rgb.mean(axis=-1) + F(0.07)
        canvas.rgb[:] = mix(canvas.rgb, loud * (F(1.5) * grey)[..., None], 0.85 * clash)


def room(canvas, row, rng, hue, chroma) -> None:
    """A wall with a window and a door frame: upright lines, which a tilted camera betrays."""
    wall = oklch(rng.uniform(0.45, 0.75), 0.4 * chroma, hue)
    studio.backdrop(canvas, row, rng, wall, -0.6, -0.2)
    left = rng.uniform(-0.95, 0.45) * canvas.half_width
    wide, tall = rng.uniform(0.4, 0.75), rng.uniform(0.55, 1.0)
    top = rng.uniform(-0.5, -0.25)
    u, v = canvas.x - F(left), canvas.y - F(top)
    frame = shapes.box(u, v, 0.5 * wide, 0.5 * tall, 0.5 * wide + 0.035, 0.5 * tall + 0.035)[0]
    canvas.paint(wall * F(0.35), canvas.edge(frame), 1.0)
    pane = 0.5 * wide - 0.012
    scene = canvas.noise(canvas.x, canvas.y, 0.25, int(rng.integers(1 << 30)))
    view = mix(linear("#e9f0f5"), linear("#9db48e"), smoothstep(0.35, 0.8, scene + v * F(0.5)))
    for i in (0, 1):
        glass = shapes.box(
            u, v, (0.25 + 0.5 * i) * wide, 0.5 * tall, 0.5 * pane, 0.5 * tall - 0.01
        )[0]
        canvas.paint(view * F(1.6), canvas.edge(glass), 1.0)
    edge = rng.uniform(0.55, 0.95) * canvas.half_width * rng.choice([-1.0, 1.0])
    stripe = np.abs(canvas.x - F(edge)) - F(0.03)
    canvas.paint(wall * F(0.45), canvas.edge(stripe), 1.0)


# --- parts, in units of the head's height; x and y are the centre of the head ---------------


def strands(canvas, u, v, hair, unit, seed, direction=0.0):
    """Hair's colour: dark and light locks along a direction, (h, w, 3)."""
    c, s = F(math.cos(direction)), F(math.sin(direction))
    a, b = (u * c + v * s), (v * c - u * s)
    lock = canvas.noise(a * F(0.16), b, 0.16 * unit, seed)
    fine = canvas.noise(a * F(0.10), b, 0.05 * unit, seed + 1)
    level = F(0.35) + F(0.9) * lock + F(0.5) * (fine - F(0.5))
    return np.asarray(hair, F) * level[..., None]


def shoulders(canvas, rng, x, y, unit, skin, cloth, light, turn=0.0, bare=True, neck=True):
    """Neck, shoulders and clothes, down past the frame."""
    reach = max(canvas.bottom - y, 1.0) + 0.2
    at = canvas.window(x - 1.7 * unit, y, x + 1.7 * unit, canvas.bottom)
    u, v = canvas.x[at] - F(x), canvas.y[at] - F(y)
    wide = unit * rng.uniform(0.62, 0.82)
    drop = unit * (rng.uniform(0.70, 0.80) + (0.0 if neck else 0.14))
    lean = unit * rng.uniform(-0.08, 0.08)
    torso = shapes.join(
        shapes.limb(
            u,
            v,
            (0.05 * unit * turn, drop),
            (lean, drop + 0.1 * unit),
            0.30 * unit,
            0.42 * unit,
        ),
        shapes.limb(
            u,
            v,
            (-wide * (1 - 0.25 * abs(turn)), drop + 0.32 * unit),
            (wide * (1 - 0.25 * abs(turn)), drop + (0.32 + 0.1 * lean) * unit),
            0.30 * unit,
            0.30 * unit,
        ),
        shapes.limb(
            u, v, (0, drop + 0.6 * unit), (lean, drop + reach), 0.85 * unit, 0.95 * unit
        ),
        k=0.25 * unit,
    )
    seed = int(rng.integers(1 << 30))
    folds = canvas.noise(u + F(0.4) * v, v * F(0.5), 0.55 * unit, seed, "soft")
    folds = folds + F(0.25) * canvas.noise(
        u - F(0.6) * v, v * F(0.5), 0.5 * unit, seed + 1, "soft"
    )
    weave = canvas.noise(u, v, 0.03 * unit, seed + 2, "grain")
    pattern = rng.random()
    tone = np.asarray(cloth, F) * (F(0.8) + F(0.4) * weave)[..., None]
    if pattern < 0.18:
        stripe = smoothstep(-0.2, 0.2, np.sin(v * F(34 / unit) + u * F(3 / unit)))
        tone = mix(tone, np.full(3, 0.75, F), stripe * F(0.8))
    part = torso[0], torso[1] * F(0.8)
    shapes.body(
        canvas, at, part, tone, light, 0.32, subject=True, relief=folds * F(0.12 * unit)
    )
    if not neck:
        return
    neck = shapes.limb(
        u,
        v,
        (0.06 * unit * turn, 0.25 * unit),
        (0, drop - 0.08 * unit),
        0.215 * unit,
        0.26 * unit,
    )
    if bare:
        deep = rng.uniform(0.10, 0.42) * unit
        collar = shapes.ellipse(u, v, 0, drop - 0.12 * unit, 0.34 * unit, deep)
        neck = shapes.join(neck, collar, k=0.05 * unit)
    under = np.exp(
        -((u - F(0.08 * unit * turn)) ** 2 + (v - F(0.52 * unit)) ** 2 * F(3))
        * F(1 / (0.10 * unit * unit))
    )
    tone = np.asarray(skin, F) * (F(1) - F(0.68) * under)[..., None]
    shapes.body(canvas, at, neck, tone, light, 0.31, subject=True, wrap=0.35)


def facing_us(canvas, rng, x, y, unit, facing, skin, hair, cloth, light, yaw) -> None:
    """A face modelled as a height: brow, sockets, nose, lips and chin catch the light."""
    style = ("long", "bob", "short", "bun", "hat", "scarf", "curls", "hood")[
        int(rng.integers(8))
    ]
    seed = int(rng.integers(1 << 30))
    nod = rng.uniform(-0.16, 0.16)
    ink = np.asarray(hair, F)
    fabric = np.asarray(cloth, F) * F(0.8) + F(0.02)
    at, u, v = shapes.local(canvas, x, y, 1.75 * unit)
    u, v = u * F(1 / unit), v * F(1 / unit)
    px = canvas.px / unit
    scaled = shapes.Model(canvas, unit)
    if style in ("hood", "scarf"):
        back = shapes.join(
            shapes.ellipse(u, v, 0, -0.08, 0.45, 0.51),
            shapes.ellipse(u, v, 0, 0.46, 0.42, 0.24),
            k=0.15,
        )
    elif style == "long":
        low = rng.uniform(0.75, 1.25)
        back = shapes.join(
            shapes.ellipse(u, v, 0, -0.10, 0.47, 0.50),
            shapes.limb(u, v, (-0.16, 0.2), (-0.26, low), 0.33, 0.20),
            shapes.limb(u, v, (0.16, 0.2), (0.26, low), 0.33, 0.20),
            k=0.1,
        )
    elif style == "bob":
        back = shapes.join(
            shapes.ellipse(u, v, 0, -0.08, 0.47, 0.49),
            shapes.box(u, v, 0, 0.2, 0.44, 0.28, 0.12),
            k=0.1,
        )
    elif style == "curls":
        back = shapes.ellipse(u, v, 0, -0.16, 0.62, 0.60)
        rough = canvas.noise(u, v, 0.22, seed + 5)
        back = back[0] + F(0.16) * (rough - F(0.5)), back[1]
    else:
        back = shapes.ellipse(u, v, 0, -0.10, 0.44, 0.47)
    if style == "bun":
        back = shapes.join(back, shapes.circle(u, v, -0.2 * yaw, -0.62, 0.2), k=0.05)
    cover = fabric if style in ("scarf", "hood") else ink
    tone = strands(canvas, u, v, cover, 1.0, seed, math.pi / 2) if cover is ink else cover
    scaled.body(at, back, tone, light, 0.33)
    shoulders(
        canvas,
        rng,
        x,
        y,
        unit,
        skin,
        cloth,
        light,
        yaw,
        *(2 * [style not in ("scarf", "hood")]),
    )

    shift = 0.16 * yaw
    head = shapes.join(
        shapes.ellipse(u, v, -0.3 * shift, -0.09, 0.365, 0.41),
        shapes.ellipse(u, v, 0.55 * shift, 0.17, 0.275, 0.335),
        k=0.1,
    )

    def bump(cx, cy, sx, sy, amount, lift=0):
        return F(amount) * np.exp(
            -(((u - F(cx)) / F(sx)) ** 2) - ((v + lift - F(cy)) / F(sy)) ** 2
        )

    f, eye = 1.35 * shift, 0.02 + nod * 0.5
    gap = 0.155 * (1 - 0.25 * abs(yaw))
    left, right = f - gap, f + gap
    nose = f + 0.05 * yaw
    height = head[1] * F(0.95)
    height = height + bump(nose, eye + 0.10, 0.045, 0.15, 0.075)
    height = height + bump(nose + 0.02 * yaw, eye + 0.20, 0.07, 0.05, 0.085)
    for ex in (left, right):
        height = (
            height
            + bump(ex, eye, 0.085, 0.055, -0.055)
            + bump(ex, eye - 0.10, 0.12, 0.04, 0.028)
        )
        height = height + bump(ex * 1.25 - 0.25 * f, eye + 0.17, 0.10, 0.09, 0.03)
    smile = F(rng.uniform(0.0, 0.035)) * ((u - F(f)) * F(1 / 0.1)) ** 2
    mouth = eye + 0.335
    height = (
        height
        + bump(f, mouth - 0.025, 0.09, 0.025, 0.022)
        + bump(f, mouth + 0.03, 0.075, 0.025, 0.030)
    )
    height = (
        height
        + bump(f, mouth, 0.11, 0.012, -0.02, smile)
        + bump(0.8 * f, mouth + 0.14, 0.09, 0.06, 0.03)
    )

    flush = bump(left - 0.05, eye + 0.17, 0.11, 0.08, 0.35) + bump(
        right + 0.05, eye + 0.17, 0.11, 0.08, 0.35
    )
    flush = flush + bump(nose, eye + 0.18, 0.07, 0.07, 0.25)
    tone = mix(
        np.asarray(skin, F), np.asarray(skin, F) * np.array([1.12, 0.72, 0.66], F), flush
    )
    lips = bump(f, mouth + 0.004, 0.085, 0.030, 1.1, smile)
    rouge = (
        np.array([0.9, 0.36, 0.36], F) if rng.random() < 0.6 else np.array([0.9, 0.62, 0.58], F)
    )
    tone = mix(tone, np.asarray(skin, F) * rouge, np.minimum(lips, 1) ** 2)
    lx = light.direction[0]
    side = -math.copysign(1, lx) * min(abs(lx), 0.9)
    dark = bump(left, eye - 0.01, 0.085, 0.06, 0.42) + bump(
        right, eye - 0.01, 0.085, 0.06, 0.42
    )
    dark = dark + bump(nose + 0.07 * side, eye + 0.17, 0.055, 0.10, 0.45 * abs(lx))
    dark = (
        dark
        + bump(nose, eye + 0.255, 0.06, 0.022, 0.45)
        + bump(f, mouth, 0.11, 0.011, 0.55, smile)
    )
    dark = dark + bump(f, mouth + 0.075, 0.06, 0.018, 0.18)
    tone = tone * np.maximum(F(1) - dark, F(0.1))[..., None]
    scaled.body(at, (head[0], height), tone, light, 0.30, wrap=0.28, shine=0.10, sharpness=14)

    closed = rng.random() < 0.3
    for ex in (left, right):
        brow = shapes.limb(
            u, v, (ex - 0.085, eye - 0.095), (ex + 0.085, eye - 0.10), 0.014, 0.014
        )[0]
        scaled.paint(ink * F(0.6) + F(0.004), scaled.edge(brow + F(0.008), 0.03) * F(0.75), at)
        lid = shapes.ellipse(
            u, v, ex, eye + (0.012 if closed else 0), 0.068, 0.012 if closed else 0.030
        )[0]
        scaled.paint(np.array([0.012, 0.008, 0.007], F), scaled.edge(lid, 0.014) * F(0.9), at)
        if not closed:
            look = 0.03 * yaw
            for sx in (-0.043, 0.043):
                white = shapes.ellipse(u, v, ex + sx + look * 0.3, eye + 0.004, 0.018, 0.014)[0]
                scaled.paint(
                    (light.key * F(max(light.direction[2], 0)) + light.fill) * F(0.16),
                    scaled.edge(white, 0.012) * F(0.8),
                    at,
                )
            if light.direction[2] < 0:
                continue  # no lamp in front, no catchlight
            glint = shapes.circle(
                u, v, ex + look + 0.014 * math.copysign(1, lx), eye - 0.008, 0.009
            )[0]
            scaled.paint(light.key * F(0.8), scaled.edge(glint), at)

    # Hair over the forehead, or what is worn.
    if style == "hat":
        crown = shapes.join(
            shapes.ellipse(u, v, 0, -0.36, 0.39, 0.32),
            shapes.box(u, v, 0, -0.30, 0.38, 0.12, 0.05),
            k=0.03,
        )
        tilt = rng.uniform(-0.14, 0.14)
        brim = shapes.ellipse(u, v, 0.03 * yaw, -0.23, rng.uniform(0.66, 0.9), 0.115, tilt)
        shade = canvas.edge(
            shapes.ellipse(u, v, 0, -0.08, 0.45, 0.16)[0] * F(unit), 0.18 * unit
        )
        inside = scaled.edge(head[0])
        canvas.rgb[at] *= (1 - F(0.62) * shade * inside)[..., None]
        scaled.body(at, (crown[0], crown[1] * F(0.8)), fabric * F(0.9), light, 0.29)
        band = shapes.box(u, v, 0, -0.29, 0.385, 0.035)[0]
        scaled.paint(fabric * F(0.25), scaled.edge(np.maximum(band, crown[0])), at)
        scaled.body(at, (brim[0], brim[1] * F(0.5)), fabric, light, 0.28)
    elif style in ("scarf", "hood"):
        hole = shapes.ellipse(u, v, 0.75 * shift, 0.06, 0.325, 0.455)[0]
        rim = np.maximum(back[0], -hole)
        folds = canvas.noise(u * F(2), v * F(0.6) + u, 0.35, seed, "soft") * F(0.14)
        scaled.body(
            at,
            (rim, back[1] + shapes.bulge(-hole, 0.12) * F(0) + shapes.bulge(rim, 0.10)),
            fabric,
            light,
            0.29,
            relief=folds,
        )
    else:
        part = rng.uniform(-0.2, 0.2)
        line = shapes.ellipse(
            u,
            v,
            part + 0.5 * shift,
            0.16,
            0.33,
            rng.uniform(0.40, 0.46),
            rng.uniform(-0.2, 0.2),
        )[0]
        if style in ("short", "bun"):
            side_line = v - F(0.02) - F(0.35) * np.abs(u - F(shift))
        else:
            side_line = v - F(0.7)
        cap = shapes.ellipse(u, v, -0.15 * shift, -0.14, 0.425, 0.42)
        mass = np.maximum(np.maximum(cap[0], -line), side_line)
        ragged = canvas.noise(u * F(3), v, 0.12, seed + 3)
        mass = mass + F(0.035) * (ragged - F(0.5))
        lock = strands(
            canvas, u, v + F(0.6) * u * u, ink, 1.0, seed, 1.2 * (1 if part > 0 else -1)
        )
        normal = shapes.normals(cap[1], px)
        scaled.body(at, (mass, cap[1]), lock, light, 0.29, soft=0.02)
        ring = shapes.gloss(normal, light, 10) * scaled.edge(mass)
        grain = canvas.noise(u * F(2.5), v * F(0.5), 0.1, seed + 7)
        canvas.glow((ink * F(0.8) + F(0.03)) * light.key, ring * grain * F(0.9), at)


FACE = np.array(
    [
        (0.02, -0.50),
        (0.22, -0.46),
        (0.335, -0.33),
        (0.375, -0.18),
        (0.375, -0.08),
        (0.352, -0.02),
        (0.395, 0.06),
        (0.47, 0.155),
        (0.455, 0.19),
        (0.385, 0.20),
        (0.378, 0.235),
        (0.408, 0.268),
        (0.385, 0.296),
        (0.405, 0.328),
        (0.378, 0.365),
        (0.385, 0.42),
        (0.345, 0.475),
        (0.24, 0.48),
        (0.10, 0.43),
        (0.05, 0.55),
        (0.06, 0.80),
        (-0.30, 0.85),
        (-0.27, 0.50),
        (-0.36, 0.30),
        (-0.46, 0.05),
        (-0.46, -0.20),
        (-0.36, -0.40),
        (-0.18, -0.49),
    ]
)


def profile(canvas, rng, x, y, unit, facing, skin, hair, cloth, light) -> None:
    """A head from the side, the light along the line of brow, nose and chin."""
    style = ("bun", "long", "short", "tail", "hat", "wrap")[int(rng.integers(6))]
    nod = rng.uniform(-0.22, 0.16)
    seed = int(rng.integers(1 << 30))
    ink = np.asarray(hair, F)
    fabric = np.asarray(cloth, F) * F(0.9) + F(0.02)
    scaled = shapes.Model(canvas, unit)
    at, u, v = shapes.local(canvas, x, y, 1.6 * unit)
    u, v = u * F(facing / unit), v * F(1 / unit)
    c, s = F(math.cos(nod)), F(math.sin(nod))
    p, q = u * c + (v - F(0.4)) * s, (v - F(0.4)) * c - u * s + F(0.4)
    points = shapes.outline(FACE + rng.normal(0, 0.005, FACE.shape), 3)
    head = shapes.polygon(p, q, points, 0.30)

    def bump(cx, cy, sx, sy, amount):
        return F(amount) * np.exp(-(((p - F(cx)) / F(sx)) ** 2) - ((q - F(cy)) / F(sy)) ** 2)

    height = head[1] + bump(0.30, 0.02, 0.06, 0.05, -0.05) + bump(0.2, 0.14, 0.12, 0.1, 0.04)
    height = height + bump(0.05, 0.30, 0.25, 0.09, 0.03)
    dark = bump(0.31, 0.0, 0.06, 0.05, 0.45) + bump(0.1, 0.52, 0.22, 0.09, 0.6)
    dark = dark + bump(0.375, 0.298, 0.05, 0.012, 0.5) + bump(0.40, 0.2, 0.04, 0.02, 0.4)
    flush = bump(0.20, 0.17, 0.13, 0.10, 0.4) + bump(0.39, 0.30, 0.05, 0.045, 0.9)
    tone = mix(
        np.asarray(skin, F),
        np.asarray(skin, F) * np.array([1.1, 0.62, 0.58], F),
        np.minimum(flush, 1),
    )
    tone = tone * np.maximum(F(1) - dark, F(0.15))[..., None]
    scaled.body(at, (head[0], height), tone, light, 0.30, wrap=0.28, shine=0.08, sharpness=14)
    eye = shapes.limb(p, q, (0.265, 0.035), (0.33, 0.03), 0.012, 0.016)[0]
    scaled.paint(np.array([0.02, 0.014, 0.012], F), scaled.edge(eye, 0.012), at)
    brow = shapes.limb(p, q, (0.22, -0.055), (0.335, -0.06), 0.012, 0.012)[0]
    scaled.paint(ink * F(0.6), scaled.edge(brow, 0.025) * F(0.8), at)
    ear = shapes.ellipse(p, q, -0.06, 0.10, 0.055, 0.095, -0.2)
    if style not in ("long", "wrap"):
        scaled.body(at, ear, np.asarray(skin, F) * F(0.9), light, 0.30)

    shoulders(
        canvas,
        rng,
        x - 0.10 * unit * facing,
        y,
        unit,
        skin,
        cloth,
        light,
        0.8 * facing,
        False,
        False,
    )
    skull = shapes.ellipse(p, q, -0.085, -0.13, 0.425, 0.405, 0.15)
    line = (
        F(0.05) * np.sin(q * F(9))
        + p
        - F(0.12)
        + F(0.55) * np.maximum(q + F(0.22), 0)
        - F(0.55) * np.maximum(-q - F(0.22), 0)
    )
    if style == "hat":
        crown = shapes.ellipse(p, q, -0.05, -0.30, 0.40, 0.32)
        brim = shapes.ellipse(p, q, 0.02, -0.20, 0.72, 0.085, -0.12)
        nape = np.maximum(np.maximum(skull[0], line), -q - F(0.2))
        lock = strands(canvas, p, q, ink, 1.0, seed, 1.4)
        scaled.body(at, (nape, skull[1]), lock, light, 0.30, soft=0.015)
        scaled.body(at, (np.maximum(crown[0], q + F(0.19)), crown[1]), fabric, light, 0.29)
        scaled.body(at, brim, fabric * F(0.85), light, 0.28)
        return
    mass, high = np.maximum(skull[0], line), skull[1]
    if style == "long":
        fall = shapes.chain(
            p,
            q,
            [(-0.12, -0.1), (-0.26, 0.35), (-0.30, rng.uniform(0.8, 1.2))],
            [0.26, 0.24, 0.16],
        )
        mass, high = shapes.join((mass, high), fall, k=0.08)
    elif style == "bun":
        knot = shapes.circle(p, q, -0.46, rng.uniform(-0.42, 0.05), 0.17)
        mass, high = shapes.join((mass, high), knot, k=0.05)
    elif style == "tail":
        tail = shapes.chain(
            p,
            q,
            [(-0.44, -0.2), (-0.66, -0.05), (-0.66, 0.45), (-0.56, 0.85)],
            [0.09, 0.14, 0.13, 0.03],
        )
        mass, high = shapes.join((mass, high), tail, k=0.05)
    elif style == "wrap":
        turban = shapes.join(
            shapes.ellipse(p, q, -0.12, -0.30, 0.46, 0.30, -0.25),
            shapes.circle(p, q, -0.36, -0.36, 0.25),
            k=0.1,
        )
        folds = canvas.noise(p * F(0.7) + q, q * F(1.6) - p, 0.3, seed, "ridged") * F(0.09)
        cap = np.maximum(mass, -q)
        scaled.body(at, (np.maximum(mass, q - F(0.42)), high), ink * F(0.7), light, 0.30)
        del cap
        scaled.body(at, turban, fabric, light, 0.29, relief=folds)
        ring = shapes.circle(p, q, -0.04, 0.24, 0.045)[0]
        scaled.paint(linear("#e0b050"), scaled.edge(np.abs(ring) - F(0.008)), at)
        return
    ragged = canvas.noise(p * F(2), q, 0.12, seed + 3)
    mass = mass + F(0.03) * (ragged - F(0.5))
    lock = strands(
        canvas, p, q + F(0.5) * p * p, ink, 1.0, seed, 0.5 if style in ("bun", "tail") else 1.3
    )
    scaled.body(at, (mass, high), lock, light, 0.29, soft=0.02)
    shine = shapes.gloss(shapes.normals(high * F(unit), canvas.px), light, 10) * scaled.edge(
        mass
    )
    grain = canvas.noise(p * F(2.5), q * F(0.5), 0.1, seed + 7)
    canvas.glow((ink * F(0.8) + F(0.03)) * light.key, shine * grain * F(0.9), at)


def from_behind(canvas, rng, x, y, unit, facing, skin, hair, cloth, light) -> None:
    """Someone who looks where we look."""
    style = ("long", "short", "bun", "hat", "beanie")[int(rng.integers(5))]
    seed = int(rng.integers(1 << 30))
    ink, fabric = np.asarray(hair, F), np.asarray(cloth, F) * F(0.85) + F(0.02)
    scaled = shapes.Model(canvas, unit)
    shoulders(canvas, rng, x, y, unit, skin, cloth, light, 0.3 * facing, False)
    at, u, v = shapes.local(canvas, x, y, 1.7 * unit)
    u, v = u * F(1 / unit), v * F(1 / unit)
    for side in (-1, 1):
        ear = shapes.ellipse(u, v, 0.375 * side, 0.05, 0.05, 0.09, 0.2 * side)
        scaled.body(at, ear, np.asarray(skin, F), light, 0.32)
    skull = shapes.join(
        shapes.ellipse(u, v, 0, -0.10, 0.385, 0.41),
        shapes.ellipse(u, v, 0, 0.16, 0.30, 0.30),
        k=0.1,
    )
    if style == "long":
        fall = shapes.chain(
            u,
            v,
            [(0, 0.0), (0.03 * facing, 0.55), (0.08 * facing, rng.uniform(0.9, 1.35))],
            [0.40, 0.42, 0.30],
        )
        skull = shapes.join(skull, fall, k=0.1)
    elif style == "bun":
        skull = shapes.join(skull, shapes.circle(u, v, 0.0, -0.45, 0.2), k=0.04)
    ragged = canvas.noise(u * F(3), v * F(0.6), 0.15, seed + 3)
    mass = skull[0] + F(0.04) * (ragged - F(0.5))
    if style in ("short", "hat", "beanie"):
        mass = np.maximum(mass, v - F(0.38))
    lock = strands(canvas, u, v, ink, 1.0, seed, math.pi / 2)
    scaled.body(at, (mass, skull[1]), lock, light, 0.30, soft=0.02)
    shine = shapes.gloss(
        shapes.normals(skull[1] * F(unit), canvas.px), light, 10
    ) * scaled.edge(mass)
    grain = canvas.noise(u * F(2.5), v * F(0.5), 0.1, seed + 7)
    canvas.glow((ink * F(0.8) + F(0.03)) * light.key, shine * grain, at)
    if style == "hat":
        crown = shapes.join(
            shapes.ellipse(u, v, 0, -0.36, 0.39, 0.30),
            shapes.box(u, v, 0, -0.27, 0.38, 0.12, 0.05),
            k=0.04,
        )
        brim = shapes.ellipse(u, v, 0, -0.17, rng.uniform(0.66, 0.85), 0.13)
        straw = canvas.noise(u, v * F(3), 0.08, seed, "grain")
        tone = fabric * (F(0.7) + F(0.6) * straw)[..., None]
        scaled.body(at, (brim[0], brim[1] * F(0.5)), tone, light, 0.29)
        scaled.body(at, (crown[0], crown[1] * F(0.8)), tone, light, 0.29)
        band = shapes.box(u, v, 0, -0.22, 0.385, 0.035)[0]
        scaled.paint(fabric * F(0.2), scaled.edge(np.maximum(band, crown[0])), at)
    elif style == "beanie":
        knit = np.sin(u * F(60)) * F(0.008) * np.cos(v * F(70))
        cap = np.maximum(shapes.ellipse(u, v, 0, -0.16, 0.42, 0.43)[0], v - F(0.06))
        scaled.body(at, (cap, skull[1]), fabric, light, 0.29, relief=knit)
        cuff = shapes.box(u, v, 0, 0.0, 0.415, 0.085, 0.05)
        scaled.body(at, cuff, fabric * F(0.8), light, 0.28)
