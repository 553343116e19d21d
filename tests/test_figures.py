import json

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from apmlib import figures

matplotlib.use("agg")


@pytest.fixture(autouse=True)
def closed():
    with matplotlib.rc_context():
        yield
    plt.close("all")


def test_sheet_shows_each_photograph_at_its_aspect():
    shapes = [(40, 60), (60, 40), (40, 40), (36, 64), (50, 40)]
    figure = figures.sheet([np.zeros((*shape, 3), np.uint8) for shape in shapes], columns=3)
    size = figure.get_size_inches()
    for axis, (height, width) in zip(figure.axes, shapes, strict=True):
        box = axis.get_position()
        shown = box.width * size[0] / (box.height * size[1])
        assert shown == pytest.approx(width / height, rel=0.06)
        assert 0 <= box.x0 and box.x1 <= 1 and 0 <= box.y0 and box.y1 <= 1
    heights = {round(axis.get_position().height, 6) for axis in figure.axes}
    assert len(heights) == 1


def test_sheet_wants_a_title_for_each_or_none():
    pictures = [np.zeros((4, 6), np.uint8)] * 2
    assert [axis.get_title() for axis in figures.sheet(pictures, ["a", "b"]).axes] == ["a", "b"]
    with pytest.raises(ValueError, match="2 photographs but 1 titles"):
        figures.sheet(pictures, ["a"])


def test_bars_are_shares_and_the_mean_is_marked():
    _, axis = plt.subplots()
    figures.bars(axis, [2, 0, 6], labels=["votes"])
    assert [bar.get_height() for bar in axis.patches] == [0.25, 0, 0.75]
    assert axis.lines[0].get_xdata() == pytest.approx(2.5)
    _, axis = plt.subplots()
    figures.bars(axis, [1, 1], [0, 1], mean=False)
    assert len(axis.patches) == 4 and not axis.lines
    with pytest.raises(ValueError, match="between 1 and 3"):
        figures.bars(axis)


def test_histograms_are_shares_of_the_photographs():
    figure = figures.histograms(
        {"voted": [1, 1, 3, 4], "predicted": [2, 2]}, [0, 2, 5], "score"
    )
    (axis,) = figure.axes
    heights = [patch.get_data().values for patch in axis.patches]
    assert [list(values) for values in heights] == [[0.5, 0.5], [0.0, 1.0]]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["voted", "predicted"]
    with pytest.raises(ValueError, match="not 3"):
        figures.histograms(dict.fromkeys("abc", [1]), [0, 2], "score")


def test_calibration_has_equal_axes_and_a_dot_for_each_group():
    groups = pd.DataFrame({"predicted": [3, 5], "value": [3.5, 4], "low": [3, 3.8]})
    groups["high"] = [4, 4.2]
    (axis,) = figures.calibration(groups, "mean score").axes
    assert (
        axis.get_xlim() == axis.get_ylim() and axis.get_xlim()[0] < 3 < 5 < axis.get_xlim()[1]
    )
    assert list(axis.lines[-1].get_xdata()) == [3, 5]
    assert list(axis.lines[-1].get_ydata()) == [3.5, 4]


def test_intervals_have_a_row_for_each_group_from_top_to_bottom():
    rows = pd.DataFrame({"value": [1, 2], "low": [0, 1], "high": [2, 3]}, index=["a", "b"])
    figure = figures.intervals(rows, "error", {"constant": [3, 4]})
    (axis,) = figure.axes
    assert [text.get_text() for text in axis.get_yticklabels()] == ["a", "b"]
    assert axis.get_ylim()[0] > axis.get_ylim()[1]
    assert [list(line.get_xdata()) for line in axis.lines] == [[1, 2], [3, 4]]
    shown = [text.get_text() for text in figure.legends[0].get_texts()]
    assert shown == ["this run", "constant"]


