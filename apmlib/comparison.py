"""Finished runs of several seeds compared, and the claims of the paper that they are held to.

A single run says little: another seed, or another draw of the test photographs, moves every
metric by about as much as the paper's rows differ. So two variants are compared over several
seeds each, paired by seed and by photograph, and every interval draws seeds and photographs
again. ``CLAIMS`` and ``PUZZLE`` say what is compared with what; ``ci/ablation.py`` trains it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from apmlib import evaluation, metrics, ratings, training
from apmlib.errors import InputError
from apmlib.simulated import crowd as simulated_crowd
from apmlib.simulated import frozen, world

Run = str | os.PathLike
Data = ratings.Collection | str | os.PathLike

BETTER = {"kldiv": -1, "cdloss": -1, "mse": -1, "rho": 1, "accuracy": 1}
"""Sign of a difference a - b that speaks for a."""
NOT_MEASURED = "not measured in this edition"


# --- What is claimed -----------------------------------------------------------------------


@dataclass(frozen=True)
class Mechanism:
    """A field of the crowd that a claimed gain lives on, and another value for it.

    ``more`` is true where that value should make the gain larger instead of taking it away.
    """

    name: str
    value: float
    more: bool = False

    @property
    def label(self) -> str:
        """As in ``outliers=0.05``."""
        return f"{self.name}={self.value:g}"

    @property
    def crowd(self) -> simulated_crowd.Crowd:
        """The crowd that votes with this value."""
        return replace(simulated_crowd.DEFAULT, **{self.name: self.value})


@dataclass(frozen=True)
class Claim:
    """A sentence of section 4.1 of the paper as a comparison of two variants.

    ``expected`` holds, for the metrics that it speaks of, the sign of a - b that the paper
    reports; 0 is "on par". ``controls`` maps variants to what they have in place of the claimed
    cause: where one gains on b as much as a does, the cause is another.
    """

    name: str
    sentence: str
    a: str
    b: str
    expected: Mapping[str, int]
    controls: Mapping[str, str] = field(default_factory=dict)
    mechanisms: tuple[Mechanism, ...] = ()


CLAIMS = (
    Claim(
        "distribution against mean",
        "Trained on whole distributions, the VGG ranks photographs better than trained on mean "
        "scores, with a mean squared error on par.",
        "vgg-imn-dist",
        "vgg-imn-mean",
        {"mse": 0, "rho": 1},
        mechanisms=(Mechanism("spread", 0.0),),
    ),
    Claim(
        "Huber against Euclidean",
        "A loss that is robust to outliers is clearly better than the Euclidean one.",
        "vgg-imn-dist",
        "vgg-imn-dist-eucl",
        BETTER,
        mechanisms=(Mechanism("outliers", 0.0), Mechanism("outliers", 0.05, more=True)),
    ),
    Claim(
        "ResNet against VGG",
        "Convolutional layers of a ResNet improve every metric over those of a VGG.",
        "resnet-imn-dist",
        "vgg-imn-dist",
        BETTER,
    ),
    Claim(
        "AVA against ImN",
        "Layers that first learn what these photographs show, from a teacher, give a better "
        "mean squared error and ranking.",
        "resnet-ava-dist",
        "resnet-imn-dist",
        {"mse": -1, "rho": 1},
        {
            "resnet-imn-dist-longer": "as many steps only",
            "resnet-ava-dist-permuted": "soft targets shuffled",
        },
        (Mechanism("interaction", 0.0),),
    ),
    Claim(
        "second branch",
        "A second branch over the globally pooled photograph gives a little in general and "
        "more in accuracy.",
        "resnet-ava-dist-m",
        "resnet-ava-dist",
        BETTER,
        {
            "resnet-ava-dist-longer": "as many steps only",
            "resnet-ava-dist-two": "two pyramids",
        },
        (Mechanism("composition", 0.0),),
    ),
)

PUZZLE = {  # (loss, scale): the variant that has them
    ("huber", "caffe"): "vgg-imn-dist",
    ("huber", "paper"): "vgg-imn-dist-1",
    ("euclidean", "caffe"): "vgg-imn-dist-eucl",
    ("euclidean", "paper"): "vgg-imn-dist-eucl-1",
}
"""Caffe's Huber layer takes nine times the steps of its Euclidean one. Is that the gap?"""

