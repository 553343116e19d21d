"""Draw the pictures of the front page and of the README anew: ``python ci/front.py``.

``book/images/front.webp``: the best three photographs of each category, by the taste of the
simulated crowd, among some hundreds; the first row shows the best of all.
``book/images/shows.webp``: figures of the book as ``make book`` computed it.
"""

import environment

if __name__ == "__main__":
    environment.enter()

import base64
import io
import sys
import tempfile

import nbformat
import numpy as np
from PIL import Image

from apmlib.simulated import crowd, world
from apmlib.simulated.render import render
from environment import ROOT

WIDTH, GAP, ROW = 1440, 8, 250
EXECUTED = ROOT / "_build" / "laptop" / "executed"
SHOWN = {  # what the README shows of the book
    "11-results": "fig-11-highest",
    "12-looking-inside": "fig-12-five",
    "13-making-it-better": "fig-13-first",
}


def choose(images: int = 1200, seed: int = 0, each: int = 2) -> list[dict]:
    """Latents of the best liked photographs, ``each`` of a category, best first."""
    with tempfile.TemporaryDirectory() as root:
        world.simulate(root, images, side=64, seed=seed)
        latents = world.read_latents(root)
    latents["score"] = crowd.visible(latents)
    best = latents.sort_values("score", ascending=False).groupby("category").head(each)
    return best.to_dict("records")


def rows(aspects: list[float]) -> list[list[int]]:
    """Split photographs, in order, into rows that are about ``ROW`` pixels high."""
    found, row = [], []
    for i, aspect in enumerate(aspects):
        row.append(i)
        if (
            sum(aspects[j] for j in row) * ROW
            >= WIDTH - GAP * (len(row) - 1) - aspect * ROW / 3
        ):
            found.append(row)
            row = []
    return found


def sheet(latents: list[dict]) -> Image.Image:
    """Photographs in rows of one width, each drawn for its place at twice the pixels."""
    aspects = [float(row["aspect"]) for row in latents]
    lines = []
    for row in rows(aspects):
        height = round((WIDTH - GAP * (len(row) - 1)) / sum(aspects[i] for i in row))
        line = Image.new("RGB", (WIDTH, height), "white")
        left = 0
        for i in row:
            width = WIDTH - left if i == row[-1] else round(aspects[i] * height)
            drawn = render(latents[i], 2 * min(width, height)).rgb
            picture = Image.fromarray(np.asarray(drawn)).resize((width, height), Image.LANCZOS)
            line.paste(picture, (left, 0))
            left += width + GAP
        lines.append(line)
    return stacked(lines)


def stacked(lines: list[Image.Image]) -> Image.Image:
    """Pictures of one width, one below the other."""
    total = sum(line.height for line in lines) + GAP * (len(lines) - 1)
    whole, top = Image.new("RGB", (lines[0].width, total), "white"), 0
    for line in lines:
        whole.paste(line, (0, top))
        top += line.height + GAP
    return whole


def figure(chapter: str, name: str) -> Image.Image:
    """A figure of an executed chapter."""
    for cell in nbformat.read(EXECUTED / f"{chapter}.ipynb", as_version=4).cells:
        if cell.metadata.get("mystnb", {}).get("figure", {}).get("name") == name:
            data = next(o.data["image/png"] for o in cell.outputs if "image/png" in o.data)
            return Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")
    raise KeyError(f"{chapter} has no {name}")


def shows() -> Image.Image:
    """The figures of ``SHOWN`` at one width."""
    found = [figure(*item) for item in SHOWN.items()]
    width = min(picture.width for picture in found)
    sizes = [(width, round(picture.height * width / picture.width)) for picture in found]
    return stacked([picture.resize(size) for picture, size in zip(found, sizes, strict=True)])


if __name__ == "__main__":
    if not EXECUTED.is_dir():
        sys.exit("front.py: the book has not been made; call make book first")
    for name, picture in (("front", sheet(choose())), ("shows", shows())):
        path = ROOT / "book" / "images" / f"{name}.webp"
        path.parent.mkdir(exist_ok=True)
        picture.save(path, quality=72, method=6)
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1024} KB")
