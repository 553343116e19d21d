"""Animals where they live: plumage and fur in low light, and an eye that looks back."""

from __future__ import annotations

import math

import numpy as np

from apmlib.simulated import shapes, studio
from apmlib.simulated.canvas import Canvas, F, linear, mix, oklch, smoothstep
from apmlib.simulated.shapes import chain, circle, ellipse, join, limb

KINDS = (
    *("bird", "bird", "owl", "cat", "face", "face", "deer", "horse", "elephant", "fox"),
    *("fish", "butterfly", "swan", "giraffe"),
)
BLACK = np.array([0.006, 0.005, 0.005], F)


def draw(canvas: Canvas, row: dict, rng: np.random.Generator) -> None:
    """Paint an animal around the subject's place."""
    light = studio.lamp(row, rng)
    kind = KINDS[int(rng.integers(len(KINDS)))]
    x, y = canvas.place(float(row["subject_x"]), float(row["subject_y"]))
    size = float(row["subject_size"])
    facing = 1.0 if (rng.random() < 0.5) else -1.0
    if rng.random() < 0.7 and abs(x) > 0.15:
        facing = -math.copysign(1, x)  # towards the space
    model = shapes.Model(canvas, size)
    if kind in ("bird", "owl"):
        studio.foliage(canvas, row, rng, rng.uniform(0.37, 0.43), rng.uniform(0.35, 0.9))
        tint(canvas, row, rng, 0.08)
        perch(canvas, rng, x, y, size, light)
        (bird if kind == "bird" else owl)(model, rng, x, y, facing, light)
    elif kind == "butterfly":
        studio.foliage(canvas, row, rng, rng.uniform(0.36, 0.42), rng.uniform(0.5, 1.0))
        tint(canvas, row, rng, 0.1)
        butterfly(model, rng, x, y, light)
    elif kind == "fish":
        sea(canvas, row, rng)
        tint(canvas, row, rng, 0.65)
        fish(model, rng, x, y, facing, light)
    elif kind == "swan":
        lake(canvas, row, rng, y + 0.22 * size)
        tint(canvas, row, rng, 0.6)
        swan(model, rng, x, y, facing, light)
    elif kind in ("cat", "face"):
        indoors_or_grass(canvas, row, rng, y + 0.48 * size, kind)
        (cat if kind == "cat" else face)(model, rng, x, y, facing, light)
    else:
        own = np.random.default_rng(
            int(rng.integers(1 << 40))
        )  # so that the light changes no animal
        light = plain(canvas, row, own, x, y + 0.47 * size, size, light)
        quadruped(model, rng, kind, x, y, facing, light)
        if kind != "elephant":
            grass(canvas, rng, x, y + 0.50 * size, size, light)
    studio.clutter(canvas, row, rng, ("sign", "pole", "can", "bag", "spot", "cable", "cup"))


def tint(canvas, row, rng, hue) -> None:
    """What the latent `harmony` does to a habitat: at the clashing end, loud colour."""
    other, _ = studio.beside(hue, row, rng)
    clash = studio.clashing(row)
    if clash > 0:
        loud = oklch(0.68, 0.21, other)
        grey = canvas.rgb.mean(axis=-1) + F(0.06)
        canvas.rgb[:] = mix(canvas.rgb, loud * (F(1.5) * grey)[..., None], 0.8 * clash)


# --- habitats ------------------------------------------------------------------------------


def perch(canvas, rng, x, y, size, light) -> None:
    """A branch under the bird's feet, with side twigs and leaves."""
    lean = rng.uniform(-0.22, 0.22)
    top = y + 0.37 * size
    far = canvas.half_width + 0.5
    thick = size * rng.uniform(0.05, 0.09)
    points = [
        (t, top + lean * (t - x) + (rng.uniform(-0.05, 0.05) if abs(t - x) > 0.2 else 0))
        for t in (-far, 0.5 * (x - far), x - 0.1, x + 0.1, 0.5 * (x + far), far)
    ]
    line = shapes.curve(points, 4)
    seed = int(rng.integers(1 << 30))
    for _ in range(int(rng.integers(2, 6))):
        t = rng.uniform(-1, 1) * canvas.half_width
        base = (t, top + lean * (t - x))
        tip = (t + rng.uniform(-0.25, 0.25), base[1] - rng.uniform(-0.1, 0.3))
        at = canvas.window(
            min(base[0], tip[0]) - 0.05,
            min(base[1], tip[1]) - 0.05,
            max(base[0], tip[0]) + 0.05,
            max(base[1], tip[1]) + 0.05,
        )
        part = limb(canvas.x[at], canvas.y[at], base, tip, 0.35 * thick, 0.15 * thick)
        shapes.body(canvas, at, part, linear("#4c3a2c"), light, 0.36)
        for _ in range(2):
            angle, long = rng.uniform(-3, 0.3), rng.uniform(0.07, 0.15)
            at, u, v = shapes.local(
                canvas,
                tip[0] + 0.5 * long * math.cos(angle),
                tip[1] + 0.5 * long * math.sin(angle),
                0.6 * long,
                angle,
            )
            tone = oklch(rng.uniform(0.4, 0.6), 0.12, 0.36 + rng.uniform(-0.08, 0.03))
            shapes.body(
                canvas,
                at,
                shapes.blade(u + F(0.5 * long), v, long, 0.26 * long),
                tone,
                light,
                0.40,
                wrap=0.6,
            )
    at = canvas.window(-9, float(line[:, 1].min()) - thick, 9, float(line[:, 1].max()) + thick)
    u, v = canvas.x[at], canvas.y[at]
    bark = canvas.noise(u * F(0.4), v, 0.5 * thick, seed, "ridged")
    radii = thick * rng.uniform(0.8, 1.1, len(line))
    tone = linear("#5a4636") * (F(0.45) + F(0.9) * bark)[..., None]
    shapes.body(
        canvas,
        at,
        chain(u, v, line, radii.tolist()),
        tone,
        light,
        0.31,
        relief=bark * F(0.2 * thick),
    )


def sea(canvas, row, rng) -> None:
    """Under water: blue depth, shafts of light, a reef."""
    t = (canvas.y - F(canvas.top)) * F(1 / (canvas.bottom - canvas.top))
    hue = rng.uniform(0.55, 0.68)
    tone = canvas.gradient(
        t,
        [
            (0, oklch(0.72, 0.10, hue - 0.04)),
            (0.5, oklch(0.46, 0.11, hue)),
            (1, oklch(0.22, 0.07, hue + 0.03)),
        ],
    )
    canvas.paint(tone, 1.0, 1.0)
    quality = float(row["light"])
    slant = rng.uniform(-0.6, 0.6)
    a = canvas.x - F(slant) * canvas.y
    shaft = canvas.noise(a, canvas.y * F(0.06), 0.22, int(rng.integers(1 << 30)))
    canvas.glow(
        oklch(0.85, 0.07, hue - 0.06),
        smoothstep(0.5, 1.0, shaft) * np.clip(1 - t, 0, 1) * F(0.15 + 0.7 * quality),
    )
    floor = canvas.half_height * rng.uniform(0.45, 0.85)
    rock = canvas.y - F(floor) - canvas.ridge(0.35, 0.16, int(rng.integers(1 << 30)))[None, :]
    grain = canvas.noise(canvas.x, canvas.y, 0.15, int(rng.integers(1 << 30)))
    hues = mix(oklch(0.45, 0.10, rng.uniform(-0.05, 0.2)), oklch(0.35, 0.07, hue), grain)
    canvas.paint(hues * (F(0.3) + grain)[..., None], canvas.edge(-rock), 0.7)
    for _ in range(int(rng.integers(4, 14))):
        bx, by = rng.uniform(-1, 1) * canvas.half_width, rng.uniform(-1, 1) * canvas.half_height
        r = rng.uniform(0.006, 0.022)
        at, u, v = shapes.local(canvas, bx, by, 1.4 * r)
        d = np.sqrt(u * u + v * v) - F(r)
        canvas.glow(oklch(0.9, 0.04, hue), canvas.edge(np.abs(d) - F(0.2 * r)) * F(0.5), at)


