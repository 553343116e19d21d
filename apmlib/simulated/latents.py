"""What a photograph is made of: one row of numbers, drawn before any pixel.

``sample`` draws a table with one row for each photograph. Three streams of random numbers,
for the scene, the camera and the voters, are independent of each other, and row i is the same
however many rows are drawn. Most values are good or ordinary; each fault (wrong exposure, flat
or harsh contrast, colour cast, missed focus, tilt, clutter, clashing colours) comes in a share
of the photographs of its own, independently of the others, so that what it costs can be told
apart.

=============== ======= ========== ==================================================
column          stream  range      meaning
=============== ======= ========== ==================================================
image           index   "1".."N"   id, a decimal number as a string
category        scene   10 names   see ``CATEGORIES``
aspect          scene   8 values   width / height, see ``ASPECTS``
scene_seed      scene   0..2^31-1  everything else that the scene draws at random
subject_x       scene   0..1       centre of the subject, share of the width
subject_y       scene   0..1       the same from the top, share of the height
subject_size    scene   0.12..0.8  its extent as a share of the frame's shorter side
horizon         scene   0.15..0.85 height of the horizon from the top, share of the
                                   height; NaN where the category has none
clutter         scene   0..1       number and prominence of distracting things
harmony         scene   0..1       0 clashing colours .. 1 one harmonious palette
light           scene   0..1       0 flat and dull .. 1 directional, golden, glowing
exposure        camera  -2..2      EV beside the right one for the category
white_balance   camera  -1..1      -1 cold (blue) .. 1 warm (orange), 0 neutral
saturation      camera  0..2       0 black and white, 1 natural, 2 garish
contrast        camera  0.55..1.6  exponent of the tone curve, 1 neutral
blur            camera  0..1       blur of what is not at the subject's distance
focus_error     camera  0..1       blur of everything, the subject too
tilt            camera  -12..12    degrees, clockwise
noise           camera  0..1       grain of the sensor
vignette        camera  0..1       darkening towards the corners
divergence      camera  0..1       strength of a darkroom treatment that divides the
                                   voters (0 in most photographs)
jpeg            camera  78..95     quality of the file (integer)
hidden          voters  N(0, 1)    what moves the votes and is not in the picture
discord         voters  N(0, 1)    what spreads the votes and is not in the picture
=============== ======= ========== ==================================================

The renderer measures seven more columns on the finished photograph: ``lightness`` (mean L* /
100), ``tones`` (standard deviation of L* / 100), ``chroma`` (mean C* / 100), ``warmth`` (mean
b* / 100: blue below 0, yellow above), ``framing`` (mean L* / 100 of the middle ninth less that
of the rest), ``clipped`` (share of pixels) and ``mask_area`` (share of the frame that is
subject).
"""

import numpy as np
import pandas as pd
from scipy.special import ndtri

CATEGORIES = (
    *("landscape", "seascape", "cityscape", "forest", "architecture"),
    *("portrait", "floral", "stilllife", "animal", "abstract"),
)
ASPECTS = (3 / 2, 4 / 3, 1.0, 16 / 9, 5 / 4, 2 / 3, 3 / 4, 4 / 5)
WITH_HORIZON = ("landscape", "seascape", "cityscape")
MEASURED = ("lightness", "tones", "chroma", "warmth", "framing", "clipped", "mask_area")

