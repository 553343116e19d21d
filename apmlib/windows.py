"""Scores from several square windows instead of the whole photograph (section 3.2).

What the paper's pyramid replaces: earlier networks, tied to one size of input, slide over the
photograph, and what they say of each window is averaged, or the best window speaks for all.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor

from apmlib import evaluation, images, metrics
from apmlib.errors import InputError
from apmlib.progress import progress

COUNT = 3  # windows of one photograph: both ends and the middle of its longer side
WAYS = ("average", "max")


def windows(photograph: Image.Image, side: int, count: int = COUNT) -> Tensor:
    """Squares evenly spaced along the longer side, uint8 (``count``, 3, S, S).

    S is such that S x S are as many pixels as the whole photograph has at shorter side
    ``side``, the size of the "crop" of ``images.resize``, which is the middle one.
    """
    size, _ = images.target_shape(photograph.height, photograph.width, side, view="crop")
    pixels = torch.from_numpy(images.resize(photograph, size)).permute(2, 0, 1)
    height, width = pixels.shape[1:]
    tops = np.linspace(0, height - size, count).round().astype(int)
    lefts = np.linspace(0, width - size, count).round().astype(int)
    places = zip(tops, lefts, strict=True)
    return torch.stack([pixels[:, y : y + size, x : x + size] for y, x in places])


def predict(
    run: evaluation.Run, paths: Sequence[str | os.PathLike], how: str = "average"
) -> pd.DataFrame:
    """Scores from the windows of each photograph, in the form of ``evaluation.predict``.

    ``how`` is "average", the mean of the windows' distributions, or "max", the distribution of
    the window with the highest mean score. InputError for another, and for a run that predicts
    no distributions.
    """
    if how not in WAYS:
        raise InputError(f"windows: {how!r} is unknown; choose one of {', '.join(WAYS)}")
    net, config = evaluation.load(run)
    if config["settings"]["target"] != "dist":
        raise InputError(f"{run}: predicts no distributions; give a run of another variant")
    net.eval()
    p = []
    with torch.inference_mode():
        for path in progress(list(paths), "windows", total=len(paths)):
            shown = windows(images.read(path), config["settings"]["side"])
            said = metrics.normalise(net(images.normalise(shown)).double().numpy())
            best = said[metrics.mean(said).argmax()]
            p.append(said.mean(axis=0) if how == "average" else best)
    table = pd.DataFrame(np.array(p), columns=[f"p{k + 1}" for k in range(len(p[0]))])
    names = [os.fspath(path) for path in paths]
    return pd.concat([pd.DataFrame({"image": names, "mean": metrics.mean(p)}), table], axis=1)
