"""The simulated AVA on disk: photographs, masks, latents and votes, in AVA's own layout.

    ROOT/AVA.txt                                 votes, as in AVA
    ROOT/images/<id>.jpg                         photographs
    ROOT/aesthetics_image_lists/generic_test.jpgl  ids of the test split
    ROOT/tags.txt                                names of the categories
    ROOT/latents.csv                             what each photograph is made of, and measured
    ROOT/masks/<id>.png                          where its subject is
    ROOT/simulated.json                          how it was made

A row of latents makes one photograph, so the work is cut into parts that any number of
workers may do in any order. A finished part leaves a table in ROOT/.parts, and work that was
interrupted goes on with the parts that are missing.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

import apmlib
from apmlib import ratings
from apmlib.errors import InputError
from apmlib.progress import progress
from apmlib.simulated import crowd, frozen, latents
from apmlib.simulated.render import render
from apmlib.simulated.workers import spread

PART = 40  # photographs in one part
TEST_SHARE = 0.2


def simulate(root, images: int, side: int = 128, seed: int = 0, workers: int | None = None):
    """Make a simulated collection, or go on with one that was interrupted.

    Args:
        root: folder of the collection; made if it is not there.
        images: number of photographs.
        side: their shorter side in pixels, 48 .. 1024.
        seed: whole number; the same seed gives the same bytes, whatever the workers.
        workers: processes; None means one for each core.

    Returns:
        root as a Path.

    Raises:
        InputError: for sizes that cannot be drawn, or where root holds something else.
    """
    root = Path(root)
    if images < 10:
        raise InputError(f"{root}: {images} photographs are too few; ask for 10 or more")
    if not 48 <= side <= 1024:
        raise InputError(f"{root}: a shorter side of {side} is not possible; choose 48 .. 1024")
    if seed < 0:
        raise InputError(f"{root}: the seed {seed} is negative; choose a whole number from 0")
    made = {"images": images, "side": side, "seed": seed}
    if _finished(root, made):
        return root
    table = latents.sample(images, seed)
    measured = _photographs(root, table, side, workers or os.cpu_count() or 1)
    table = table.join(measured)
    _write(root / "latents.csv", table.to_csv(lineterminator="\n").encode())
    about = made | {
        "version": apmlib.__version__,
        "code": frozen.world_hash(),
        "crowd": asdict(crowd.DEFAULT),
        "licence": "CC0-1.0",
    }
    _write(root / "simulated.json", (json.dumps(about, indent=2) + "\n").encode())
    counts = crowd.vote(table, crowd.DEFAULT, seed)
    names = [f"n{k}" for k in range(1, counts.shape[1] + 1)]
    votes = pd.DataFrame(counts, index=table.index, columns=names)
    order = np.random.default_rng(np.random.SeedSequence([seed, 21])).permutation(images)
    test = table.index[np.sort(order[: round(images * TEST_SHARE)])]
    ratings.write_ava(root, votes.assign(category=table["category"]), test)
    shutil.rmtree(root / ".parts")
    return root


def read_latents(root) -> pd.DataFrame:
    """The table of latents of a simulated collection, indexed by image (str).

    Raises:
        InputError: where the folder has none.
    """
    path = Path(root) / "latents.csv"
    if not path.is_file():
        raise InputError(f"{path}: is not there; make the collection with apm data simulate")
    return pd.read_csv(path, dtype={"image": str}).set_index("image")


def _finished(root: Path, made: dict) -> bool:
    about = root / "simulated.json"
    if not about.is_file():
        if (root / "AVA.txt").exists() or (root / "ratings.csv").exists():
            raise InputError(
                f"{root}: holds a collection that is not simulated; use another folder"
            )
        return False
    try:
        found = json.loads(about.read_bytes())
        differs = [key for key, value in made.items() if found[key] != value]
    except (ValueError, KeyError, TypeError):
        raise InputError(
            f"{about}: cannot be read; remove the folder and simulate anew"
        ) from None
    if differs:
        what = ", ".join(f"{key} {found[key]}" for key in differs)
        raise InputError(f"{root}: was made with {what}; use another folder")
    return (root / "AVA.txt").is_file() and not (root / ".parts").exists()


def _photographs(root: Path, table: pd.DataFrame, side: int, workers: int) -> pd.DataFrame:
    """Draw what is missing; the measured columns of all, in the order of the table."""
    parts = root / ".parts"
    key = {
        "side": side,
        "code": frozen.world_hash(),
        "first": table.iloc[0].to_json(),
        "images": len(table),
    }
    about = json.dumps(key, sort_keys=True).encode()
    if parts.exists() and (
        not (parts / "key.json").is_file() or (parts / "key.json").read_bytes() != about
    ):
        shutil.rmtree(parts)  # the beginning of another collection
    for folder in (parts, root / "images", root / "masks"):
        folder.mkdir(parents=True, exist_ok=True)
    _write(parts / "key.json", about)

    starts = range(0, len(table), PART)
    files = [parts / f"{start:07d}.csv" for start in starts]
    todo = [
        (root, part, side, table.iloc[start : start + PART])
        for start, part in zip(starts, files, strict=True)
        if not part.is_file()
    ]
    done = len(table) - sum(len(rows) for *_, rows in todo)
    with progress(None, "photographs", total=len(table), initial=done) as bar:
        for count in spread(_part, todo, workers):
            bar.update(count)
    tables = [pd.read_csv(part, dtype={"image": str}, index_col="image") for part in files]
    return pd.concat(tables).loc[table.index]


def _part(job) -> int:
    """Draw one part and leave its measurements; the number of photographs."""
    root, part, side, table = job
    measured = []
    for image, row in zip(table.index, table.to_dict("records"), strict=True):
        photograph = render(row, side)
        picture, mask = BytesIO(), BytesIO()
        Image.fromarray(photograph.rgb).save(picture, "JPEG", quality=int(row["jpeg"]))
        Image.fromarray(photograph.mask).convert("1").save(mask, "PNG", compress_level=4)
        _write(root / "images" / f"{image}.jpg", picture.getvalue(), part)
        _write(root / "masks" / f"{image}.png", mask.getvalue(), part)
        measured.append(photograph.measured)
    measured = pd.DataFrame(measured, index=table.index)
    _write(part, measured.to_csv(lineterminator="\n").encode())
    return len(table)


def _write(path: Path, data: bytes, beside: Path | None = None) -> None:
    """Write a file whole or not at all; `beside` names where the unfinished one may lie."""
    place = beside or path
    temporary = place.with_name(f".{place.name}.{os.getpid()}.tmp")
    temporary.write_bytes(data)
    os.replace(temporary, path)
