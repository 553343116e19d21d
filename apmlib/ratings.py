"""Rated collections on disk: AVA's own files, or a table ``ratings.csv``.

A collection is a folder ``images/`` beside its votes. Votes, lists and photographs are joined
by id, never by the order in which they stand, since the files of AVA are ordered differently.
"""

import csv
import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from apmlib import images
from apmlib.errors import InputError
from apmlib.home import home
from apmlib.progress import progress

SPLITS = ("train", "val", "test")
LISTS = "aesthetics_image_lists"
SHARE_TEST = 0.2  # of a ratings.csv that has no split column
_MOST = 2**53  # votes: a larger number is no count, and no float64 holds it exactly


@dataclass(frozen=True)
class Collection:
    """Rated photographs whose files are there.

    ``table`` is indexed by ``image`` (str) in the order of the file of votes, and has columns
    n1..nK (int64, the votes for each score) or ``mean`` (float64), ``path`` (str), ``split``
    ("train", "val" or "test") and ``category`` (str, "" where unknown). ``absent`` lists the
    images that have votes and no photograph that can be used.
    """

    root: Path
    table: pd.DataFrame
    absent: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.table)

    @property
    def bins(self) -> int:
        """K, the number of scores 1..K."""
        return self.counts.shape[1]

    @property
    def counts(self) -> np.ndarray:
        """Votes for each score, int64 (N, K). InputError where only means are known."""
        columns = _count_columns(self.table.columns)
        if not columns:
            raise InputError(
                f"{self.root / 'ratings.csv'}: holds mean scores only; this needs the votes, "
                "columns n1..nK"
            )
        return self.table[columns].to_numpy(np.int64)

    @property
    def distributions(self) -> np.ndarray:
        """The votes l1-normalised (section 3.1): float64 (N, K), each row sums to 1."""
        counts = self.counts
        return counts / counts.sum(axis=1, keepdims=True)

    @property
    def means(self) -> np.ndarray:
        """Mean scores (equation 2), float64 (N,), between 1 and K."""
        if "mean" in self.table and not _count_columns(self.table.columns):
            return self.table["mean"].to_numpy(np.float64)
        return self.distributions @ np.arange(1, self.bins + 1)

    def split(self, name: str) -> "Collection":
        """The part whose split is ``name``: "train", "val" or "test"."""
        if name not in SPLITS:
            raise InputError(f"{self.root}: {name!r} is no split; use train, val or test")
        return replace(self, table=self.table[self.table["split"] == name])

    @property
    def fingerprint(self) -> str:
        """Hash of images, votes and splits, in order: 16 hexadecimal digits."""
        columns = _count_columns(self.table.columns) or ["mean"]
        values = self.table[columns].to_numpy()
        digest = hashlib.sha256(repr(columns).encode())
        pairs = zip(self.table.index, self.table["split"], strict=True)
        digest.update("\n".join(f"{image},{split}" for image, split in pairs).encode())
        digest.update(values.astype("<i8" if columns != ["mean"] else "<f8").tobytes())
        return digest.hexdigest()[:16]


def read(
    root: str | os.PathLike, *, validation: int | None = None, seed: int = 0
) -> Collection:
    """Collection in folder ``root``: AVA's layout, or ``ratings.csv`` and ``images/``.

    The test split is AVA's official list, ``generic_test.jpgl``; everything else is for
    training, as in the paper. In a ratings.csv a column ``split`` decides; without it a fifth
    of the images, the same for every seed, are the test split. Where no validation images are
    named, ``validation`` of the training images are drawn by ``seed`` (by the id's hash, so the
    order of the file does not matter, and one more photograph hardly changes the draw). The
    default is 2,000 of more than 20,000 as in the paper, else a tenth, at least 300, though
    never more than a quarter.

    Photographs that :func:`check` found unusable are left out, until their file changes. Raises
    InputError, one line that names file and line, where the votes cannot be used.
    """
    root = Path(root)
    table, problems = _votes(root)
    if problems:
        raise InputError(problems[0])
    return _joined(root, table, validation, seed)


def split_hash(names: Iterable[str]) -> str:
    """Hash of a set of images, whatever their order: 12 hexadecimal digits."""
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()[:12]


# --- the votes -------------------------------------------------------------------------------


