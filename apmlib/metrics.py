"""How good a prediction is, and how sure we may be of that.

Arrays are numpy, float64 inside. ``p`` is a prediction and ``g`` the truth, both ``(N, K)``,
non-negative, not necessarily normalised: vote counts are welcome, and best, because means
computed from them are exact. Scores run from 1 to K.

Per image, shape ``(N,)``: ``mean``, ``std``, ``kl``, ``cdloss``, ``emd``.
Over a set of images, from two arrays ``(N,)``: ``mse``, ``rho``, ``accuracy``; ``average`` for
what is given per image. These take ``counts``, how often every image was drawn, and that is
what makes ``bootstrap`` quick: a resampled set is the same set with other weights.

The field does not agree on definitions. Ours: CDLoss as equation 3, no root and no 1/K; EMD_r
with the mean over bins and the root, so CDLoss = K * EMD_2 ** 2; KL(g || p) with p clipped at
1e-4 and renormalised; accuracy with "high" meaning above, not at, the threshold.
"""

import inspect
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.special import rel_entr

Array = NDArray[np.float64]
Interval = tuple[float, float, float]

EPSILON = 1e-4
DRAWS = 1000
COLLAPSED = 0.001


def normalise(p: ArrayLike) -> Array:
    """Each row divided by its sum (l1), shape kept.

    A ReLU output can be zero in every bin. Such a row says nothing, so it becomes uniform: the
    distribution that favours no score, with the mean in the middle of the scale.
    """
    p = np.asarray(p, dtype=np.float64)
    total = p.sum(axis=-1, keepdims=True)
    return np.divide(p, total, out=np.full_like(p, 1 / p.shape[-1]), where=total > 0)


def mean(p: ArrayLike) -> Array:
    """Mean score (equation 2), ``(..., K)`` to ``(...)``, between 1 and K.

    Computed as one quotient: from vote counts a mean of exactly 5 comes out as 5.0.
    """
    p = np.asarray(p, dtype=np.float64)
    p = np.where(p.sum(axis=-1, keepdims=True) > 0, p, 1.0)
    return (p * np.arange(1, p.shape[-1] + 1)).sum(axis=-1) / p.sum(axis=-1)


def std(p: ArrayLike) -> Array:
    """Standard deviation of the scores within each row, ``(..., K)`` to ``(...)``."""
    p = normalise(p)
    gap = np.arange(1, p.shape[-1] + 1) - mean(p)[..., None]
    return np.sqrt((p * gap**2).sum(axis=-1))


def kl(g: ArrayLike, p: ArrayLike, eps: float = EPSILON) -> Array:
    """Kullback-Leibler divergence KL(g || p) per image, in nats.

    The truth comes first. ``p`` is normalised, clipped at ``eps`` from below and normalised
    again: a bin predicted as exactly zero would make the divergence infinite, and a ReLU
    predicts exact zeros. ``share_clipped`` says how often that happened.
    """
    p = normalise(np.maximum(normalise(p), eps))
    return rel_entr(normalise(g), p).sum(axis=-1)


def cdloss(p: ArrayLike, g: ArrayLike) -> Array:
    """CDLoss of equation 3 per image: squared differences of cumulative distributions."""
    return (_cumulative_gap(p, g) ** 2).sum(axis=-1)


def emd(p: ArrayLike, g: ArrayLike, r: float = 1) -> Array:
    """Earth mover's distance of order ``r`` per image: (mean over bins |P - G|^r)^(1/r).

    ``r = 1`` is what NIMA reports, ``r = 2`` what it trains with.
    """
    return (np.abs(_cumulative_gap(p, g)) ** r).mean(axis=-1) ** (1 / r)


def share_zero(p: ArrayLike) -> float:
    """Share of the bins that are predicted as exactly zero."""
    return float((np.asarray(p) == 0).mean())


def share_clipped(p: ArrayLike, eps: float = EPSILON) -> float:
    """Share of the bins that ``kl`` lifts to ``eps``."""
    return float((normalise(p) < eps).mean())


