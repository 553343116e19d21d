"""Latents with plausible measured columns, for tests that need no photographs."""

import numpy as np
import pandas as pd

from apmlib.simulated import crowd, latents


def measured(images: int, seed: int = 0) -> pd.DataFrame:
    """Latents as if they had been rendered: the scatter is that of rendered photographs."""
    row = latents.sample(images, seed)
    rng = np.random.default_rng([seed, 99])
    usual = crowd.USUAL.loc[row["category"]].set_axis(row.index)
    scene, strong = rng.normal(0, 0.07, images), np.exp(rng.normal(-0.12, 0.5, images))
    light = usual["lightness"] + 0.12 * row["exposure"] + scene
    chroma = usual["chroma"] * strong * row["saturation"] ** 0.9 / 0.92
    return row.assign(
        lightness=light.clip(0.02, 0.98),
        chroma=chroma.clip(0, 0.9),
        clipped=rng.exponential(0.01, images),
        mask_area=0.5 * row["subject_size"] ** 2,
    )