def _votes(root: Path) -> tuple[pd.DataFrame, list[str]]:
    """All rated images of ``root``, with or without a photograph, and what is wrong with rows.

    The table has columns image, n1..nK or mean, split ("" where not decided) and category. What
    makes the whole file unreadable raises InputError; rows without votes, and images that stand
    twice, are listed one line each, in the order of the file.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; give the root of a collection")
    ava, own = root / "AVA.txt", root / "ratings.csv"
    if ava.is_file() and own.is_file():
        raise InputError(
            f"{root}: holds both AVA.txt and ratings.csv; keep the one that is meant"
        )
    if not ava.is_file() and not own.is_file():
        raise InputError(
            f"{root}: holds neither AVA.txt nor ratings.csv; is it the right folder?"
        )
    if not (root / "images").is_dir():
        raise InputError(f"{root / 'images'}: no such folder; put the photographs there")
    path = ava if ava.is_file() else own
    table, lines = _read_ava(path) if path == ava else _read_csv(path)
    if path == ava:
        official = set(read_list(root / LISTS / "generic_test.jpgl"))
        table["split"] = np.where(table["image"].isin(official), "test", "train")
        tags = _read_tags(root / "tags.txt")
        table["category"] = [tags.get(number, "") for number in table.pop("tag1")]
    elif "split" not in table:
        chosen = _by_hash(table["image"], "test")[: round(SHARE_TEST * len(table))]
        table["split"] = np.where(table["image"].isin(chosen), "test", "train")
    problems = []
    columns = _count_columns(table.columns)
    if columns:
        silent = np.flatnonzero(table[columns].to_numpy().sum(axis=1) == 0)
        problems += [
            (row, f"image {table['image'][row]} has no votes; remove the line")
            for row in silent
        ]
    twice = np.flatnonzero(table["image"].duplicated())
    problems += [
        (row, f"image {table['image'][row]} stands here a second time; keep one of the lines")
        for row in twice
    ]
    if problems:
        numbers = lines()
        problems = [f"{path}, line {numbers[row]}: {text}" for row, text in sorted(problems)]
    return table, problems


def _read_ava(path: Path):
    """AVA.txt as columns image, n1..n10, tag1; and a function that gives the line numbers."""
    names = ["index", "image", *(f"n{k}" for k in range(1, 11)), "tag1", "tag2", "challenge"]
    kinds = dict.fromkeys(names, np.int64)
    try:
        with np.errstate(invalid="ignore"):  # "inf" becomes some huge number, found below
            table = pd.read_csv(
                path,
                sep=r"\s+",
                header=None,
                names=[*names, "surplus"],
                dtype=kinds,
                encoding="utf-8-sig",
                quoting=csv.QUOTE_NONE,
            )
    except pd.errors.EmptyDataError as error:
        raise InputError(f"{path}: is empty; get AVA.txt again") from error
    except (ValueError, OverflowError, OSError) as error:
        _find_bad_line(path)
        raise InputError(
            f"{path}: cannot be read ({_one_line(error)}); get it again"
        ) from error
    if table.empty:
        raise InputError(f"{path}: is empty; get AVA.txt again")
    numbers = table[names].to_numpy()
    if table["surplus"].notna().any() or (numbers < 0).any() or (numbers > _MOST).any():
        _find_bad_line(path)
    table["image"] = table["image"].astype(str)
    table = table.drop(columns=["index", "tag2", "challenge", "surplus"])
    return table, lambda: [number for number, _ in _lines(path)]


def _find_bad_line(path: Path) -> None:
    """Raise InputError for the first line of an AVA.txt that is not fifteen whole numbers."""
    names = ["number of the line", "id", *(f"count of score {k}" for k in range(1, 11))]
    names += ["first tag", "second tag", "challenge"]
    for number, line in _lines(path):
        fields = line.split()
        where = f"{path}, line {number}"
        if len(fields) != len(names):
            raise InputError(
                f"{where}: {len(fields)} fields where AVA has 15 (index, id, ten counts, two "
                "tags, challenge); get the file again if it is cut off, or mend the line"
            )
        for name, field in zip(names, fields, strict=True):
            if not _is_count(field):
                raise InputError(
                    f"{where}: the {name} is {field[:20]!r}, not a whole number from 0; "
                    "mend the line"
                )


def _is_count(field: str) -> bool:
    try:
        return float(field).is_integer() and 0 <= float(field) <= _MOST
    except ValueError:
        return False


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Number and text of each line that is not blank."""
    with open(path, encoding="utf-8-sig", errors="replace", newline=None) as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield number, line


