"""The crowd: what a photograph's latents are worth to simulated voters, and their votes.

A pure function of the table of latents; no pixel is looked at. The preferences follow what
Datta et al. (2006), Ke et al. (2006) and Luo and Tang (2008) found in photographers' ratings:
exposure, contrast, saturation and colour harmony, light, focus and depth of field, the rule of
thirds, the horizon, the subject's size, simplicity. What is good depends on the category: muted
colour flatters a portrait and ruins a sunset, a blurred background isolates a flower and wastes
a view. Exposure, tonal range, colour and where the light falls are judged as rendered, from
what is measured on the photograph.

An image's visible worth is a sum of claims, each with a share of its variance (``FACTORS``):

    visible = BASE + sum over factors of  points * slope[factor, category] * feature

with features of mean 0 and deviation 1. On it come a hidden effect, which no pixel shows, and
the voters: two schools of taste that fall out over darkroom treatments, a spread that differs
from image to image, enthusiasts and careless voters. Every mechanism is a field of ``Crowd``.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr

from apmlib import metrics
from apmlib.errors import InputError
from apmlib.simulated import latents as _latents

Array = NDArray[np.float64]
Taste = Callable[[pd.DataFrame], Array]

BINS = 10
BASE = 5.377  # location of the average photograph, points
VISIBLE = 0.62  # deviation of the visible worth before careless voters dilute it, points


class Factor(NamedTuple):
    """One thing that the crowd looks at.

    Attributes:
        claim: the switch of ``Crowd`` that it belongs to.
        share: of the variance of the visible worth.
        slopes: how much each category likes it, in the order of ``latents.CATEGORIES``.
    """

    claim: str
    share: float
    slopes: tuple[float, ...]


# Categories: landscape seascape cityscape forest architecture
#             | portrait floral stilllife animal abstract
FACTORS = {
    "lightness": Factor("exposure", 0.22, (1, 1, 1, 1, 1, 1, 1, 1, 1, 1)),
    "saturation": Factor("colour", 0.16, (1.1, 1.2, 0.9, 0.9, 0.5, -0.7, 1.2, 0.3, 0.9, 1.0)),
    "warmth": Factor("colour", 0.06, (1.0, 1.1, -0.5, 0.8, 0.2, 1.0, 0.8, 1.0, 0.8, 0.2)),
    "cast": Factor("colour", 0.03, (1, 1, 1, 1, 1, 1, 1, 1, 1, 1)),
    "tones": Factor("light", 0.09, (1, 1, 1, 1, 1, 1, 1, 1, 1, 1)),
    "light": Factor("light", 0.03, (1.2, 1.2, 1.0, 1.1, 1.0, 1.0, 0.9, 1.1, 0.9, 0.5)),
    "harmony": Factor("light", 0.01, (1.0, 1.0, 0.6, 1.0, 1.1, 1.2, 1.0, 1.2, 0.9, 0.3)),
    "blur": Factor("focus", 0.01, (-1.1, -1.0, -1.0, -0.8, -1.1, 1.2, 1.2, 0.9, 1.2, 0.8)),
    "focus": Factor("focus", 0.15, (1.1, 1.0, 1.1, 1.0, 1.2, 1.0, 1.1, 1.1, 1.2, 0.6)),
    "framing": Factor("composition", 0.07, (1, 1, 1, 1, 1, 1, 1, 1, 1, 1)),
    "place": Factor("composition", 0.02, (1, 1, 1, 1, 1, 1, 1, 1, 1, 1)),
    "size": Factor("composition", 0.01, (-0.9, -1.0, -0.7, -0.6, 0.6, 1.2, 1.2, 0.8, 1.2, 0.6)),
    "horizon": Factor("composition", 0.01, (1.8, 2.0, 1.5, 0, 0, 0, 0, 0, 0, 0)),
    "tilt": Factor("tilt", 0.02, (1.3, 1.6, 1.3, 0.7, 1.5, 0.7, 0.2, 1.1, 0.6, -0.3)),
    "clutter": Factor("clutter", 0.02, (1.1, 1.2, 0.4, 0.9, 1.1, 1.2, 1.2, 1.2, 1.2, 0.6)),
    "width": Factor("aspect", 0.01, (1.2, 1.2, 0.6, -0.8, -1.0, -1.4, -0.8, 0.3, 0.6, -0.2)),
    "category": Factor(
        "category", 0.08, (1.2, 1.3, 0.9, 0.3, -0.4, -0.5, 0.3, -1.2, 0.2, -1.7)
    ),
}
CLAIMS = tuple(dict.fromkeys(factor.claim for factor in FACTORS.values()))

# What each category is used to, in the order of latents.CATEGORIES. Warmth and tones are the
# medians of rendered photographs without faults; lightness and chroma were so when they were
# set, and chroma lies above today's. Beside them the lightness that it likes: dark for still
# life and city nights, bright for flowers.
USUAL = pd.DataFrame(
    {
        "lightness": [0.47, 0.46, 0.30, 0.44, 0.48, 0.44, 0.45, 0.41, 0.45, 0.47],
        "liked": [0.47, 0.46, 0.25, 0.44, 0.48, 0.44, 0.50, 0.35, 0.45, 0.47],
        "chroma": [0.22, 0.22, 0.17, 0.18, 0.20, 0.23, 0.30, 0.20, 0.20, 0.24],
        "spread": [0.16, 0.16, 0.12, 0.14, 0.15, 0.17, 0.19, 0.14, 0.15, 0.17],
        "warmth": [0.04, 0.04, 0.05, 0.11, 0.05, 0.05, 0.18, 0.08, 0.09, 0.03],
        "tones": [0.12, 0.11, 0.13, 0.16, 0.13, 0.19, 0.13, 0.17, 0.14, 0.15],
    },
    index=pd.Index(_latents.CATEGORIES, name="category"),
)
CENTRED = ("architecture", "abstract")  # the subject belongs in the middle

# Mean and deviation of each raw feature under latents.sample, so that all weigh alike.
SCALE = {
    "lightness": (-0.283, 0.309),
    "saturation": (-0.109, 0.642),
    "warmth": (-0.101, 0.665),
    "cast": (-0.158, 0.34),
    "tones": (-0.216, 0.31),
    "light": (0.5, 0.354),
    "harmony": (0.0, 0.231),
    "blur": (0.326, 0.341),
    "focus": (-0.24, 0.309),
    "framing": (0.163, 0.422),
    "place": (-0.03, 0.75),
    "size": (0.0, 0.577),
    "horizon": (0.14, 0.79),
    "tilt": (-0.174, 0.36),
    "clutter": (-0.298, 0.309),
    "width": (0.0, 0.334),
}

# The schools: the first dislikes a treatment, the second loves it. Where there is none they
# differ a little over saturation.
BALANCE = (0.6, 0.4)  # shares for which the schools' differences cancel in the mean
APART = 3.4  # points between the schools at full divergence
ASIDE = 0.35  # points between them for a deviation of saturation

SIGMA = 1.13  # deviation of an ordinary voter, points
SWELL = 0.068  # log sigma for every squared point from the middle
DISCORD = 0.09  # deviation of log sigma that the picture does not show
ENTHUSIASTS, KEEN, WIDE = 0.05, 1.1, 2.2  # share, points above the others, times sigma
MEEK = ENTHUSIASTS * KEEN / (1 - ENTHUSIASTS)  # the others stand lower: the mean is kept
UNSURE = dict(  # log sigma by category
    zip(
        _latents.CATEGORIES,
        (-0.06, -0.06, 0.0, -0.02, 0.02, 0.04, -0.06, 0.0, 0.0, 0.14),
        strict=True,
    )
)
VOTES = (np.log(202), 0.285, 78, 549)  # log mean, log deviation, lowest, highest
GROSS = (0.15, 0.30)  # share of the votes that a gross outlier gives to bin 1 or 10
# Nodes and weights of Gauss and Hermite for a standard normal variable.
NODES = {
    n: (x * np.sqrt(2), w / np.sqrt(np.pi))
    for n in (5, 11)
    for x, w in [np.polynomial.hermite.hermgauss(n)]
}


@dataclass(frozen=True)
class Crowd:
    """Which mechanisms are at work, and how strongly.

    The first nine are factors: 1 as frozen, 0 off. Switching one off takes its variance away.

    Attributes:
        exposure: lightness near what the category likes.
        colour: saturation, warmth, freedom from a cast.
        light: tonal range, quality of the light and harmony of the colours.
        focus: sharpness of the subject, freedom from noise, blur of the background.
        composition: a middle lighter than the edges, place and size of the subject, place of
            the horizon.
        tilt: a level horizon.
        clutter: simplicity.
        aspect: wide frames for views, tall ones for people and trees.
        category: some categories are liked better than others.
        interaction: how far categories differ in what they like; at 0 all like what they like
            on average.
        schools: how far the schools of taste are apart; 0 leaves one taste.
        shares: of the two schools, adding up to 1; (1, 0) leaves the second one out.
        spread: how far images differ in the voters' spread; 0 gives one spread for all.
        careless: share of voters who give any score.
        hidden: deviation of what is not in the picture, points.
        outliers: share of images where a mob gives 15 to 30 % of the votes 1 or 10.
        votes: votes for each image; None draws 78 to 549 as in AVA.
    """

    exposure: float = 1.0
    colour: float = 1.0
    light: float = 1.0
    focus: float = 1.0
    composition: float = 1.0
    tilt: float = 1.0
    clutter: float = 1.0
    aspect: float = 1.0
    category: float = 1.0
    interaction: float = 1.0
    schools: float = 1.0
    shares: tuple[float, float] = BALANCE
    spread: float = 1.0
    careless: float = 0.026
    hidden: float = 0.40
    outliers: float = 0.001
    votes: int | None = None


DEFAULT = Crowd()


def features(latents: pd.DataFrame) -> pd.DataFrame:
    """What the crowd looks at, each with mean about 0 and deviation about 1, ``(N, F)``.

    ``latents``: as from ``latents.sample``, with the measured columns. InputError where one
    is missing. Features that like the same in all categories are positive where good.
    """
    row = _checked(latents)
    usual = USUAL.loc[row["category"]].set_axis(row.index)
    colourful = np.minimum(row["saturation"], 1.0)
    raw = {
        "lightness": -_beside(row["lightness"] - usual["liked"], 0.17) - row["clipped"],
        "saturation": np.tanh((row["chroma"] - usual["chroma"]) / usual["spread"]),
        "warmth": np.tanh((row["warmth"] - usual["warmth"]) / 0.12),
        "cast": -np.clip((row["white_balance"].abs() - 0.25) / 0.35, 0, 1) * colourful,
        "tones": -_beside(np.minimum(row["tones"] - usual["tones"], 0), 0.05),
        "light": row["light"],
        "harmony": (row["harmony"] - 0.589) * colourful,
        "blur": row["blur"],
        "focus": -row["focus_error"] - 0.7 * row["noise"],
        "framing": np.tanh(row["framing"] / 0.15),
        "place": _place(row),
        "size": _size(row),
        "horizon": _horizon(row["horizon"]).fillna(SCALE["horizon"][0]),
        "tilt": -np.clip((row["tilt"].abs() - 1.5) / 6, 0, 1),
        "clutter": -row["clutter"],
        "width": np.log(row["aspect"]) - _usual_width(row["category"]),
    }
    scaled = {name: (value - SCALE[name][0]) / SCALE[name][1] for name, value in raw.items()}
    return pd.DataFrame(scaled | {"category": 1.0}, index=row.index)


def contributions(latents: pd.DataFrame, crowd: Crowd = DEFAULT) -> pd.DataFrame:
    """Points that each factor adds to an image, ``(N, F)``, columns as ``FACTORS``."""
    look = features(latents)
    kind = _kind(latents)
    out = {}
    for name, (claim, share, slopes) in FACTORS.items():
        slope = np.array(slopes, dtype=np.float64)
        slope /= np.sqrt(np.mean(slope**2))
        if name != "category":
            slope = slope.mean() + crowd.interaction * (slope - slope.mean())
        points = VISIBLE * np.sqrt(share) * getattr(crowd, claim)
        out[name] = points * slope[kind] * look[name]
    return pd.DataFrame(out, index=latents.index)


def visible(latents: pd.DataFrame, crowd: Crowd = DEFAULT, taste: Taste | None = None) -> Array:
    """What the pictures themselves are worth, ``(N,)`` points on the scale of 1 to 10.

    ``taste``, a function from the latents to ``(N,)`` scores, replaces the crowd's preferences.
    """
    if taste is None:
        return BASE + contributions(latents, crowd).to_numpy().sum(axis=1)
    worth = np.asarray(taste(latents), dtype=np.float64)
    if worth.shape != (len(latents),) or not np.isfinite(worth).all():
        raise InputError(
            f"taste: gave {worth.shape} with {int(np.isnan(worth).sum())} nan for "
            f"{len(latents)} photographs; return one finite score of 1 to 10 for each"
        )
    return np.clip(worth, 1.0, BINS)


def budget(latents: pd.DataFrame, crowd: Crowd = DEFAULT) -> pd.Series:
    """Share of the visible variance by claim; they add up to 1.

    A claim's share is the covariance of its points with the visible worth, over the variance.
    """
    points = contributions(latents, crowd)
    total = points.sum(axis=1)
    by_claim = points.T.groupby([FACTORS[name].claim for name in points], sort=False).sum().T
    return by_claim.apply(lambda column: column.cov(total)) / total.var()


def sigma(latents: pd.DataFrame, crowd: Crowd = DEFAULT, discord: Array | None = None) -> Array:
    """Deviation of an ordinary voter's opinion of each image, ``(N,)`` points.

    Voters differ more over abstracts, black and white and garish colour, and less inside a
    school that has made up its mind about a treatment; ``discord`` (default: the latent) is the
    part that the picture does not show.
    """
    row = _checked(latents)
    discord = row["discord"].to_numpy() if discord is None else discord
    odd = np.minimum(np.abs(row["saturation"] - 1), 1) - 0.41
    unsure = row["category"].map(UNSURE) + 0.10 * odd
    log = crowd.spread * (unsure + DISCORD * discord) - 0.2 * row["divergence"] * crowd.schools
    return SIGMA * np.exp(log.to_numpy(dtype=np.float64))


def distribution(
    latents: pd.DataFrame, crowd: Crowd = DEFAULT, taste: Taste | None = None
) -> Array:
    """The true distribution of scores, ``(N, 10)``, rows summing to 1: the vote ceiling."""
    worth, row = visible(latents, crowd, taste), _checked(latents)
    return _opinions(
        worth + crowd.hidden * row["hidden"].to_numpy(),
        sigma(latents, crowd),
        _differences(latents),
        crowd,
    )


def visible_distribution(
    latents: pd.DataFrame, crowd: Crowd = DEFAULT, taste: Taste | None = None
) -> Array:
    """E[distribution | picture], ``(N, 10)``: the image ceiling.

    The hidden effect and the discord are integrated out (Gauss-Hermite, 11 x 5 nodes).
    """
    worth, apart = visible(latents, crowd, taste), _differences(latents)
    out = np.zeros((len(latents), BINS))
    for spread, half in zip(*NODES[5], strict=True):
        wide = sigma(latents, crowd, np.full(len(latents), spread))
        for effect, weight in zip(*NODES[11], strict=True):
            out += half * weight * _opinions(worth + crowd.hidden * effect, wide, apart, crowd)
    return out


def vote(
    latents: pd.DataFrame, crowd: Crowd = DEFAULT, seed: int = 0, taste: Taste | None = None
) -> NDArray[np.int64]:
    """Have every photograph voted on: counts ``(N, 10)`` int64.

    The same seed gives the same votes. More gross outliers keep those of a smaller share.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, _latents.VOTERS, 1]))
    true = distribution(latents, crowd, taste)
    images = len(true)
    mean, deviation, low, high = VOTES
    total = np.exp(mean + deviation * rng.standard_normal(images))
    total = np.clip(np.round(total), low, high).astype(np.int64)
    if crowd.votes is not None:
        total[:] = crowd.votes
    struck, strength, top = rng.random((3, images))
    share = np.where(struck < crowd.outliers, GROSS[0] + (GROSS[1] - GROSS[0]) * strength, 0.0)
    mob = np.round(share * total).astype(np.int64)
    counts = rng.multinomial(total - mob, true)
    counts[np.arange(images), np.where(top < 0.5, 0, BINS - 1)] += mob
    return counts.astype(np.int64)


