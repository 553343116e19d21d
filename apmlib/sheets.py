"""Pictures that the command line writes: photographs side by side over their predictions.

Drawn with Pillow, which every installation has and which starts at once; the figures of the
book are in ``figures``.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageDraw, ImageFont

from apmlib import metrics
from apmlib.errors import InputError

# Of lightnesses that grey paper keeps apart, as in ``figures``.
BEFORE, AFTER, INK, PAPER = "#14324f", "#e6a934", "#222222", "#ffffff"
HEIGHT = 300  # of a photograph on a sheet, pixels
WIDEST = 900  # a panorama is made lower, so that it is no wider than this
CHART = 180
GAP = 16
FONT = 14


def sheet(
    pictures: Sequence[tuple[str, Image.Image]],
    charts: Sequence[tuple[str, ArrayLike, ArrayLike]] = (),
) -> Image.Image:
    """Photographs in a row, each under its title, and under them the distributions.

    ``pictures``: titles and RGB images of any size. ``charts``: titles and two distributions
    ``(K,)``, before and after, drawn side by side with their means; a mean score ``(1,)``
    instead of a distribution leaves only the title.
    """
    shown = [(title, _fitted(picture)) for title, picture in pictures]
    font = ImageFont.load_default(FONT)
    widths = [max(picture.width, round(font.getlength(title))) for title, picture in shown]
    drawn = [chart for chart in charts if len(np.asarray(chart[1])) > 1]
    width = max(sum(widths) + GAP * (len(widths) + 1), 2 * GAP + 380 * max(1, len(drawn)))
    below = GAP + CHART + 2 * (FONT + 8) if drawn else 0
    page = Image.new("RGB", (width, HEIGHT + 2 * GAP + FONT + 8 + below), PAPER)
    draw = ImageDraw.Draw(page)
    left = GAP
    for (title, picture), room in zip(shown, widths, strict=True):
        draw.text((left, GAP), title, INK, font)
        page.paste(picture, (left, GAP + FONT + 8))
        left += room + GAP
    room = (width - GAP) // max(1, len(drawn))
    for i, (title, before, after) in enumerate(drawn):
        top = HEIGHT + 2 * GAP + FONT + 8
        _chart(draw, font, (GAP + i * room, top, room - GAP, CHART), title, before, after)
    return page


def _fitted(picture: Image.Image) -> Image.Image:
    scale = min(HEIGHT / picture.height, WIDEST / picture.width)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    # Enlarged pixel by pixel: what the network was given should look as coarse as it is.
    how = Image.Resampling.NEAREST if scale >= 2 else Image.Resampling.BICUBIC
    return picture.resize(size, how, reducing_gap=3.0)


def _chart(draw: ImageDraw.ImageDraw, font, box, title: str, before, after) -> None:
    left, top, width, height = box
    before, after = metrics.normalise(before), metrics.normalise(after)
    bins, highest = len(before), max(before.max(), after.max())
    draw.text((left, top), title, INK, font)
    top, height = top + FONT + 8 + 10, height - 10
    base, slot = top + height, width / bins
    for k in range(bins):
        for i, (p, colour) in enumerate(((before, BEFORE), (after, AFTER))):
            x = left + (k + 0.1 + 0.4 * i) * slot
            bar = (x, base - height * p[k] / highest, x + 0.4 * slot - 1, base)
            draw.rectangle(bar, colour)
        middle = left + (k + 0.5) * slot
        draw.text((middle, base + 4), str(k + 1), INK, font, anchor="ma")
    draw.line((left, base, left + width, base), INK)
    for p, colour in ((before, BEFORE), (after, AFTER)):
        x = left + (metrics.mean(p) - 0.5) * slot
        draw.polygon([(x - 6, top - 12), (x + 6, top - 12), (x, top - 2)], colour, INK)


def png(picture: Image.Image | np.ndarray) -> bytes:
    """The bytes of a PNG of ``picture``, an image or uint8 (H, W, 3)."""
    picture = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def stems(paths: Sequence[str | os.PathLike]) -> list[str]:
    """A name for what is written of each photograph, no two alike: ``a``, ``b``, ``a-2``."""
    taken, found = set(), []
    for path in paths:
        stem = name = Path(path).stem
        number = 1
        # Some file systems take a.png and A.png for one file.
        while name.lower() in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.lower())
        found.append(name)
    return found


def check_free(
    out: Path, names: Iterable[str], record: str, given: Sequence[str | os.PathLike]
) -> None:
    """Refuse to write ``names`` into ``out`` over a photograph or over what is not ours.

    ``given`` are the photographs that are being read; what else is there must come from an
    earlier call, which left its ``record``. Raises InputError naming the first in the way.
    """
    originals = {Path(path).resolve() for path in given}
    ours = (out / record).is_file()
    for name in names:
        path = out / name
        if path.resolve() in originals or (path.exists() and not ours):
            raise InputError(
                f"{path}: is there already and would be written over; use another --out"
            )