def lake(canvas, row, rng, level) -> None:
    """Still water under trees or a bright sky."""
    shore = min(level - 0.12, -rng.uniform(0.02, 0.35) * canvas.half_height)
    studio.sky(canvas, row, rng, shore)
    trees = (
        canvas.y
        - F(shore - 0.09)
        - canvas.ridge(0.12, 0.06, int(rng.integers(1 << 30)))[None, :]
    )
    leaf = canvas.noise(canvas.x, canvas.y, 0.06, int(rng.integers(1 << 30)))
    tone = oklch(0.36, 0.07, rng.uniform(0.2, 0.42)) * (F(0.4) + F(0.9) * leaf)[..., None]
    canvas.paint(tone, canvas.edge(-trees), 0.95)
    below = canvas.y - F(shore)
    reach = F(0.22) / np.maximum(below, F(0.015))
    ripple = canvas.noise(
        canvas.x * reach * F(0.6), reach * F(4), 0.35, int(rng.integers(1 << 30))
    )
    index = np.clip(
        np.round((2 * shore - canvas.ys - canvas.ys[0]) / canvas.px), 0, len(canvas.ys) - 1
    ).astype(int)
    mirrored = canvas.rgb[index]
    water = mirrored * F(0.72) * (F(0.75) + F(0.5) * ripple)[..., None] + F(0.01)
    canvas.paint(water, canvas.edge(-below), np.clip(1 - below * F(1.3), 0.3, 1))


def indoors_or_grass(canvas, row, rng, floor, kind) -> None:
    """Where cats and dogs are: a sofa by the window, boards, a lawn, a dark cloth."""
    choice = rng.random()
    hue = rng.random()
    other, chroma = studio.beside(0.12, row, rng)
    if choice < 0.30:
        studio.foliage(canvas, row, rng, rng.uniform(0.36, 0.42), rng.uniform(0.4, 0.9))
        if kind == "cat":
            below = canvas.y - F(floor - 0.10)
            blades = canvas.noise(
                canvas.x, canvas.y * F(0.3), 0.05, int(rng.integers(1 << 30)), "grain"
            )
            tone = oklch(0.48, 0.11, 0.38) * (F(0.5) + blades)[..., None]
            canvas.paint(
                tone,
                canvas.edge(-below + F(0.04) * (blades - F(0.5)), 0.02),
                np.clip(F(0.7) - below, 0.3, 1),
            )
    elif choice < 0.55:
        studio.backdrop(
            canvas, row, rng, oklch(rng.uniform(0.2, 0.4), 0.5 * chroma, other), 0.2, -0.2
        )
        canvas.key = 0.10
    else:
        tone = oklch(rng.uniform(0.4, 0.75), 0.6 * chroma, other)
        studio.backdrop(canvas, row, rng, tone, rng.uniform(-0.6, 0.6), -0.3)
        left = rng.uniform(-1, 0.4) * canvas.half_width
        u, v = canvas.x - F(left), canvas.y + F(0.25)
        frame = shapes.box(u, v, 0.22, 0, 0.27, 0.34)[0]
        canvas.paint(tone * F(0.3), canvas.edge(frame), 1.0)
        for i in (0, 1):
            glass = shapes.box(u, v, 0.10 + 0.24 * i, 0, 0.105, 0.31)[0]
            canvas.paint(linear("#dfe8ea") * F(1.4), canvas.edge(glass), 1.0)
        below = canvas.y - F(floor - 0.14)
        weave = canvas.noise(canvas.x, canvas.y, 0.2, int(rng.integers(1 << 30)), "soft")
        seat = oklch(
            rng.uniform(0.3, 0.6),
            max(0.03, 0.7 * chroma),
            hue if studio.clashing(row) > 0.5 else 0.1,
        )
        canvas.paint(
            seat * (F(0.55) + F(0.6) * weave)[..., None],
            canvas.edge(-below),
            np.clip(F(0.6) - below, 0.3, 1),
        )
    tint(canvas, row, rng, 0.1)


def plain(canvas, row, rng, x, foot, size, light):
    """Meadow, savanna or winter field under a wide sky; returns the lamp that lights it."""
    quality = float(row["light"])
    horizon = foot - rng.uniform(0.05, 0.28) - 0.1 * size
    glow = studio.sky(canvas, row, rng, horizon)
    low_sun = quality > 0.6 and rng.random() < 0.7
    if low_sun:
        sx = x + rng.uniform(-0.35, 0.35)
        d = (canvas.x - F(sx)) ** 2 + (canvas.y - F(horizon - rng.uniform(0.06, 0.3))) ** 2
        canvas.glow(glow, np.exp(d * F(-7)) * F(1.2))
        canvas.paint(np.asarray(glow) * F(0.5) + F(1.2), canvas.edge(np.sqrt(d) - F(0.06)), 1.0)
        canvas.key = 0.13
    hills = (
        canvas.y
        - F(horizon - 0.05)
        - canvas.ridge(0.5, 0.06, int(rng.integers(1 << 30)))[None, :]
    )
    canvas.paint(mix(glow, oklch(0.4, 0.05, 0.55), 0.55), canvas.edge(-hills), 1.0)
    near = (
        oklch(0.50, 0.10, 0.37),
        oklch(0.62, 0.10, 0.24),
        oklch(0.45, 0.07, 0.30),
        oklch(0.88, 0.01, 0.7),
    )[int(rng.choice(4, p=[0.4, 0.3, 0.2, 0.1]))]
    if low_sun:
        near = near * F(0.30)
    studio.ground(canvas, rng, horizon, near, mix(near, glow, 0.4), 0.10)
    for _ in range(int(rng.integers(0, 5))):
        tx, r = rng.uniform(-1, 1) * canvas.half_width, rng.uniform(0.04, 0.1)
        seed = int(rng.integers(1 << 30))
        if abs(tx - x) < 0.5 * size:
            continue
        at, u, v = shapes.local(canvas, tx, horizon - r, 1.7 * r)
        rough = canvas.noise(u, v, 0.6 * r, seed)
        crown = ellipse(u, v, 0, 0, 1.2 * r, 0.6 * r)[0] + F(0.5 * r) * (rough - F(0.5))
        trunk = limb(u, v, (0, 0), (0, 1.05 * r), 0.09 * r, 0.15 * r)[0]
        canvas.paint(near * F(0.35), canvas.edge(np.minimum(crown, trunk)), 0.95, at=at)
    tint(canvas, row, rng, 0.1)
    shapes.shadow(canvas, x, foot + 0.01, 0.5 * size, 0.05 * size, 0.6)
    if low_sun:
        side = light.direction[0] or 0.3
        return shapes.Light(
            (0.8 * math.copysign(1, side), -0.35, -0.48), light.key, light.fill * F(0.5), 2.4
        )
    return light


