"""Single objects in square pictures: what the narrow backbones learn before they see AVA.

Our stand-in for ImageNet. The kinds overlap with what the photographs show, but are not their
categories, and the backgrounds are others.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from apmlib.progress import progress
from apmlib.simulated import shapes, studio
from apmlib.simulated.canvas import Canvas, F, mix, oklch
from apmlib.simulated.workers import spread

# Each kind is a function of local coordinates (u right, v down, the object within -1 .. 1) and
# three colours, and returns its parts from back to front: (shape, colour).


def _ball(u, v, c):
    stripe = (np.abs(v + F(0.25) * u) < F(0.22))[..., None]
    return [(shapes.circle(u, v, 0, 0, 0.85), np.where(stripe, c[1], c[0]))]


def _cup(u, v, c):
    ring = shapes.circle(u, v, 0.62, 0.05, 0.42)
    hole = shapes.circle(u, v, 0.62, 0.05, 0.25)
    handle = (np.maximum(ring[0], -hole[0]), ring[1] * F(0.4))
    body = shapes.lathe(u, v, [-0.65, 0.7], [0.62, 0.48])
    return [
        (handle, c[0]),
        (body, c[0]),
        (shapes.ellipse(u, v, 0, -0.65, 0.6, 0.14), c[1] * F(0.4)),
    ]


def _bottle(u, v, c):
    heights, widths = [-0.95, -0.5, -0.25, 0.9], [0.14, 0.15, 0.36, 0.38]
    label = shapes.box(u, v, 0, 0.35, 0.36, 0.25, 0.02)
    neck = shapes.box(u, v, 0, -0.88, 0.17, 0.09, 0.03)
    return [(shapes.lathe(u, v, heights, widths), c[0]), (label, c[1]), (neck, c[2])]


def _wineglass(u, v, c):
    heights = [-0.9, -0.5, -0.15, 0.0, 0.75, 0.8]
    return [
        (shapes.ellipse(u, v, 0, 0.82, 0.48, 0.1), c[1]),
        (shapes.lathe(u, v, heights, [0.42, 0.5, 0.35, 0.06, 0.05, 0.3]), c[1]),
        (shapes.lathe(u, v, [-0.5, -0.2, -0.08], [0.46, 0.33, 0.1]), c[0]),
    ]


def _bowl(u, v, c):
    return [
        (shapes.circle(u, v, -0.3, -0.28, 0.36), c[1]),
        (shapes.circle(u, v, 0.28, -0.3, 0.38), c[2]),
        (shapes.lathe(u, v, [-0.15, 0.2, 0.5, 0.62], [0.92, 0.82, 0.5, 0.3]), c[0]),
    ]


def _book(u, v, c):
    pages = shapes.polygon(u, v, [(-0.6, 0.82), (0.72, 0.82), (0.72, 0.7), (-0.6, 0.7)], 0.04)
    return [
        (shapes.box(u, v, 0.05, 0.05, 0.68, 0.85, 0.05), c[0]),
        (pages, np.full(3, 0.8, F)),
        (shapes.box(u, v, -0.55, 0, 0.1, 0.9, 0.03), c[0] * F(0.6)),
        (shapes.box(u, v, 0.12, -0.35, 0.42, 0.1, 0.02), c[1]),
        (shapes.box(u, v, 0.12, -0.1, 0.28, 0.06, 0.02), c[1]),
    ]


def _candle(u, v, c):
    flame = shapes.join(
        shapes.circle(u, v, 0, -0.5, 0.15), shapes.limb(u, v, (0, -0.5), (0, -0.9), 0.1, 0.01)
    )
    return [
        (shapes.ellipse(u, v, 0, 0.85, 0.6, 0.13), c[1]),
        (shapes.lathe(u, v, [-0.25, 0.85], [0.27, 0.27]), c[0]),
        (flame, np.array([3.0, 1.6, 0.4], F)),
    ]


def _lamp(u, v, c):
    return [
        (shapes.ellipse(u, v, 0, 0.85, 0.42, 0.1), c[1]),
        (shapes.lathe(u, v, [-0.1, 0.85], [0.06, 0.06]), c[1]),
        (shapes.lathe(u, v, [-0.9, 0.05], [0.32, 0.72]), c[0] * F(1.6)),
    ]


def _chair(u, v, c):
    legs = [shapes.limb(u, v, (x, 0.1), (x * 1.15, 0.92), 0.06, 0.05) for x in (-0.45, 0.45)]
    return [
        *[(leg, c[1]) for leg in legs],
        (shapes.box(u, v, 0, -0.5, 0.5, 0.45, 0.1), c[0]),
        (shapes.box(u, v, 0, -0.5, 0.3, 0.08, 0.03), c[1]),
        (shapes.box(u, v, 0, 0.1, 0.62, 0.12, 0.06), c[0] * F(0.8)),
    ]


def _table(u, v, c):
    legs = [
        shapes.limb(u, v, (x, -0.2), (x, 0.8), 0.07, 0.05) for x in (-0.75, -0.4, 0.4, 0.75)
    ]
    return [
        *[(leg, c[0] * F(0.7)) for leg in legs],
        (
            shapes.polygon(u, v, [(-0.7, -0.45), (0.7, -0.45), (0.95, -0.1), (-0.95, -0.1)]),
            c[0],
        ),
        (shapes.box(u, v, 0, -0.08, 0.95, 0.07, 0.02), c[0] * F(0.6)),
    ]


def _clock(u, v, c):
    marks = [
        shapes.circle(u, v, 0.66 * math.sin(a), -0.66 * math.cos(a), 0.06)
        for a in np.arange(12) * math.pi / 6
    ]
    return [
        (shapes.circle(u, v, 0, 0, 0.92), c[0]),
        (shapes.box(u, v, 0, 0, 0.78, 0.78, 0.78), np.full(3, 0.85, F)),
        *[(mark, c[2] * F(0.3)) for mark in marks],
        (shapes.limb(u, v, (0, 0), (0.3, -0.3), 0.05, 0.04), c[2] * F(0.3)),
        (shapes.limb(u, v, (0, 0), (-0.12, -0.58), 0.05, 0.03), c[2] * F(0.3)),
    ]


def _key(u, v, c):
    ring, hole = shapes.circle(u, v, -0.55, 0, 0.4), shapes.circle(u, v, -0.55, 0, 0.2)
    head = (np.maximum(ring[0], -hole[0]), ring[1] * F(0.4))
    teeth = [shapes.box(u, v, x, 0.16, 0.06, 0.16, 0.02) for x in (0.5, 0.7, 0.88)]
    shaft = shapes.limb(u, v, (-0.2, 0), (0.92, 0), 0.09, 0.09)
    return [(part, c[0]) for part in (head, shaft, *teeth)]


def _umbrella(u, v, c):
    dome = shapes.ellipse(u, v, 0, 0.05, 0.95, 0.85)
    dome = (np.maximum(dome[0], v - F(0.05) - F(0.08) * np.abs(np.sin(u * 10))), dome[1])
    wedge = (np.floor(np.arctan2(u, F(1.2) - v) * F(5)) % 2 == 0)[..., None]
    hook = shapes.chain(u, v, [(0, 0), (0, 0.8), (0.1, 0.92), (0.22, 0.84)], [0.04] * 4)
    return [(hook, c[2] * F(0.4)), (dome, np.where(wedge, c[0], c[1]))]


def _hat(u, v, c):
    crown = shapes.lathe(u, v, [-0.65, 0.15], [0.45, 0.52])
    band = shapes.lathe(u, v, [-0.05, 0.16], [0.51, 0.53])
    return [(shapes.ellipse(u, v, 0, 0.2, 0.98, 0.28), c[0]), (crown, c[0]), (band, c[1])]


def _house(u, v, c):
    roof = shapes.polygon(u, v, [(-0.9, -0.1), (0, -0.85), (0.9, -0.1)], 0.1)
    glass = np.array([0.15, 0.2, 0.3], F)
    windows = [shapes.box(u, v, x, 0.2, 0.15, 0.16, 0.01) for x in (-0.4, 0.4)]
    return [
        (shapes.box(u, v, 0.45, -0.6, 0.1, 0.25, 0.02), c[2]),
        (shapes.box(u, v, 0, 0.35, 0.72, 0.52, 0.02), c[0]),
        (roof, c[1]),
        *[(window, glass) for window in windows],
        (shapes.box(u, v, 0, 0.6, 0.14, 0.27, 0.01), c[2] * F(0.5)),
    ]


def _tower(u, v, c):
    gaps = [shapes.box(u, v, 0, y, 0.08, 0.12, 0.04) for y in (-0.3, 0.1, 0.5)]
    teeth = [shapes.box(u, v, x, -0.72, 0.1, 0.12) for x in (-0.38, -0.13, 0.13, 0.38)]
    return [
        (shapes.lathe(u, v, [-0.6, 0.95], [0.36, 0.46]), c[0]),
        (shapes.box(u, v, 0, -0.58, 0.5, 0.1), c[0]),
        *[(tooth, c[0]) for tooth in teeth],
        *[(gap, c[0] * F(0.15)) for gap in gaps],
    ]


def _bridge(u, v, c):
    deck = shapes.box(u, v, 0, -0.12, 1.0, 0.14)
    wall = shapes.box(u, v, 0, 0.2, 1.0, 0.45)
    arches = [shapes.ellipse(u, v, x, 0.62, 0.25, 0.5) for x in (-0.62, 0.0, 0.62)]
    hollow = np.minimum.reduce([arch[0] for arch in arches])
    return [((np.maximum(wall[0], -hollow), wall[1] * F(0.2)), c[0]), (deck, c[0] * F(0.8))]


def _boat(u, v, c):
    hull = shapes.polygon(u, v, [(-0.85, 0.4), (0.9, 0.4), (0.6, 0.82), (-0.6, 0.82)], 0.2)
    return [
        (shapes.limb(u, v, (0, 0.4), (0, -0.95), 0.04, 0.03), c[2] * F(0.4)),
        (
            shapes.polygon(u, v, [(0.06, -0.9), (0.75, 0.25), (0.06, 0.25)], 0.2),
            np.full(3, 0.85, F),
        ),
        (shapes.polygon(u, v, [(-0.06, -0.7), (-0.6, 0.25), (-0.06, 0.25)], 0.2), c[1]),
        (hull, c[0]),
    ]


def _car(u, v, c):
    cabin = shapes.polygon(
        u, v, [(-0.5, -0.05), (-0.3, -0.42), (0.25, -0.42), (0.55, -0.05)], 0.1
    )
    glass = [(-0.38, -0.06), (-0.24, -0.33), (0.2, -0.33), (0.41, -0.06)]
    black, rim = np.full(3, 0.015, F), np.full(3, 0.45, F)
    return [
        (cabin, c[0]),
        (shapes.polygon(u, v, glass, 0.05), np.array([0.12, 0.2, 0.28], F)),
        (shapes.box(u, v, 0, 0.15, 0.95, 0.24, 0.14), c[0]),
        *[(shapes.circle(u, v, x, 0.38, 0.22), black) for x in (-0.52, 0.52)],
        *[(shapes.circle(u, v, x, 0.38, 0.1), rim) for x in (-0.52, 0.52)],
    ]


def _wheel(u, v, c):
    tyre, hole = shapes.circle(u, v, 0, 0, 0.92), shapes.circle(u, v, 0, 0, 0.72)
    spokes = [
        shapes.limb(u, v, (0, 0), (0.78 * math.cos(a), 0.78 * math.sin(a)), 0.04, 0.03)
        for a in np.arange(9) * 2 * math.pi / 9
    ]
    rim = (np.maximum(tyre[0], -hole[0]), tyre[1] * F(0.4))
    return [
        *[(s, c[1]) for s in spokes],
        (rim, c[0] * F(0.5)),
        (shapes.circle(u, v, 0, 0, 0.16), c[2]),
    ]


def _tree(u, v, c):
    green = mix(c[0], oklch(0.5, 0.13, 0.36), 0.75)
    blobs = [(-0.4, -0.25, 0.42), (0.42, -0.22, 0.4), (0, -0.55, 0.42), (0, -0.15, 0.45)]
    trunk = shapes.limb(u, v, (0, 0.95), (0, 0), 0.14, 0.09)
    crown = shapes.join(*[shapes.circle(u, v, *blob) for blob in blobs], k=0.08)
    return [(trunk, oklch(0.36, 0.05, 0.14)), (crown, green)]


def _pine(u, v, c):
    green = mix(c[0], oklch(0.4, 0.09, 0.42), 0.8)
    tiers = [(-0.95, -0.2, 0.4), (-0.6, 0.25, 0.58), (-0.2, 0.75, 0.78)]
    cones = [
        shapes.polygon(u, v, [(0, a), (w, b), (-w, b)], 0.25) for a, b, w in reversed(tiers)
    ]
    trunk = shapes.box(u, v, 0, 0.82, 0.1, 0.15)
    return [(trunk, oklch(0.36, 0.05, 0.14)), *[(cone, green) for cone in cones]]


def _palm(u, v, c):
    green = mix(c[0], oklch(0.55, 0.14, 0.36), 0.75)
    ends = [
        (-0.85, -0.35),
        (-0.75, 0.1),
        (-0.35, -0.8),
        (0.4, -0.85),
        (0.85, -0.45),
        (0.8, 0.05),
    ]
    start = (0.05, -0.45)
    fronds = [
        shapes.chain(u, v, [start, (0.55 * x, -0.25 + 0.75 * y), (x, y)], [0.05, 0.1, 0.02])
        for x, y in ends
    ]
    trunk = shapes.chain(u, v, [(-0.15, 0.95), (-0.05, 0.25), start], [0.12, 0.08, 0.06])
    return [(trunk, oklch(0.45, 0.06, 0.15)), *[(frond, green) for frond in fronds]]


def _cactus(u, v, c):
    green = mix(c[0], oklch(0.52, 0.11, 0.39), 0.8)
    line = [(-0.15, 0.2), (-0.55, 0.15), (-0.58, -0.3)]
    other = [(0.15, -0.05), (0.55, -0.1), (0.57, -0.5)]
    return [
        (shapes.chain(u, v, line, [0.14] * 3), green),
        (shapes.chain(u, v, other, [0.13] * 3), green),
        (shapes.limb(u, v, (0, 0.6), (0, -0.7), 0.24, 0.2), green),
        (shapes.lathe(u, v, [0.5, 0.95], [0.45, 0.35]), c[1]),
    ]


def _daisy(u, v, c):
    def petal(a):
        return shapes.ellipse(u, v, 0.55 * math.cos(a), 0.55 * math.sin(a), 0.38, 0.16, a)

    petals = [
        (petal(a), mix(c[0], np.ones(3, F), 0.5)) for a in np.arange(11) * 2 * math.pi / 11
    ]
    return [*petals, (shapes.circle(u, v, 0, 0, 0.27), oklch(0.78, 0.17, 0.24))]


def _tulip(u, v, c):
    green = oklch(0.5, 0.12, 0.37)
    petals = [
        shapes.ellipse(u, v, x, -0.42, 0.28, 0.5, t)
        for x, t in ((-0.24, -0.25), (0.24, 0.25), (0, 0))
    ]
    return [
        (shapes.limb(u, v, (0, 0), (0.02, 0.95), 0.06, 0.06), green),
        (shapes.ellipse(u, v, 0.25, 0.5, 0.12, 0.45, 0.45), green),
        *[(petal, c[0]) for petal in petals],
    ]


def _leaf(u, v, c):
    green = mix(c[0], oklch(0.55, 0.13, 0.35), 0.6)
    veins = [
        shapes.limb(u, v, (x, 0), (x + 0.28, s * 0.3 * (1 - abs(x))), 0.025, 0.01)
        for x in (-0.5, -0.15, 0.2)
        for s in (-1, 1)
    ]
    return [
        (shapes.limb(u, v, (-0.98, 0), (-0.7, 0), 0.05, 0.04), green * F(0.6)),
        (shapes.blade(u + F(0.8), v, 1.75, 0.5), green),
        (shapes.limb(u, v, (-0.8, 0), (0.85, 0), 0.03, 0.01), green * F(0.5)),
        *[(vein, green * F(0.5)) for vein in veins],
    ]


def _mushroom(u, v, c):
    cap = shapes.ellipse(u, v, 0, -0.05, 0.88, 0.78)
    cap = (np.maximum(cap[0], v - F(0.05)), cap[1])
    dots = [(-0.4, -0.2, 0.12), (0.1, -0.5, 0.14), (0.45, -0.18, 0.11), (-0.05, -0.12, 0.1)]
    return [
        (shapes.lathe(u, v, [-0.1, 0.9], [0.2, 0.3]), np.full(3, 0.75, F)),
        (cap, c[0]),
        *[(shapes.circle(u, v, *dot), np.full(3, 0.85, F)) for dot in dots],
    ]


def _apple(u, v, c):
    lobes = [shapes.circle(u, v, x, 0.1, 0.62) for x in (-0.22, 0.22)]
    return [
        (shapes.join(*lobes, k=0.05), c[0]),
        (shapes.limb(u, v, (0, -0.35), (0.1, -0.85), 0.04, 0.05), oklch(0.32, 0.05, 0.14)),
        (shapes.ellipse(u, v, 0.32, -0.7, 0.26, 0.12, -0.5), oklch(0.55, 0.14, 0.37)),
    ]


def _banana(u, v, c):
    outer, inner = shapes.circle(u, v, 0, -0.35, 1.0), shapes.circle(u, v, 0, -0.62, 0.95)
    moon = np.maximum(np.maximum(outer[0], -inner[0]), np.abs(u) - F(0.85))
    yellow = mix(c[0], oklch(0.84, 0.16, 0.27), 0.8)
    tip = shapes.circle(u, v, 0.84, -0.02, 0.09)
    return [((moon, shapes.bulge(moon, 0.17)), yellow), (tip, oklch(0.3, 0.04, 0.14))]


def _pear(u, v, c):
    body = shapes.join(
        shapes.circle(u, v, 0, 0.35, 0.55), shapes.circle(u, v, 0.03, -0.3, 0.3), k=0.3
    )
    stalk = shapes.limb(u, v, (0.03, -0.5), (0.14, -0.9), 0.04, 0.04)
    return [(body, mix(c[0], oklch(0.75, 0.15, 0.3), 0.5)), (stalk, oklch(0.32, 0.05, 0.14))]


def _fish(u, v, c):
    tail = shapes.polygon(u, v, [(0.4, 0), (0.95, -0.4), (0.85, 0), (0.95, 0.4)], 0.1)
    band = (np.sin(u * F(9)) > F(0.35))[..., None]
    return [
        (tail, c[1]),
        (shapes.polygon(u, v, [(-0.2, -0.3), (0.2, -0.65), (0.3, -0.25)], 0.08), c[1]),
        (shapes.ellipse(u, v, -0.15, 0, 0.75, 0.42), np.where(band, c[1], c[0])),
        (shapes.circle(u, v, -0.6, -0.1, 0.09), np.full(3, 0.01, F)),
    ]


def _bird(u, v, c):
    beak = shapes.polygon(u, v, [(-0.6, -0.5), (-0.95, -0.36), (-0.6, -0.32)], 0.05)
    return [
        (shapes.polygon(u, v, [(0.3, 0.05), (0.98, 0.0), (0.9, 0.28)], 0.1), c[1]),
        *[
            (shapes.limb(u, v, (x, 0.5), (x, 0.9), 0.03, 0.03), c[2] * F(0.4))
            for x in (-0.1, 0.1)
        ],
        (beak, oklch(0.75, 0.17, 0.2)),
        (
            shapes.join(
                shapes.ellipse(u, v, 0, 0.12, 0.58, 0.42, 0.2),
                shapes.circle(u, v, -0.42, -0.42, 0.27),
                k=0.12,
            ),
            c[0],
        ),
        (shapes.ellipse(u, v, 0.12, 0.1, 0.4, 0.2, 0.35), c[1]),
        (shapes.circle(u, v, -0.48, -0.48, 0.06), np.full(3, 0.01, F)),
    ]


def _cat(u, v, c):
    ears = [
        shapes.polygon(u, v, [(s * 0.6, -0.3), (s * 0.55, -0.95), (s * 0.15, -0.6)], 0.1)
        for s in (-1, 1)
    ]
    eyes = [
        (shapes.ellipse(u, v, x, -0.1, 0.15, 0.12), oklch(0.75, 0.16, 0.33))
        for x in (-0.3, 0.3)
    ]
    slits = [
        (shapes.ellipse(u, v, x, -0.1, 0.04, 0.11), np.full(3, 0.01, F)) for x in (-0.3, 0.3)
    ]
    return [
        *[(ear, c[0]) for ear in ears],
        (shapes.ellipse(u, v, 0, 0.05, 0.75, 0.65), c[0]),
        (shapes.ellipse(u, v, 0, 0.35, 0.32, 0.22), mix(c[0], np.ones(3, F), 0.6)),
        *eyes,
        *slits,
        (shapes.ellipse(u, v, 0, 0.24, 0.09, 0.06), oklch(0.55, 0.12, 0.03)),
    ]


def _butterfly(u, v, c):
    wings = []
    for s in (-1, 1):
        wings.append((shapes.ellipse(u, v, s * 0.45, -0.32, 0.5, 0.36, -0.6 * s), c[0]))
        wings.append((shapes.ellipse(u, v, s * 0.36, 0.38, 0.36, 0.3, 0.7 * s), c[1]))
        wings.append((shapes.circle(u, v, s * 0.5, -0.36, 0.14), c[2]))
    return [*wings, (shapes.limb(u, v, (0, -0.5), (0, 0.6), 0.08, 0.04), np.full(3, 0.02, F))]


def _snail(u, v, c):
    turn = np.arctan2(v + F(0.1), u - F(0.15)) / F(2 * math.pi)
    ring = np.hypot(u - F(0.15), v + F(0.1)) * F(6) + turn
    band = ((ring - np.floor(ring)) < F(0.4))[..., None]
    foot = [(0.9, 0.75), (0.0, 0.7), (-0.65, 0.6), (-0.8, 0.1)]
    flesh = oklch(0.6, 0.05, 0.2)
    horns = [shapes.limb(u, v, (-0.8, 0.1), (x, -0.35), 0.04, 0.04) for x in (-0.95, -0.68)]
    return [
        *[(horn, flesh) for horn in horns],
        (shapes.chain(u, v, foot, [0.06, 0.17, 0.19, 0.15]), flesh),
        (shapes.circle(u, v, 0.15, -0.1, 0.62), np.where(band, c[1], c[0])),
    ]


def _face(u, v, c):
    skin = mix(oklch(0.72, 0.07, 0.15), oklch(0.42, 0.06, 0.14), float(c[2][0]) % 1)
    hair = c[0] * F(0.35)
    eyes = [
        (shapes.ellipse(u, v, x, -0.1, 0.1, 0.06), np.full(3, 0.02, F)) for x in (-0.25, 0.25)
    ]
    return [
        (shapes.ellipse(u, v, 0, -0.25, 0.72, 0.72), hair),
        (shapes.ellipse(u, v, 0, 0.08, 0.58, 0.76), skin),
        (shapes.ellipse(u, v, 0, -0.66, 0.6, 0.28), hair),
        *eyes,
        (shapes.limb(u, v, (0, -0.05), (0, 0.2), 0.04, 0.08), skin * F(0.9)),
        (shapes.ellipse(u, v, 0, 0.45, 0.2, 0.07), oklch(0.5, 0.12, 0.05)),
    ]


def _star(u, v, c):
    angles = np.arange(10) * math.pi / 5 - math.pi / 2
    radii = np.where(np.arange(10) % 2 == 0, 0.95, 0.42)
    points = np.stack([radii * np.cos(angles), radii * np.sin(angles)], 1)
    return [(shapes.polygon(u, v, points, 0.3), c[0])]


def _moon(u, v, c):
    disc, cut = shapes.circle(u, v, 0, 0, 0.9), shapes.circle(u, v, 0.42, -0.2, 0.75)
    crescent = np.maximum(disc[0], -cut[0])
    return [((crescent, shapes.bulge(crescent, 0.25)), mix(c[0], np.full(3, 1.0, F), 0.6))]


def _mountain(u, v, c):
    rock = mix(c[0], np.full(3, 0.2, F), 0.6)
    snow = [
        (0, -0.85),
        (0.3, -0.35),
        (0.12, -0.42),
        (0.0, -0.25),
        (-0.14, -0.45),
        (-0.28, -0.35),
    ]
    return [
        (shapes.polygon(u, v, [(-0.98, 0.7), (-0.5, -0.2), (0.1, 0.7)], 0.4), rock * F(0.8)),
        (shapes.polygon(u, v, [(0.98, 0.7), (0, -0.88), (-0.7, 0.7)], 0.5), rock),
        (shapes.polygon(u, v, snow, 0.1), np.full(3, 0.95, F)),
    ]


def _cloud(u, v, c):
    blobs = [(-0.55, 0.12, 0.36), (-0.12, -0.18, 0.45), (0.38, -0.05, 0.4), (0.62, 0.18, 0.28)]
    puff = shapes.join(*[shapes.circle(u, v, *blob) for blob in blobs], k=0.08)
    flat = np.maximum(puff[0], v - F(0.42))
    return [((flat, puff[1]), mix(c[0], np.full(3, 1.1, F), 0.85))]


DRAWN = (
    _ball,
    _cup,
    _bottle,
    _wineglass,
    _bowl,
    _book,
    _candle,
    _lamp,
    _chair,
    _table,
    _clock,
    _key,
    _umbrella,
    _hat,
    _house,
    _tower,
    _bridge,
    _boat,
    _car,
    _wheel,
    _tree,
    _pine,
    _palm,
    _cactus,
    _daisy,
    _tulip,
    _leaf,
    _mushroom,
    _apple,
    _banana,
    _pear,
    _fish,
    _bird,
    _cat,
    _butterfly,
    _snail,
    _face,
    _star,
    _moon,
    _mountain,
    _cloud,
)
PART = 40  # pictures that a process draws before it reports
KINDS = tuple(kind.__name__[1:] for kind in DRAWN)
UPRIGHT = {
    "table",
    "chair",
    "house",
    "tower",
    "bridge",
    "car",
    "mountain",
    "cloud",
    "tree",
    "pine",
}


def draw(label: int, seed: int, side: int) -> np.ndarray:
    """One square picture of one object.

    Args:
        label: index into ``KINDS``.
        seed: everything else; all sizes show the same picture.
        side: pixels.

    Returns:
        (side, side, 3) uint8 sRGB.
    """
    rng = np.random.default_rng([int(seed), int(label)])
    canvas = Canvas(side, side)
    row = {"light": rng.random(), "harmony": rng.random(), "blur": 0.8, "clutter": rng.random()}
    light = studio.lamp(row, rng)
    background(canvas, row, rng)
    radius = rng.uniform(0.24, 0.46)
    x, y = rng.uniform(-0.5 + radius, 0.5 - radius, size=2) * 0.9
    steep = 0.12 if KINDS[label] in UPRIGHT else 0.45
    turn, flip = rng.normal(0, steep), rng.choice([-1.0, 1.0])
    shapes.shadow(canvas, x + 0.1 * radius, y + 0.85 * radius, radius, 0.3 * radius, 0.5)
    at, u, v = shapes.local(canvas, x, y, 1.45 * radius, turn)
    hue = rng.random()
    hues = [hue, hue + rng.uniform(0.2, 0.8), rng.random()]
    colours = [oklch(rng.uniform(0.45, 0.8), rng.uniform(0.02, 0.2), h) for h in hues]
    stretch = rng.uniform(0.85, 1.15)
    shine = rng.uniform(0, 0.6)
    for (distance, height), colour in DRAWN[label](
        u * F(flip / radius / stretch), v * F(stretch / radius), colours
    ):
        shape = (distance * F(radius), height * F(radius))
        shapes.body(canvas, at, shape, colour, light, 0.4, shine=shine)
    gain = rng.uniform(0.75, 1.3)
    grain = np.random.default_rng([int(seed), int(label), side]).standard_normal(canvas.x.shape)
    picture = canvas.rgb * F(gain) + (grain * rng.uniform(0, 0.03)).astype(F)[..., None]
    picture = np.clip(picture, 0, None)
    picture = picture / (1 + F(0.25) * picture)
    return (np.clip(picture, 0, 1) ** F(1 / 2.2) * 255 + 0.5).astype(np.uint8)


def background(canvas: Canvas, row: dict, rng: np.random.Generator) -> None:
    """A wall, a floor, leaves, a sky, stripes or a busy texture behind the object."""
    choice, hue = rng.random(), rng.random()
    colours = [
        oklch(rng.uniform(0.3, 0.85), rng.uniform(0.0, 0.14), h) for h in (hue, rng.random())
    ]
    if choice < 0.2:
        studio.backdrop(canvas, row, rng, colours[0])
    elif choice < 0.35:
        studio.foliage(canvas, row, rng, rng.uniform(0.3, 0.42), rng.uniform(0.5, 1.0))
    elif choice < 0.55:
        horizon = rng.uniform(-0.3, 0.35)
        studio.sky(canvas, row, rng, horizon)
        studio.ground(canvas, rng, horizon, colours[0], colours[1])
    elif choice < 0.75:
        level = canvas.noise(
            canvas.x, canvas.y, rng.uniform(0.08, 0.5), int(rng.integers(1 << 30))
        )
        canvas.paint(mix(colours[0], colours[1], level), 1.0, 1.0)
    else:
        turn = rng.uniform(0, math.pi)
        along = canvas.x * F(math.cos(turn)) + canvas.y * F(math.sin(turn))
        level = F(0.5) + F(0.5) * np.sin(along * F(rng.uniform(8, 40)))
        canvas.paint(mix(colours[0], colours[1], level), 1.0, 1.0)


def _part(job: tuple[Path, int, list[tuple[str, int, int]]]) -> int:
    root, side, items = job
    for name, label, seed in items:
        path = root / "images" / name
        part = path.with_suffix(f".{os.getpid()}.part")
        Image.fromarray(draw(label, seed, side)).save(part, "JPEG", quality=90)
        os.replace(part, path)
    return len(items)


def simulate(
    root, images: int, side: int = 64, seed: int = 0, workers: int | None = None
) -> Path:
    """Draw a classification set: ``images/`` and ``objects.csv`` (image, label, kind, split).

    Args:
        root: folder to be made; what is there of an interrupted call is kept.
        images: how many; the kinds take turns. A tenth of them are the validation split.
        side: pixels.
        seed: the same seed gives the same bytes, whatever the number of workers.
        workers: processes; None: one a core.

    Returns:
        The root.
    """
    root = Path(root)
    (root / "images").mkdir(parents=True, exist_ok=True)
    numbers = np.arange(images)
    table = pd.DataFrame(
        {
            "image": [f"{number:06d}.jpg" for number in numbers],
            "label": numbers % len(KINDS),
            "kind": [KINDS[number % len(KINDS)] for number in numbers],
            "split": np.where(numbers // len(KINDS) % 10 == 9, "val", "train"),
        }
    )
    there = {path.name for path in (root / "images").glob("*.jpg")}
    items = [
        (name, int(label), int(seed) * 1_000_003 + number)
        for number, name, label in zip(
            numbers.tolist(), table["image"], table["label"], strict=True
        )
        if name not in there
    ]
    jobs = [(root, side, items[start : start + PART]) for start in range(0, len(items), PART)]
    with progress(None, "objects", total=images, initial=images - len(items)) as bar:
        for count in spread(_part, jobs, workers):
            bar.update(count)
    part = root / "objects.csv.part"
    table.to_csv(part, index=False)
    os.replace(part, root / "objects.csv")
    return root
