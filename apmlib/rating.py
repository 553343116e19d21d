"""Rating one's own photographs, by several people, at any time: the files and a small widget.

    FOLDER/...                 photographs, in any folders below
    FOLDER/votes/scale.txt     K, the highest score
    FOLDER/votes/anna.csv      image,rater,score: what anna gave, a line a vote

Each rater has a file of their own, so that several may rate at once, each in a notebook of
their own. A vote is a line added at the end and handed to the disk before the next photograph
is shown: what interrupts the work loses nothing, and it goes on with what is not rated yet. The
state is in these files alone; :func:`widget` only shows it. :func:`collect` makes a collection
of the votes, which can be trained on.
"""

from __future__ import annotations

import csv
import hashlib
import html
import io
import os
import re
from pathlib import Path

import pandas as pd

from apmlib import evaluation, images, importing
from apmlib.errors import InputError

HEADER = ("image", "rater", "score")
VOTES = "votes"  # the folder of the votes, beside the photographs
SCALE = "scale.txt"
SHOWN = (1200, 800)  # a photograph is shown within so many pixels
LINES = 10  # buttons in a row
Folder = str | os.PathLike


# --- The files -------------------------------------------------------------------------------


def photographs(folder: Folder) -> list[str]:
    """The photographs below ``folder`` by their paths inside, in alphabetical order.

    By their suffix; whether a file can be read is seen when it is shown.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give the folder of the photographs")
    inside = [path.relative_to(folder) for path in sorted(folder.rglob("*"))]
    names = [
        path.as_posix()
        for path in inside
        if path.suffix.lower() in importing.SUFFIXES
        and not any(part.startswith(".") for part in path.parts)
        and (folder / path).is_file()
    ]
    if not names:
        raise InputError(
            f"{folder}: holds no photographs ({', '.join(sorted(importing.SUFFIXES))}); give "
            "the folder that they are in, or export them as JPEG"
        )
    return names


def start(folder: Folder, bins: int = 10) -> None:
    """Fix the scale on which ``folder`` is rated: 1 to ``bins``, the same for all raters.

    Where it is fixed already, nothing happens; to another scale, InputError.
    """
    if not 2 <= bins <= importing.MOST:
        raise InputError(
            f"a scale of 1 to {bins} is none; choose a highest score from 2 to {importing.MOST}"
        )
    photographs(folder)
    path = Path(folder) / VOTES / SCALE
    if path.is_file():
        if scale(folder) != bins:
            raise InputError(
                f"{path}: the votes here are from 1 to {scale(folder)}, not to {bins}; stay "
                "with that scale, or move the folder of votes away"
            )
        return
    try:
        path.parent.mkdir(exist_ok=True)
        evaluation.write_bytes(path, f"{bins}\n".encode())
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror}); copy the photographs to a folder "
            "of your own"
        ) from error


def scale(folder: Folder) -> int:
    """K, the highest score that a photograph of ``folder`` can get."""
    path = Path(folder) / VOTES / SCALE
    if not path.is_file():
        raise InputError(f"{path}: no such file; begin with rating.start({str(folder)!r})")
    text = path.read_text(encoding="utf-8", errors="replace").strip()
    if not (text.isdecimal() and 2 <= int(text) <= importing.MOST):
        raise InputError(f"{path}: {text[:20]!r} is no highest score; write the one that is")
    return int(text)


def raters(folder: Folder) -> list[str]:
    """Who has voted in ``folder``, in alphabetical order."""
    return sorted(path.stem for path in (Path(folder) / VOTES).glob("*.csv"))


def votes(folder: Folder, rater: str) -> dict[str, int]:
    """What ``rater`` has given: image to score, in the order in which it was given.

    A last line that an interruption cut off is not counted. InputError for a file that is not
    one of ours, or holds what is no vote.
    """
    rater, path = _named(folder, rater)
    bins, found = scale(folder), {}
    rows = csv.reader(io.StringIO(_whole(path), newline=""))
    for row in rows:
        where = f"{path}, line {rows.line_num}"
        if rows.line_num == 1:
            if tuple(row) != HEADER:
                raise InputError(
                    f"{where}: {','.join(row)[:40]!r} is not {','.join(HEADER)}, so this is no "
                    "file of votes; move it away"
                )
            continue
        if len(row) != 3 or row[1] != rater or not _is_score(row[2], bins):
            raise InputError(
                f"{where}: {','.join(row)[:60]!r} is no vote of {rater} from 1 to {bins}; "
                "mend the line or remove it"
            )
        if row[0] in found:
            raise InputError(f"{where}: {row[0]} is rated before; keep one of the lines")
        found[row[0]] = int(row[2])
    return found


def order(folder: Folder, rater: str) -> list[str]:
    """All photographs in the order in which ``rater`` is shown them.

    Each rater has another order, lest the first photographs get the fresh eyes of all, and the
    same one every time. New photographs fall in between and move no others.
    """
    rater, _ = _named(folder, rater)
    return sorted(
        photographs(folder),
        key=lambda image: hashlib.sha256(f"{rater} {image}".encode()).digest(),
    )


def left(folder: Folder, rater: str) -> list[str]:
    """The photographs that ``rater`` has not rated yet, in :func:`order`."""
    done = votes(folder, rater)
    return [image for image in order(folder, rater) if image not in done]


def vote(folder: Folder, rater: str, image: str, score: int) -> None:
    """Add one vote at the end of the rater's file; it is on the disk when this returns."""
    rater, path = _named(folder, rater)
    bins = scale(folder)
    if not _is_score(str(score), bins):
        raise InputError(f"score {score!r}: is none; give a whole number from 1 to {bins}")
    if not (Path(folder) / image).is_file():
        raise InputError(f"{Path(folder) / image}: no such photograph; rate what is there")
    if image in votes(folder, rater):
        raise InputError(f"{path}: {rater} has rated {image} before; undo that first")
    whole = _whole(path).encode()
    if path.is_file() and path.stat().st_size != len(whole):
        evaluation.write_bytes(path, whole)  # without the line that was cut off
    line = _lines([(image, rater, score)]) if whole else _lines([HEADER, (image, rater, score)])
    with open(path, "ab") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def undo(folder: Folder, rater: str) -> tuple[str, int] | None:
    """Take back the rater's last vote and return it, (image, score); None where there is none.

    The file is written anew, whole or not at all.
    """
    rater, path = _named(folder, rater)
    given = list(votes(folder, rater).items())
    if not given:
        return None
    kept = [(image, rater, score) for image, score in given[:-1]]
    evaluation.write_bytes(path, _lines([HEADER, *kept]))
    return given[-1]