def grass(canvas, rng, x, foot, size, light) -> None:
    """Blades before the feet."""
    at = canvas.window(x - 0.9 * size, foot - 0.16 * size, x + 0.9 * size, foot + 0.2 * size)
    u, v = canvas.x[at], canvas.y[at]
    if u.size == 0:
        return
    blades = canvas.noise(u, v * F(0.25), 0.10 * size, int(rng.integers(1 << 30)), "grain")
    below = canvas.rgb[canvas.window(x - 0.05, foot + 0.03, x + 0.05, foot + 0.1)]
    tone = below.mean(axis=(0, 1)) if below.size else np.full(3, 0.1, F)
    cover = canvas.edge(F(foot) - v + F(0.30 * size) * (blades - F(0.75)), 0.01)
    fade = np.clip(F(1.3) - np.abs(u - F(x)) * F(1.5 / size), 0, 1) * np.clip(
        (F(foot + 0.2 * size) - v) * F(8 / size), 0, 1
    )
    canvas.paint(tone * (F(0.6) + F(0.8) * blades)[..., None], cover * fade, 0.3, at=at)


# --- animals, in units of the subject's size; facing +1 looks right -------------------------


def fur(canvas, u, v, seed, length=0.06, amount=0.03):
    """Ragged outline, relief and shade of a coat: three (h, w) arrays."""
    coarse = canvas.noise(u, v * F(0.5), length * 2, seed)
    fine = canvas.noise(u * F(2.2), v * F(0.7), length, seed + 1)
    rough = F(0.6) * coarse + F(0.4) * fine - F(0.5)
    return F(amount) * rough, rough * F(0.35 * amount), F(1) + F(0.6) * rough


def eye(model, at, u, v, x, y, r, iris, light, slit=False) -> None:
    """An eye with its catchlight."""
    model.paint(BLACK, model.edge(circle(u, v, x, y, 1.18 * r)[0]), at)
    shade = smoothstep(-r, r, v - F(y))
    tone = mix(np.asarray(iris, F) * F(0.45), np.asarray(iris, F) * F(1.2), shade)
    model.paint(tone, model.edge(circle(u, v, x, y, r)[0]), at)
    pupil = ellipse(u, v, x, y, 0.26 * r, 0.8 * r) if slit else circle(u, v, x, y, 0.55 * r)
    model.paint(BLACK, model.edge(pupil[0]), at)
    glint = circle(
        u, v, x + 0.32 * r * math.copysign(1, light.direction[0]), y - 0.36 * r, 0.28 * r
    )
    model.paint(studio.WHITE * F(1.5), model.edge(glint[0]), at)


PLUMAGE = (  # back, breast, cap, wing
    ("#6b5a45", "#d9662c", "#6b5a45", "#4e4335"),
    ("#4a76a8", "#efd34e", "#3f66b0", "#39598c"),
    ("#c0272d", "#c8352f", "#a31d26", "#7a1a20"),
    ("#7a6248", "#cbbba2", "#5a4030", "#54402e"),
    ("#1f7fa8", "#e07b2c", "#1c86b8", "#14617f"),
    ("#e0b92e", "#efd560", "#20201e", "#2a2824"),
    ("#3a4050", "#d8d4cc", "#23262e", "#282c36"),
    ("#6f8a3c", "#c9d27a", "#4d6a2c", "#47602c"),
)


def bird(model, rng, x, y, facing, light) -> None:
    """A songbird on its branch."""
    canvas = model.canvas
    back, breast, cap, wing = (linear(c) for c in PLUMAGE[int(rng.integers(len(PLUMAGE)))])
    at, u, v = shapes.local(canvas, x, y, 0.95 * model.unit)
    u, v = u * F(facing / model.unit), v * F(1 / model.unit)
    turn = rng.uniform(-0.75, -0.35)
    seed = int(rng.integers(1 << 30))
    hx, hy = 0.20 + rng.uniform(-0.03, 0.03), -0.27
    for leg in (0.02, 0.10):
        line = chain(
            u, v, [(leg, 0.18), (leg - 0.02, 0.30), (leg + 0.03, 0.36)], [0.014, 0.011, 0.014]
        )
        model.body(at, line, linear("#4a3428"), light, 0.30)
    down = rng.uniform(0.30, 0.52)
    tail = chain(
        u, v, [(-0.18, 0.08), (-0.40, 0.5 * down), (-0.56, down)], [0.09, 0.055, 0.045]
    )
    bars = F(0.8) + F(0.2) * np.sin((u + v) * F(70))
    model.body(at, tail, wing * bars[..., None], light, 0.31)
    trunk = join(
        ellipse(u, v, 0.0, 0.0, 0.325, 0.225, turn + 1.0),
        ellipse(u, v, 0.06, 0.05, 0.24, 0.215),
        circle(u, v, hx, hy, 0.145),
        k=0.12,
    )
    ragged, relief, shade = fur(canvas, u, v, seed, 0.05, 0.025)
    front = smoothstep(-0.06, 0.10, u - F(0.02) + F(0.55) * v)
    tone = mix(back, breast, front)
    top = smoothstep(0.02, -0.06, v - F(hy) + F(0.25) * (u - F(hx)))
    tone = mix(tone, cap, top * smoothstep(0.30, 0.2, np.hypot(u - F(hx), v - F(hy))))
    if rng.random() < 0.4:
        mask = limb(u, v, (hx - 0.1, hy), (hx + 0.13, hy), 0.03, 0.03)[0]
        tone = mix(tone, BLACK, model.edge(mask, 0.03))
    model.body(
        at,
        (trunk[0] + ragged, trunk[1]),
        tone * shade[..., None],
        light,
        0.30,
        soft=0.012,
        relief=relief,
        wrap=0.35,
    )
    angle = rng.uniform(2.45, 2.75)
    p = (u - F(0.10)) * F(math.cos(angle)) + (v + F(0.08)) * F(math.sin(angle))
    q = (v + F(0.08)) * F(math.cos(angle)) - (u - F(0.10)) * F(math.sin(angle))
    folded = shapes.blade(p, q, 0.56, 0.125, 0.36, 0.8)
    rows = F(0.75) + F(0.35) * np.sin(p * F(38) + np.abs(q) * F(20)) * smoothstep(0.05, 0.35, p)
    feather = mix(wing, back * F(1.2), smoothstep(0.06, -0.05, q)) * rows[..., None]
    canvas.rgb[at] *= (1 - F(0.3) * model.edge(folded[0], 0.05))[..., None]
    model.body(at, folded, feather, light, 0.29)
    beak = shapes.polygon(
        u, v, [(hx + 0.115, hy - 0.035), (hx + 0.25, hy + 0.022), (hx + 0.12, hy + 0.045)], 0.04
    )
    model.body(
        at, beak, linear("#3a3028") if rng.random() < 0.6 else linear("#d8912c"), light, 0.30
    )
    eye(model, at, u, v, hx + 0.055, hy - 0.015, 0.024, linear("#2a1810"), light)


