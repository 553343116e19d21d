"""Does a model know the rules? Pairs of photographs that differ in one latent and nothing else.

A model that ranks well may do so by other signs than the ones that we would name. Drawing the
same scene twice, once with the fault, asks for one rule at a time: by how much does the
predicted mean change, and by how much should it? The crowd says what it should be; the hidden
effect is the same in both and cancels nearly.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import nn

from apmlib import images, metrics, survival
from apmlib.progress import progress
from apmlib.simulated import crowd, latents
from apmlib.simulated.render import render

SEED = 43  # of the scenes: not those that any model was trained on, which have seed 0
BATCH = 32


@dataclass(frozen=True)
class Rule:
    """One latent that is changed.

    Attributes:
        latent: its column.
        good: its value in the first photograph of a pair; None leaves what was drawn.
        low, high: between them lies the value of the second one, evenly.
    """

    latent: str
    good: float | None
    low: float
    high: float


RULES = {
    "tilt": Rule("tilt", 0.0, -12.0, 12.0),
    "exposure": Rule("exposure", 0.0, -2.0, 2.0),
    "focus": Rule("focus_error", 0.0, 0.0, 1.0),
    "place": Rule("subject_x", None, 0.03, 0.97),
    "clutter": Rule("clutter", 0.0, 0.0, 1.0),
}


@dataclass(frozen=True)
class Pairs:
    """Photographs in pairs.

    Attributes:
        rule: its name.
        first, second: latents and what was measured, a row each pair, (N, ...).
        photographs: of the two, lists of N arrays uint8 (H, W, 3), as JPEGs keep them.
    """

    rule: str
    first: pd.DataFrame
    second: pd.DataFrame
    photographs: tuple[list[np.ndarray], list[np.ndarray]]


def draw(rule: str, count: int, side: int, seed: int = SEED) -> Pairs:
    """``count`` pairs of photographs of shorter side ``side`` that differ by ``rule``.

    The scenes are ``latents.sample(count, seed)``, with all the faults that these happen to
    have; the same ones for every rule.
    """
    first = latents.sample(count, seed)
    chosen = RULES[rule]
    if chosen.good is not None:
        first[chosen.latent] = chosen.good
    rng = np.random.default_rng([seed, list(RULES).index(rule)])
    second = first.assign(**{chosen.latent: rng.uniform(chosen.low, chosen.high, count)})
    tables, shots = [], []
    for table in (first, second):
        rows = progress(table.to_dict("records"), f"pairs: {rule}", total=count)
        made = [(render(row, side), int(row["jpeg"])) for row in rows]
        measured = pd.DataFrame([one.measured for one, _ in made], index=table.index)
        tables.append(table.join(measured))
        shots.append([_kept(one.rgb, quality) for one, quality in made])
    return Pairs(rule, *tables, tuple(shots))


def _kept(rgb: np.ndarray, quality: int) -> np.ndarray:
    """A photograph as the collection has it: a model never saw one that was not a JPEG."""
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def true_change(
    pairs: Pairs, who: crowd.Crowd = crowd.DEFAULT, taste: crowd.Taste | None = None
) -> np.ndarray:
    """Points by which the second of each pair is truly better, float64 (N,); no vote is cast.

    ``taste``: as in ``crowd``.
    """
    a, b = (
        metrics.mean(crowd.distribution(table, who, taste))
        for table in (pairs.first, pairs.second)
    )
    return b - a


def predicted_change(net: nn.Module, pairs: Pairs) -> np.ndarray:
    """Points by which ``net`` predicts the second of each pair to be better, float64 (N,).

    Pairs are drawn at the side that the network sees.
    """
    a, b = (_means(net, shots) for shots in pairs.photographs)
    return b - a


def _means(net: nn.Module, shots: list[np.ndarray]) -> np.ndarray:
    found = np.empty(len(shots))
    for chosen in images.batches([shot.shape[:2] for shot in shots], BATCH):
        pixels = np.stack([shots[i] for i in chosen])
        found[chosen] = survival.means(net, torch.from_numpy(pixels).permute(0, 3, 1, 2))
    return found


# --- Held against each other ---------------------------------------------------------------


def slope(predicted: np.ndarray, true: np.ndarray) -> float:
    """Of the least-squares line through the predicted over the true changes, (N,) each.

    1 says that the model moves as much as it should, 0 that it does not care. Nan where the
    truth never changes.
    """
    a, b = predicted - np.mean(predicted), true - np.mean(true)
    spread = np.dot(b, b)
    return float(np.dot(a, b) / spread) if spread > 1e-12 else np.nan


def correlation(predicted: np.ndarray, true: np.ndarray) -> float:
    """Pearson's correlation of predicted and true changes; nan where either is constant."""
    a, b = predicted - np.mean(predicted), true - np.mean(true)
    both = np.sqrt(np.dot(a, a) * np.dot(b, b))
    return float(np.dot(a, b) / both) if both > 1e-12 else np.nan


MEASURES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "slope": slope,
    "correlation": correlation,
}


def compared(predicted: np.ndarray, true: np.ndarray, draws: int = metrics.DRAWS) -> dict:
    """Slope and correlation with 95 % bootstrap intervals over pairs.

    By name an entry with ``value``, ``low`` and ``high``; a measure that is undefined is None.
    """
    found = {}
    for name, measure in MEASURES.items():
        value, low, high = metrics.bootstrap(measure, predicted, true, draws=draws)
        entry = {"value": value, "low": low, "high": high}
        found[name] = None if np.isnan(value) else entry
    return found
