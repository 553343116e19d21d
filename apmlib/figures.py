"""The figures of the book: one style, readable in grey, captions outside the picture.

Every figure returns its :class:`matplotlib.figure.Figure`; in a notebook, let
:func:`use_style` set the style once and end the drawing line with ``;``.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from cycler import cycler
from IPython.display import Markdown
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Six colours of six lightnesses, so that grey paper keeps them apart, and none of them red
# against green.
COLOURS = ("#14324f", "#a63f0b", "#3f86bf", "#e6a934", "#8f8f8f", "#b5dcea")
# Line styles and markers go with the colours: a curve is never told by its colour alone.
LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P")
WIDTH = 7.2
"""Width of a figure over the whole text, in inches."""
SMALL = (3.5, 2.5)
"""Width and height of a figure that is read on a telephone, in inches."""

_RESULTS = Path(__file__).resolve().parents[1] / "data" / "results"


def use_style() -> None:
    """Set the book's style for every figure drawn from here on."""
    plt.rcParams.update(
        {
            "figure.figsize": (WIDTH, 3.2),
            "figure.dpi": 100,
            "figure.facecolor": "white",
            "savefig.facecolor": "white",
            "savefig.dpi": 100,
            "savefig.bbox": "tight",
            "figure.constrained_layout.use": True,
            "font.size": 10,
            "axes.titlesize": 10,
            "axes.labelsize": 10,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.axisbelow": True,
            "axes.prop_cycle": cycler(color=COLOURS, linestyle=LINES),
            "lines.linewidth": 1.8,
            "lines.markersize": 5,
            "legend.frameon": False,
            "image.cmap": "gray",
            "image.interpolation": "nearest",
            "svg.hashsalt": "apmlib",
        }
    )


def sheet(
    photographs: Sequence, titles: Sequence[str] | None = None, columns: int = 4
) -> Figure:
    """Contact sheet: photographs side by side in reading order, each at its own aspect.

    ``photographs`` are anything that :func:`numpy.asarray` turns into ``(H, W, 3)`` uint8, or
    ``(H, W)`` for a mask; ``titles``, one line each, stand above them. A row is as high as its
    photographs are when they share its width at one common height.
    """
    pictures = [np.asarray(photograph) for photograph in photographs]
    titles = [""] * len(pictures) if titles is None else list(titles)
    if len(titles) != len(pictures):
        raise ValueError(f"{len(pictures)} photographs but {len(titles)} titles")
    rows = [range(i, min(i + columns, len(pictures))) for i in range(0, len(pictures), columns)]
    aspects = [picture.shape[1] / picture.shape[0] for picture in pictures]
    # One height for all rows, such that the widest row fills the page.
    height = min(WIDTH / max(sum(aspects[i] for i in row) for row in rows), 3.6)
    space = 0.26 if any(titles) else 0.06
    figure = plt.figure(figsize=(WIDTH, len(rows) * (height + space)), layout="none")
    for r, row in enumerate(rows):
        left = 0.0
        bottom = (len(rows) - 1 - r) * (height + space)
        for i in row:
            width = aspects[i] * height
            box = (left / WIDTH, bottom, (width - 0.05) / WIDTH, height)
            axis = figure.add_axes(
                (
                    box[0],
                    box[1] / figure.get_figheight(),
                    box[2],
                    box[3] / figure.get_figheight(),
                )
            )
            # A mask is 0..255 too: without the limits imshow would stretch a flat one.
            axis.imshow(
                pictures[i], vmin=0, vmax=255, interpolation="antialiased", aspect="auto"
            )
            axis.set_axis_off()
            axis.set_title(titles[i], fontsize=9, pad=3)
            left += width
    return figure


def bars(
    axis: Axes, *distributions: Sequence[float], labels: Sequence[str] = (), mean: bool = True
) -> Axes:
    """Draw score distributions over the scores 1 to K as bars, side by side.

    Each distribution is a vector of K shares (or counts: they are l1-normalised here). A
    triangle above the bars stands at each mean, equation 2 of the paper, unless ``mean`` is
    false.
    """
    shades = ((COLOURS[0], ""), (COLOURS[3], "///"), (COLOURS[5], "..."))
    if not 1 <= len(distributions) <= len(shades):
        raise ValueError(f"between 1 and {len(shades)} distributions, not {len(distributions)}")
    width = 0.84 / len(distributions)
    for i, shares in enumerate(distributions):
        shares = np.asarray(shares, dtype=float)
        shares = shares / shares.sum()
        scores = np.arange(1, len(shares) + 1)
        offset = (i - (len(distributions) - 1) / 2) * width
        colour, hatch = shades[i]
        axis.bar(
            scores + offset,
            shares,
            width,
            color=colour,
            hatch=hatch,
            edgecolor="white" if i == 0 else "#333333",
            linewidth=0.4,
            label=labels[i] if labels else None,
        )
        if mean:
            top = 1.08 * max(np.max(np.divide(d, np.sum(d))) for d in distributions)
            axis.plot(shares @ scores, top, "v", color=colour, markeredgecolor="#333333")
    axis.set_xticks(scores)
    axis.set_xlabel("score")
    axis.set_ylabel("share of the votes")
    if labels:
        axis.legend()
    return axis