def threshold(bins: int) -> float:
    """Where "high" begins: above 5 for ten bins, as AVA's users have it; else the middle.

    The middle of 1..10 is 5.5, so the customary 5 is not the rule's special case but a custom.
    """
    return 5.0 if bins == 10 else (bins + 1) / 2


def average(values: ArrayLike, counts: ArrayLike | None = None) -> float | Array:
    """Mean of what is given per image: values ``(N,)``, counts None or ``(..., N)``."""
    values, counts = np.asarray(values, dtype=np.float64), _counts(counts, values)
    return _plain(counts @ values / counts.sum(axis=-1))


def mse(
    predicted: ArrayLike, true: ArrayLike, counts: ArrayLike | None = None
) -> float | Array:
    """Mean squared error of mean scores, ``(N,)`` against ``(N,)``."""
    return average((np.asarray(predicted) - np.asarray(true)) ** 2, counts)


def accuracy(
    predicted: ArrayLike, true: ArrayLike, above: float = 5.0, counts: ArrayLike | None = None
) -> float | Array:
    """Share of images on the same side of the threshold: high is a mean above ``above``.

    A mean of exactly ``above`` is low. Give means computed from counts: rounded ones move
    images across. ``threshold(K)`` gives the customary value for a scale of K scores.
    """
    same = (np.asarray(predicted) > above) == (np.asarray(true) > above)
    return average(same, counts)


def rho(
    predicted: ArrayLike, true: ArrayLike, counts: ArrayLike | None = None
) -> float | Array:
    """Spearman's rank correlation, ties sharing their mean rank; nan where it is undefined.

    If either side is constant there is no order to agree with, and the answer is nan and not
    0: "no correlation" would be a finding, this is the lack of one.
    """
    a = _ranks(predicted, counts)
    b = _ranks(true, counts)
    weight = _counts(counts, a)
    # With n drawn images the mean of their ranks is (n + 1) / 2 whatever the ties.
    middle = (weight.sum(axis=-1, keepdims=True) + 1) / 2
    a, b = a - middle, b - middle
    spread = np.sqrt((weight * a * a).sum(axis=-1) * (weight * b * b).sum(axis=-1))
    together = (weight * a * b).sum(axis=-1)
    undefined = np.full_like(spread, np.nan)
    return _plain(np.divide(together, spread, out=undefined, where=spread > 1e-9))