def revote(
    collection, latents: pd.DataFrame, crowd: Crowd = DEFAULT, seed: int = 0, taste=None
):
    """The same photographs with other votes: a ``ratings.Collection``, joined by id.

    ``latents`` must have a row for every image of the collection.
    """
    absent = collection.table.index.difference(latents.index)
    if len(absent):
        raise InputError(
            f"{collection.root / 'latents.csv'}: has no row for image {absent[0]}; use the "
            "table that was written with these photographs"
        )
    counts = pd.DataFrame(
        vote(latents, crowd, seed, taste),
        index=latents.index,
        columns=[f"n{k}" for k in range(1, BINS + 1)],
    ).loc[collection.table.index]
    table = collection.table.drop(columns=["mean"], errors="ignore")
    return replace(collection, table=table.assign(**counts))


def ceilings(
    latents: pd.DataFrame,
    counts: Array,
    crowd: Crowd = DEFAULT,
    taste: Taste | None = None,
    train: Array | None = None,
) -> dict[str, dict[str, float]]:
    """What can be known about these votes, by every metric.

    Args:
        latents: (N, ...) of the photographs.
        counts: (N, 10), the votes that were cast.
        crowd: that cast them.
        taste: that it voted by, None for its own.
        train: (M, 10) votes whose mean distribution the constant predicts; default ``counts``.

    Returns:
        "constant", "image" and "vote", each with kldiv, cdloss, mse, rho, accuracy, emd1 and
        emd2. "image" knows all that a picture shows, "vote" the true distribution.
    """
    predictions = {
        "constant": metrics.constant(counts if train is None else train, len(counts)),
        "image": visible_distribution(latents, crowd, taste),
        "vote": distribution(latents, crowd, taste),
    }
    return {name: _scores(p, counts) for name, p in predictions.items()}


