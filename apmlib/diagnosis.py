"""How a run does on one split of a rated collection: the numbers of its report.

:func:`examine` scores the photographs and leaves the run as it is, unlike
``evaluation.evaluate``, which keeps what it found in the run folder. The rest takes what came
of it apart: beside what knows less and what knows more (:func:`measured`, :func:`marks`), by
how high the prediction is (:func:`calibration`), by any group of photographs (:func:`by_group`)
and by the pixels that it hangs on (:func:`explained`).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from PIL import Image
from torch import nn

from apmlib import adversarial, comparison, evaluation, metrics, ratings
from apmlib.errors import InputError

REVOTES = 20  # times that the votes are drawn again
GROUPS = 8  # of photographs, at most, alike in something
LEAST = 10  # photographs in such a group
BRIEF = adversarial.Descent(iterations=20)  # enough to see where pixels change first
SHOWN = 280  # shorter side of an explanation, at least, pixels


@dataclass(frozen=True)
class Findings:
    """What a run says of the photographs of one split, beside what people said.

    Attributes:
        net, config: of the run, as ``evaluation.load`` gives them.
        collection: all of it; ``part`` is what could be scored of the split.
        p: predicted distributions, float64 (N, K), or mean scores (N,) of a mean-only run.
        seen: bool (N,), whether the run was trained on the photograph.
        skipped: (image, reason) of the photographs that cannot be read.
        bins: K, the number of scores, or None where neither run nor collection knows it.
    """

    net: nn.Module
    config: dict
    collection: ratings.Collection
    part: ratings.Collection
    p: np.ndarray
    seen: np.ndarray
    skipped: tuple[tuple[str, str], ...]
    bins: int | None

    @property
    def counts(self) -> np.ndarray | None:
        """The votes, int64 (N, K); None where the collection has mean scores only."""
        return self.part.counts if "n1" in self.part.table else None

    @property
    def predicted(self) -> np.ndarray:
        """Predicted mean scores, float64 (N,)."""
        return metrics.mean(self.p) if self.p.ndim == 2 else self.p

    @property
    def true(self) -> np.ndarray:
        """Mean scores of the votes, float64 (N,)."""
        return self.part.means if self.counts is None else metrics.mean(self.counts)

    @property
    def error(self) -> np.ndarray:
        """How wrong each prediction is, float64 (N,): its CDLoss, or of means the square."""
        if self.counts is None or self.p.ndim == 1:
            return (self.predicted - self.true) ** 2
        return metrics.cdloss(self.p, self.counts)


def examine(run: evaluation.Run, data: str | os.PathLike, split: str = "test") -> Findings:
    """Score the photographs of ``split`` of the collection in ``data``.

    Photographs without a file are left out (``collection.absent``), and those that cannot be
    read are listed. InputError where the run gives no scores or learnt another scale, where the
    collection cannot be used, and where nothing of the split is there.
    """
    net, config, _ = adversarial.scorer(run)
    collection = ratings.read(data)
    part = collection.split(split)
    if part.table.empty:
        sizes = collection.table["split"].value_counts()
        there = ", ".join(f"{name} ({sizes[name]})" for name in ratings.SPLITS if name in sizes)
        raise InputError(f"{data}: has no split {split!r}; it has {there}")
    bins = part.bins if "n1" in part.table else config["bins"]
    if config["bins"] and bins != config["bins"]:
        raise InputError(
            f"{data}: is rated on a scale of {bins}, {run} learnt one of {config['bins']}; use "
            "a run trained on this scale"
        )
    skipped: list[tuple[str, str]] = []
    predictions = evaluation.predict((net, config), part, skipped=skipped)
    if predictions.empty:
        raise InputError(
            f"{data}: none of the {len(part)} photographs of split {split!r} can be read; see "
            f"apm data check {data}"
        )
    paths = part.table["path"]  # which are of this machine, and the names are enough
    skipped = [(name, text.removeprefix(f"{paths[name]}: ")) for name, text in skipped]
    part = replace(part, table=part.table.loc[predictions["image"]])
    return Findings(
        net,
        config,
        collection,
        part,
        evaluation.distributions(predictions),
        evaluation.seen_in_training(run, part.table["path"]),
        tuple(skipped),
        bins,
    )


# --- Measured beside what is known -----------------------------------------------------------


def measured(p: np.ndarray, part: ratings.Collection, draws: int = metrics.DRAWS) -> dict:
    """``metrics.report`` of predictions (N, K) or (N,), or what mean scores leave of it.

    ``draws`` are those of the intervals; 1 for none to speak of.
    """
    if "n1" in part.table:
        return metrics.report(p, part.counts, draws=draws)
    predicted = metrics.mean(p) if p.ndim == 2 else p
    result = dict.fromkeys(evaluation.METRICS) | {"n": len(p)}
    result["collapsed"] = metrics.collapsed(predicted)
    for name, measure in (("mse", metrics.mse), ("rho", metrics.rho)):
        entry = metrics.bootstrap(measure, predicted, part.means, draws=draws)
        if not np.isnan(entry[0]) and not (name == "rho" and result["collapsed"]):
            result[name] = dict(zip(("value", "low", "high"), entry, strict=True))
    return result


def marks(found: Findings) -> dict[str, dict[str, float]]:
    """What predictions of known worth reach on these photographs, by name each metric.

    "constant" says of every photograph what the run's training photographs got on average. In
    a simulated world, "image ceiling" knows all that the pictures show. Where there are votes,
    "votes again" is a second vote on each photograph (:func:`revoted`).
    """
    known = comparison.reference_predictions(found.part, found.config)
    rows = {"constant": known["constant"]}
    if "image" in known:
        rows["image ceiling"] = known["image"]
    scores = {name: _values(measured(p, found.part, draws=1)) for name, p in rows.items()}
    if found.counts is not None:
        scores["votes again"] = revoted(found.counts)
    return scores


def revoted(counts: ArrayLike, times: int = REVOTES, seed: int = 0) -> dict[str, float]:
    """Every metric of votes against a second vote on the same photographs, averaged.

    ``counts``: (N, K). As many votes again are drawn from each photograph's own, ``times``
    over, and taken for a prediction. A model that knew what all people on earth think would
    err about as much: no model can expect to do better. With few votes a photograph this is
    flattering, since what was not drawn the first time never comes (n votes show (n - 1) / n
    of the variance).
    """
    counts, rng = np.asarray(counts), np.random.default_rng(seed)
    total, g = counts.sum(axis=1), metrics.normalise(counts)
    drawn = [
        _values(metrics.report(rng.multinomial(total, g), counts, draws=1))
        for _ in range(times)
    ]
    return {key: float(np.mean([values[key] for values in drawn])) for key in drawn[0]}


def _values(result: dict) -> dict[str, float]:
    """The values of a report's metrics, nan for what is undefined."""
    entries = {key: result[key] or {"value": None} for key in evaluation.METRICS}
    return {
        key: np.nan if entry["value"] is None else entry["value"]
        for key, entry in entries.items()
    }