PUZZLE_RATES = {"ours": {}, "the paper's": {"rate": 1e-3, "backbone_rate": 1e-3}}

PUZZLE_PAIRS = {
    "gap": (("huber", "caffe"), ("euclidean", "paper")),
    "shape of the loss": (("huber", "caffe"), ("euclidean", "caffe")),
    "size of the step": (("euclidean", "caffe"), ("euclidean", "paper")),
}
"""The gap of two layers as they stand in Caffe, and the two parts that it is the sum of."""

SEMANTICS = ("resnet-ava-dist", "resnet-imn-dist")
SHARES = (0.1, 0.3)
"""Parts of the training photographs that have votes. Where votes are few, to know what is shown
may help more: it is learnt from all photographs, rated or not."""


def votes(data: Data, mechanism: Mechanism | None) -> ratings.Collection:
    """A simulated collection with the votes of the crowd of ``mechanism``, None for its own.

    InputError where the collection has no latents.
    """
    collection = data if isinstance(data, ratings.Collection) else ratings.read(data)
    if mechanism is None:
        return collection
    latents = world.read_latents(collection.root)
    return simulated_crowd.revote(collection, latents, mechanism.crowd)


# --- Runs ----------------------------------------------------------------------------------


def paired(
    a: Sequence[Run],
    b: Sequence[Run],
    data: Data,
    split: str = "test",
    draws: int = metrics.DRAWS,
    seed: int = 0,
) -> dict:
    """Differences a - b of two variants' metrics, over several seeds of each.

    ``a`` and ``b`` are equally long lists of run folders, one for each seed, in the same order
    of seeds. Their ``predictions.csv`` are held against the votes of ``split`` of ``data``,
    joined by image.

    Returns for each of kldiv, cdloss, mse, rho and accuracy (a share) a dict with ``value``,
    the difference of the means over seeds, ``low`` and ``high``, a 95 % bootstrap interval in
    which seeds and photographs are drawn, both in pairs, ``detectable``, the smallest
    difference that would be found four times in five, and ``by_seed``, the difference for each;
    or None where one of the two has no distributions. A difference that is undefined, since a
    run has collapsed to one score, has the value None and a ``reason``. Beside them stand the
    runs' names, the ``seeds``, the split, its hash and its size ``n``.

    Raises InputError where the runs are not of the same seeds, or a run is not measured on
    these photographs.
    """
    part = _part(data, split)
    about = {"seeds": _same_seeds(a, b), "a": _names(a), "b": _names(b)}
    found = _measured([*a, *b], part, draws, seed)
    return about | _about(part, split) | _differences(found, len(a), seed)


def change(
    a: Sequence[Run],
    b: Sequence[Run],
    data: Data,
    a_off: Sequence[Run],
    b_off: Sequence[Run],
    data_off: Data,
    split: str = "test",
    draws: int = metrics.DRAWS,
    seed: int = 0,
) -> dict:
    """How much larger the difference a - b is with a mechanism than without it.

    The two pairs of lists are as for :func:`paired`, of the same seeds and photographs under
    two sets of votes. Returns ``(a - b) - (a_off - b_off)`` in the same form; photographs and
    seeds are drawn alike on both sides, so that what they share cancels.
    """
    part, part_off = _part(data, split), _part(data_off, split)
    if not part.table.index.equals(part_off.table.index):
        raise InputError(
            f"{part_off.root}: has other photographs than {part.root}; a mechanism is switched "
            "off by other votes on the same ones"
        )
    about = {"seeds": _same_seeds(a, b, a_off, b_off)}
    on = _measured([*a, *b], part, draws, seed)
    off = _measured([*a_off, *b_off], part_off, draws, seed)
    found = {key: on[key] and off[key] and _less(on[key], off[key]) for key in on}
    return about | _about(part, split) | _differences(found, len(a), seed)


