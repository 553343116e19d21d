"""Public collections, as their authors publish them, into ratings.csv and images/.

Each collection has a function that reads its votes; what follows is the same for all: the
photographs are found, linked below ``root/images`` (copied where the file system cannot link),
and ``root/ratings.csv`` is written last. What is given is only read. The same call goes on
after an interruption, and nothing that stands in ``root`` already is written over.
"""

from __future__ import annotations

import csv
import filecmp
import io
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from apmlib import evaluation
from apmlib.errors import InputError
from apmlib.progress import progress

OASIS_SPLITS = Path(__file__).resolve().parents[1] / "data" / "oasis-splits.txt"
OASIS_REMEDY = "unpack OASIS.zip of osf.io/6pnd7 there"
BEAUTY_REMEDY = (
    "get it from github.com/aenneb/OASIS-beauty, or write it by R from depthData.rda: "
    'load("depthData.rda"); write.csv(depthDat, "depthDat.csv")'
)
# The first, from the repository of the authors' code, holds their split too.
KONIQ_TABLES = ("koniq10k_distributions_sets.csv", "koniq10k_scores_and_distributions.csv")
KONIQ_SETS = {"training": "train", "validation": "val", "test": "test"}
KONIQ_REMEDY = "unpack koniq10k_scores_and_distributions.zip of database.mmsp-kn.de there"
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif"}
MOST = 100  # K of a scale: a larger number is a slip, or no score
UNRATED = {"", "na", "nan", "n/a", "null", "none"}  # how tables write that there is no rating
RECOGNISED = {  # names of columns, without what is neither letter nor digit
    "image": "image imagename imageid file filename photo photograph picture item".split(),
    "rater": "rater raterid user userid worker workerid participant participantid subject "
    "subjectid subjid observer annotator".split(),
    "score": "score rating vote beauty".split(),
}


@dataclass(frozen=True)
class Imported:
    """What an import made in ``root``; ``str`` of it is the report for people.

    ``table`` is what stands in ratings.csv. ``without_photograph`` are the rated images that
    were left out since their photograph is not there, ``without_ratings`` the photographs, or
    the images of OASIS's list, that nobody rated. ``blank`` rows of a table of ratings hold no
    score.
    """

    root: Path
    table: pd.DataFrame
    without_photograph: tuple[str, ...]
    without_ratings: tuple[str, ...]
    blank: int = 0

    def __str__(self) -> str:
        scores = [name for name in self.table if re.fullmatch(r"n[0-9]+", name)]
        lines = [
            f"{self.root}: {len(self.table):,} photographs, "
            f"{int(self.table[scores].to_numpy().sum()):,} ratings from 1 to {len(scores)}"
        ]
        if "split" in self.table:
            sizes = self.table["split"].value_counts()
            parts = [f"{name} {sizes.get(name, 0):,}" for name in ("train", "val", "test")]
            lines.append(f"  split: {', '.join(parts)}")
        if self.blank:
            lines.append(f"  rows without a score: {self.blank:,}")
        if self.without_photograph:
            lines.append(f"  rated, without a photograph: {len(self.without_photograph):,}")
        if self.without_ratings:
            lines.append(f"  photographs without ratings: {len(self.without_ratings):,}")
        return "\n".join(lines)


# --- The collections -------------------------------------------------------------------------