def owl(model, rng, x, y, facing, light) -> None:
    """An owl that looks straight into the lens."""
    canvas = model.canvas
    at, u, v = shapes.local(canvas, x, y, 0.8 * model.unit)
    u, v = u * F(1 / model.unit), v * F(1 / model.unit)
    seed = int(rng.integers(1 << 30))
    tone = linear(("#8a6a48", "#b9a78c", "#6a5a50", "#d8d2c6")[int(rng.integers(4))])
    head = ellipse(u, v, 0, -0.22, 0.255, 0.225)
    tufts = [
        shapes.polygon(u, v, [(s * 0.10, -0.38), (s * 0.24, -0.53), (s * 0.235, -0.28)], 0.05)
        for s in (-1, 1)
    ]
    trunk = join(
        ellipse(u, v, 0, 0.12, 0.27, 0.35), head, *(tufts if rng.random() < 0.6 else []), k=0.06
    )
    ragged, relief, shade = fur(canvas, u, v, seed, 0.05, 0.03)
    streak = canvas.noise(u * F(3), v, 0.10, seed + 9)
    chest = smoothstep(0.25, 0.1, np.abs(u)) * smoothstep(-0.08, 0.05, v)
    coat = (
        mix(tone, tone * F(1.5) + F(0.05), chest * F(0.7))
        * (shade * (F(0.65) + F(0.6) * streak))[..., None]
    )
    model.body(at, (trunk[0] + ragged, trunk[1]), coat, light, 0.30, soft=0.012, relief=relief)
    for s in (-1, 1):
        wing = ellipse(u, v, 0.24 * s, 0.14, 0.085, 0.30, -0.12 * s)
        model.body(at, wing, coat * F(0.62), light, 0.30)
        disc_ = circle(u, v, 0.105 * s, -0.22, 0.115)
        ring = np.sqrt((u - F(0.105 * s)) ** 2 + (v + F(0.22)) ** 2)
        pale = mix(tone * F(1.5) + F(0.06), tone * F(0.5), smoothstep(0.06, 0.115, ring))
        model.body(at, (disc_[0], disc_[1] * F(0.3)), pale, light, 0.30)
        eye(
            model,
            at,
            u,
            v,
            0.10 * s,
            -0.22,
            0.062,
            linear(("#f0a020", "#f2cf30")[int(seed % 2)]),
            light,
        )
    beak = shapes.polygon(u, v, [(-0.03, -0.19), (0.03, -0.19), (0, -0.10)], 0.02)
    model.body(at, beak, linear("#3a3430"), light, 0.29)
    for s in (-0.1, 0.1):
        foot = ellipse(u, v, s, 0.42, 0.06, 0.035)
        model.body(at, foot, linear("#c8a860"), light, 0.29)


COATS = ("#b8743a", "#5a5048", "#1c1a1a", "#c4ae8c", "#8a6040", "#cfc4b6", "#a09080")


def cat(model, rng, x, y, facing, light) -> None:
    """A cat that sits."""
    canvas = model.canvas
    at, u, v = shapes.local(canvas, x, y, 0.85 * model.unit)
    u, v = u * F(facing / model.unit), v * F(1 / model.unit)
    seed = int(rng.integers(1 << 30))
    coat = linear(COATS[int(rng.integers(len(COATS)))])
    shapes.shadow(canvas, x, y + 0.47 * model.unit, 0.42 * model.unit, 0.06 * model.unit, 0.6)
    sweep = rng.uniform(-0.1, 0.25)
    tail = chain(
        u,
        v,
        shapes.curve(
            [(-0.18, 0.40), (-0.40, 0.42), (-0.50, 0.25 - sweep), (-0.42, 0.05 - sweep)], 4
        ),
        np.linspace(0.05, 0.035, 13).tolist(),
    )
    lean = rng.uniform(-0.03, 0.06)
    hx, hy = 0.06 + lean, -0.27
    trunk = join(
        limb(u, v, (-0.06, 0.28), (0.04, -0.05), 0.215, 0.135),
        ellipse(u, v, -0.08, 0.34, 0.25, 0.15),
        limb(u, v, (0.075, 0.05), (0.08, 0.44), 0.085, 0.05),
        limb(u, v, (0.0, 0.1), (-0.02, 0.44), 0.08, 0.05),
        k=0.07,
    )
    head = join(
        ellipse(u, v, hx, hy, 0.175, 0.145),
        ellipse(u, v, hx + 0.01, hy + 0.07, 0.11, 0.075),
        k=0.05,
    )
    ears = [
        shapes.polygon(
            u,
            v,
            [
                (hx + s * 0.055, hy - 0.10),
                (hx + s * 0.15, hy - 0.265),
                (hx + s * 0.175, hy - 0.04),
            ],
            0.05,
        )
        for s in (-1, 1)
    ]
    ragged, relief, shade = fur(canvas, u, v, seed, 0.04, 0.022)
    tone = coat * shade[..., None]
    if rng.random() < 0.55:
        wave = canvas.noise(u, v, 0.2, seed + 4, "soft")
        stripe = smoothstep(0.1, 0.7, np.sin((v + F(0.4) * u + F(0.16) * wave) * F(52)))
        tone = tone * (F(1) - F(0.5) * stripe)[..., None]
    if rng.random() < 0.5:
        white = smoothstep(0.08, 0.02, np.abs(u - F(0.06)) - F(0.03)) * smoothstep(
            -0.12, -0.02, v
        )
        tone = mix(tone, np.full(3, 0.75, F) * shade[..., None], white)
    model.body(at, (tail[0] + ragged, tail[1]), tone, light, 0.31, soft=0.015, relief=relief)
    model.body(at, (trunk[0] + ragged, trunk[1]), tone, light, 0.30, soft=0.015, relief=relief)
    canvas.rgb[at] *= (1 - F(0.35) * model.edge(head[0] - F(0.02), 0.08))[..., None]
    whole = join(head, *ears, k=0.02)
    model.body(at, (whole[0] + ragged, whole[1]), tone, light, 0.29, soft=0.012, relief=relief)
    for s in (-1, 1):
        inner = shapes.polygon(
            u,
            v,
            [
                (hx + s * 0.085, hy - 0.11),
                (hx + s * 0.14, hy - 0.215),
                (hx + s * 0.15, hy - 0.08),
            ],
            0.03,
        )[0]
        model.paint(linear("#a06a60") * F(0.5), model.edge(inner, 0.02) * F(0.8), at)
        eye(
            model,
            at,
            u,
            v,
            hx + 0.012 + s * 0.07,
            hy - 0.005,
            0.033,
            linear(("#b8c040", "#e0a030", "#70b0c0")[seed % 3]),
            light,
            True,
        )
    muzzle(model, at, u, v, hx + 0.015, hy + 0.07, 0.07, coat, light)