def table(folder: Folder) -> pd.DataFrame:
    """All votes of all raters: columns image, rater and score (int64), a row a vote."""
    rows = [
        (image, rater, score)
        for rater in raters(folder)
        for image, score in votes(folder, rater).items()
    ]
    return pd.DataFrame(rows, columns=list(HEADER)).astype({"score": "int64"})


def collect(folder: Folder, root: Folder) -> importing.Imported:
    """Make ``root`` a collection of the rated photographs: ratings.csv, images/ and votes.csv.

    The photographs are linked, or copied where that cannot be. After more votes the same call
    brings the collection up to date. ``root`` is a folder that is not below ``folder``.
    """
    root = Path(root)
    if Path(folder).resolve() in (root.resolve(), *root.resolve().parents):
        raise InputError(f"{root}: is among the photographs; name a folder outside {folder}")
    every = table(folder)
    if every.empty:
        raise InputError(f"{Path(folder) / VOTES}: nobody has voted yet; rate some first")
    joined = root / "votes.csv"
    if not joined.is_file() and (root / "ratings.csv").is_file():
        raise InputError(f"{root / 'ratings.csv'}: holds other ratings; give another folder")
    root.mkdir(parents=True, exist_ok=True)
    evaluation.write_table(joined, every)
    return importing.table(
        joined, root, photographs=folder, columns=HEADER, bins=scale(folder), again=True
    )


def shown(folder: Folder, image: str) -> bytes:
    """The photograph upright, at a screen's size, as the bytes of a JPEG."""
    picture = images.read(Path(folder) / image, min(SHOWN) // 2)
    picture.thumbnail(SHOWN)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=90)
    return file.getvalue()