def summary(
    runs: Sequence[Run],
    data: Data,
    split: str = "test",
    crowd: simulated_crowd.Crowd | None = None,
    draws: int = metrics.DRAWS,
    seed: int = 0,
) -> dict:
    """A variant's metrics as means over its seeds, with intervals, and how far that is.

    Metrics are in the form of :func:`paired`, without ``detectable``. ``references`` holds the
    constant predictor of the first run's training photographs and, for a simulated collection,
    the image and the vote ceiling (each metric ``{"value", "low", "high"}``). ``covered`` says
    for mse and cdloss which share of the way from the constant to the image ceiling is covered,
    and for rho which share of the ceiling's is reached, with intervals; without a ceiling it is
    None.

    ``crowd`` is the one that cast the votes of a simulated collection, where they are not the
    ones on disk. Runs of a semantic variant, which predict no scores, have their agreement with
    the teacher as ``accuracy``, and nothing else.
    """
    configs = [evaluation.read_config(run) for run in runs]
    about = {"seeds": [config["seed"] for config in configs], "runs": _names(runs)}
    if configs[0]["settings"]["target"] == "semantic":
        return about | _agreement(runs)
    part = _part(data, split)
    found = _measured(runs, part, draws, seed)
    references = {
        name: _measures([p], part, draws, seed)
        for name, p in reference_predictions(part, configs[0], crowd).items()
    }
    result = about | _about(part, split)
    result |= {key: found[key] and _entry(*found[key], seed) for key in evaluation.METRICS}
    result["references"] = {
        name: {key: by_metric[key] and _reference(*by_metric[key]) for key in by_metric}
        for name, by_metric in references.items()
    }
    result["covered"] = _covered(found, references, seed) if "image" in references else None
    return result


def stale(results: Mapping) -> bool:
    """Whether a results file was measured with other code, or in another world, than today's.

    ``results`` is the content of a file of ``data/results``; one that does not say is out of
    date. A file that names further ``modules``, with a hash of their code, depends on these
    as well.
    """
    told = results.get("provenance", {})
    # What was measured on photographs of the real world says None.
    worlds = (None, frozen.world_hash())
    if told.get("code") != training.code_key() or told.get("world", "") not in worlds:
        return True
    further = told.get("modules")
    return bool(further) and training.code_key(further["names"]) != further["code"]


def rows(claims: Mapping[str, Mapping], metric: str) -> dict[str, dict]:
    """What ``figures.differences`` draws: by claim, then by what was compared, an entry.

    ``claims`` is that part of a results file. A control is shown by what it gains on b.
    """
    found = {}
    for name, claim in claims.items():
        series = {"as it is": claim["paired"]}
        for mechanism in claim["mechanisms"].values():
            label = "mechanism stronger" if mechanism["more"] else "mechanism off"
            series[label] = mechanism["paired"]
        for control in claim["controls"].values():
            series[control["what"]] = control["instead"]
        found[name] = {label: (side or {}).get(metric) for label, side in series.items()}
    return found


# --- Files of results, and what is said of them --------------------------------------------


def recorded(name: str) -> dict:
    """``data/results/NAME.json`` of this repository, ``{}`` where it was not measured."""
    file = Path(__file__).parents[1] / "data" / "results" / f"{name}.json"
    return json.loads(file.read_text("utf-8")) if file.is_file() else {}


def origin(name: str, results: Mapping) -> str:
    """Where the ``results`` of file ``name`` come from, in a sentence."""
    if not results:
        return f"{name}: {NOT_MEASURED}."
    told = results["provenance"]
    seeds = told["seeds"]["runs"]
    text = f"From {name}: commit {told['commit'][:10]}, {told['machine']}, "
    text += f"profile {results['profile']}, {'seed' if len(seeds) == 1 else 'seeds'} "
    text += f"{', '.join(map(str, seeds))}."
    earlier = {seed: about["commit"] for seed, about in told.get("kept", {}).items()}
    kept = [f"{seed} at {commit[:10]}" for seed, commit in earlier.items()]
    text += f" Seeds trained earlier: {', '.join(kept)}." if kept else ""
    if len(seeds) == 1:
        text += " With one seed, intervals tell of the photographs and not of training's luck."
    return text + (" Measured with other code than today's." if stale(results) else "")