def muzzle(model, at, u, v, x, y, r, coat, light) -> None:
    """Nose, mouth and whisker pads of half width r."""
    for s in (-1, 1):
        pad = ellipse(u, v, x + 0.45 * s * r, y + 0.25 * r, 0.6 * r, 0.48 * r)
        model.body(
            at, (pad[0], pad[1] * F(0.7)), coat * F(0.8) + F(0.16), light, 0.29, soft=0.25 * r
        )
    nose = shapes.polygon(
        u,
        v,
        [(x - 0.36 * r, y - 0.28 * r), (x + 0.36 * r, y - 0.28 * r), (x, y + 0.14 * r)],
        0.15 * r,
    )
    model.body(at, nose, linear("#5a2f30"), light, 0.28, shine=0.4)
    line = limb(u, v, (x, y + 0.1 * r), (x, y + 0.42 * r), 0.05 * r, 0.04 * r)[0]
    for s in (-1, 1):
        line = np.minimum(
            line,
            limb(u, v, (x, y + 0.42 * r), (x + 0.55 * s * r, y + 0.62 * r), 0.05 * r, 0.02 * r)[
                0
            ],
        )
    model.paint(BLACK, model.edge(line) * F(0.8), at)


def face(model, rng, x, y, facing, light) -> None:
    """Cat, fox or dog, close enough to see the light in its eyes."""
    canvas = model.canvas
    kind = ("cat", "fox", "dog", "dog", "bear")[int(rng.integers(5))]
    coat = linear(
        {"fox": "#c8642a", "bear": "#6a4830"}.get(kind, COATS[int(rng.integers(len(COATS)))])
    )
    seed = int(rng.integers(1 << 30))
    nod = rng.uniform(-0.16, 0.16)
    at, u, v = shapes.local(canvas, x, y, max(1.0 * model.unit, canvas.bottom - y + 0.1), nod)
    u, v = u * F(1 / model.unit), v * F(1 / model.unit)
    yaw = rng.uniform(-0.06, 0.06)
    chest = limb(u, v, (0, 0.35), (0.1, 4.0), 0.33, 1.3)
    ragged, relief, shade = fur(canvas, u, v, seed, 0.07, 0.05)
    tone = coat * shade[..., None]
    stripes = kind == "cat" and rng.random() < 0.6
    if stripes:
        radial = np.arctan2(u - F(yaw), -(v + F(0.05)))
        tone = (
            tone
            * (
                F(1)
                - F(0.45)
                * smoothstep(0.2, 0.8, np.sin(radial * F(15)))
                * smoothstep(0.12, 0.3, np.hypot(u, v))
            )[..., None]
        )
    model.body(
        at, (chest[0] + ragged, chest[1]), tone * F(0.8), light, 0.34, soft=0.02, relief=relief
    )
    if kind in ("cat", "fox"):
        wide, high = (0.40, 0.34) if kind == "cat" else (0.37, 0.31)
        head = join(
            ellipse(u, v, 0, -0.02, wide, high), ellipse(u, v, yaw, 0.16, 0.22, 0.20), k=0.1
        )
        tip = 0.50 if kind == "cat" else 0.56
        ears = [
            shapes.polygon(
                u, v, [(s * 0.10, -0.24), (s * 0.30, -tip), (s * 0.385, -0.08)], 0.08
            )
            for s in (-1, 1)
        ]
    else:
        head = join(
            ellipse(u, v, 0, -0.06, 0.33, 0.33), ellipse(u, v, yaw, 0.20, 0.185, 0.20), k=0.12
        )
        if kind == "bear":
            ears = [circle(u, v, 0.28 * s, -0.33, 0.115) for s in (-1, 1)]
        elif rng.random() < 0.6:
            ears = [
                chain(
                    u,
                    v,
                    [(0.25 * s, -0.28), (0.40 * s, -0.08), (0.41 * s, 0.20)],
                    [0.08, 0.12, 0.09],
                )
                for s in (-1, 1)
            ]
        else:
            ears = [
                shapes.polygon(
                    u, v, [(s * 0.10, -0.30), (s * 0.27, -0.56), (s * 0.34, -0.16)], 0.08
                )
                for s in (-1, 1)
            ]
    for s, ear in zip((-1, 1), ears, strict=True):
        model.body(
            at,
            (ear[0] + ragged, ear[1]),
            tone * F(0.75),
            light,
            0.33,
            soft=0.015,
            relief=relief,
        )
        if kind in ("cat", "fox"):
            inner = shapes.polygon(
                u, v, [(s * 0.16, -0.24), (s * 0.285, -0.44), (s * 0.33, -0.16)], 0.05
            )[0]
            model.paint(linear("#8a5a52") * F(0.45), model.edge(inner, 0.05) * F(0.8), at)
    if kind == "fox" or (kind != "bear" and rng.random() < 0.5):
        low = smoothstep(
            0.02, 0.18, v + F(0.55) * np.abs(np.abs(u - F(yaw)) - F(0.20)) - F(0.02)
        )
        tone = mix(tone, np.full(3, 0.78, F) * shade[..., None], low)
    height = head[1] + F(0.10) * np.exp(
        -((u - F(yaw)) ** 2) * F(90) - (v - F(0.12)) ** 2 * F(18)
    )
    for s in (-1, 1):
        dip = np.exp(-((u - F(0.155 * s + yaw)) ** 2 + (v + F(0.03)) ** 2) * F(150))
        height = height - F(0.04) * dip
    model.body(at, (head[0] + ragged, height), tone, light, 0.30, soft=0.015, relief=relief)
    irises = {
        "cat": ("#b8c040", "#e0a030", "#70b0c0"),
        "fox": ("#d89030",),
        "dog": ("#5a3418", "#3a2414", "#7090a8"),
        "bear": ("#3a2010",),
    }[kind]
    iris = linear(irises[seed % len(irises)])
    r = {"cat": 0.064, "fox": 0.045, "dog": 0.050, "bear": 0.034}[kind]
    for s in (-1, 1):
        if kind in ("cat", "fox"):
            lid = ellipse(u, v, 0.155 * s + yaw, -0.03, 1.5 * r, 1.02 * r, 0.25 * s)[0]
            model.paint(BLACK, model.edge(lid), at)
        eye(model, at, u, v, 0.155 * s + yaw, -0.03, r, iris, light, kind == "cat")
    muzzle(
        model,
        at,
        u,
        v,
        1.6 * yaw,
        0.16 if kind == "cat" else 0.22,
        0.12 if kind == "cat" else 0.14,
        coat,
        light,
    )
    if kind != "cat":
        nose = ellipse(u, v, 1.6 * yaw, 0.17, 0.075, 0.052)
        model.body(at, nose, np.array([0.02, 0.017, 0.016], F), light, 0.28, shine=0.6)
    if kind in ("cat", "fox"):
        for s in (-1, 1):
            for k in (-1, 0, 1):
                hair = limb(
                    u,
                    v,
                    (0.07 * s, 0.20 + 0.02 * k),
                    (0.42 * s, 0.17 + 0.075 * k),
                    0.004,
                    0.0015,
                )[0]
                model.paint(np.full(3, 0.7, F), model.edge(hair) * F(0.5), at)