def histograms(
    series: Mapping[str, Sequence[float]], edges: Sequence[float], label: str
) -> Figure:
    """Share of the photographs between each two ``edges``: a small figure.

    The first of ``series``, values by name, is filled; a second one is a line over it.
    """
    if not 1 <= len(series) <= 2:
        raise ValueError(f"one or two series, not {len(series)}")
    figure, axis = plt.subplots(figsize=SMALL)
    for i, (name, values) in enumerate(series.items()):
        shares = np.histogram(values, edges)[0] / len(values)
        style = (
            {"fill": True, "color": COLOURS[5], "edgecolor": COLOURS[0]},
            {"color": COLOURS[1], "linewidth": 2, "linestyle": "--"},
        )[i]
        axis.stairs(shares, edges, label=name, baseline=0, **style)
    axis.set(xlabel=label, ylabel="share of the photographs")
    if len(series) > 1:
        axis.legend(fontsize=9)
    return figure


def calibration(groups: pd.DataFrame, label: str) -> Figure:
    """Truth over prediction by groups of photographs, as ``diagnosis.calibration`` has them.

    ``groups``: columns predicted, value, low, high. ``label`` names what is predicted. On the
    dashed line the two are the same.
    """
    figure, axis = plt.subplots(figsize=SMALL)
    both = groups[["predicted", "value", "low", "high"]].to_numpy()
    low, high = both.min(), both.max()
    room = 0.05 * (high - low) or 0.5
    ends = (low - room, high + room)
    axis.plot(ends, ends, color=COLOURS[4], linestyle="--", linewidth=1)
    axis.vlines(groups["predicted"], groups["low"], groups["high"], color=COLOURS[0])
    axis.plot(groups["predicted"], groups["value"], "o", color=COLOURS[0], linestyle="none")
    axis.set(xlim=ends, ylim=ends, xlabel=f"predicted {label}", ylabel=f"{label} of the votes")
    return figure


def intervals(
    rows: pd.DataFrame, label: str, marks: Mapping[str, Sequence[float]] | None = None
) -> Figure:
    """A dot with its interval for each of ``rows`` (columns value, low, high): a small figure.

    ``marks``, a value a row by name, stand beside them; at most three. ``label`` is that of the
    axis, on which zero is marked where there are values below it.
    """
    marks = marks or {}
    tall = 0.9 + 0.26 * len(rows) + 0.2 * len(marks)
    figure, axis = plt.subplots(figsize=(SMALL[0], max(tall, 1.6)))
    where = np.arange(len(rows))
    axis.hlines(where, rows["low"], rows["high"], color=COLOURS[0], linewidth=1.8)
    axis.plot(
        rows["value"], where, MARKERS[0], color=COLOURS[0], linestyle="none", label="this run"
    )
    for i, (name, values) in enumerate(marks.items(), 1):
        axis.plot(
            values,
            where,
            MARKERS[i],
            color=COLOURS[i],
            linestyle="none",
            markerfacecolor="white",
            label=name,
        )
    if rows["low"].min() < 0:
        axis.axvline(0, color=COLOURS[4], linestyle="--", linewidth=1)
    axis.set_yticks(where, [str(text) for text in rows.index])
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.tick_params(axis="y", length=0)
    axis.set_xlabel(label)
    if marks:
        figure.legend(loc="outside upper center", ncols=3, fontsize=9, handletextpad=0.2)
    return figure


