"""Latents with plausible measured columns, for tests that need no photographs."""

import numpy as np
import pandas as pd

from apmlib.simulated import crowd, latents


def measured(images: int, seed: int = 0) -> pd.DataFrame:
    """Latents as if they had been rendered: the scatter is that of rendered photographs."""
    row = latents.sample(images, seed)
    rng = np.random.default_rng([seed, 99])
    usual = crowd.USUAL.loc[row["category"]].set_axis(row.index)
    scene, strong = rng.normal(0, 0.09, images), np.exp(rng.normal(-0.12, 0.5, images))
    light = usual["lightness"] + 0.12 * row["exposure"] + scene
    chroma = usual["chroma"] * strong * row["saturation"] ** 0.9 / 0.92
    colourful = np.minimum(row["saturation"], 1)
    warmth = usual["warmth"] + 0.17 * row["white_balance"] + rng.normal(0.0, 0.14, images)
    tones = usual["tones"] + 0.09 * (row["contrast"] - 1) + rng.normal(0.0, 0.05, images)
    return row.assign(
        lightness=light.clip(0.02, 0.98),
        tones=tones.clip(0.02, 0.4),
        chroma=chroma.clip(0, 0.9),
        warmth=(warmth * colourful).clip(-0.6, 0.6),
        framing=rng.normal(0.03, 0.08, images),
        clipped=rng.exponential(0.01, images),
        mask_area=0.5 * row["subject_size"] ** 2,
    )