def _named(folder: Folder, rater: str) -> tuple[str, Path]:
    """A rater's name as it is written, and their file."""
    name = rater.strip().lower() if isinstance(rater, str) else ""
    if not re.fullmatch(r"\w([\w -]{0,38}\w)?", name):
        raise InputError(
            f"rater {rater!r}: is no name; give 1 to 40 letters, digits, blanks, - and _"
        )
    return name, Path(folder) / VOTES / f"{name}.csv"


def _is_score(text: str, bins: int) -> bool:
    return text.isascii() and text.isdecimal() and 1 <= int(text) <= bins


def _whole(path: Path) -> str:
    """The lines of a file that have an end; "" where there is no file."""
    if not path.is_file():
        return ""
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is no text, so no file of votes; move it away") from error
    return text[: text.rfind("\n") + 1]


def _lines(rows) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


# --- The widget ------------------------------------------------------------------------------


def widget(folder: Folder, rater: str, bins: int = 10):
    """Rate the photographs of ``folder`` in JupyterLab, beginning with what is not rated yet.

    A click on a score is a vote, and so is a digit in the field below (0 is 10), where s skips
    and u takes back the last vote. Skipped photographs come again at the end. Returns an
    ``ipywidgets.VBox``; whatever is shown or clicked, the state is in the files.
    """
    import ipywidgets  # the command line does without it

    start(folder, bins)
    total, queue = len(photographs(folder)), left(folder, rater)
    about, note = ipywidgets.HTML(), ipywidgets.HTML()
    picture = ipywidgets.Image(format="jpeg")
    picture.layout.max_width, picture.layout.max_height = "100%", "60vh"
    picture.layout.object_fit = "contain"
    scores = [ipywidgets.Button(description=str(k)) for k in range(1, bins + 1)]
    for button in scores:
        button.layout.width, button.style.font_weight = "3.2em", "bold"
    skip = ipywidgets.Button(description="skip", tooltip="show it again at the end")
    back = ipywidgets.Button(description="undo", tooltip="take back the last vote")
    keys = ipywidgets.Text(placeholder="or click here, and press a key")
    keys.layout.visibility = "visible" if bins <= 10 else "hidden"

    def show(said: str = "") -> None:
        """The first photograph of the queue that can be shown, and how far the rater is."""
        while queue:
            try:
                picture.value = shown(folder, queue[0])
                break
            except InputError as error:
                queue.pop(0)
                said = f"{error}; it is left out"
        done = len(votes(folder, rater))
        state = "" if queue else ": all are rated, thank you"
        about.value = f"<b>{html.escape(rater)}</b>, {done} of {total}{state}"
        note.value = html.escape(said)
        picture.layout.display = "" if queue else "none"
        for button in (*scores, skip):
            button.disabled = not queue
        back.disabled = not done

    def again(error: InputError) -> None:
        """Someone else, such as the same rater in another window, changed the files."""
        queue[:] = left(folder, rater)
        show(str(error))

    def give(score: int) -> None:
        if not queue:
            return
        try:
            vote(folder, rater, queue[0], score)
        except InputError as error:
            again(error)
        else:
            image = queue.pop(0)
            show(f"{image}: {score}")

    def later(_=None) -> None:
        queue.append(queue.pop(0)) if queue else None
        show()

    def take_back(_=None) -> None:
        last = undo(folder, rater)
        if last:
            queue[:] = [last[0], *(image for image in queue if image != last[0])]
            show(f"{last[0]}: {last[1]} is taken back")

    def pressed(change: dict) -> None:
        key, keys.value = change["new"].strip().lower(), ""
        known = {str(k % 10): k for k in range(1, bins + 1)}
        # More than one key at a time: the second was meant for a photograph not yet seen.
        if key in known:
            give(known[key])
        elif key == "s":
            later()
        elif key == "u":
            take_back()

    for score, button in enumerate(scores, 1):
        button.on_click(lambda _, score=score: give(score))
    skip.on_click(later)
    back.on_click(take_back)
    keys.observe(pressed, names="value")
    show()
    rows = [scores[i : i + LINES] for i in range(0, bins, LINES)]
    return ipywidgets.VBox(
        [about, picture, *(ipywidgets.HBox(row) for row in rows)]
        + [ipywidgets.HBox([skip, back, keys]), note]
    )