def seeds_of(results: Mapping) -> str:
    """With how many seeds ``results`` were measured, as in "3 seeds"."""
    count = len(results["provenance"]["seeds"]["runs"]) if results else 0
    return "one seed" if count == 1 else f"{count or 'no'} seeds"


def span(entry: Mapping | None, digits: int = 4) -> str:
    """An entry of :func:`paired` as printed: signed value, and its interval in brackets."""
    if entry is None or entry["value"] is None:
        return NOT_MEASURED if entry is None else entry["reason"]
    value, low, high = (entry[key] for key in ("value", "low", "high"))
    return f"{value:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]"


def verdict(entry: Mapping | None, sign: int) -> str:
    """What the interval of an entry of :func:`paired` says of a claim about a - b.

    ``sign`` is the one that is claimed, 0 for "on par".
    """
    if entry is None or entry["value"] is None:
        return NOT_MEASURED if entry is None else entry["reason"]
    if entry["low"] == entry["high"] == 0:
        return "no difference at all"
    if entry["low"] <= 0 <= entry["high"]:
        if sign == 0:
            return f"no difference found; {entry['detectable']:.4f} would have been"
        if entry["value"] * sign < 0:
            return "cannot be told: the interval includes zero, the value is against the claim"
        times = (entry["detectable"] / max(abs(entry["value"]), 1e-12)) ** 2
        needed = "far more data" if times > 1000 else f"about {times:.0f} times the data"
        return f"cannot be told: the interval includes zero; {needed} would show as much"
    if sign == 0:
        return f"not on par: the first is {'larger' if entry['value'] > 0 else 'smaller'}"
    return "holds here" if entry["value"] * sign > 0 else "does not hold here: the reverse does"


# A measurement is a tuple: values (S,), the same on every draw (S, draws), and why they are
# undefined or None; or None where there is nothing to measure.


def _part(data: Data, split: str) -> ratings.Collection:
    collection = data if isinstance(data, ratings.Collection) else ratings.read(data)
    part = collection.split(split)
    if part.table.empty:
        raise InputError(f"{collection.root}: has no photographs in split {split!r}")
    return part


def _same_seeds(*sides: Sequence[Run]) -> list[int]:
    seeds = [[evaluation.read_config(run)["seed"] for run in runs] for runs in sides]
    if not seeds[0] or any(other != seeds[0] for other in seeds):
        told = " against ".join(", ".join(map(str, side)) or "none" for side in seeds)
        raise InputError(
            f"runs of the seeds {told}: are paired by seed; give the same ones in one order"
        )
    return seeds[0]


def _names(runs: Sequence[Run]) -> list[str]:
    return [Path(run).name for run in runs]


def _about(part: ratings.Collection, split: str) -> dict:
    names = part.table.index
    return {"split": split, "split_hash": ratings.split_hash(names), "n": len(names)}


def _predictions(run: Run, part: ratings.Collection) -> np.ndarray:
    """What ``run`` said of the photographs of ``part``: (N, K), or (N,) mean scores."""
    file = Path(run) / "predictions.csv"
    if not file.is_file():
        raise InputError(f"{file}: no such file; is the run finished, and does it give scores?")
    table = pd.read_csv(file, dtype={"image": str}).set_index("image")
    wanted = part.table.index
    if len(table) != len(wanted) or not wanted.isin(table.index).all():
        raise InputError(
            f"{file}: is not of the {len(wanted)} photographs that are compared; apm evaluate "
            "the run on this split"
        )
    p = evaluation.distributions(table.loc[wanted])
    if p.ndim == 2 and p.shape[1] != part.bins:
        raise InputError(
            f"{file}: is of a scale of {p.shape[1]}, the votes of one of {part.bins}; compare "
            "runs of one scale"
        )
    return p


def _measured(runs: Sequence[Run], part: ratings.Collection, draws: int, seed: int) -> dict:
    return _measures([_predictions(run, part) for run in runs], part, draws, seed)


