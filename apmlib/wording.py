"""What the findings about a run mean, in sentences for readers who know none of the terms.

Verdicts come from intervals: what an interval does not settle is said to be open. Sentences are
HTML, as ``page`` puts them on a page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

import numpy as np

from apmlib import diagnosis, metrics, page, ratings

FEW = 50  # photographs, below which intervals are wide
NAMED = 5  # photographs that are listed by name

MEASURES = {
    "MSE": "mean squared error of the mean score, in points squared; 0 is perfect.",
    "ρ": "Spearman's rank correlation: 1 if the photographs come in the order of the votes, 0 "
    "if the order has nothing to do with them.",
    "Accuracy": "share of the photographs whose mean score is rightly predicted to be high or "
    "not: above 5 on a scale of ten, above the middle on others.",
    "CDLoss": "how many votes would have to be moved, and how far, to turn the predicted "
    "distribution into that of the votes; 0 is perfect.",
    "KL": "Kullback-Leibler divergence: how surprising the votes are to one who believes the "
    "prediction; 0 is perfect.",
}
COLUMNS = {
    "constant": "gives every photograph the average ratings of the photographs that the run "
    "was trained on. It does not look, and has no order. A model must beat it.",
    "image ceiling": "knows all that the picture shows and the taste of the simulated crowd. "
    "In MSE, CDLoss and KL no model can expect to do better.",
    "votes again": "as many votes again, drawn from each photograph's own: how far two polls "
    "differ by chance. No model can expect to do better, and as not all of taste is in the "
    "picture, none comes near. Where photographs have few votes, under ten, it is flattered.",
    "[low, high]": "95 % interval: where the value fell 19 times out of 20 when as many of the "
    "photographs were drawn at random, with replacement.",
}


def warnings(found: diagnosis.Findings, split: str) -> list[str]:
    """What makes the page unfit to judge the run by; most often nothing."""
    n, told = len(found.p), []
    if found.seen.any():
        told.append(
            f"The run was trained on {found.seen.sum():,} of these {n:,} photographs. Whoever "
            "has seen the answers is not tested by the questions: all numbers on this page "
            f"flatter it. Take these photographs out of the split {page.name(split)}, or train "
            "without them."
        )
    flat = metrics.collapsed(found.predicted)
    if flat:
        told.append(
            f"{flat[0].upper()}{flat[1:]}. It says the same of every photograph, so it has no "
            "order and nothing to explain. Train it anew, at a lower rate."
        )
    if n < FEW:
        told.append(
            f"There are only {n} photographs in this split. The intervals are wide, and "
            "another choice of photographs could give quite other numbers."
        )
    return told


def in_short(
    found: diagnosis.Findings, result: Mapping, known: Mapping[str, Mapping[str, float]]
) -> list[str]:
    """How good the run is: beside the constant, in order, and beside a second vote.

    ``result`` is of ``diagnosis.measured``, ``known`` of ``diagnosis.marks``.
    """
    n, off = len(found.p), np.sqrt(result["mse"]["value"])
    scale = f" on a scale from 1 to {found.bins}" if found.bins else ""
    told = [
        "The predicted mean score of a photograph is typically "
        f"<strong>{off:.2f} points</strong> off{scale} (root mean square). Giving every "
        "photograph the average of the training photographs would be "
        f"{np.sqrt(known['constant']['mse']):.2f} off. {_better(found)}"
    ]
    order = result["rho"]
    if order and order["value"] is not None:
        told.append(
            f"The order into which it puts the {n:,} photographs agrees with that of the votes "
            f"by <strong>ρ = {order['value']:.2f}</strong> (between {order['low']:.2f} and "
            f"{order['high']:.2f} at 95 % confidence); 1 is the same order, 0 is no agreement."
        )
    if "image ceiling" in known:
        told.append(
            "One who knew all that the pictures show, and the crowd's taste, would be "
            f"{np.sqrt(known['image ceiling']['mse']):.2f} off: the rest is not in the picture."
        )
    if "votes again" in known:
        told.append(
            "Were as many votes cast a second time, mean scores would move by "
            f"{np.sqrt(known['votes again']['mse']):.2f} points by chance. No model can expect "
            "to be closer than that."
        )
    return told


def _better(found: diagnosis.Findings) -> str:
    gain = diagnosis.gain(found)
    if gain is None or gain[1] <= 0 <= gain[2]:
        return (
            f"Whether the run is any better than that, these {len(found.p):,} photographs "
            "cannot tell."
        )
    if gain[2] < 0:
        return "So it has learnt something about photographs: chance does not explain as much."
    return "So it is worse than not looking at all, by more than chance explains."


def described(part: ratings.Collection) -> dict[str, str]:
    """Number of photographs and what their ratings are like, for a row of a table."""
    means = part.means
    row = {
        "photographs": f"{len(part):,}",
        "mean score": f"{means.mean():.2f} ± {means.std():.2f}",
        "spread": "–",
        "votes each": "–",
    }
    if "n1" in part.table:
        votes = part.counts.sum(axis=1)
        row["spread"] = f"{metrics.std(part.counts).mean():.2f}"
        row["votes each"] = f"{np.median(votes):.0f} ({ends(votes)})"
    return row


def ends(values: Sequence[int]) -> str:
    """From which number to which, or the one number."""
    low, high = min(values), max(values)
    return f"{low}" if low == high else f"{low} to {high}"


def left_out(found: diagnosis.Findings) -> list[str]:
    """How many photographs are missing or cannot be read, and some of their names."""
    told = []
    for names, text in (
        (found.collection.absent, "rated, but missing or found unreadable before"),
        ([name for name, _ in found.skipped], "in this split and not readable"),
    ):
        if names:
            shown = ", ".join(page.name(name) for name in islice(names, NAMED))
            more = ", …" if len(names) > NAMED else ""
            count = "1 photograph" if len(names) == 1 else f"{len(names):,} photographs"
            told.append(f"Left out: {count}, {text} ({shown}{more}).")
    return told or ["All rated photographs are there and can be read."]


def boldness(label: str, predicted: Sequence[float], true: Sequence[float]) -> str:
    """Whether predictions lie too far apart or too close together, or all too high or low."""
    value, low, high = metrics.bootstrap(diagnosis.slope, predicted, true)
    if np.isnan(value):
        return f"The predicted {label} is always the same: there is nothing to calibrate."
    verdict = "can be taken at its word, as far as these photographs tell"
    if high < 1:
        verdict = "is too bold: truly, the photographs differ less than is predicted"
    elif low > 1:
        verdict = "is too timid: truly, the photographs differ more than is predicted"
    told = (
        f"The predicted {label} {verdict} (slope {value:.2f}, 95 % interval {low:.2f} to "
        f"{high:.2f}; 1 is right, below is bold, above is timid). On average it is"
    )
    shift, low, high = metrics.bootstrap(metrics.average, np.subtract(predicted, true))
    if low <= 0 <= high:
        return f"{told} neither too high nor too low, as far as they tell."
    return f"{told} {abs(shift):.2f} points too {'high' if shift > 0 else 'low'}."
