"""One row of latents in, one photograph out: a pure function of (row, side)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from apmlib.simulated import camera, scenes
from apmlib.simulated.canvas import Canvas


@dataclass(frozen=True)
class Photograph:
    """A simulated photograph.

    Attributes:
        rgb: (H, W, 3) uint8 sRGB.
        mask: (H, W) uint8, 255 on the subject, 0 elsewhere.
        measured: lightness, chroma, clipped and mask_area of the finished picture.
    """

    rgb: np.ndarray
    mask: np.ndarray
    measured: dict[str, float]


def shape(aspect: float, side: int) -> tuple[int, int]:
    """(height, width) in pixels of a frame with this aspect (w / h) and shorter side."""
    return (side, round(side * aspect)) if aspect >= 1 else (round(side / aspect), side)


def render(row: Mapping, side: int) -> Photograph:
    """Draw and photograph the scene of one row of latents.

    Args:
        row: one row of latents (a dict, or a row of the table), see `latents.sample`.
        side: shorter side in pixels, 48 .. 1024; all sizes show the same picture.

    Returns:
        the photograph, its mask and what is measured on it.
    """
    row = dict(row)
    height, width = shape(float(row["aspect"]), side)
    canvas = Canvas(width, height, camera.margin(width, height, float(row["tilt"])))
    scenes.draw(canvas, row, np.random.default_rng([int(row["scene_seed"]) & 0xFFFFFFFF, 1]))
    rgb, mask = camera.expose(canvas, row)
    return Photograph(rgb, mask, camera.measure(rgb, mask))