def _read_csv(path: Path):
    """ratings.csv as columns image, n1..nK or mean, [split], category; and the line numbers."""
    with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.reader(file)
        try:
            rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
        except csv.Error as error:
            raise InputError(
                f"{path}, line {reader.line_num}: {error}; is this a table with commas?"
            ) from error
    rows = [(number, row) for number, row in rows if any(row)]
    if not rows:
        raise InputError(f"{path}: is empty; give it the columns image,n1..nK")
    (first, header), rows = rows[0], rows[1:]
    header = [name.lower() for name in header]
    columns = _check_header(f"{path}, line {first}", header)
    if not rows:
        raise InputError(f"{path}: has a header and no rows; add a row for each photograph")
    for number, row in rows:
        if len(row) != len(header):
            raise InputError(
                f"{path}, line {number}: {len(row)} fields where the header has {len(header)}; "
                "mend the line, or get the file again if it is cut off"
            )
    texts = pd.DataFrame([row for _, row in rows], columns=header, dtype=str)
    table = texts[["image"]].copy()

    def refuse(bad: pd.Series, column: str, text: str) -> None:
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            value = texts[column][row][:20]
            raise InputError(
                f"{path}, line {rows[row][0]}: {column} is {value!r}, {text}; mend the line"
            )

    refuse(texts["image"] == "", "image", "where a file name belongs")
    found = []
    for column in columns:
        values = pd.to_numeric(texts[column], errors="coerce").astype(float)
        whole = values.mod(1).eq(0) & values.ge(0) & values.le(_MOST)
        if column == "mean":
            bad, text = ~np.isfinite(values), "not a number"
        else:
            bad, text = ~whole, "not a whole number from 0"
        if bad.any():
            found.append((int(np.flatnonzero(bad)[0]), len(found), bad, column, text))
        else:
            table[column] = values if column == "mean" else values.astype(np.int64)
    if found:
        refuse(*min(found, key=lambda item: item[:2])[2:])
    if "split" in header:
        refuse(~texts["split"].isin(SPLITS), "split", "no split: use train, val or test")
        table["split"] = texts["split"].to_numpy(object)
    table["category"] = texts["category"] if "category" in header else ""
    return table, lambda: [number for number, _ in rows]


def _check_header(where: str, header: list[str]) -> list[str]:
    """The columns that hold the scores, n1..nK or mean; InputError where there are none."""
    for name, times in Counter(header).items():
        if times > 1:
            raise InputError(f"{where}: column {name!r} stands {times} times; keep one")
    if "image" not in header:
        raise InputError(
            f"{where}: no column 'image' among {','.join(header)[:60]!r}; the header is "
            "image,n1..nK[,category][,split], with commas"
        )
    columns = _count_columns(header)
    if columns == [f"n{k}" for k in range(1, len(columns) + 1)] and len(columns) >= 2:
        return columns
    if columns:
        raise InputError(
            f"{where}: the counts are {','.join(columns)}; one column for each score, n1, n2 "
            "and so on without a gap, is needed"
        )
    if "mean" in header:
        return ["mean"]
    raise InputError(f"{where}: no votes; add columns n1..nK, or mean")


def _count_columns(names: Iterable[str]) -> list[str]:
    """Those of ``names`` that are n1, n2, ..., in the order of their number."""
    return sorted((n for n in names if re.fullmatch(r"n[0-9]+", n)), key=lambda n: int(n[1:]))


def read_list(path: str | os.PathLike) -> list[str]:
    """Ids in one of AVA's lists (``.jpgl``), one a line, in the order of the file."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such list; AVA's official lists belong beside AVA.txt")
    ids = []
    for number, line in _lines(path):
        name = line.strip()
        if not name.isdecimal():
            raise InputError(
                f"{path}, line {number}: {name[:20]!r} is no id; get the list again"
            )
        ids.append(str(int(name)))
    return ids


def _read_tags(path: Path) -> dict[int, str]:
    """Names of AVA's tags by number; none where the file is missing."""
    if not path.is_file():
        return {}
    tags = {}
    for number, line in _lines(path):
        key, _, name = line.strip().partition(" ")
        if not key.isdecimal():
            raise InputError(f"{path}, line {number}: no tag number; get the file again")
        tags[int(key)] = name.strip()
    return tags