def oasis(
    source: str | os.PathLike,
    root: str | os.PathLike,
    *,
    photographs: str | os.PathLike | None = None,
    everything: bool = False,
) -> Imported:
    """OASIS with the ratings of beauty of Brielmann and Pelli: K = 7.

    ``source`` is a folder that holds, at any depth, the unpacked ``OASIS.zip`` of
    osf.io/6pnd7 (Kurdi, Lozano and Banaji 2017), and ``depthDat.csv`` of
    github.com/aenneb/OASIS-beauty (Brielmann and Pelli 2019). Images are named as
    ``acorns-1.jpg`` for the theme "Acorns 1". The 400 photographs of ``data/oasis-splits.txt``
    are imported in the order and with the split that stand there; with ``everything`` the
    other 500 too, for training, so that the test photographs stay the same.

    The formats. OASIS.csv: first column, unnamed, I1 to I900, then Theme, Category and others;
    its lines end in CR, a theme may end in a blank; the photograph is ``images/<Theme>.jpg``
    (the file and the lookup in server.R of github.com/bkurdi/shiny-server, which is its
    author's). depthDat.csv: a line for each rater and photograph, with the columns ``item``,
    the number in OASIS.csv, and ``beauty``, 1 to 7 or empty (its README, its scripts; the names
    are those of the sister file ``repeated_measures_data_OASIS.csv``). depthDat.csv itself was
    not at hand, so its header is checked. N, mean and deviation of a photograph in
    ``means_per_image.csv`` beside it are those of the histogram that this project measures
    with, in each of the fourteen that were compared.
    """
    source = _apart(source, root)
    norms = _find(source, ("OASIS.csv",), OASIS_REMEDY)
    wanted = {"item": "", "name": "theme", "category": "category"}
    frame = _read(norms, wanted, OASIS_REMEDY)
    wrong = ~frame["item"].str.fullmatch(r"I[0-9]+") | (frame["name"] == "")
    _refuse(norms, frame, wrong, "item", "not I1, I2 and so on with a theme; " + OASIS_REMEDY)
    frame["image"] = [_dashed(theme) + ".jpg" for theme in frame["name"]]
    twice = frame["image"].duplicated() | frame["item"].duplicated()
    _refuse(norms, frame, twice, "name", "which stands there twice; " + OASIS_REMEDY)
    frame["category"] = frame["category"].str.lower()

    table = _find(source, ("depthDat.csv",), BEAUTY_REMEDY)
    wanted = {"image": "item", "score": "beauty"}
    counts, blank = _counted(table, _read(table, wanted, BEAUTY_REMEDY), 7)
    counts.index = "I" + counts.index
    unknown = counts.index.difference(frame["item"])
    if len(unknown):
        raise InputError(f"{table}: item {unknown[0][1:]} is not in {norms}; {BEAUTY_REMEDY}")
    votes = frame.join(counts, on="item", how="inner").set_index("image", drop=False)

    listed = _splits()
    others = [image for image in votes.index if image not in listed]
    votes = votes.loc[[*(image for image in listed if image in votes.index), *others]]
    other = "train" if everything else ""
    votes = votes.assign(split=[listed.get(image, other) for image in votes.index])
    unrated = [image for image in listed if image not in votes.index]
    return _assembled(root, source, photographs, votes, unrated, blank)


def koniq(
    source: str | os.PathLike,
    root: str | os.PathLike,
    *,
    photographs: str | os.PathLike | None = None,
) -> Imported:
    """KonIQ-10k, photographs rated for their technical quality: K = 5.

    ``source`` is a folder that holds, at any depth, ``koniq10k_scores_and_distributions.csv``
    of database.mmsp-kn.de (Hosu, Lin, Sziranyi and Saupe 2020), and the photographs. Where it
    holds ``koniq10k_distributions_sets.csv`` of github.com/subpic/koniq too, that one is read:
    the same votes, and the authors' split. Where both sizes of the photographs are there,
    ``photographs`` names the folder of one, such as ``1024x768``.

    The formats. koniq10k_distributions_sets.csv (the file itself): image_name, c1 to c5,
    c_total, MOS, SD, set (training, validation, test); c1 to c5 are shares of the c_total
    votes. Of koniq10k_scores_and_distributions.csv only what its users write could be
    looked up: the same columns with MOS_zscore for set, and counts in c1 to c5. So counts
    and shares are both taken, and held against c_total in each line. The archives
    koniq10k_1024x768.zip and koniq10k_512x384.zip hold a folder of that size,
    ``1024x768/<image_name>``, as their users read them.
    """
    source = _apart(source, root)
    path = _find(source, KONIQ_TABLES, KONIQ_REMEDY)
    scores = [f"c{k}" for k in range(1, 6)]
    wanted = {name: name for name in ("image_name", *scores, "c_total")}
    frame = _read(path, wanted, KONIQ_REMEDY, optional={"set": "set"})
    twice = frame["image_name"].duplicated()
    _refuse(path, frame, twice, "image_name", "which stands there twice; keep one of the lines")
    votes = frame[["image_name"]].set_axis(["name"], axis=1)
    counts = _koniq_counts(path, frame, scores)
    for k in range(1, 6):
        votes[f"n{k}"] = counts[:, k - 1]
    if "set" in frame:
        wrong = ~frame["set"].isin(KONIQ_SETS)
        _refuse(path, frame, wrong, "set", "none of training, validation, test; get it again")
        votes["split"] = frame["set"].map(KONIQ_SETS)
    return _assembled(root, source, photographs, votes)