def gain(found: Findings) -> metrics.Interval | None:
    """Mean squared error less that of the constant, paired by photograph; below 0 is better.

    None where the run has collapsed or there is a single photograph.
    """
    if len(found.p) < 2 or metrics.collapsed(found.predicted):
        return None
    constant = comparison.reference_predictions(found.part, found.config)["constant"]
    constant = metrics.mean(constant) if constant.ndim == 2 else constant
    return metrics.paired(metrics.mse, found.predicted, constant, found.true)


# --- Taken apart -----------------------------------------------------------------------------


def groups(values: ArrayLike, most: int = GROUPS, least: int = LEAST) -> np.ndarray:
    """Number of the group of each photograph, by rising ``values``: int64 (N,), from 0.

    At most ``most`` groups of about one size, each of about ``least`` or more; equal values
    are never parted, so that there may be fewer groups, or one.
    """
    values = np.asarray(values, dtype=np.float64)
    several = int(np.clip(len(values) // least, 1, most))
    edges = np.unique(np.quantile(values, np.arange(1, several) / several))
    codes = np.searchsorted(edges, values, side="left")
    return np.unique(codes, return_inverse=True)[1]


def by_group(values: ArrayLike, labels: ArrayLike) -> pd.DataFrame:
    """Mean of ``values`` (N,) in each group, with its interval: columns n, value, low, high.

    Indexed by the labels in their order.
    """
    values, labels = np.asarray(values, dtype=np.float64), np.asarray(labels)
    rows = {}
    for label in np.unique(labels):
        inside = values[labels == label]
        rows[label] = (len(inside), *metrics.bootstrap(metrics.average, inside))
    return pd.DataFrame.from_dict(rows, "index", columns=["n", "value", "low", "high"])


def calibration(predicted: ArrayLike, true: ArrayLike) -> pd.DataFrame:
    """Photographs grouped by prediction: columns predicted, n, value, low, high.

    ``value`` is the mean of ``true`` in the group, which should be that of ``predicted``.
    """
    predicted = np.asarray(predicted, dtype=np.float64)
    labels = groups(predicted)
    table = by_group(true, labels)
    table.insert(0, "predicted", [predicted[labels == label].mean() for label in table.index])
    return table


def slope(
    predicted: ArrayLike, true: ArrayLike, counts: ArrayLike | None = None
) -> float | np.ndarray:
    """Of the regression of truth (N,) on prediction (N,): 1 for a calibrated forecaster.

    Below 1 the predictions lie too far apart, above 1 too close together; nan where they are
    all the same. ``counts`` (..., N): how often each photograph is drawn.
    """
    x, y = (np.asarray(a, dtype=np.float64) for a in (predicted, true))
    x, y = x - x.mean(), y - y.mean()
    weight = np.ones(len(x)) if counts is None else np.asarray(counts, dtype=np.float64)
    weight = weight / weight.sum(axis=-1, keepdims=True)
    mean_x, mean_y = weight @ x, weight @ y
    variance = weight @ (x * x) - mean_x**2
    together = weight @ (x * y) - mean_x * mean_y
    undefined = np.full_like(variance, np.nan)
    flat = np.sqrt(np.maximum(variance, 0)) < metrics.COLLAPSED
    return np.divide(together, variance, out=undefined, where=~flat)


def noise(counts: ArrayLike) -> np.ndarray:
    """Squared error that the mean score of n votes has by chance, float64 (N,): s^2 / n.

    s^2 is the unbiased variance of the votes (N, K); nan for a single vote.
    """
    counts = np.asarray(counts, dtype=np.float64)
    n = counts.sum(axis=1)
    undefined = np.full(len(n), np.nan)
    return np.divide(metrics.std(counts) ** 2, n - 1, out=undefined, where=n > 1)


def categories(part: ratings.Collection, most: int = 12) -> np.ndarray | None:
    """Category of each photograph, str (N,), or None where there are not two of them.

    The ``most`` largest keep their names, the others are "other"; "" becomes "none".
    """
    labels = part.table["category"].replace("", "none")
    largest = labels.value_counts(sort=False).sort_values(ascending=False, kind="stable").index
    if len(largest) < 2:
        return None
    kept = largest if len(largest) <= most else largest[: most - 1]
    return labels.where(labels.isin(kept), "other").to_numpy(str)


# --- Where the model looks -------------------------------------------------------------------


def explained(found: Findings, images: Sequence[str]) -> list[dict]:
    """Where each photograph would first have to change to be rated better, and worse.

    Of each: ``image``, ``photograph`` (a picture as the network sees it), ``mean``, and for
    "up" and "down" the pair (mean score after :data:`BRIEF` steps, heat map over the
    photograph), the map None where no pixel counts.
    """
    paths = found.part.table.loc[list(images), "path"]
    shown = evaluation.photographs(list(paths), **evaluation.seen_as(found.config["settings"]))
    result = [{"image": image} for image in images]
    for way, sign in adversarial.DIRECTIONS.items():
        changed = adversarial.modifications(found.net, shown, sign, BRIEF, found.bins or 10)
        for indices, batch in changed:
            for row, i in enumerate(indices):
                result[i] |= _explanation(batch, row, way)
    return result


def _explanation(batch: adversarial.Modified, row: int, way: str) -> dict:
    original, means = batch.original[row], batch.mean[:, row]
    picture = Image.fromarray(original.permute(1, 2, 0).numpy())
    times = max(1, -(-SHOWN // min(picture.size)))
    size = tuple(times * side for side in picture.size)
    picture = picture.resize(size, Image.Resampling.BICUBIC)
    heat = adversarial.heat(original, batch.pixels[row])
    overlay = adversarial.overlay(picture, heat) if heat.max() > 0 else None
    return {"photograph": picture, "mean": means[0], way: (means[-1], overlay)}
