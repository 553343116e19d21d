"""Rating one's own photographs: what the files hold whatever happens, and the widget."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from apmlib import images, rating, ratings
from apmlib.errors import InputError

ROOT = Path(__file__).resolve().parents[1]
NAMES = [f"{i:02d}.jpg" for i in range(8)] + ["beach/one, two.JPG", "beach/ümlaut.png"]


def photographs(folder, names=NAMES):
    for i, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (24 + i, 16), (20 * i, 90, 200 - 15 * i)).save(path)
    return folder


@pytest.fixture
def folder(tmp_path):
    photographs(tmp_path / "mine")
    rating.start(tmp_path / "mine", 5)
    return tmp_path / "mine"


def said(function, *arguments):
    with pytest.raises(InputError) as error:
        function(*arguments)
    text = str(error.value)
    assert "\n" not in text and ";" in text
    return text


# --- The order -------------------------------------------------------------------------------


def test_each_rater_has_an_order_of_their_own_and_always_the_same(folder):
    anna, ben = rating.order(folder, "anna"), rating.order(folder, "ben")
    assert sorted(anna) == sorted(ben) == sorted(NAMES)
    assert anna != ben and anna != sorted(NAMES)
    assert anna == rating.order(folder, " Anna ")


def test_a_new_photograph_moves_no_other(folder):
    before = rating.order(folder, "anna")
    photographs(folder, ["later.jpg"])
    after = rating.order(folder, "anna")
    assert "later.jpg" in after
    assert [image for image in after if image != "later.jpg"] == before


def test_only_photographs_are_found(folder):
    (folder / "notes.txt").write_text("x")
    (folder / ".hidden.jpg").write_bytes(b"x")
    photographs(folder, [".trash/old.jpg"])
    assert rating.photographs(folder) == sorted(NAMES)


# --- The votes -------------------------------------------------------------------------------


def test_going_on_where_it_stopped(folder):
    queue = rating.left(folder, "anna")
    for score, image in enumerate(queue[:4], 1):
        rating.vote(folder, "anna", image, score)
    assert rating.left(folder, "anna") == queue[4:]
    assert list(rating.votes(folder, "anna").items()) == list(
        zip(queue, range(1, 5), strict=False)
    )
    assert rating.left(folder, "ben") == rating.order(folder, "ben")
    assert rating.raters(folder) == ["anna"]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 5), max_size=25))
def test_votes_and_undo_are_a_stack(tmp_path_factory, actions):
    """0 takes back the last vote, any other number is the score of the next photograph."""
    folder = photographs(tmp_path_factory.mktemp("stack"))
    rating.start(folder, 5)
    given_votes = []
    for action in actions:
        queue = rating.left(folder, "anna")
        if action == 0:
            expected = given_votes.pop() if given_votes else None
            assert rating.undo(folder, "anna") == expected
        elif queue:
            rating.vote(folder, "anna", queue[0], action)
            given_votes.append((queue[0], action))
        assert list(rating.votes(folder, "anna").items()) == given_votes
        assert len(rating.left(folder, "anna")) == len(NAMES) - len(given_votes)


def test_killed_while_voting_nothing_is_lost(folder):
    program = (
        "from apmlib import rating\n"
        f"folder = {str(folder)!r}\n"
        "for image in rating.left(folder, 'anna')[:6]:\n"
        "    rating.vote(folder, 'anna', image, 3)\n"
        "    print(image, flush=True)\n"
        "print('idle', flush=True)\n"
        "input()\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=environment,
    ) as process:
        told = []
        while "idle" not in told:
            told.append(process.stdout.readline().rstrip("\n"))
        process.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
    assert list(rating.votes(folder, "anna")) == told[:-1]
    assert rating.left(folder, "anna") == rating.order(folder, "anna")[6:]


@pytest.mark.parametrize("cut", range(1, 24))
def test_a_line_that_was_cut_off_is_asked_again(folder, cut):
    path = folder / "votes" / "anna.csv"
    queue = rating.left(folder, "anna")
    for image in queue[:2]:
        rating.vote(folder, "anna", image, 5)
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    remaining = rating.left(folder, "anna")
    assert queue[2:] == [image for image in remaining if image in queue[2:]]
    for image in remaining[: len(remaining) - len(queue) + 2]:
        rating.vote(folder, "anna", image, 5)
    assert path.read_bytes() == whole


def test_two_raters_write_into_files_of_their_own(folder):
    for name, score in (("anna", 2), ("Ben K", 4), ("anna", 3)):
        rating.vote(folder, name, rating.left(folder, name)[0], score)
    assert rating.raters(folder) == ["anna", "ben k"]
    table = rating.table(folder)
    assert list(table.columns) == ["image", "rater", "score"]
    assert table["rater"].tolist() == ["anna", "anna", "ben k"]
    assert table["score"].tolist() == [2, 3, 4]


# --- The collection --------------------------------------------------------------------------


def rated(folder, seed=0, share=1.0):
    rng = np.random.default_rng(seed)
    for name in ("anna", "ben", "cleo"):
        queue = rating.left(folder, name)
        for image in queue[: round(share * len(queue))]:
            rating.vote(folder, name, image, int(rng.integers(1, 6)))


def test_counts_are_those_of_pandas(folder, tmp_path):
    rated(folder, share=0.6)
    done = rating.collect(folder, tmp_path / "root")
    collection = ratings.read(tmp_path / "root")
    expected = pd.crosstab(rating.table(folder)["image"], rating.table(folder)["score"])
    expected = expected.reindex(columns=range(1, 6), fill_value=0)
    assert len(collection) == len(expected) == len(done.table)
    assert set(collection.table.index) == set(expected.index)
    columns = [f"n{k}" for k in range(1, 6)]
    counted = collection.table.loc[expected.index, columns].to_numpy()
    assert np.array_equal(counted, expected.to_numpy())


def test_more_votes_bring_the_collection_up_to_date(folder, tmp_path):
    root = tmp_path / "root"
    rating.vote(folder, "anna", rating.left(folder, "anna")[0], 5)
    assert len(rating.collect(folder, root).table) == 1
    rated(folder)
    assert len(rating.collect(folder, root).table) == len(NAMES)
    collection = ratings.read(root)
    assert collection.counts.sum() == 3 * len(NAMES) and collection.bins == 5
    assert [path.name for path in root.iterdir() if path.name.startswith(".")] == []
    first = images.read(collection.table["path"].iloc[0])
    assert first.size == images.read(folder / collection.table.index[0]).size


def test_the_photographs_may_be_those_of_the_collection(tmp_path):
    folder = photographs(tmp_path / "root" / "images")
    rating.start(folder, 5)
    rated(folder)
    rating.collect(folder, tmp_path / "root")
    assert set(ratings.read(tmp_path / "root").table.index) == set(NAMES)
    assert rating.photographs(folder) == sorted(NAMES)


def test_other_ratings_are_not_written_over(folder, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "ratings.csv").write_text("image,n1,n2\n00.jpg,1,1\n")
    rated(folder)
    for _ in range(2):
        assert "other ratings" in said(rating.collect, folder, root)
    assert (root / "ratings.csv").read_text() == "image,n1,n2\n00.jpg,1,1\n"


# --- What cannot be used ---------------------------------------------------------------------


def test_input_that_cannot_be_used_is_one_line(folder, tmp_path):
    assert "no such folder" in said(rating.start, tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    assert "no photographs" in said(rating.start, tmp_path / "empty")
    first = NAMES[0]
    for score in (0, 6, 2.5, "3.0", -1, "", None):
        assert "from 1 to 5" in said(rating.vote, folder, "anna", first, score)
    assert "no such photograph" in said(rating.vote, folder, "anna", "gone.jpg", 3)
    for name in ("", "  ", "../anna", "a/b", ".anna", None, "x" * 41):
        assert "is no name" in said(rating.vote, folder, name, first, 3)
    rating.vote(folder, "anna", first, 3)
    assert "undo" in said(rating.vote, folder, "Anna", first, 3)
    assert rating.votes(folder, "anna") == {first: 3}
    assert "1 to 5, not to 10" in said(rating.start, folder, 10)
    assert "1 to 1" in said(rating.start, folder, 1)
    assert "among the photographs" in said(rating.collect, folder, folder / "root")
    assert "rating.start" in said(rating.vote, photographs(tmp_path / "new"), "anna", first, 3)
    rating.start(tmp_path / "new")
    assert "nobody has voted" in said(rating.collect, tmp_path / "new", tmp_path / "root")


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("name,price\nx,3\n", "line 1"),
        ("image,rater,score\n00.jpg,ben,3\n", "line 2"),
        ("image,rater,score\n00.jpg,anna,6\n", "line 2"),
        ("image,rater,score\n00.jpg,anna,3\n01.jpg,anna\n", "line 3"),
        ("image,rater,score\n00.jpg,anna,3\n00.jpg,anna,4\n", "line 3"),
        ("image;rater;score\n00.jpg;anna;3\n", "line 1"),
        (b"\xff\xfe\x00", "is no text"),
    ],
)
def test_foreign_files_are_named_and_left_alone(folder, text, complaint):
    path = folder / "votes" / "anna.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    before = path.read_bytes()
    for call in (
        lambda: rating.left(folder, "anna"),
        lambda: rating.vote(folder, "anna", "02.jpg", 3),
        lambda: rating.undo(folder, "anna"),
        lambda: rating.table(folder),
    ):
        text = said(call)
        assert complaint in text and str(path) in text
    assert path.read_bytes() == before


def test_a_broken_scale_is_named(folder):
    (folder / "votes" / "scale.txt").write_text("many\n")
    assert "no highest score" in said(rating.votes, folder, "anna")


# --- The widget ------------------------------------------------------------------------------


def parts(widget):
    """Buttons by their text, the field for keys, the two lines of text and the picture."""
    import ipywidgets

    found, lines, todo = {}, [], [widget]
    while todo:
        item = todo.pop(0)
        todo += getattr(item, "children", ())
        if isinstance(item, ipywidgets.Button):
            found[item.description] = item
        elif isinstance(item, ipywidgets.Text):
            found["keys"] = item
        elif isinstance(item, ipywidgets.Image):
            found["picture"] = item
        elif isinstance(item, ipywidgets.HTML):
            lines.append(item)
    found["about"], found["note"] = lines
    return found


@pytest.fixture
def opened(folder):
    pytest.importorskip("ipywidgets")
    return lambda name="anna": parts(rating.widget(folder, name, 5))


def test_clicks_are_votes_and_the_next_session_goes_on(folder, opened):
    queue = rating.order(folder, "anna")
    shown = opened()
    assert [text for text in shown if text.isdecimal()] == list("12345")
    assert f"0 of {len(NAMES)}" in shown["about"].value and shown["undo"].disabled
    assert shown["picture"].value == rating.shown(folder, queue[0])
    shown["4"].click()
    shown["1"].click()
    assert list(rating.votes(folder, "anna").items()) == [(queue[0], 4), (queue[1], 1)]
    assert f"2 of {len(NAMES)}" in shown["about"].value
    again = opened("anna")
    assert f"2 of {len(NAMES)}" in again["about"].value
    assert again["picture"].value == rating.shown(folder, queue[2])
    assert f"0 of {len(NAMES)}" in opened("ben")["about"].value


def test_keys_vote_skip_and_undo(folder, opened):
    queue, shown = rating.order(folder, "anna"), opened()
    for key in ("2", "s", "5", "u", "9", "x", "34", "3"):
        shown["keys"].value = key
        assert shown["keys"].value == ""
    # 2 for the first; the second is skipped; 5 for the third is taken back, and 3 given.
    assert rating.votes(folder, "anna") == {queue[0]: 2, queue[2]: 3}
    while not shown["1"].disabled:
        shown["1"].click()
    assert list(rating.votes(folder, "anna"))[-1] == queue[1]
    assert "thank you" in shown["about"].value and shown["picture"].layout.display == "none"
    assert shown["skip"].disabled and not shown["undo"].disabled
    shown["undo"].click()
    assert not shown["1"].disabled
    assert shown["picture"].value == rating.shown(folder, queue[1])


def test_zero_is_ten(tmp_path):
    pytest.importorskip("ipywidgets")
    folder = photographs(tmp_path / "ten")
    shown = parts(rating.widget(folder, "anna"))
    shown["keys"].value = "0"
    assert list(rating.votes(folder, "anna").values()) == [10]


def test_two_windows_of_one_rater_do_not_vote_twice(folder, opened):
    queue, one, other = rating.order(folder, "anna"), opened(), opened()
    one["2"].click()
    other["5"].click()
    assert rating.votes(folder, "anna") == {queue[0]: 2}
    assert "before" in other["note"].value
    other["5"].click()
    assert rating.votes(folder, "anna") == {queue[0]: 2, queue[1]: 5}


def test_what_cannot_be_read_is_left_out(folder, opened):
    first, second = rating.order(folder, "anna")[:2]
    (folder / first).write_bytes(b"no photograph")
    shown = opened()
    assert first in shown["note"].value.replace("&#x27;", "'")
    assert shown["picture"].value == rating.shown(folder, second)


def test_photographs_are_shown_upright_and_at_a_screens_size(tmp_path):
    picture = Image.new("RGB", (3000, 1500), "red")
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(tmp_path / "turned.jpg", exif=exif)
    (tmp_path / "shown.jpg").write_bytes(rating.shown(tmp_path, "turned.jpg"))
    with Image.open(tmp_path / "shown.jpg") as found:
        assert found.format == "JPEG" and found.height > found.width
        assert found.width <= rating.SHOWN[0] and found.height <= rating.SHOWN[1]
        assert found.height >= 0.9 * rating.SHOWN[1]