def table(
    source: str | os.PathLike,
    root: str | os.PathLike,
    *,
    photographs: str | os.PathLike | None = None,
    columns: tuple[str, str, str] | None = None,
    bins: int | None = None,
    again: bool = False,
) -> Imported:
    """Any table with a row for each rating: image, rater, score.

    ``source`` is the table, its fields parted by commas, semicolons or tabs; the photographs
    are below its folder, or below ``photographs``. ``columns`` names those of image, rater and
    score, which are recognised by usual names otherwise. An image is a file name, with or
    without its suffix, and with the folders that tell it from another. Scores are whole numbers
    from 1 to ``bins``, by default the highest score that was given. ``again`` writes a
    ratings.csv that is there already anew, since the table has grown.
    """
    path = Path(source)
    if bins is not None and not 2 <= bins <= MOST:
        raise InputError(f"--scores {bins}: no scale; give a number from 2 to {MOST}")
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the table of image, rater and score")
    wanted = dict(zip(RECOGNISED, columns, strict=True)) if columns else _recognised(path)
    frame = _read(path, wanted, "name the three by --columns IMAGE,RATER,SCORE")
    counts, blank = _counted(path, frame, bins)
    votes = counts.rename_axis("name").reset_index()
    return _assembled(root, path.parent, photographs, votes, blank=blank, again=again)


# --- Reading what is given -------------------------------------------------------------------


def _folder(source: str | os.PathLike) -> Path:
    source = Path(source)
    if not source.is_dir():
        raise InputError(f"{source}: no such folder; give the folder of what you downloaded")
    return source


def _apart(source: str | os.PathLike, root: str | os.PathLike) -> Path:
    """The folder ``source``, which ``root`` must not be: what was downloaded stays as it is."""
    if Path(root).resolve() == _folder(source).resolve():
        raise InputError(f"{root}: is what you downloaded; give another folder as ROOT")
    return Path(source)


def _find(source: Path, names: tuple[str, ...], remedy: str) -> Path:
    """The one file below ``source`` of the first of ``names`` that is there."""
    for name in names:
        found = sorted(source.rglob(name))
        if len(found) > 1:
            raise InputError(
                f"{source}: {name} stands there {len(found)} times, as {found[0]} and "
                f"{found[1]}; keep one"
            )
        if found:
            return found[0]
    raise InputError(f"{source}: holds no {names[-1]}; {remedy}")


def _splits() -> dict[str, str]:
    """The images of OASIS's list with their split, in its order."""
    lines = OASIS_SPLITS.read_text(encoding="utf-8").splitlines()
    return dict(line.split() for line in lines if not line.startswith("#"))


def _header(path: Path) -> tuple[list[str], str]:
    """Names of the columns, stripped and in small letters, and what parts them."""
    with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:
        first = file.readline()
    separator = max(",;\t", key=first.count)
    names = next(csv.reader([first], delimiter=separator), [])
    if not any(names):
        raise InputError(f"{path}: is empty, or its first line is; the header belongs there")
    return [name.strip().lower() for name in names], separator


def _recognised(path: Path) -> dict[str, str]:
    """The columns of image, rater and score by their usual names."""
    header = _header(path)[0]
    wanted = {}
    for what, names in RECOGNISED.items():
        found = [name for name in header if re.sub(r"[^a-z0-9]", "", name) in names]
        if len(found) != 1:
            which = " and ".join(map(repr, found)) or "none"
            raise InputError(
                f"{path}, line 1: of the columns {','.join(header)[:80]!r} {which} may be the "
                f"{what}; name the three by --columns IMAGE,RATER,SCORE"
            )
        wanted[what] = found[0]
    return wanted


