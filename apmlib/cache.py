"""Photographs at the working size, once: a smaller collection of plain files.

A camera's photograph has twenty times the pixels that a network looks at, and every epoch would
decode them again. The copy is a collection like any other, with the same votes and lists.
"""

from __future__ import annotations

import io
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from apmlib import evaluation, images, ratings
from apmlib.errors import InputError
from apmlib.progress import progress

QUALITY = 95  # of the JPEGs written, without subsampling of colours


def cache(
    root: str | os.PathLike, out: str | os.PathLike | None = None, side: int = 500
) -> tuple[Path, list[tuple[str, str]]]:
    """Copy the collection in ``root`` with JPEGs whose shorter side is ``side`` pixels at most.

    Returns the root of the copy, by default ``root/cache-SIDE``, and what was left out, as
    (image, reason). A photograph that is no larger, or no JPEG, is copied as it is. The same
    call goes on after an interruption, and makes anew what changed.
    """
    root = Path(root)
    out = Path(out) if out else root / f"cache-{side}"
    if root.resolve() == out.resolve():
        raise InputError(f"{out}: is the collection itself; choose another --out")
    table = ratings.read(root).table
    for item in sorted(root.iterdir()):
        if item.name == "images" or item.name.startswith(("cache-", ".")):
            continue
        if item.resolve() in (out.resolve(), *out.resolve().parents):
            continue  # the copy itself, or where it lies
        if item.is_dir():
            shutil.copytree(item, out / item.name, dirs_exist_ok=True)
        else:
            evaluation.write_bytes(_made(out / item.name), item.read_bytes())
    inside = os.path.abspath(root / "images")

    def copy(path: str) -> str | None:
        source = Path(path)
        target = _made(out / "images" / os.path.relpath(path, inside))
        if target.is_file() and target.stat().st_mtime >= source.stat().st_mtime:
            return None
        try:
            evaluation.write_bytes(target, _smaller(source, side))
        except InputError as error:
            return str(error).removeprefix(f"{path}: ")
        return None

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        reasons = pool.map(copy, table["path"])
        reasons = list(progress(reasons, "photographs", total=len(table)))
    return out, [(name, why) for name, why in zip(table.index, reasons, strict=True) if why]


def _smaller(source: Path, side: int) -> bytes:
    """The file's content, or what it shows at the working size as a JPEG."""
    images.shape_of(source, side)  # refuses what is no photograph
    with Image.open(source) as image:
        if image.format != "JPEG" or min(image.size) <= side:
            return source.read_bytes()
    data = io.BytesIO()
    pixels = images.resize(images.read(source, side), side)
    Image.fromarray(pixels).save(data, "JPEG", quality=QUALITY, subsampling=0)
    return data.getvalue()


def _made(path: Path) -> Path:
    """``path``, whose folder is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