def _scores(p: Array, g: Array) -> dict[str, float]:
    a, b = metrics.mean(p), metrics.mean(g)
    flat = np.ptp(a) < 1e-9
    return {
        "kldiv": metrics.average(metrics.kl(g, p)),
        "cdloss": metrics.average(metrics.cdloss(p, g)),
        "mse": metrics.mse(a, b),
        "rho": np.nan if flat else metrics.rho(a, b),
        "accuracy": metrics.accuracy(a, b),
        "emd1": metrics.average(metrics.emd(p, g, 1)),
        "emd2": metrics.average(metrics.emd(p, g, 2)),
    }


def _opinions(location: Array, wide: Array, apart: Array, crowd: Crowd) -> Array:
    """Distribution of scores ``(N, 10)`` of both schools, enthusiasts and careless voters.

    An opinion is a normal deviate, rounded to the nearest score and cut at both ends. Far from
    the middle voters agree less, as in AVA.
    """
    wide = wide * np.exp(SWELL * np.minimum((location - BASE) ** 2, 4))
    edges = np.arange(1, BINS) + 0.5
    out = np.full((len(location), BINS), crowd.careless / BINS)
    for share, side in zip(crowd.shares, (-BALANCE[1], BALANCE[0]), strict=True):
        if share == 0:
            continue
        middle = location + side * crowd.schools * apart
        for part, shift, times in (
            (1 - crowd.careless - ENTHUSIASTS, -MEEK, 1.0),
            (ENTHUSIASTS, KEEN, WIDE),
        ):
            z = (edges - (middle + shift)[:, None]) / (times * wide)[:, None]
            below = np.pad(ndtr(z), ((0, 0), (1, 1)), constant_values=(0.0, 1.0))
            out += share * part * np.diff(below, axis=1)
    return out


