"""What an edit is truly worth, in the simulated world, where the crowd can be asked again.

The crowd judges latents and what is measured on the finished photograph. Both are known after
an edit: exposure, colour and light are measured anew on the edited pixels, so that nothing that
was clipped or cropped comes back, and the geometry of the edit is carried over to the subject,
the horizon and the tilt (:func:`apply_edit`). The hidden effect and the discord stay, no votes
are drawn. Beside a model's edit stand the best one (:func:`best_edit`), a random one of the
same size (:func:`random_edit`) and "always brighten and saturate" (``BRIGHTER``).
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from PIL import Image
from scipy.optimize import differential_evolution

from apmlib import editing, images, metrics, training
from apmlib.editing import Edit
from apmlib.simulated import camera, crowd
from apmlib.simulated.render import render

BRIGHTER = Edit(exposure=0.35, saturation=1.3)
IMPROVED = 0.05  # points from which a photograph is truly better, or worse
SMALL = 96  # shorter side at which the best edit is looked for: measuring shrinks to 48
# What each fault is, on the latents; the edges are those of latents.sample.
FAULTS = {
    "dark": lambda row: row["exposure"] <= -0.8,
    "bright": lambda row: row["exposure"] >= 0.8,
    "tilt": lambda row: row["tilt"].abs() >= 4,
    "cast": lambda row: row["white_balance"].abs() >= 0.45,
    "dull": lambda row: row["saturation"].between(0.1, 0.6),
    "crop": lambda row: (row["subject_x"] - 0.5).abs() >= 0.36,
}
# What no edit of ours mends, or what the photographer meant.
OTHER = {
    "treatment": lambda row: row["divergence"] > 0,
    "focus": lambda row: row["focus_error"] >= 0.4,
    "noise": lambda row: row["noise"] >= 0.35,
    "contrast": lambda row: ~row["contrast"].between(0.76, 1.29),
    "garish": lambda row: (row["saturation"] >= 1.44) | (row["saturation"] == 0),
}


def faults(table: pd.DataFrame) -> pd.Series:
    """The one fault of each photograph, "none", or "several" (``OTHER`` counted); index kept.

    ``table``: latents. A photograph with a single fault of ``OTHER`` is "several" too: no
    operation of ours is its remedy.
    """
    has = pd.DataFrame({name: fault(table) for name, fault in FAULTS.items()})
    other = pd.DataFrame({name: fault(table) for name, fault in OTHER.items()}).any(axis=1)
    found = has.idxmax(axis=1).where(has.sum(axis=1) == 1, "several")
    return found.mask(~has.any(axis=1), "none").mask(other, "several")


def code_key() -> str:
    """Hash of the code that edits and that says what edits are worth, for results files."""
    return training.code_key(("editing", "gain"))


def taken(row: Mapping, side: int) -> tuple[dict, Image.Image, Image.Image]:
    """A photograph of these latents, of any shorter ``side``, as its JPEG shows it.

    Returns the latents with what is measured, the photograph (RGB) and its mask (L). Twice the
    side of the network is enough that a rotated photograph is not blurred.
    """
    shot = render(row, side)
    file = io.BytesIO()
    Image.fromarray(shot.rgb).save(file, "JPEG", quality=int(row["jpeg"]))
    photograph = Image.open(file).convert("RGB")
    return dict(row) | shot.measured, photograph, Image.fromarray(shot.mask)


def shown_as(row: Mapping, photograph: Image.Image, mask: Image.Image) -> dict:
    """The latents of a photograph whose pixels were changed by other means than an edit.

    What is measured is measured anew; what is no matter of measuring stays.
    """
    return dict(row) | camera.measure(np.asarray(photograph), np.asarray(mask))


def apply_edit(
    row: Mapping, photograph: Image.Image, mask: Image.Image, edit: Edit
) -> tuple[dict, Image.Image, Image.Image]:
    """What the world knows of an edited photograph: its latents, its pixels and its mask.

    ``row``: the latents; ``photograph``: RGB; ``mask``: mode L, of the same size. The latents
    of the camera are what they would have been: exact for exposure and saturation, for white
    balance and contrast up to how far the colours are from grey. A crop makes the subject
    larger and a missed focus more visible; clutter, of which no mask tells, stays.
    """
    edited = editing.apply(photograph, edit)
    shown = editing.reframe(mask, edit, Image.Resampling.NEAREST)
    after = dict(row) | _exposed(row, edit) | _framed(row, photograph.size, edited.size, edit)
    return shown_as(after, edited, shown), edited, shown


def _exposed(row: Mapping, edit: Edit) -> dict:
    """The latents of the darkroom, as if the edit had been made in the camera."""
    old, warmer = float(row["white_balance"]), edit.white_balance
    # Each balance keeps the luminance of grey, two after another less exactly than their sum.
    lost = _luminance(old + warmer) / (_luminance(old) * _luminance(warmer))
    return {
        "exposure": float(row["exposure"]) * edit.contrast + edit.exposure + np.log2(lost),
        "contrast": float(row["contrast"]) * edit.contrast,
        "white_balance": old + warmer,
        "saturation": float(row["saturation"]) * edit.saturation,
        "vignette": float(np.clip(float(row["vignette"]) + edit.vignette, 0, 1)),
    }


def _luminance(white_balance: float) -> float:
    return float(np.exp(np.array([0.55, 0.02, -0.85]) * white_balance) @ camera.LUMA)


def _framed(row: Mapping, before: tuple[int, int], after: tuple[int, int], edit: Edit) -> dict:
    """Tilt, aspect, and where the subject and the horizon lie in the new frame."""
    (width, height), (w, h) = before, after
    values = torch.tensor([[getattr(edit, name) for name in editing.NAMES]], dtype=float)
    _, _, cx, cy = (t.item() for t in editing.window(values, height, width))
    angle = np.deg2rad(float(row["tilt"]))
    # The latents place things in the upright scene, so the crop's centre is turned back there.
    across = np.cos(angle) * cx + np.sin(angle) * cy
    down = np.cos(angle) * cy - np.sin(angle) * cx
    shrunk = min(w, h) / min(width, height)
    horizon = 0.5 + ((float(row["horizon"]) - 0.5) * height - down) / h
    return {
        "tilt": float(row["tilt"]) + edit.rotation,
        "aspect": w / h,
        "subject_x": 0.5 + ((float(row["subject_x"]) - 0.5) * width - across) / w,
        "subject_y": 0.5 + ((float(row["subject_y"]) - 0.5) * height - down) / h,
        "subject_size": float(row["subject_size"]) / shrunk,
        "horizon": horizon,
        "focus_error": min(1.0, float(row["focus_error"]) / shrunk),
    }


def true_means(rows: Sequence[Mapping], who: crowd.Crowd = crowd.DEFAULT, taste=None):
    """True mean score (N,) of photographs by their latents; ``taste`` as in ``crowd``."""
    return metrics.mean(crowd.distribution(pd.DataFrame(list(rows)), who, taste))


def true_gain(
    row: Mapping,
    photograph: Image.Image,
    mask: Image.Image,
    edits: Sequence[Edit],
    who: crowd.Crowd = crowd.DEFAULT,
    taste=None,
) -> np.ndarray:
    """Points of the true mean that each edit adds to one photograph, (N,), may be negative."""
    rows = [apply_edit(row, photograph, mask, edit)[0] for edit in (Edit(), *edits)]
    means = true_means(rows, who, taste)
    return means[1:] - means[0]


def best_edit(
    row: Mapping,
    photograph: Image.Image,
    mask: Image.Image,
    search: editing.Search | None = None,
    generations: int = 20,
    who: crowd.Crowd = crowd.DEFAULT,
    taste=None,
) -> Edit:
    """The edit of the highest true mean, under the bounds and the penalty of a model's search.

    The penalty is on the size: the crowd has no doubts about its own taste.
    Differential evolution on a copy of shorter side 96, of some hundred edits; no gradient, for
    there is none. Never worth less there than no edit at all.
    """
    options = search or editing.Search()
    small = Image.fromarray(images.resize(photograph, min(SMALL, *photograph.size)))
    shown = mask.resize(small.size, Image.Resampling.NEAREST)
    free = [i for i, name in enumerate(editing.NAMES) if name in options.only]

    def cost(population: np.ndarray) -> np.ndarray:
        vectors = torch.zeros(population.shape[1], len(editing.NAMES))
        vectors[:, free] = torch.from_numpy(population.T).float()
        edits = [editing.edit(vector) for vector in vectors]
        rows = [apply_edit(row, small, shown, edit)[0] for edit in edits]
        worth = true_means(rows, who, taste)
        return options.penalty * editing.size(vectors).double().numpy() - worth

    bounds = torch.stack([editing.LOW, editing.HIGH], dim=1)[free].tolist()
    found = differential_evolution(
        cost,
        bounds,
        maxiter=generations,
        popsize=4,
        init="sobol",
        x0=np.zeros(len(free)),
        polish=False,
        vectorized=True,
        updating="deferred",
        seed=options.seed,
    )
    vector = torch.zeros(len(editing.NAMES))
    vector[free] = torch.from_numpy(found.x).float()
    return editing.edit(vector)


def random_edit(
    size: float, rng: np.random.Generator, only: Sequence[str] = editing.NAMES
) -> Edit:
    """An edit of a given ``size`` in a random direction; as near as the bounds allow."""
    names = [name for name in only if name not in editing.FREE]
    drawn = np.array([rng.standard_normal() * (name in names) for name in editing.NAMES])
    low, high = editing.LOW.numpy(), editing.HIGH.numpy()
    # The sign of a one-sided parameter is not free.
    drawn = np.where((drawn > high) & (high == 0), -drawn, drawn)
    for _ in range(100):  # what the bounds cut off is made up for by the others
        length = np.sqrt(np.square(drawn).sum())
        drawn = np.clip(drawn * np.sqrt(size) / max(length, 1e-12), low, high)
    for name in set(editing.FREE) & set(only):
        drawn[editing.NAMES.index(name)] = rng.uniform(-1, 1)
    return editing.edit(drawn)