# Shares of the aspects (columns as ASPECTS, in hundredths) in each category (rows).
ASPECT_SHARES = np.array(
    [
        [34, 14, 8, 20, 6, 9, 5, 4],
        [34, 14, 8, 20, 6, 9, 5, 4],
        [30, 12, 9, 16, 6, 14, 8, 5],
        [22, 10, 10, 12, 7, 20, 11, 8],
        [20, 10, 10, 10, 7, 23, 12, 8],
        [16, 9, 12, 7, 7, 24, 13, 12],
        [22, 12, 17, 6, 9, 16, 10, 8],
        [25, 13, 14, 7, 9, 14, 10, 8],
        [32, 14, 11, 10, 8, 12, 8, 5],
        [20, 11, 21, 9, 9, 14, 9, 7],
    ]
)
# Range of the subject's size in each category, share of the shorter side.
SIZES = np.array(
    [
        *([0.14, 0.50], [0.14, 0.46], [0.18, 0.55], [0.18, 0.55], [0.30, 0.80]),
        *([0.32, 0.80], [0.28, 0.80], [0.25, 0.70], [0.22, 0.70], [0.25, 0.75]),
    ]
)
SCENE, CAMERA, VOTERS = 11, 12, 13


def sample(images: int, seed: int = 0) -> pd.DataFrame:
    """Draw the latents of photographs "1" .. str(images), from any whole ``seed`` >= 0.

    Returns a table indexed by ``image`` with the columns that this module lists, in that order.
    """
    rows = _scene(images, seed) | _camera(images, seed) | _voters(images, seed)
    index = pd.Index([str(i) for i in range(1, images + 1)], name="image", dtype=object)
    return pd.DataFrame(rows, index=index)


def _scene(images: int, seed: int) -> dict[str, np.ndarray]:
    u = _uniform(images, seed, SCENE, 20)
    kind = np.floor(next(u) * len(CATEGORIES)).astype(np.int64)
    category = np.array(CATEGORIES, dtype=object)[kind]
    aspect = np.array(ASPECTS)[_choose(next(u), ASPECT_SHARES[kind])]
    scene_seed = np.floor(next(u) * 2**31).astype(np.int64)

    # The horizon: on a third, in the middle, or anywhere.
    where, side, jitter = next(u), next(u), next(u)
    third = np.where(side < 0.55, 1 / 3, 2 / 3) + 0.03 * _normal(jitter)
    middle = 0.5 + 0.025 * _normal(jitter)
    horizon = np.select(
        [where < 0.42, where < 0.72], [third, middle], _between(jitter, 0.18, 0.82)
    )
    horizon = np.where(np.isin(category, WITH_HORIZON), np.clip(horizon, 0.15, 0.85), np.nan)

    # The subject: on the crossing of two thirds, in the centre, at an edge, or anywhere.
    where, side_x, side_y = next(u), next(u), next(u)
    jitter_x, jitter_y = next(u), next(u)
    x = np.select(
        [where < 0.38, where < 0.66, where < 0.82],
        [
            np.where(side_x < 0.5, 1 / 3, 2 / 3) + 0.025 * _normal(jitter_x),
            0.5 + 0.02 * _normal(jitter_x),
            np.where(side_x < 0.5, 0.0, 1.0)
            + np.where(side_x < 0.5, 1, -1) * _between(jitter_x, 0.04, 0.13),
        ],
        _between(jitter_x, 0.14, 0.86),
    )
    y = np.select(
        [where < 0.38, where < 0.66, where < 0.82],
        [
            np.where(side_y < 0.5, 1 / 3, 2 / 3) + 0.025 * _normal(jitter_y),
            0.5 + 0.02 * _normal(jitter_y),
            _between(jitter_y, 0.25, 0.75),
        ],
        _between(jitter_y, 0.2, 0.8),
    )
    # Under an open sky the subject stands at the horizon or nearer, and does not float.
    near = np.clip(horizon + _between(jitter_y, -0.04, 0.24), 0.2, 0.88)
    y = np.where(np.isfinite(horizon), near, y)
    low, high = SIZES[kind].T
    size = low + (high - low) * next(u)

    many, amount = next(u), next(u)
    busy = np.where(category == "cityscape", 0.45, 0.30)
    clutter = np.where(many < busy, _between(amount, 0.45, 1), _between(amount, 0, 0.2))
    which, amount = next(u), next(u)
    harmony = np.where(which < 0.24, _between(amount, 0, 0.35), _between(amount, 0.45, 1))
    light = 0.5 - 0.5 * np.cos(np.pi * next(u))
    return {
        "category": category,
        "aspect": aspect,
        "scene_seed": scene_seed,
        "subject_x": np.clip(x, 0.03, 0.97),
        "subject_y": np.clip(y, 0.03, 0.97),
        "subject_size": size,
        "horizon": horizon,
        "clutter": clutter,
        "harmony": harmony,
        "light": light,
    }