def _differences(latents: pd.DataFrame) -> Array:
    """Points by which the second school likes each image better than the first, ``(N,)``."""
    treated = APART * np.clip((latents["divergence"].to_numpy() - 0.2) / 0.5, 0, 1)
    look = features(latents)["saturation"].to_numpy()
    return treated - ASIDE * look * (treated == 0)


def _beside(error, width):
    """Cost of being off by ``error``: 0 at 0, nearly 1 beyond twice the width."""
    return 1 - np.exp(-((error / width) ** 2))


def _place(row: pd.DataFrame) -> Array:
    """The subject's place: on a third (in the middle, where that is liked) against elsewhere.

    Under an open sky only the place along the horizon is the photographer's choice.
    """
    x, y = row["subject_x"] - 0.5, row["subject_y"] - 0.5
    y_third = np.where(row["horizon"].notna(), 0.0, y.abs() - 1 / 6)
    y_middle = np.where(row["horizon"].notna(), 0.0, y)
    third = 1 - _beside(np.hypot(x.abs() - 1 / 6, y_third), 0.11)
    middle = 1 - _beside(np.hypot(x, y_middle), 0.11)
    edge = np.clip((x.abs() - 0.30) / 0.08, 0, 1)
    centred = row["category"].isin(CENTRED)
    return np.where(centred, middle - third * 0.6, third - middle * 0.6) - edge - 0.05


