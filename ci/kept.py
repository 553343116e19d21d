"""Finished runs of one seed in one file, without their weights.

To compare runs takes what they say of the test photographs, and not the networks. So a seed
that one machine has trained need not be trained again on another: its file in data/results/runs
holds of each run the configuration, the history, the metrics and the predictions.
"""

import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from apmlib.errors import InputError

FILES = ("config.json", "history.csv", "metrics.json", "predictions.csv")
DIGITS = 5  # of probabilities and mean scores; rho then moves in the fifth digit
ABOUT = "about.json"


def write(file: Path, about: Mapping, folders: Iterable[Path]) -> None:
    """Keep ``folders`` (a run's is .../runs/NAME) and ``about``, JSON, in ``file``."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=file.parent) as place:
        part = Path(place) / file.name
        with zipfile.ZipFile(part, "w", zipfile.ZIP_LZMA) as archive:
            archive.writestr(_dated(ABOUT), json.dumps(about, indent=1))
            for folder in sorted(folders):
                for path in filter(Path.is_file, (folder / name for name in FILES)):
                    name = f"{folder.parent.name}/{folder.name}/{path.name}"
                    archive.writestr(_dated(name), _text(path))
        part.replace(file)


def read_about(file: Path) -> dict:
    """What ``file`` says of itself; InputError where it is none of :func:`write`."""
    try:
        with zipfile.ZipFile(file) as archive:
            return json.loads(archive.read(ABOUT))
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise InputError(f"{file}: no file of kept runs ({error}); delete it") from None


def unpack(file: Path, target: Path) -> None:
    """Put the folders of ``file`` into ``target``, in place of what was there."""
    shutil.rmtree(target, ignore_errors=True)
    with zipfile.ZipFile(file) as archive:
        archive.extractall(target)


def _dated(name: str) -> zipfile.ZipInfo:
    """An entry that is the same on every day: equal runs make equal files."""
    entry = zipfile.ZipInfo(name)
    entry.compress_type = zipfile.ZIP_LZMA
    return entry


def _text(path: Path) -> str:
    if path.name != "predictions.csv":
        return path.read_text("utf-8")
    table = pd.read_csv(path, dtype={"image": str})
    if "p1" in table:  # then the other columns follow from the distributions
        table = table.drop(columns=["mean", "std"], errors="ignore")
    return table.round(DIGITS).to_csv(index=False)