def bootstrap(
    measure: Callable,
    *arrays: ArrayLike,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Value of ``measure(*arrays)`` with its percentile bootstrap interval over images.

    ``arrays`` have one row per image; every draw takes N images with replacement. A measure of
    this module is computed for many draws at once through ``counts``; any other callable is
    called once a draw on the rows drawn. Returns ``(value, low, high)``; all nan where the
    value is undefined.
    """
    arrays = tuple(np.asarray(a) for a in arrays)
    value = float(measure(*arrays))
    return interval(value, replicates(measure, [arrays], draws, seed)[0], level)


def paired(
    measure: Callable,
    a: ArrayLike | Sequence[ArrayLike],
    b: ArrayLike | Sequence[ArrayLike],
    true: ArrayLike | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Difference ``measure(a, true) - measure(b, true)`` with its interval, images paired.

    Both models are measured on the same drawn images, so what makes an image hard for both
    cancels. Without ``true`` the measure takes one array: values per image. ``a`` and ``b`` may
    be lists, one array for each seed: then the differences are of means over seeds, and seeds
    are drawn as well as images, in pairs where there are equally many.
    """
    difference, found = _difference(measure, a, b, true, draws, seed)
    return interval(difference, found, level)


def detectable(
    measure: Callable,
    a: ArrayLike | Sequence[ArrayLike],
    b: ArrayLike | Sequence[ArrayLike],
    true: ArrayLike | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = 0.95,
    power: float = 0.8,
) -> float:
    """Smallest true difference that a comparison like ``paired`` would find.

    In a share ``power`` of repetitions the interval at ``level`` would leave out zero:
    (z_level + z_power) times the standard error of the difference.
    """
    return smallest(_difference(measure, a, b, true, draws, seed)[1], level, power)


def smallest(found: Array, level: float = 0.95, power: float = 0.8) -> float:
    """``detectable`` from the difference on every draw, as ``replicates`` gives it."""
    z = stats.norm.ppf(0.5 + level / 2) + stats.norm.ppf(power)
    return float(z * np.nanstd(found, ddof=1))


def replicates(
    measure: Callable, sets: Sequence[tuple[Array, ...]], draws: int = DRAWS, seed: int = 0
) -> Array:
    """``measure`` of every set of arrays on the same resamplings of the images: (sets, draws).

    The same ``seed`` draws the same images, also for another measure of as many images: what
    comes of several calls can be combined draw by draw.
    """
    rng = np.random.default_rng(seed)
    images = len(sets[0][0])
    at_once = max(1, min(draws, 1_000_000 // images))
    at_a_time = "counts" in inspect.signature(measure).parameters
    out: list[list] = [[] for _ in sets]
    for start in range(0, draws, at_once):
        counts = _draw(rng, images, min(at_once, draws - start))
        for values, arrays in zip(out, sets, strict=True):
            if at_a_time:
                values.extend(measure(*arrays, counts=counts))
            else:
                rows = [np.repeat(np.arange(images), c) for c in counts]
                values.extend(measure(*(a[r] for a in arrays)) for r in rows)
    return np.array(out, dtype=np.float64)


def over_seeds(found: Array, seed: int = 0) -> Array:
    """Means over seeds that are drawn as well: ``replicates`` (S, draws) to (draws,).

    S values drawn with replacement scatter less than S new ones would, by (S - 1) / S in the
    variance: with three seeds every interval would be a fifth too narrow. So the departures
    from the mean of all seeds are stretched by the root of S / (S - 1).
    """
    several, draws = found.shape
    if several == 1:
        return found[0]
    which = np.random.default_rng([seed, 1]).integers(several, size=(several, draws))
    middle = found.mean(axis=0)
    drawn = np.take_along_axis(found, which, axis=0).mean(axis=0)
    return middle + np.sqrt(several / (several - 1)) * (drawn - middle)


def interval(value: float, found: Array, level: float = 0.95) -> Interval:
    """``value`` with the percentile interval of what was found on every draw; nan stays nan."""
    if np.isnan(value):
        return (np.nan, np.nan, np.nan)
    low, high = np.nanquantile(found, [0.5 - level / 2, 0.5 + level / 2])
    return float(value), float(low), float(high)


def constant(g: ArrayLike, images: int) -> Array:
    """Predict the mean training distribution for every image: ``(M, K)`` to ``(images, K)``."""
    return np.tile(normalise(g).mean(axis=0), (images, 1))


def collapsed(scores: ArrayLike, what: str = "the model has collapsed") -> str | None:
    """Say that every photograph has the same score, as a collapsed model has it, or None.

    ``scores``: mean scores ``(N,)``. Below a standard deviation of 0.001 points what is left
    may be rounding, and its order means nothing; a single photograph never counts.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if len(scores) < 2 or scores.std() >= COLLAPSED:
        return None
    return (
        f"{what}: all {len(scores)} photographs score {scores.mean():.3f} "
        f"(standard deviation {scores.std():.1e})"
    )


def report(
    p: ArrayLike, g: ArrayLike, above: float | None = None, draws: int = DRAWS, seed: int = 0
) -> dict:
    """Every metric with its interval, in the form of ``metrics.json``.

    ``p``: predictions ``(N, K)``, or mean scores ``(N,)`` of a mean-only model, for which the
    metrics of distributions are None. ``g``: the truth ``(N, K)``, counts at best. ``above``:
    the threshold of accuracy, by default that of ``threshold``. What is undefined is None, with
    a ``reason`` beside it.
    """
    p, g = np.asarray(p, dtype=np.float64), np.asarray(g, dtype=np.float64)
    if len(p) != len(g) or not len(g):
        raise ValueError(f"{len(p)} predictions for {len(g)} images: need one for each")
    whole = p.ndim == 2
    predicted, true = (mean(p) if whole else p), mean(g)
    above = threshold(g.shape[1]) if above is None else above
    kind = {"draws": draws, "seed": seed}
    flat = collapsed(predicted)

    def entry(measure: Callable, *arrays: Array) -> dict:
        value, low, high = bootstrap(measure, *arrays, **kind)
        return {"value": value, "low": low, "high": high}

    def order() -> dict:
        reason = flat or collapsed(true, "the truth is constant")
        reason = "one photograph has no order" if len(g) == 1 else reason
        if reason:
            return {"value": None, "low": None, "high": None, "reason": f"undefined: {reason}"}
        return entry(rho, predicted, true)

    def correct(a: Array, b: Array, counts: Array | None = None):
        return accuracy(a, b, above, counts)

    return {
        "n": len(g),
        "kldiv": entry(average, kl(g, p)) if whole else None,
        "cdloss": entry(average, cdloss(p, g)) if whole else None,
        "mse": entry(mse, predicted, true),
        "rho": order(),
        "accuracy": entry(correct, predicted, true),
        "emd1": entry(average, emd(p, g, 1)) if whole else None,
        "emd2": entry(average, emd(p, g, 2)) if whole else None,
        "threshold": above,
        "zero_bins": share_zero(p) if whole else None,
        "clipped_bins": share_clipped(p) if whole else None,
        "collapsed": flat,
    }


def _cumulative_gap(p: ArrayLike, g: ArrayLike) -> Array:
    return normalise(p).cumsum(axis=-1) - normalise(g).cumsum(axis=-1)


def _counts(counts: ArrayLike | None, like: Array) -> Array:
    return np.ones(like.shape[-1]) if counts is None else np.asarray(counts, dtype=np.float64)


def _plain(value: Array):
    return float(value) if np.ndim(value) == 0 else value


def _ranks(values: ArrayLike, counts: ArrayLike | None) -> Array:
    """Mean ranks among the images drawn: values ``(N,)``, counts ``(..., N)``.

    An image of a group of ties has all images of smaller groups below it, and on average half
    of the rest of its own.
    """
    if counts is None:
        return stats.rankdata(values)
    values, counts = np.asarray(values), np.asarray(counts, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    last = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(ordered) - 1)
    below = np.take(counts[..., order].cumsum(axis=-1), last, axis=-1)
    size = np.diff(below, axis=-1, prepend=0.0)
    group = np.empty(len(values), dtype=np.intp)
    group[order] = np.searchsorted(last, np.arange(len(values)))
    return np.take(below - size + (size + 1) / 2, group, axis=-1)


def _draw(rng: np.random.Generator, images: int, draws: int) -> NDArray[np.intp]:
    """How often each image is drawn, ``(draws, images)``; each row sums to ``images``."""
    rows = rng.integers(images, size=(draws, images)) + images * np.arange(draws)[:, None]
    return np.bincount(rows.ravel(), minlength=images * draws).reshape(draws, images)


def _difference(measure, a, b, true, draws, seed) -> tuple[float, Array]:
    sides = [
        [np.asarray(x) for x in side] if isinstance(side, list | tuple) else [np.asarray(side)]
        for side in (a, b)
    ]
    truth = () if true is None else (np.asarray(true),)
    sets = [(x, *truth) for side in sides for x in side]
    every = replicates(measure, sets, draws, seed)
    values = np.array([measure(*arrays) for arrays in sets])
    n = len(sides[0])
    one, two = every[:n], every[n:]
    if len(one) == len(two):
        found = over_seeds(one - two, seed)
    else:
        found = over_seeds(one, seed) - over_seeds(two, seed + 1)
    return float(values[:n].mean() - values[n:].mean()), found