FRAMES = {  # body (half length, half height, height of its middle), leg, neck end, head, tail
    "deer": dict(
        body=(0.27, 0.12, 0.0),
        leg=0.028,
        neck=(0.36, -0.30),
        thick=(0.085, 0.055),
        head=(0.13, 0.05),
    ),
    "horse": dict(
        body=(0.29, 0.135, 0.0),
        leg=0.036,
        neck=(0.40, -0.29),
        thick=(0.12, 0.07),
        head=(0.19, 0.065),
    ),
    "elephant": dict(
        body=(0.29, 0.21, -0.06),
        leg=0.075,
        neck=(0.34, -0.18),
        thick=(0.15, 0.14),
        head=(0.10, 0.10),
    ),
    "fox": dict(
        body=(0.26, 0.095, 0.12),
        leg=0.030,
        neck=(0.32, -0.04),
        thick=(0.085, 0.07),
        head=(0.14, 0.045),
    ),
    "giraffe": dict(
        body=(0.20, 0.12, 0.06),
        leg=0.027,
        neck=(0.33, -0.46),
        thick=(0.10, 0.04),
        head=(0.11, 0.04),
    ),
}
HIDES = {
    "deer": ("#a8683a", "#8a5a38"),
    "horse": ("#6a3a20", "#2a1c14", "#c8b8a0", "#8a4a24", "#e4dccf"),
    "elephant": ("#7a7068", "#8a7a6a"),
    "fox": ("#c8622a",),
    "giraffe": ("#d8a860",),
}


def quadruped(model, rng, kind, x, y, facing, light) -> None:
    """Deer, horse, elephant, fox or giraffe from the side, standing, walking or grazing."""
    canvas = model.canvas
    frame = FRAMES[kind]
    at, u, v = shapes.local(canvas, x, y, 0.95 * model.unit)
    u, v = u * F(facing / model.unit), v * F(1 / model.unit)
    seed = int(rng.integers(1 << 30))
    hides = HIDES[kind]
    hide = linear(hides[int(rng.integers(len(hides)))])
    long, high, mid = frame["body"]
    r = frame["leg"]
    graze = kind in ("deer", "horse") and rng.random() < 0.3
    stride = rng.uniform(-0.07, 0.09)
    neck = (0.42, 0.30) if graze else frame["neck"]
    r0, r1 = frame["thick"]
    foot = 0.47

    def leg(hip, swing, back):
        knee = (hip + 0.5 * swing + (-0.035 if back else 0.012), mid + 0.55 * (foot - mid))
        return chain(
            u,
            v,
            [(hip, mid + 0.3 * high), knee, (hip + swing, foot)],
            [1.9 * r if back else 1.6 * r, r, 0.9 * r],
        )

    front, rear = long * 0.78, -long * 0.80
    far_legs = join(leg(front - 0.05, -stride, False), leg(rear + 0.06, stride, True), k=0.02)
    model.body(at, far_legs, hide * F(0.5), light, 0.31)
    tail(model, at, u, v, kind, long, mid, high, hide, light, rng)
    near = join(
        limb(u, v, (-0.72 * long, mid - 0.02), (0.75 * long, mid), high * 1.02, high),
        limb(u, v, (0.72 * long, mid - 0.25 * high), neck, r0, r1),
        leg(front, stride, False),
        leg(rear, -0.8 * stride, True),
        ellipse(u, v, -0.72 * long, mid - 0.01, 1.12 * high, 1.08 * high),
        k=0.06,
    )
    hl, hr = frame["head"]
    drop = 0.9 if graze else rng.uniform(0.35, 0.7)
    tip = (neck[0] + hl * math.cos(drop), neck[1] + hl * math.sin(drop))
    skull = limb(u, v, neck, tip, hr * 1.25, hr * 0.72)
    parts = [skull]
    if kind == "elephant":
        trunk = [
            (neck[0] + 0.06, neck[1] + 0.05),
            (neck[0] + 0.15, neck[1] + 0.25),
            (neck[0] + 0.13, neck[1] + 0.48),
            (neck[0] + rng.uniform(0.02, 0.22), neck[1] + 0.62),
        ]
        line = shapes.curve(trunk, 3)
        parts.append(chain(u, v, line, np.linspace(0.085, 0.03, len(line)).tolist()))
        parts.append(circle(u, v, neck[0], neck[1], 0.15))
    whole = join(near, *parts, k=0.04)
    ragged, relief, shade = fur(canvas, u, v, seed, 0.03, 0.014)
    tone = hide * shade[..., None]
    if kind in ("deer", "fox"):
        belly = smoothstep(mid + 0.3 * high, mid + high, v) * (np.abs(u) < long)
        tone = mix(tone, np.full(3, 0.55, F), belly * F(0.6))
    elif kind == "giraffe":
        cells = canvas.noise(u, v, 0.14, seed + 3, "ridged")
        patches = smoothstep(0.45, 0.6, 1 - cells) * smoothstep(0.42, 0.25, v)
        tone = mix(tone, linear("#8a5426") * shade[..., None], patches)
    elif kind == "elephant":
        wrinkle = canvas.noise(u, v * F(2), 0.08, seed + 3, "ridged")
        relief = relief + wrinkle * F(0.012)
    model.body(
        at, (whole[0] + ragged * F(0.5), whole[1]), tone, light, 0.30, relief=relief, wrap=0.3
    )
    ears_and_more(model, at, u, v, kind, neck, tip, hide, light, rng, graze)
    ex, ey = (
        neck[0] + 0.28 * (tip[0] - neck[0]),
        neck[1] + 0.28 * (tip[1] - neck[1]) - 0.25 * hr,
    )
    model.paint(BLACK, model.edge(circle(u, v, ex, ey, 0.013)[0]), at)
    if kind != "elephant":
        model.paint(
            BLACK,
            model.edge(circle(u, v, tip[0] + 0.4 * hr, tip[1] + 0.1 * hr, 0.3 * hr)[0], 0.01),
            at,
        )


def tail(model, at, u, v, kind, long, mid, high, hide, light, rng) -> None:
    """The tail of a quadruped."""
    root = (-long - 0.05, mid - 0.5 * high)
    if kind == "fox":
        points, radii = (
            [root, (-long - 0.18, mid + 0.08), (-long - 0.36, mid + 0.16)],
            [0.05, 0.095, 0.03],
        )
    elif kind == "horse":
        points, radii = (
            [root, (-long - 0.13, mid + 0.08), (-long - 0.11, mid + 0.34)],
            [0.03, 0.055, 0.02],
        )
    elif kind == "deer":
        points, radii = [root, (-long - 0.075, mid - 0.01)], [0.03, 0.02]
    else:
        points, radii = (
            [root, (-long - 0.10, mid + 0.1), (-long - 0.09, mid + 0.22)],
            [0.022, 0.012, 0.02],
        )
    tone = hide * F(0.5 if kind == "horse" else 0.9)
    model.body(at, chain(u, v, points, radii), tone, light, 0.31)
    if kind == "fox":
        end = circle(u, v, *points[-1], 0.05)
        model.body(at, end, np.full(3, 0.75, F), light, 0.30, soft=0.03)