def _size(row: pd.DataFrame) -> Array:
    low, high = _latents.SIZES[_kind(row)].T
    return (row["subject_size"].to_numpy() - (low + high) / 2) / ((high - low) / 2)


def _horizon(height: pd.Series) -> Array:
    """A horizon on a third against one that halves the picture; NaN where there is none."""
    off = (height - 0.5).abs()
    return _beside(off, 0.07) - _beside(off - 1 / 6, 0.07)


def _usual_width(category: pd.Series) -> Array:
    shares = _latents.ASPECT_SHARES / _latents.ASPECT_SHARES.sum(axis=1, keepdims=True)
    mean = shares @ np.log(_latents.ASPECTS)
    return mean[[_latents.CATEGORIES.index(name) for name in category]]


def _kind(latents: pd.DataFrame) -> NDArray[np.intp]:
    return pd.Index(_latents.CATEGORIES).get_indexer(latents["category"])


NEEDED = (
    *("category", "aspect", "subject_x", "subject_y", "subject_size", "horizon", "clutter"),
    *("harmony", "light", "white_balance", "saturation", "blur", "focus_error", "tilt"),
    *("noise", "divergence", "hidden", "discord", "lightness", "tones", "chroma", "warmth"),
    *("framing", "clipped"),
)


def _checked(latents: pd.DataFrame) -> pd.DataFrame:
    absent = [name for name in NEEDED if name not in latents]
    if absent:
        raise InputError(
            f"latents: column {absent[0]} is missing; use the latents.csv that is written with "
            "the photographs"
        )
    return latents
