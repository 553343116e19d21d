"""What a reader of the latents can know of the votes: two references beside the ceilings.

The image ceiling knows the crowd's taste. These know only latents and votes, and have to learn
the taste as a network has to, but without having to look: the distance from a network to them
is what it cannot see. With and without the category, they say what the category is worth.
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from apmlib import metrics
from apmlib.simulated import latents as _latents

SEEN = (
    *("aspect", "subject_x", "subject_y", "subject_size", "horizon", "clutter", "harmony"),
    *("light", "white_balance", "saturation", "blur", "focus_error", "tilt", "noise"),
    *("lightness", "tones", "chroma", "warmth", "framing", "clipped"),
)
KNOTS = 7
PENALTIES = (1.0, 10.0, 100.0)


def predict(
    train: pd.DataFrame, counts: ArrayLike, test: pd.DataFrame, category: bool = True
) -> NDArray[np.float64]:
    """Mean scores ``(M,)`` of the photographs of ``test``, learnt from ``train``.

    Ridge regression of the mean scores of ``counts``, ``(N, 10)``, on each latent through a
    broken line with seven knots, and where ``category`` is true on the products of these with
    the category as well. The penalty is chosen on a fifth of ``train``.
    """
    scores = metrics.mean(counts)
    knots = _knots(train)
    a, b = _columns(train, knots, category), _columns(test, knots, category)
    held = np.arange(len(a)) % 5 == 0
    best = min(
        PENALTIES,
        key=lambda p: metrics.mse(_ridge(a[~held], scores[~held], a[held], p), scores[held]),
    )
    return _ridge(a, scores, b, best)


def _knots(table: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    at = np.linspace(0, 1, KNOTS)
    return {name: np.unique(table[name].quantile(at, interpolation="nearest")) for name in SEEN}


def _columns(table: pd.DataFrame, knots: dict, category: bool) -> NDArray[np.float64]:
    parts = []
    for name, at in knots.items():
        value = table[name].to_numpy(np.float64)
        hats = [np.interp(value, at, row) for row in np.eye(len(at))]
        # No horizon: none of its columns.
        parts += [np.where(np.isnan(value), 0.0, hat) for hat in hats]
    broken = np.stack(parts, axis=1)
    if not category:
        return broken
    kinds = [(table["category"] == kind).to_numpy(np.float64) for kind in _latents.CATEGORIES]
    return np.concatenate([broken, *(broken * kind[:, None] for kind in kinds)], axis=1)


def _ridge(a: ArrayLike, scores: ArrayLike, b: ArrayLike, penalty: float):
    middle = a.mean(axis=0)
    a, b = a - middle, b - middle
    weights = np.linalg.solve(
        a.T @ a + penalty * np.eye(a.shape[1]), a.T @ (scores - scores.mean())
    )
    return b @ weights + scores.mean()