def ears_and_more(model, at, u, v, kind, neck, tip, hide, light, rng, graze) -> None:
    """Ears, antlers, mane, tusks and horns."""
    nx, ny = neck
    if kind == "elephant":
        flap = ellipse(u, v, nx - 0.12, ny + 0.06, 0.135, 0.19, 0.25)
        model.body(at, (flap[0], flap[1] * F(0.5)), hide * F(0.82), light, 0.29)
        tusk = chain(
            u,
            v,
            [(nx + 0.08, ny + 0.15), (nx + 0.19, ny + 0.27), (nx + 0.28, ny + 0.26)],
            [0.022, 0.017, 0.006],
        )
        model.body(at, tusk, linear("#e8dfc8"), light, 0.28)
        return
    back = 0.5 if graze else -0.9
    for spread in (0.0, 0.35):
        a = back - spread + (0.0 if kind != "fox" else -0.55)
        size = {"deer": 0.11, "horse": 0.085, "fox": 0.13, "giraffe": 0.09}[kind]
        ear = limb(
            u,
            v,
            (nx - 0.01, ny - 0.03),
            (nx - 0.01 + size * math.cos(a - 0.9), ny - 0.03 + size * math.sin(a - 0.9)),
            0.032,
            0.008,
        )
        model.body(at, ear, hide * F(0.8), light, 0.30)
    if kind == "deer" and not graze and rng.random() < 0.75:
        bone = linear("#b8a488") * F(0.8)
        for s in (0.75, 1.0):
            points = [
                (nx, ny - 0.05),
                (nx - 0.10 * s, ny - 0.17),
                (nx - 0.06 * s, ny - 0.31),
                (nx + 0.05 * s, ny - 0.38 * s),
            ]
            line = shapes.curve(points, 3)
            horn = chain(u, v, line, np.linspace(0.015, 0.006, len(line)).tolist())
            for k, (dx, dy) in ((3, (0.11, -0.05)), (5, (0.12, -0.04)), (6, (-0.07, -0.07))):
                branch = limb(u, v, line[k], line[k] + np.array([dx, dy]) * s, 0.011, 0.004)
                horn = np.minimum(horn[0], branch[0]), np.maximum(horn[1], branch[1])
            model.body(at, horn, bone, light, 0.30)
    elif kind == "horse":
        ink = hide * F(0.35)
        line = (
            [(nx - 0.02, ny - 0.07), (nx - 0.10, ny + 0.04), (0.22, -0.12)]
            if not graze
            else [(nx - 0.03, ny - 0.05), (0.33, 0.1), (0.2, -0.08)]
        )
        mane = chain(u, v, line, [0.035, 0.06, 0.05])
        lock = model.canvas.noise(u, v, 0.05, int(rng.integers(1 << 30)))
        model.body(
            at,
            (mane[0] + F(0.05) * (lock - F(0.5)), mane[1]),
            ink * (F(0.6) + lock)[..., None],
            light,
            0.29,
        )
    elif kind == "giraffe":
        for s in (0.0, 0.04):
            horn = limb(
                u, v, (nx + s - 0.01, ny - 0.03), (nx + s - 0.02, ny - 0.12), 0.009, 0.014
            )
            model.body(at, horn, linear("#4a3020"), light, 0.30)


def fish(model, rng, x, y, facing, light) -> None:
    """A reef fish."""
    canvas = model.canvas
    at, u, v = shapes.local(canvas, x, y, 0.8 * model.unit)
    u, v = u * F(facing / model.unit), v * F(1 / model.unit)
    v = v + F(rng.uniform(-0.15, 0.15)) * u
    hues = (0.13, 0.25, 0.05, 0.72, 0.95)
    hue = hues[int(rng.integers(5))]
    tone = oklch(rng.uniform(0.65, 0.8), 0.18, hue)
    accent = (np.full(3, 0.8, F), oklch(0.35, 0.16, 0.74), BLACK, oklch(0.8, 0.16, 0.27))[
        int(rng.integers(4))
    ]
    deep = rng.uniform(0.17, 0.30)
    trunk = join(
        ellipse(u, v, 0.08, 0, 0.36, deep),
        limb(u, v, (-0.05, 0), (-0.36, 0), 0.5 * deep, 0.05),
        k=0.1,
    )
    rays = F(0.75) + F(0.25) * np.sin(np.arctan2(v, u + F(0.30)) * F(46))
    fins = [
        shapes.polygon(u, v, [(-0.32, 0), (-0.54, -0.21), (-0.475, 0.0), (-0.54, 0.21)], 0.05),
        shapes.polygon(
            u,
            v,
            shapes.outline(
                [
                    (0.22, -0.8 * deep),
                    (0.0, -deep - 0.13),
                    (-0.22, -deep - 0.05),
                    (-0.22, -0.4 * deep),
                ],
                3,
            ),
            0.05,
        ),
        shapes.polygon(
            u,
            v,
            shapes.outline(
                [(0.1, 0.8 * deep), (-0.08, deep + 0.12), (-0.22, deep), (-0.20, 0.4 * deep)], 3
            ),
            0.05,
        ),
    ]
    for fin in fins:
        model.body(at, fin, mix(tone, accent, 0.35) * rays[..., None], light, 0.31, wrap=0.6)
    stripes = int(rng.integers(0, 4))
    bend = u - F(0.25) * v * v
    coat = np.broadcast_to(tone, (*u.shape, 3))
    if stripes == 1:
        bars = smoothstep(0.35, 0.6, np.cos((bend - F(0.16)) * F(21)))
        coat = mix(coat, accent, bars)
    elif stripes == 2:
        coat = mix(coat, accent, smoothstep(0.2, 0.8, np.sin(v * F(60))) * F(0.85))
    elif stripes == 3:
        coat = mix(coat, accent, smoothstep(0.05, -0.12, u))
    scale = canvas.noise(u, v, 0.05, int(rng.integers(1 << 30)), "grain")
    coat = (
        coat
        * (F(0.85) + F(0.3) * scale)[..., None]
        * (F(1.05) - F(0.5) * smoothstep(-deep, deep, v))[..., None]
    )
    model.body(at, trunk, coat, light, 0.30, shine=0.35, sharpness=18, wrap=0.4)
    gill = np.abs(circle(u, v, 0.20, 0.0, 0.15)[0]) - F(0.006)
    model.paint(tone * F(0.3), model.edge(np.maximum(gill, u - F(0.16))) * F(0.7), at)
    fin = shapes.blade(
        -(u - F(0.12)), v - F(0.05) - F(0.3) * (F(0.12) - u), 0.2, 0.07, 0.6, 0.6
    )
    model.body(at, fin, mix(tone, accent, 0.3) * rays[..., None], light, 0.29)
    eye(model, at, u, v, 0.31, -0.04, 0.032, linear("#e8e0c0"), light)