# --- votes, photographs and splits joined by id ----------------------------------------------


def _joined(root: Path, table: pd.DataFrame, validation: int | None, seed: int) -> Collection:
    table = table.assign(path=_paths(root, table["image"]))
    skipped = {
        row.path
        for row in _read_checked(root, "skipped").itertuples()
        if _stamp(row.path) == (row.bytes, row.modified)
    }
    table.loc[table["path"].isin(skipped), "path"] = ""
    here = table["path"] != ""
    if not here.any():
        raise InputError(
            f"{root / 'images'}: none of the {len(table)} rated photographs is there and "
            "usable; put them there under their ids"
        )
    absent = tuple(table["image"][~here])
    return Collection(root.resolve(), _with_validation(table[here], validation, seed), absent)


def _with_validation(table: pd.DataFrame, validation: int | None, seed: int) -> pd.DataFrame:
    """Table indexed by image, with validation images drawn where none are named."""
    table = table.set_index("image")
    if not (table["split"] == "val").any():
        training = table.index[table["split"] == "train"]
        size = validation
        if size is None:
            size = 2000 if len(training) > 20000 else max(300, round(0.1 * len(training)))
        drawn = _by_hash(training, f"val {seed}")[: max(0, min(size, len(training) // 4))]
        table.loc[drawn, "split"] = "val"
    scores = _count_columns(table.columns) or ["mean"]
    return table[[*scores, "path", "split", "category"]]


def _by_hash(names: Iterable[str], salt: str) -> list[str]:
    """``names`` in an order drawn by ``salt`` that does not depend on the order given."""
    return sorted(names, key=lambda name: hashlib.sha256(f"{salt} {name}".encode()).digest())


def _paths(root: Path, names: Iterable[str]) -> list[str]:
    """The file of each image, "" where there is none.

    An image is a name below images/, in any case, with or without the suffix; where no file
    stands there, it may be in any folder below, if its name stands in one alone.
    """
    found = _files(root)
    files: dict[str, str] = {}
    for inside, path in found.items():
        for key in (inside, inside.lower(), os.path.splitext(inside)[0]):
            files.setdefault(key, path)
    deeper = [inside for inside in found if "/" in inside]
    times = Counter(os.path.basename(inside) for inside in deeper)
    for inside in deeper:
        name = os.path.basename(inside)
        if times[name] == 1:
            for key in (name, name.lower(), os.path.splitext(name)[0]):
                files.setdefault(key, found[inside])
    return [files.get(name) or files.get(name.lower(), "") for name in names]


def _files(root: Path) -> dict[str, str]:
    """Absolute path of each file below images/, by its name inside, in alphabetical order."""
    base = os.path.abspath(root / "images")
    files = {}
    for folder, folders, names in os.walk(base):
        folders.sort()
        for name in sorted(names):
            if not name.startswith("."):
                path = os.path.join(folder, name)
                files[path[len(base) + 1 :].replace(os.sep, "/")] = path
    return files


# --- what is there, and what is not ----------------------------------------------------------


@dataclass(frozen=True)
class Report:
    """What :func:`check` found; ``str`` of it is the report for people.

    ``listed`` rated images, of which ``present`` have a file; ``missing`` have none;
    ``unreadable`` maps images to the reason; ``voteless`` and ``duplicated_ids`` are images;
    ``duplicates`` are groups of images with the same file content, of which ``shared`` stand on
    both sides, training and test; ``unlisted`` are files without votes; ``unrated`` counts the
    ids of the official test list without votes. ``splits`` maps each split to (number, hash) of
    what will be used, ``list`` is the file that names it. ``error`` is the line that says why
    nothing can be used, or "".
    """

    root: Path
    listed: int
    present: int
    usable: int
    missing: tuple[str, ...]
    unreadable: dict[str, str]
    voteless: tuple[str, ...]
    duplicated_ids: tuple[str, ...]
    duplicates: tuple[tuple[str, ...], ...]
    shared: tuple[tuple[str, ...], ...]
    unlisted: tuple[str, ...]
    unrated: int
    splits: dict[str, tuple[int, str]]
    seed: int
    list: Path | None
    problems: tuple[str, ...]

    @property
    def error(self) -> str:
        if self.problems:
            more = f" ({len(self.problems)} such lines)" if len(self.problems) > 1 else ""
            return self.problems[0] + more
        if not self.usable:
            return f"{self.root / 'images'}: no photograph can be used; put them there"
        return ""

    def __str__(self) -> str:
        def row(what: str, number: int, names: Iterable[str] = ()) -> str:
            names = list(islice(names, 4))
            if len(names) == 4:
                names[3] = "..."
            return f"  {what:<36}{number:>9,}" + (f"  {', '.join(names)}" if names else "")

        lines = [
            f"{self.root}",
            row("rated images listed", self.listed),
            row("with a photograph", self.present),
            row("missing", len(self.missing), self.missing),
            row("unreadable", len(self.unreadable), self.unreadable),
            row("rows without votes", len(self.voteless), self.voteless),
            row("ids that stand twice", len(self.duplicated_ids), self.duplicated_ids),
            row(
                "photographs that are there twice",
                len(self.duplicates),
                self._names("duplicates"),
            ),
            row("shared by training and test", len(self.shared), self._names("shared")),
            row("files without votes", len(self.unlisted), self.unlisted),
            row("ids of the test list without votes", self.unrated),
            row("usable", self.usable),
        ]
        lines += [f"  unreadable: {reason}" for reason in islice(self.unreadable.values(), 20)]
        if self.error:
            lines += [f"  problem: {text}" for text in self.problems[:20]]
            lines.append("nothing will be used until this is mended")
            return "\n".join(lines)
        lines.append(f"what will be used (validation drawn by seed {self.seed})")
        for name, (number, digest) in self.splits.items():
            lines.append(f"  {name:<6}{number:>9,}  ids {digest}")
        lines.append(f"  listed in {self.list}")
        return "\n".join(lines)

    def _names(self, which: str) -> Iterator[str]:
        for group in getattr(self, which):
            yield " = ".join(group[:3]) + (" = ..." if len(group) > 3 else "")


def check(root: str | os.PathLike, *, validation: int | None = None, seed: int = 0) -> Report:
    """Look at every photograph of a collection, fully decoded, and say what will be used.

    Copies are found by the content of their files. Nothing in ``root`` is changed. The usable
    images, and those to skip, are written below ``home()/checked`` for :func:`read`; a
    photograph whose file is as it was at the last check is not decoded again. Raises InputError
    where the votes cannot be read at all; rows without votes and repeated ids are reported, all
    of them, and :attr:`Report.error` then says why nothing will be used.
    """
    root = Path(root)
    table, problems = _votes(root)
    listed = len(table)
    scores = _count_columns(table.columns)
    silent = table[scores].sum(axis=1).eq(0) if scores else table["image"].eq("")
    twice = table["image"].duplicated()
    voteless, duplicated = tuple(table["image"][silent]), tuple(table["image"][twice])
    official = root / LISTS / "generic_test.jpgl"
    unrated = len(set(read_list(official)) - set(table["image"])) if official.is_file() else 0

    table = table[~twice & ~silent].reset_index(drop=True)
    table["path"] = _paths(root, table["image"])
    used = set(table["path"])
    unlisted = tuple(name for name, path in _files(root).items() if path not in used)
    missing = tuple(table["image"][table["path"] == ""])
    table = table[table["path"] != ""].reset_index(drop=True)

    table = _examined(root, table)
    unreadable = {row.image: row.problem for row in table[table["problem"] != ""].itertuples()}
    usable = table[table["problem"] == ""]
    copies = usable[usable["sha256"].duplicated(keep=False)]
    groups, shared = [], []
    for _, group in copies.groupby("sha256", sort=False):
        groups.append(tuple(group["image"]))
        if 0 < (group["split"] == "test").sum() < len(group):
            shared.append(groups[-1])

    final = _with_validation(usable, validation, seed)
    splits = {}
    for name in SPLITS:
        names = final.index[final["split"] == name]
        splits[name] = (len(names), split_hash(names))
    path = None
    if not problems and len(usable):
        path = _write_checked(root, table, final["split"])
    return Report(
        root=root.resolve(),
        listed=listed,
        present=len(table),
        usable=len(usable),
        missing=missing,
        unreadable=unreadable,
        voteless=voteless,
        duplicated_ids=duplicated,
        duplicates=tuple(groups),
        shared=tuple(shared),
        unlisted=unlisted,
        unrated=unrated,
        splits=splits,
        seed=seed,
        list=path,
        problems=tuple(problems),
    )


def _examined(root: Path, table: pd.DataFrame) -> pd.DataFrame:
    """``table`` with each file's bytes, modified (ns), sha256 and problem ("" for none)."""
    known = {}
    for which in ("usable", "skipped"):
        for row in _read_checked(root, which).itertuples():
            known[row.path, row.bytes, row.modified] = (row.sha256, row.problem)

    def examine(path: str) -> tuple[int, int, str, str]:
        size, time = _stamp(path)
        if (path, size, time) in known:
            return size, time, *known[path, size, time]
        try:
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            images.read(path)
        except (InputError, OSError) as error:
            return size, time, "", _one_line(error)
        return size, time, digest, ""

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            results = pool.map(examine, table["path"])
            found = list(progress(results, "photographs", total=len(table)))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    columns = ["bytes", "modified", "sha256", "problem"]
    return table.join(pd.DataFrame(found, columns=columns, index=table.index))


def _stamp(path: str) -> tuple[int, int]:
    """Size in bytes and time of change (ns) of a file, by which a changed one is known."""
    try:
        status = os.stat(path)
    except OSError:
        return -1, -1
    return status.st_size, status.st_mtime_ns


def _checked_path(root: Path, which: str) -> Path:
    key = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:16]
    return home() / "checked" / (f"{key}.csv" if which == "usable" else f"{key}.skipped.csv")


_CHECKED = {"image": str, "split": str, "path": str, "bytes": np.int64, "modified": np.int64}
_CHECKED |= {"sha256": str, "problem": str}


def _read_checked(root: Path, which: str) -> pd.DataFrame:
    """What the last check of ``root`` wrote; an empty table where there was none."""
    path = _checked_path(root, which)
    if not path.is_file():
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in _CHECKED.items()})
    return pd.read_csv(path, dtype=_CHECKED, keep_default_na=False)