def _read(
    path: Path,
    wanted: Mapping[str, str],
    remedy: str,
    optional: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Columns of a table as stripped text, under the keys of ``wanted`` and ``optional``.

    The index counts the lines from 2, for :func:`_refuse`; blank lines are left out.
    """
    header, separator = _header(path)
    places = {}
    for key, name in {**wanted, **(optional or {})}.items():
        times = header.count(name.strip().lower())
        if times == 1:
            places[header.index(name.strip().lower())] = key
        elif times or key in wanted:
            stands = f"{times} columns" if times else "no column"
            raise InputError(
                f"{path}, line 1: {stands} {name!r} among {','.join(header)[:80]!r}; {remedy}"
            )
    try:
        frame = pd.read_csv(
            path,
            sep=separator,
            usecols=list(places),
            index_col=False,
            dtype=str,
            keep_default_na=False,
            skip_blank_lines=False,
            encoding="utf-8-sig",
            encoding_errors="replace",
        )
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{path}: cannot be read ({reason}); mend it or get it again"
        ) from error
    frame.columns = [places[place] for place in sorted(places)]
    frame = frame.fillna("").apply(lambda column: column.str.strip())
    frame.index += 2
    frame = frame[(frame != "").any(axis=1)]
    if frame.empty:
        raise InputError(f"{path}: has a header and no rows; {remedy}")
    return frame


def _refuse(path: Path, frame: pd.DataFrame, bad: pd.Series, column: str, text: str) -> None:
    """InputError for the first row that is ``bad``, with their number."""
    if bad.any():
        line = bad.index[bad][0]
        more = f" ({bad.sum()} such lines)" if bad.sum() > 1 else ""
        value = frame[column][line][:40]
        raise InputError(f"{path}, line {line}{more}: {column} is {value!r}, {text}")


def _counted(path: Path, frame: pd.DataFrame, bins: int | None) -> tuple[pd.DataFrame, int]:
    """Rows of image, score and maybe rater as votes n1..nK by image, and the rows left blank.

    K is ``bins``, or the highest score. Images stand in the order of their first rating.
    """
    unrated = frame["score"].str.lower().isin(UNRATED)
    rated = frame[~unrated]
    if rated.empty:
        raise InputError(f"{path}: no row has a score; is it the right column?")
    for column in rated.columns.drop("score"):
        empty = rated[column] == ""
        _refuse(path, rated, empty, column, "with a score beside it; mend the line")
    values = pd.to_numeric(rated["score"], errors="coerce").astype(float)
    highest = bins or MOST
    wrong = ~(values.mod(1).eq(0) & values.between(1, highest))
    text = f"not a whole number from 1 to {highest}; mend the line, or number the scores from 1"
    _refuse(path, rated, wrong, "score", text)
    if "rater" in rated:
        twice = rated.duplicated(["image", "rater"])
        image = "".join(rated["image"][twice].head(1))
        _refuse(path, rated, twice, "rater", f"who rated {image} before; keep one of the lines")
    scores = values.astype(int)
    bins = bins or int(scores.max())
    if bins < 2:
        raise InputError(f"{path}: every score is 1; give the scale by --scores K")
    codes, images = pd.factorize(rated["image"])
    counts = np.zeros((len(images), bins), np.int64)
    np.add.at(counts, (codes, scores.to_numpy() - 1), 1)
    names = [f"n{k}" for k in range(1, bins + 1)]
    return pd.DataFrame(counts, index=pd.Index(images), columns=names), int(unrated.sum())


def _koniq_counts(path: Path, frame: pd.DataFrame, scores: list[str]) -> np.ndarray:
    """Votes, int64 (N, 5), from counts or from shares of c_total."""
    numbers = frame[[*scores, "c_total"]].apply(pd.to_numeric, errors="coerce")
    given, total = numbers[scores].to_numpy(float), numbers["c_total"].to_numpy(float)
    shares = np.abs(given.sum(axis=1) - 1) < 1e-3
    with np.errstate(invalid="ignore"):  # what is no number is refused below
        votes = np.where(shares[:, None], given * total[:, None], given)
    counts = np.nan_to_num(votes).round().clip(0, 1e9).astype(np.int64)
    right = (np.abs(votes - counts) < 0.01).all(axis=1) & (counts.sum(axis=1) == total)
    right &= total > 0
    text = "and c1 to c5 are neither counts of that sum nor shares of it; get the file again"
    _refuse(path, frame, pd.Series(~right, frame.index), "c_total", text)
    return counts


# --- Photographs and ratings.csv -------------------------------------------------------------


def _assembled(
    root: str | os.PathLike,
    source: Path,
    photographs: str | os.PathLike | None,
    votes: pd.DataFrame,
    unrated: list[str] | tuple = (),
    blank: int = 0,
    again: bool = False,
) -> Imported:
    """Link the photographs of ``votes`` and write ratings.csv.

    ``votes`` has columns name (of the photograph, as the table writes it), n1..nK, and maybe
    image (its name from now on), category and split; a row whose split is "" is known and not
    wanted.
    """
    root = Path(root)
    folder = Path(photographs) if photographs else source
    files = _files(_folder(folder), root)
    places = _places(folder, files, votes["name"])
    without_ratings = (*unrated, *sorted(set(files) - set(places)))
    wanted = votes["split"].ne("").to_numpy() if "split" in votes else np.full(len(votes), True)
    here = np.array([place != "" for place in places])
    if not (wanted & here).any():
        raise InputError(
            f"{folder}: none of the {wanted.sum()} rated photographs is there, such as "
            f"{''.join(votes['name'][wanted].head(1))}; name their folder by --photographs"
        )
    if "image" not in votes:
        images = [
            _image(files.get(p), root, n) for p, n in zip(places, votes["name"], strict=True)
        ]
        votes = votes.assign(image=images)
    columns = [name for name in votes if re.fullmatch(r"n[0-9]+", name)]
    columns = ["image", *columns, *(name for name in ("category", "split") if name in votes)]
    result = votes.loc[wanted & here, columns].reset_index(drop=True)
    if not again:
        _check_free(root, result)
    chosen = [files[place] for place, use in zip(places, wanted & here, strict=True) if use]
    pairs = list(zip(chosen, result["image"], strict=True))
    for path, image in progress(pairs, "photographs"):
        _link(path, root / "images" / image)
    evaluation.write_table(root / "ratings.csv", result)
    absent = tuple(votes["name"][wanted & ~here])
    return Imported(root, result, absent, without_ratings, blank)


def _check_free(root: Path, table: pd.DataFrame) -> None:
    """InputError where ``root`` holds other ratings than ``table``."""
    text = io.StringIO()
    table.to_csv(text, index=False, lineterminator="\n")
    for name, content in (("AVA.txt", None), ("ratings.csv", text.getvalue().encode())):
        path = root / name
        if path.is_file() and path.read_bytes() != content:
            raise InputError(
                f"{path}: other ratings are there; move them, or give another folder as ROOT"
            )


def _files(folder: Path, root: Path) -> dict[str, Path]:
    """Each photograph below ``folder`` by its path inside.

    Those below ``root/images``, maybe of an earlier import, only where there are no others.
    """
    folder = folder.resolve()
    files = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES and path.name[0] != "." and path.is_file()
    }
    made = (root / "images").resolve()
    others = {inside: path for inside, path in files.items() if made not in path.parents}
    return others or files


def _places(folder: Path, files: Mapping[str, Path], names: pd.Series) -> list[str]:
    """The path inside ``folder`` of each photograph that a table names, "" where there is none.

    A name is the end of that path, from a folder or the file on, in any case, with or without
    the suffix.
    """
    ends: dict[str, list[str]] = {}
    for inside in files:
        parts = inside.split("/")
        for start in range(len(parts)):
            end = "/".join(parts[start:])
            for key in (end.lower(), os.path.splitext(end)[0].strip().lower()):
                ends.setdefault(key, []).append(inside)
    places, owners = [], {}
    for name in names:
        plain = name.replace("\\", "/")
        found = ends.get(plain.lower(), [])
        same = [inside for inside in found if inside == plain]
        found = same or [end for end in found if f"/{end}".endswith(f"/{plain}")] or found
        if len(found) > 1:
            raise InputError(
                f"{folder}: {name} may be {found[0]} or {found[1]}; name the folder of one by "
                "--photographs"
            )
        place = "".join(found)
        if place and owners.setdefault(place, name) != name:
            raise InputError(
                f"{folder / place}: is both {owners[place]} and {name} of the table; write one"
            )
        places.append(place)
    return places


def _image(path: Path | None, root: Path, name: str) -> str:
    """The image in ratings.csv: the end of ``path`` that has as many folders as ``name``.

    A photograph that stands below ``root/images`` already stays where it is.
    """
    if path is None:
        return ""
    made = (root / "images").resolve()
    if made in path.parents:
        return path.relative_to(made).as_posix()
    return "/".join(path.parts[-len(name.replace("\\", "/").split("/")) :])


def _link(path: Path, target: Path) -> None:
    """Make ``target`` the file at ``path``: a link where that is possible, a copy elsewhere."""
    if target.exists():
        if not filecmp.cmp(path, target):
            raise InputError(f"{target}: is another file than {path}; give another ROOT")
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path.resolve(), target)
    except OSError:  # another disk, or a file system without links
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            shutil.copy2(path, temporary)
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)


def _dashed(theme: str) -> str:
    """A theme such as "Animal carcass 1" as "animal-carcass-1"."""
    return re.sub(r"[^a-z0-9]+", "-", theme.lower()).strip("-")
