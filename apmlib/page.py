"""Pieces of a page: the HTML that a notebook shows and its export keeps.

All of it stands by itself, in JupyterLab as in the exported page: pictures are embedded, and
wrap where the screen is narrow. Text that is not ours, such as names of files, goes through
:func:`name`.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import HTML
from matplotlib.figure import Figure
from PIL import Image

DOTS = 200  # of a drawn inch: sharp on screens of twice the usual density
LARGEST = 480  # longest side of an embedded photograph, pixels
CARD = 165  # narrowest card of a gallery, pixels: two beside each other on a telephone


def name(text: object) -> str:
    """Text of a file or a user, in typewriter letters."""
    return f"<code>{escape(str(text))}</code>"


def say(*paragraphs: str) -> HTML:
    """Paragraphs of HTML."""
    return HTML("".join(f"<p>{paragraph}</p>" for paragraph in paragraphs))


def warning(*paragraphs: str) -> HTML:
    """Paragraphs that nobody should miss, in a box."""
    inside = "".join(f"<p><strong>Warning.</strong> {text}</p>" for text in paragraphs)
    style = "border:2px solid #a63f0b;background:#fdf1ec;padding:0 1em;margin:1em 0"
    return HTML(f'<div class="warning" role="note" style="{style}">{inside}</div>')


def terms(meanings: Mapping[str, str]) -> HTML:
    """Words and what they mean, both HTML."""
    pairs = (f"<dt>{word}</dt><dd>{meaning}</dd>" for word, meaning in meanings.items())
    return HTML(f"<dl>{''.join(pairs)}</dl>")


def table(frame: pd.DataFrame, caption: str) -> HTML:
    """A table of texts, its index in front; cells are HTML, headings and index are escaped."""
    words = [frame.index.name or "", *frame.columns]
    cells = "".join(f'<th scope="col">{escape(str(text))}</th>' for text in words)
    head = f"<thead><tr>{cells}</tr></thead>" if any(words) else ""
    lines = []
    for label, row in zip(frame.index, frame.itertuples(index=False), strict=True):
        cells = "".join(f"<td>{text}</td>" for text in row)
        lines.append(f'<tr><th scope="row">{escape(str(label))}</th>{cells}</tr>')
    return HTML(
        f"<table><caption>{caption}</caption>{head}<tbody>{''.join(lines)}</tbody></table>"
    )


def picture(drawn: Figure | Image.Image, alt: str) -> str:
    """An ``<img>`` that holds ``drawn``: a figure, which is closed, or a photograph."""
    file, kind = io.BytesIO(), "png"
    if isinstance(drawn, Figure):
        whole = {"bbox_inches": drawn.bbox_inches, "metadata": {"Software": None}}
        drawn.savefig(file, format=kind, dpi=DOTS, **whole)
        plt.close(drawn)
    else:
        small, kind = drawn.convert("RGB"), "jpeg"
        small.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
        small.save(file, kind, quality=88)
    data = base64.b64encode(file.getvalue()).decode("ascii")
    return f'<img src="data:image/{kind};base64,{data}" alt="{escape(alt)}">'


def figure(caption: str, *drawn: tuple[Figure, str]) -> HTML:
    """Drawings, each with its alternative text, side by side where they fit."""
    boxes = []
    for chart, alt in drawn:
        wide = 100 * chart.get_figwidth()
        style = f"flex:1 1 {0.74 * wide:.0f}px;max-width:{wide:.0f}px"
        boxes.append(f'<div style="{style}">{_full(picture(chart, alt))}</div>')
    style = "display:flex;flex-wrap:wrap;gap:16px;align-items:flex-start"
    return HTML(_captioned(f'<div style="{style}">{"".join(boxes)}</div>', caption))


def gallery(caption: str, cards: Iterable[Sequence[str]], columns: int = 0) -> HTML:
    """Cards, each a sequence of pictures and lines of HTML, in rows of ``columns``.

    By default there are as many in a row as the screen has room for.
    """
    wide = f"minmax({'0' if columns else f'{CARD}px'},1fr)"
    column = f"repeat({columns or 'auto-fill'},{wide})"
    boxes = []
    for card in cards:
        parts = [
            _full(part) if part.startswith("<img") else f"<div>{part}</div>" for part in card
        ]
        boxes.append(f'<div style="font-size:0.85em">{"".join(parts)}</div>')
    style = f"display:grid;grid-template-columns:{column};gap:16px"
    return HTML(_captioned(f'<div style="{style}">{"".join(boxes)}</div>', caption))


def _captioned(inside: str, caption: str) -> str:
    return f'<figure style="margin:1em 0">{inside}<figcaption>{caption}</figcaption></figure>'


def _full(image: str) -> str:
    """As wide as the box that it stands in; photographs of one shape in a gallery."""
    style = "width:100%;height:auto"
    if "image/jpeg" in image[:40]:
        style = "width:100%;aspect-ratio:4/3;object-fit:contain;background:#f0f0f0"
    return image.replace("<img", f'<img style="{style}"', 1)
