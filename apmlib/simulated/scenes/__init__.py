"""What is in front of the camera: one module for each category."""

from importlib import import_module

import numpy as np

from apmlib.simulated.canvas import Canvas


def draw(canvas: Canvas, row: dict, rng: np.random.Generator) -> None:
    """Paint the scene of a row's category.

    Args:
        canvas: empty; afterwards its light, depth and mask are those of the scene.
        row: the latents.
        rng: the stream of the scene. The draws from it never depend on the pixel size.
    """
    import_module(f"{__name__}.{row['category']}").draw(canvas, row, rng)