def _measures(
    predictions: Sequence[np.ndarray], part: ratings.Collection, draws: int, seed: int
) -> dict:
    """Every metric of every prediction, by metric one measurement with a row for each."""
    g = part.counts
    true, above = metrics.mean(g), metrics.threshold(part.bins)
    means = [metrics.mean(p) if p.ndim == 2 else p for p in predictions]
    by_image = {
        "mse": [(mean - true) ** 2 for mean in means],
        "accuracy": [(mean > above) == (true > above) for mean in means],
    }
    if all(p.ndim == 2 for p in predictions):
        by_image["kldiv"] = [metrics.kl(g, p) for p in predictions]
        by_image["cdloss"] = [metrics.cdloss(p, g) for p in predictions]
    found = dict.fromkeys(evaluation.METRICS)
    for key, values in by_image.items():
        drawn = metrics.replicates(metrics.average, [(x,) for x in values], draws, seed)
        found[key] = (np.array([np.mean(x) for x in values]), drawn, None)
    found["rho"] = _rho(means, true, draws, seed)
    return found


def _rho(means: list[np.ndarray], true: np.ndarray, draws: int, seed: int) -> tuple:
    reasons = [metrics.collapsed(mean) for mean in means]
    reasons.append(metrics.collapsed(true, "the truth is constant"))
    reason = next((f"undefined: {why}" for why in reasons if why), None)
    if reason:
        nothing = np.full(len(means), np.nan)
        return nothing, nothing[:, None], reason
    sets = [(mean, true) for mean in means]
    values = np.array([metrics.rho(*arrays) for arrays in sets])
    return values, metrics.replicates(metrics.rho, sets, draws, seed), None


def _less(one: tuple, other: tuple) -> tuple:
    return one[0] - other[0], one[1] - other[1], one[2] or other[2]


def _differences(found: dict, several: int, seed: int) -> dict:
    """Entries of the first ``several`` rows of each measurement less the rest."""
    result = {}
    for key in evaluation.METRICS:
        if found[key] is None:
            result[key] = None
            continue
        values, drawn, reason = found[key]
        gap = drawn[:several] - drawn[several:]
        result[key] = _entry(values[:several] - values[several:], gap, reason, seed)
        if not reason:
            result[key]["detectable"] = metrics.smallest(metrics.over_seeds(gap, seed))
    return result


def _entry(values: np.ndarray, drawn: np.ndarray, reason: str | None, seed: int) -> dict:
    """A measurement as its mean over seeds, the interval and the value of each seed."""
    if reason:
        return dict.fromkeys(("value", "low", "high")) | {"reason": reason}
    value, low, high = metrics.interval(float(values.mean()), metrics.over_seeds(drawn, seed))
    return {"value": value, "low": low, "high": high, "by_seed": values.tolist()}


def _reference(values: np.ndarray, drawn: np.ndarray, reason: str | None) -> dict | None:
    if reason:
        return None
    value, low, high = metrics.interval(values[0], drawn[0])
    return {"value": value, "low": low, "high": high}


def reference_predictions(
    part: ratings.Collection, config: dict, crowd: simulated_crowd.Crowd | None = None
) -> dict[str, np.ndarray]:
    """Predictions of the constant and, in a simulated world, of both ceilings.

    "constant" is that of the run of ``config``, (N, K), or (N,) where it has seen mean scores
    only; "image" and "vote" are (N, K), for the votes of ``crowd``, or None for those on disk.
    """
    constant = np.tile(config["trained"]["mean_distribution"], (len(part), 1))
    if constant.shape[1] == 1:  # the run has seen mean scores only
        constant = constant[:, 0]
    simulated = (part.root / "latents.csv").is_file()
    if not simulated or (crowd is None and not _votes_on_disk(part)):
        return {"constant": constant}
    latents = world.read_latents(part.root).loc[part.table.index]
    crowd = crowd or simulated_crowd.DEFAULT
    return {
        "constant": constant,
        "image": simulated_crowd.visible_distribution(latents, crowd),
        "vote": simulated_crowd.distribution(latents, crowd),
    }


def _votes_on_disk(part: ratings.Collection) -> bool:
    stored = ratings.read(part.root)
    same = replace(stored, table=stored.table.loc[part.table.index])
    return np.array_equal(part.counts, same.counts)


