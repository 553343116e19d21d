"""Numbers that describe a table of votes, to hold the simulated AVA against the real one."""

import os

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from apmlib import metrics

# What was measured on 167,375 real lines, and how far off the simulated AVA may be.
AVA = {
    "mean of means": (5.38, 0.10),
    "deviation of means": (0.73, 0.07),
    "mean deviation": (1.43, 0.10),
    "deviation of deviations": (0.20, 0.04),
    "share above 5": (0.707, 0.04),
    "share with an empty bin": (0.63, 0.10),
    "votes": (210.0, 15.0),
    "cdloss of the constant": (0.116, 0.02),
    "kldiv of the constant": (0.166, 0.03),
}


def describe(counts: ArrayLike) -> dict[str, float]:
    """The marginals named in ``AVA`` and two more, of votes ``(N, 10)``.

    The constant is the mean distribution of these same images.
    """
    counts = np.asarray(counts)
    mean, deviation = metrics.mean(counts), metrics.std(counts)
    constant = metrics.constant(counts, len(counts))
    return {
        "mean of means": float(mean.mean()),
        "deviation of means": float(mean.std()),
        "mean deviation": float(deviation.mean()),
        "deviation of deviations": float(deviation.std()),
        "share above 5": float((mean > 5).mean()),
        "share with an empty bin": float((counts == 0).any(axis=1).mean()),
        "votes": float(counts.sum(axis=1).mean()),
        "cdloss of the constant": float(metrics.cdloss(constant, counts).mean()),
        "kldiv of the constant": float(metrics.kl(counts, constant).mean()),
        "g1 - g2 above 1/9": float(
            (np.subtract(*metrics.normalise(counts)[:, :2].T) > 1 / 9).mean()
        ),
        "two modes": float(two_modes(counts).mean()),
    }


def by_mean(counts: ArrayLike) -> pd.DataFrame:
    """Share of the images, mean deviation and mean skewness in five ranges of mean score."""
    p = metrics.normalise(counts)
    mean, deviation = metrics.mean(counts), metrics.std(counts)
    gap = np.arange(1, p.shape[1] + 1) - mean[:, None]
    skewness = (p * gap**3).sum(axis=1) / np.maximum(deviation, 1e-9) ** 3
    labels = ["1-4", "4-5", "5-6", "6-7", "above 7"]
    part = pd.Series(pd.cut(mean, [0, 4, 5, 6, 7, p.shape[1]], labels=labels))
    values = pd.DataFrame({"deviation": deviation, "skewness": skewness})
    table = values.groupby(part, observed=False).mean()
    shares = part.value_counts(normalize=True)
    return table.assign(share=shares)[["share", "deviation", "skewness"]].rename_axis("mean")


def two_modes(p: ArrayLike, dip: float = 0.9, least: float = 0.05) -> NDArray[np.bool_]:
    """Whether a distribution ``(N, K)`` clearly has two peaks, ``(N,)``.

    Some score is chosen less than ``dip`` times as often as one below it and one above it,
    and both of these hold at least ``least`` of the votes.
    """
    p = metrics.normalise(p)
    below = np.maximum.accumulate(p, axis=1)[:, :-2]
    above = np.maximum.accumulate(p[:, ::-1], axis=1)[:, ::-1][:, 2:]
    lower = np.minimum(below, above)
    return ((p[:, 1:-1] < dip * lower) & (lower > least)).any(axis=1)


def read_counts(path: str | os.PathLike) -> NDArray[np.int64]:
    """The votes ``(N, 10)`` of every line of an AVA.txt, with or without a photograph."""
    table = pd.read_csv(path, sep=r"\s+", header=None, usecols=range(2, 12))
    return table.to_numpy(np.int64)