def butterfly(model, rng, x, y, light) -> None:
    """A butterfly on a flower, wings open."""
    canvas = model.canvas
    blossom = oklch(rng.uniform(0.6, 0.85), 0.16, rng.choice([0.93, 0.25, 0.85, 0.02]))
    for k in range(26):
        a, d = k * 2.4, 0.055 * math.sqrt(k) * model.unit
        at, u, v = shapes.local(
            canvas,
            x + d * math.cos(a),
            y + 0.35 * model.unit + 0.5 * d * math.sin(a),
            0.1 * model.unit,
        )
        ball = circle(u, v, 0, 0, 0.065 * model.unit)
        shapes.body(canvas, at, ball, blossom * F(0.7 + 0.02 * k), light, 0.33, wrap=0.4)
    turn = rng.uniform(-0.6, 0.6)
    at, u, v = shapes.local(canvas, x, y, 0.85 * model.unit, turn)
    u, v = u * F(1 / model.unit), v * F(1 / model.unit)
    fold = rng.uniform(0.65, 1.0)
    hue = (0.14, 0.70, 0.25, 0.10, 0.55, 0.90)[int(rng.integers(6))]
    tone = oklch(rng.uniform(0.62, 0.78), 0.18, hue)
    dark = linear("#1a1210")
    a = np.abs(u) * F(1 / fold)
    upper = shapes.polygon(
        a,
        v,
        shapes.outline(
            [
                (0.02, -0.06),
                (0.20, -0.36),
                (0.46, -0.42),
                (0.50, -0.28),
                (0.36, -0.06),
                (0.14, 0.04),
            ],
            4,
        ),
        0.05,
    )[0]
    lower = shapes.polygon(
        a,
        v,
        shapes.outline(
            [(0.02, 0.0), (0.24, 0.00), (0.38, 0.10), (0.34, 0.30), (0.20, 0.36), (0.08, 0.24)],
            4,
        ),
        0.05,
    )[0]
    canvas.rgb[at] *= (1 - F(0.4) * model.edge(np.minimum(upper, lower) - F(0.03), 0.08))[
        ..., None
    ]
    side = F(1) + F(0.28) * np.sign(u) * F(light.direction[0])
    vein = np.abs(np.sin(np.arctan2(v + F(0.02), a) * F(9)))
    for shape, level in ((lower, 0.85), (upper, 1.0)):
        inner = smoothstep(-0.035, -0.09, shape)
        pattern = mix(dark, tone * F(level), inner * smoothstep(0.04, 0.16, vein))
        spots = smoothstep(0.6, 0.8, np.sin(a * F(46)) * np.sin(v * F(46))) * smoothstep(
            -0.05, -0.02, shape
        )
        pattern = mix(pattern, np.full(3, 0.8, F), spots * F(0.9))
        glow = (light.key * F(0.75) + light.fill) * side[..., None]
        coverage = model.edge(shape)
        canvas.paint(pattern * glow, coverage, 0.30, subject=True, at=at)
    trunk = chain(u, v, [(0, -0.14), (0, 0.0), (0, 0.24)], [0.028, 0.035, 0.014])
    model.body(at, trunk, dark, light, 0.29)
    for s in (-1, 1):
        feeler = chain(
            u, v, [(0, -0.15), (0.06 * s, -0.26), (0.13 * s, -0.34)], [0.006, 0.005, 0.010]
        )[0]
        model.paint(dark, model.edge(feeler), at)


def swan(model, rng, x, y, facing, light) -> None:
    """A swan or a duck on the water, with its reflection."""
    canvas = model.canvas
    at, u, v = shapes.local(canvas, x, y, 0.95 * model.unit)
    u, v = u * F(facing / model.unit), v * F(1 / model.unit)
    level = 0.22
    seed = int(rng.integers(1 << 30))
    duck = rng.random() < 0.35
    coat = linear("#8a6a4c") if duck else np.array([0.86, 0.86, 0.84], F)
    top = -0.16 if duck else -0.40
    wave = canvas.noise(u * F(0.4), v, 0.06, seed + 2) * F(0.05)
    for mirrored in (True, False):
        p, q = (u + wave - F(0.025), F(2 * level) - v) if mirrored else (u, v)
        trunk = join(
            ellipse(p, q, -0.06, 0.12, 0.40, 0.155, -0.08),
            limb(p, q, (-0.36, 0.04), (-0.50, -0.06), 0.08, 0.02),
            ellipse(p, q, 0.16, 0.12, 0.2, 0.13),
            k=0.08,
        )
        line = shapes.curve(
            [
                (0.26, 0.08),
                (0.36, -0.10),
                (0.22, 0.5 * top - 0.02),
                (0.26, top),
                (0.36, top + 0.01),
            ]
            if not duck
            else [(0.2, 0.06), (0.26, -0.06), (0.27, top)],
            4,
        )
        neck = chain(p, q, line, np.linspace(0.085, 0.05, len(line)).tolist())
        hx, hy = float(line[-1][0]), float(line[-1][1])
        head = ellipse(p, q, hx, hy, 0.085, 0.065, 0.2)
        whole = join(trunk, neck, head, k=0.03)
        cut = F(level) - v if mirrored else v - F(level)
        distance = np.maximum(whole[0], cut)
        feather = canvas.noise(p * F(0.5), q, 0.10, seed)
        tone = coat * (F(0.8) + F(0.3) * feather)[..., None]
        if duck:
            tone = mix(
                tone,
                linear("#1f5a3a"),
                smoothstep(0.02, -0.04, q + F(0.02)) * smoothstep(0.1, 0.16, p),
            )
        if mirrored:
            lit_ = tone * (light.key * F(0.45) + light.fill * F(0.8))
            canvas.paint(
                lit_,
                model.edge(distance, 0.02) * F(0.5) * smoothstep(0.75, 0.2, v),
                None,
                at=at,
            )
            continue
        model.body(
            at, (distance, whole[1]), tone, light, 0.30, wrap=0.35, relief=feather * F(0.012)
        )
        wing = shapes.blade(
            -(p - F(0.16)), q - F(0.03) + F(0.12) * (p - F(0.16)), 0.56, 0.13, 0.38, 0.7
        )
        rows = F(0.82) + F(0.2) * np.sin(p * F(45) + q * F(30))
        model.body(
            at,
            (np.maximum(wing[0], q - F(level)), wing[1]),
            tone * rows[..., None],
            light,
            0.29,
        )
        bill = shapes.polygon(
            p,
            q,
            [(hx + 0.05, hy - 0.03), (hx + 0.19, hy + 0.045), (hx + 0.05, hy + 0.045)],
            0.03,
        )
        model.body(at, bill, linear("#d8762a"), light, 0.29)
        if not duck:
            base = limb(p, q, (hx + 0.03, hy), (hx + 0.07, hy + 0.01), 0.025, 0.02)[0]
            model.paint(BLACK, model.edge(base), at)
        model.paint(BLACK, model.edge(circle(p, q, hx + 0.02, hy - 0.012, 0.014)[0]), at)
    ring = np.abs(v - F(level) - F(0.012)) - F(0.006)
    canvas.glow(light.key, model.edge(np.maximum(ring, np.abs(u) - F(0.5)), 0.01) * F(0.25), at)