def test_an_opinion_is_votes_and_prediction_or_a_mark():
    (axis,) = figures.opinion([2, 0, 6], [0.5, 0.5, 0], 3).axes
    assert [bar.get_height() for bar in axis.patches] == [0.25, 0, 0.75, 0.5, 0.5, 0]
    (axis,) = figures.opinion([2, 0, 6], 1.5, 3).axes
    assert len(axis.patches) == 3 and axis.lines[-1].get_xdata() == pytest.approx(1.5)
    (axis,) = figures.opinion(None, np.full(20, 0.05), 20).axes
    assert len(axis.get_xticks()) <= 7


def test_differences_have_a_row_for_each_claim_and_a_marker_for_each_series():
    def entry(value):
        return {"value": value, "low": value - 1, "high": value + 2}

    figures.use_style()
    rows = {
        "first": {"as it is": entry(3.0), "off": entry(0.5)},
        "second": {"as it is": entry(-2.0), "control": None, "off": entry(1.0)},
        "third": {"as it is": {"value": None, "low": None, "high": None, "reason": "flat"}},
    }
    figure = figures.differences(rows, "rho", better=1)
    (axis,) = figure.axes
    assert [text.get_text() for text in axis.get_yticklabels()] == list(rows)
    points = [line for line in axis.lines if line.get_marker() in figures.MARKERS]
    assert [line.get_xdata()[0] for line in points] == [3.0, 0.5, -2.0, 1.0]
    assert [line.get_marker() for line in points] == [*"os", "o", "s"]
    heights = [line.get_ydata()[0] for line in points]
    assert sorted(heights) == heights and len(set(heights)) == 4
    whiskers = [line for line in axis.lines if len(line.get_xdata()) == 2]
    assert [list(line.get_xdata()) for line in whiskers if line.get_linewidth() > 1] == [
        [2.0, 5.0],
        [-0.5, 2.5],
        [-3.0, 0.0],
        [0.0, 3.0],
    ]
    # Rows from top to bottom, each tick in the middle of its points.
    assert axis.get_ylim()[0] > axis.get_ylim()[1]
    assert axis.get_yticks()[0] == np.mean(heights[:2])
    shown = [text.get_text() for text in figure.legends[0].get_texts()]
    assert shown == ["as it is", "off", "control"]
    with pytest.raises(ValueError, match="7 series"):
        figures.differences({"row": {str(i): entry(0.0) for i in range(7)}}, "rho")


def test_figures_are_opaque_and_colours_stand_apart_in_grey():
    figures.use_style()
    assert plt.rcParams["figure.facecolor"] == plt.rcParams["savefig.facecolor"] == "white"
    grey = [
        matplotlib.colors.to_rgb(colour) @ np.array([0.299, 0.587, 0.114])
        for colour in figures.COLOURS
    ]
    assert np.diff(np.sort(grey)).min() > 0.03
    assert len(set(figures.LINES)) == len(set(figures.MARKERS)) == len(figures.COLOURS)


def test_table_is_numbered_markdown():
    frame = pd.DataFrame({"what": ["a|b", "c"], "n": [3, 4], "rho": [0.12345, np.nan]})
    assert figures.table(frame, "tab-01-x", "A **caption**.").data == (
        ":::{table} A **caption**.\n:name: tab-01-x\n\n"
        "| what | n | rho |\n|:--|--:|--:|\n"
        "| a\\|b | 3 | 0.123 |\n| c | 4 | – |\n\n:::\n"
    )
    named = frame.set_index("what")
    assert figures.table(named, "x", "y").data.splitlines()[3] == "| what | n | rho |"


def test_seconds_are_those_that_were_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "_RESULTS", tmp_path)
    assert figures.seconds("01-x") == "not measured yet"
    measured = {
        "laptop": {"cores": 2, "seconds": {"01-x": 120.0}},
        "smoke": {"cores": 2, "seconds": {"01-x": 12.3, "02-y": 1.0}},
    }
    (tmp_path / "chapter-seconds.json").write_text(json.dumps(measured), "utf-8")
    assert figures.seconds("01-x") == ("2.0 min at laptop, 12 s at smoke (measured on 2 cores)")
    assert figures.seconds("02-y") == "1 s at smoke (measured on 2 cores)"