def _covered(found: dict, references: dict, seed: int) -> dict:
    covered = dict.fromkeys(("mse", "cdloss", "rho"))
    for key in covered:
        low, high = references["constant"][key], references["image"][key]
        if found[key] is None or found[key][2] or high[2]:
            continue
        values, drawn, _ = found[key]
        if key == "rho":  # a constant has none: the share is that of the ceiling's own
            shares = values / high[0], drawn / high[1]
        elif low is None:
            continue
        else:
            shares = tuple((low[i] - found[key][i]) / (low[i] - high[i]) for i in (0, 1))
        covered[key] = _entry(*shares, None, seed)
    return covered


def _agreement(runs: Sequence[Run]) -> dict:
    """How often students and teachers name the same class, by seed and on average.

    What they say of single photographs is not on disk, so there is no interval.
    """
    found = [json.loads((Path(run) / "metrics.json").read_text("utf-8")) for run in runs]
    values = [item["accuracy"]["value"] for item in found]
    about = {key: found[0][key] for key in ("split", "split_hash", "n")}
    entry = {"value": float(np.mean(values)), "low": None, "high": None, "by_seed": values}
    return about | dict.fromkeys(evaluation.METRICS) | {"accuracy": entry}


# --- Beside the paper ----------------------------------------------------------------------

PUBLISHED = {  # Table 1 of the paper; accuracy is a share here
    name: dict(zip(evaluation.METRICS, values, strict=True))
    for name, values in {
        "vgg-imn-mean": (None, None, 0.314, 0.659, 0.784),
        "vgg-imn-dist-eucl": (0.134, 0.0821, 0.383, 0.560, 0.763),
        "vgg-imn-dist": (0.128, 0.0673, 0.311, 0.665, 0.787),
        "resnet-imn-dist": (0.105, 0.0618, 0.285, 0.702, 0.797),
        "resnet-ava-dist": (0.104, 0.0609, 0.280, 0.707, 0.798),
        "resnet-ava-dist-m": (0.103, 0.0607, 0.279, 0.709, 0.803),
    }.items()
}
PUBLISHED_ON = "AVA, 250,000 photographs, published"
OURS_ON = "simulated AVA, laptop profile"

_PRINTED = {"kldiv": 3, "cdloss": 4, "mse": 3, "rho": 3, "accuracy": 1}  # digits of the paper


def published(ours: Mapping[str, Mapping], format: str = "text", label: str = OURS_ON) -> str:
    """The paper's Table 1 with our numbers under its own, row by row.

    ``ours`` maps variants to their metrics, in the form of ``metrics.json`` or of
    :func:`summary`; ``label`` names the data that they are of. The data differ, so only what
    happens from row to row can be compared. ``format`` is text, markdown, latex or csv; in csv
    accuracy is a share, elsewhere per cent. InputError for another format.
    """
    if format not in evaluation.FORMATS:
        raise InputError(
            f"--format {format}: no such format; choose {', '.join(evaluation.FORMATS)}"
        )
    table = []
    for variant, theirs in PUBLISHED.items():
        table.append((variant, PUBLISHED_ON, {key: {"value": theirs[key]} for key in theirs}))
        if variant in ours:
            table.append((variant, label, ours[variant]))
    if format == "csv":
        return _csv(table)
    names = evaluation.LATEX if format == "latex" else evaluation.HEADINGS
    cells = [["Method", "Data", *names.values()]]
    for variant, data, row in table:
        text = _printed if data == PUBLISHED_ON else evaluation.cell
        cells.append([variant, data, *(text(row.get(key), key) for key in names)])
    return evaluation.layout(cells, format, words=2)


def _printed(entry: dict, key: str) -> str:
    """A number of the paper with as many digits as it has there."""
    if entry["value"] is None:
        return "-"
    return f"{entry['value'] * (100 if key == 'accuracy' else 1):.{_PRINTED[key]}f}"


def _csv(table: list[tuple[str, str, Mapping]]) -> str:
    lines = []
    for variant, data, row in table:
        line = {"method": variant, "data": data}
        for key in evaluation.METRICS:
            entry = row.get(key) or {}
            line |= {key: entry.get("value")}
            line |= {f"{key}_{end}": entry.get(end) for end in ("low", "high")}
        lines.append(line)
    return pd.DataFrame(lines).to_csv(index=False).rstrip("\n")