def _write_checked(root: Path, table: pd.DataFrame, splits: pd.Series) -> Path:
    """Write the usable images and the skipped ones; the path of the first."""
    table = table.assign(split=table["image"].map(splits).fillna(""))[list(_CHECKED)]
    for which, part in (
        ("skipped", table[table["problem"] != ""]),
        ("usable", table[table["problem"] == ""]),
    ):
        _write(_checked_path(root, which), part.to_csv(index=False, lineterminator="\n"))
    return _checked_path(root, "usable")


# --- writing AVA's format --------------------------------------------------------------------


def write_ava(
    root: str | os.PathLike,
    table: pd.DataFrame,
    test: Iterable[str],
    lists: Mapping[str, Iterable[str]] | None = None,
) -> None:
    """Write AVA.txt, tags.txt and the lists of a collection in AVA's own format.

    ``table`` is indexed by image (a decimal id), with n1..n10 and optionally ``category``,
    whose names become the tags (numbered from 1, by the alphabet), and ``challenge`` (int).
    ``test`` are the ids of generic_test.jpgl; ``lists`` holds further lists by name, such as
    "landscape_train". Photographs are the caller's business. Each file appears whole or not at
    all, AVA.txt last.
    """
    root = Path(root)
    names = [str(name) for name in table.index]
    wrong = [name for name in names if not re.fullmatch(r"0|[1-9][0-9]*", name)]
    if wrong:
        raise InputError(f"{root}: {wrong[0]!r} is no id of AVA's kind; use whole numbers")
    category = table["category"].tolist() if "category" in table else [""] * len(table)
    tags = {name: number for number, name in enumerate(sorted(set(category) - {""}), 1)}
    challenge = table["challenge"].tolist() if "challenge" in table else [0] * len(table)
    counts = table[[f"n{k}" for k in range(1, 11)]].to_numpy(np.int64).tolist()
    lines = [
        " ".join(map(str, (row, name, *votes, tags.get(tag, 0), 0, contest)))
        for row, (name, votes, tag, contest) in enumerate(
            zip(names, counts, category, challenge, strict=True), 1
        )
    ]
    for name, ids in {"generic_test": test, **(lists or {})}.items():
        _write(root / LISTS / f"{name}.jpgl", "".join(f"{image}\n" for image in ids))
    _write(root / "tags.txt", "".join(f"{number} {name}\n" for name, number in tags.items()))
    _write(root / "AVA.txt", "".join(f"{line}\n" for line in lines))


def _write(path: Path, text: str) -> None:
    """Write a text file at once: a reader finds the old one or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(text.encode())
    os.replace(temporary, path)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