def opinion(
    votes: Sequence[float] | None, predicted: Sequence[float] | float, bins: int
) -> Figure:
    """Votes and prediction of one photograph, small enough to stand under it.

    ``votes``: (K,), or None where only their mean is known. ``predicted``: a distribution
    (K,), or a mean score, which is a triangle alone.
    """
    figure, axis = plt.subplots(figsize=(2.3, 1.3), layout="none")  # many are drawn: quickly
    figure.subplots_adjust(0.02, 0.17, 0.98, 0.95)
    whole = np.ndim(predicted) == 1
    known = [shares for shares in (votes, predicted if whole else None) if shares is not None]
    bars(axis, *known)
    if not whole:
        axis.plot(predicted, axis.get_ylim()[1], "v", color=COLOURS[3], mec="#333333")
    ticks = np.arange(1, bins + 1)
    axis.set_xticks(ticks if bins <= 10 else ticks[:: bins // 5])
    axis.tick_params(labelsize=8)
    axis.set(xlabel="", ylabel="", yticks=[], xlim=(0.4, bins + 0.6))
    axis.spines["left"].set_visible(False)
    return figure


def differences(
    rows: Mapping[str, Mapping[str, Mapping | None]], label: str, better: int = 0
) -> Figure:
    """Paired differences with their intervals, a row for each claim, one series over another.

    ``rows`` maps the text of a row to its series, each by name an entry with ``value``, ``low``
    and ``high``, as ``comparison.rows`` gives them; an entry that is None or undefined is left
    out. A series has one marker in all rows, in the order in which they first come, six at
    most. ``label`` stands under the axis; ``better``, 1 or -1, shades the side of zero where
    the first of the two compared is the better one.
    """
    names = list(dict.fromkeys(name for series in rows.values() for name in series))
    if len(names) > len(COLOURS):
        raise ValueError(f"{len(names)} series; {len(COLOURS)} can be told apart")
    figure, axis = plt.subplots(figsize=(WIDTH, 0.9 + 0.16 * sum(map(len, rows.values()))))
    where, middles = 0.0, []
    for row, series in enumerate(rows.values()):
        if row:
            axis.axhline(where, color=COLOURS[4], linewidth=0.6, linestyle="-")
        middles.append(where + (len(series) + 1) / 2)
        for name, entry in series.items():
            where += 1
            if entry is None or entry["value"] is None:
                continue
            style = names.index(name)
            value, low, high = (entry[key] for key in ("value", "low", "high"))
            line = {"color": COLOURS[style], "linestyle": "-", "linewidth": 1.4}
            axis.plot([low, high], [where, where], **line)
            axis.plot(
                value,
                where,
                MARKERS[style],
                color=COLOURS[style],
                markeredgecolor="#333333",
                markeredgewidth=0.6,
            )
        where += 1
    axis.axvline(0, color="black", linewidth=0.9, linestyle="--")
    axis.set_yticks(middles, list(rows))
    axis.tick_params(axis="y", length=0)
    axis.set_ylim(where, 0)
    axis.set_xlabel(label)
    if better:
        left, right = axis.get_xlim()
        side = (0, max(right, 0)) if better > 0 else (min(left, 0), 0)
        axis.axvspan(*side, color="#f0f0f0", zorder=0, linewidth=0)
        axis.set_xlim(left, right)
    markers = [
        plt.Line2D(
            [], [], color=colour, marker=marker, linestyle="-", markeredgecolor="#333333"
        )
        for colour, marker in zip(COLOURS, MARKERS, strict=True)
    ]
    figure.legend(markers[: len(names)], names, loc="outside upper center", ncols=3)
    return figure


def table(frame: pd.DataFrame, name: str, caption: str, digits: int = 3) -> Markdown:
    """Numbered table of the page: show it as the last line of a cell.

    ``name`` is what ``{numref}`` refers to, floats are rounded to ``digits``, and what is
    missing is a dash. Columns of numbers are set flush right.
    """

    def text(value) -> str:
        if isinstance(value, float | np.floating):
            return "–" if np.isnan(value) else f"{value:.{digits}f}"
        return "–" if value is None else str(value).replace("|", "\\|")

    body = frame if frame.index.name is None else frame.reset_index()
    numeric = [pd.api.types.is_numeric_dtype(kind) for kind in body.dtypes]
    lines = [
        "| " + " | ".join(map(str, body.columns)) + " |",
        "|" + "|".join("--:" if number else ":--" for number in numeric) + "|",
        *("| " + " | ".join(map(text, row)) + " |" for row in body.itertuples(index=False)),
    ]
    return Markdown(
        f":::{{table}} {caption}\n:name: {name}\n\n" + "\n".join(lines) + "\n\n:::\n"
    )


def seconds(chapter: str) -> str:
    """How long ``chapter`` took to run where it was last measured, as text for its opening box.

    Read from ``data/results/chapter-seconds.json``, which ``ci/book.py --record`` writes.
    """
    path = _RESULTS / "chapter-seconds.json"
    measured = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    parts = []
    for profile, record in measured.items():
        if chapter in record["seconds"]:
            parts.append(f"{_duration(record['seconds'][chapter])} at {profile}")
    if not parts:
        return "not measured yet"
    cores = {record["cores"] for record in measured.values()}
    return f"{', '.join(parts)} (measured on {min(cores)} cores)"


def _duration(value: float) -> str:
    return f"{value:.0f} s" if value < 90 else f"{value / 60:.1f} min"
