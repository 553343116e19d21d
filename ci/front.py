"""Draw the picture of the front page anew: ``python ci/front.py``.

The best three photographs of each category, by the taste of the simulated crowd, among some
hundreds; the first row shows the best of all. Writes ``book/images/front.webp``.
"""

import environment

if __name__ == "__main__":
    environment.enter()

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from apmlib.simulated import crowd, world
from apmlib.simulated.render import render
from environment import ROOT

WIDTH, GAP, ROW = 1440, 8, 250


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
    total = sum(line.height for line in lines) + GAP * (len(lines) - 1)
    whole, top = Image.new("RGB", (WIDTH, total), "white"), 0
    for line in lines:
        whole.paste(line, (0, top))
        top += line.height + GAP
    return whole


if __name__ == "__main__":
    path = Path(ROOT) / "book" / "images" / "front.webp"
    path.parent.mkdir(exist_ok=True)
    sheet(choose()).save(path, quality=72, method=6)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1024} KB")