def _camera(images: int, seed: int) -> dict[str, np.ndarray]:
    u = _uniform(images, seed, CAMERA, 24)
    which, amount = next(u), next(u)
    exposure = np.select(
        [which < 0.11, which < 0.22],
        [_between(amount, -2.0, -0.8), _between(amount, 0.8, 2.0)],
        0.28 * _normal(amount),
    )
    which, amount = next(u), next(u)
    white_balance = np.select(
        [which < 0.11, which < 0.22],
        [_between(amount, -1.0, -0.45), _between(amount, 0.45, 1.0)],
        0.10 * _normal(amount),
    )
    which, amount = next(u), next(u)
    saturation = np.select(
        [which < 0.13, which < 0.28, which < 0.48],
        [0.0, _between(amount, 0.15, 0.55), _between(amount, 1.45, 2.0)],
        1 + 0.13 * _normal(amount),
    )
    which, amount = next(u), next(u)
    contrast = np.select(
        [which < 0.12, which < 0.22],
        [_between(amount, 0.55, 0.75), _between(amount, 1.3, 1.6)],
        1 + 0.07 * _normal(amount),
    )
    which, amount = next(u), next(u)
    blur = np.where(which < 0.4, _between(amount, 0.45, 1), _between(amount, 0, 0.12))
    which, amount = next(u), next(u)
    focus_error = np.where(which < 0.18, _between(amount, 0.4, 1), _between(amount, 0, 0.05))
    which, side, amount = next(u), next(u), next(u)
    clear = np.where(side < 0.5, -1, 1) * _between(amount, 4, 12)
    tilt = np.where(which < 0.20, clear, 0.35 * _normal(amount))
    which, amount = next(u), next(u)
    noise = np.where(which < 0.15, _between(amount, 0.35, 1), _between(amount, 0, 0.10))
    which, amount = next(u), next(u)
    vignette = np.where(which < 0.25, _between(amount, 0.35, 1), _between(amount, 0, 0.15))
    which, amount = next(u), next(u)
    divergence = np.where(which < 0.07, _between(amount, 0.45, 1), 0.0)
    jpeg = np.floor(_between(next(u), 78, 96)).astype(np.int64)
    return {
        "exposure": np.clip(exposure, -2, 2),
        "white_balance": np.clip(white_balance, -1, 1),
        "saturation": np.clip(saturation, 0, 2),
        "contrast": np.clip(contrast, 0.55, 1.6),
        "blur": blur,
        "focus_error": focus_error,
        "tilt": np.clip(tilt, -12, 12),
        "noise": noise,
        "vignette": vignette,
        "divergence": divergence,
        "jpeg": jpeg,
    }


def _voters(images: int, seed: int) -> dict[str, np.ndarray]:
    u = _uniform(images, seed, VOTERS, 2)
    return {"hidden": _normal(next(u)), "discord": _normal(next(u))}


def _uniform(images: int, seed: int, stream: int, columns: int):
    """Iterate over columns (images,) of numbers in (0, 1), filled row by row."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, stream]))
    return iter(np.clip(rng.random((images, columns)), 1e-12, 1 - 1e-12).T)


def _normal(u: np.ndarray) -> np.ndarray:
    return ndtri(u)


def _between(u: np.ndarray, low, high) -> np.ndarray:
    return low + (high - low) * u


def _choose(u: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Index of a column, with the probabilities of `weights` (N or 1, choices)."""
    edges = np.cumsum(weights, axis=1) / weights.sum(axis=1, keepdims=True)
    return (u[:, None] >= edges[:, :-1]).sum(axis=1)
