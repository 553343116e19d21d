"""Where a model looks, held against where the subject is.

A heat map convinces by looking like the photograph. So each map here meets the mask of the
subject, which the simulated world knows: the share of its mass that lies inside
(:func:`inside`) and whether its hottest pixel does (:func:`points`, the pointing game). Beside
the maps of a model stand maps that know no model: an even one (its share is that of the area),
a centred hill, local contrast. And a model whose head never learnt anything (:func:`unlearnt`):
a map that looks the same without training explains nothing.

Every map is smoothed as the heat map of figure 5 is, so that they differ in what they show.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from apmlib import adversarial, evaluation, model

STEPS = 32  # points of the path of integrated gradients
HILL = 1 / 4  # deviation of the centred hill, share of each side
WINDOW = 0.04  # deviation of the window of local contrast, share of the shorter side
ROUNDING = 1e-6  # variance of brightness, of 255 squared, below which a place is plain
LAST = 0.01  # deviation of an unlearnt head's last weights


def _score(net: nn.Module) -> Callable[[Tensor], Tensor]:
    return lambda pixels: adversarial.mean(adversarial.distribution(net, pixels))


def _smoothed(change: np.ndarray) -> np.ndarray:
    """Maps (B, H, W), greatest value 1, of changes (B, C, H, W)."""
    return np.stack([adversarial.heat(np.zeros_like(one), one) for one in change])


def gradient(net: nn.Module, photographs: Tensor) -> np.ndarray:
    """Length of the gradient of the predicted mean at each pixel, smoothed: float64 (B, H, W).

    ``photographs``: (B, 3, H, W) in 0 .. 255.
    """
    net.eval()
    x = photographs.to(next(net.parameters()).device).float().requires_grad_(True)
    (found,) = torch.autograd.grad(_score(net)(x).sum(), x)
    return _smoothed(found.cpu().numpy())


def attributions(net: nn.Module, photographs: Tensor, steps: int = STEPS) -> Tensor:
    """Integrated gradients of the predicted mean, by captum: float32 (B, 3, H, W).

    The path begins at each photograph's mean colour: to a model of photographs, black is not
    the absence of a picture but a bad exposure. Summed, the attributions are the predicted mean
    less that of the plain colour.
    """
    from captum.attr import IntegratedGradients  # the command line does without captum

    net.eval()
    x = photographs.to(next(net.parameters()).device).float()
    plain = x.mean(dim=(2, 3), keepdim=True).expand_as(x)
    method = IntegratedGradients(_score(net))
    return (
        method.attribute(
            x, plain, n_steps=steps, internal_batch_size=max(len(x), adversarial.BATCH)
        )
        .detach()
        .float()
        .cpu()
    )


def integrated(net: nn.Module, photographs: Tensor, steps: int = STEPS) -> np.ndarray:
    """:func:`attributions` of each pixel without their sign, smoothed: float64 (B, H, W)."""
    found = attributions(net, photographs, steps).sum(dim=1, keepdim=True)
    return _smoothed(found.numpy())


def even(photographs: Tensor) -> np.ndarray:
    """The map that prefers no place: ones, (B, H, W)."""
    return np.ones((len(photographs), *photographs.shape[2:]))


def hill(photographs: Tensor) -> np.ndarray:
    """A Gaussian in the middle, its deviation a quarter of either side: float64 (B, H, W)."""
    sides = [(np.arange(n) + 0.5) / n - 0.5 for n in photographs.shape[2:]]
    down, across = (np.exp(-0.5 * (side / HILL) ** 2) for side in sides)
    one = np.outer(down, across)
    return np.tile(one / one.max(), (len(photographs), 1, 1))


def contrast(photographs: Tensor) -> np.ndarray:
    """Local standard deviation of the brightness, smoothed: float64 (B, H, W)."""
    luma = np.array([0.299, 0.587, 0.114])
    found = []
    for one in photographs.cpu().double().numpy():
        grey = np.tensordot(luma, one, axes=1)
        width = WINDOW * min(grey.shape)
        middle, square = (gaussian_filter(x, width, mode="nearest") for x in (grey, grey**2))
        variance = square - middle**2
        found.append(np.sqrt(np.where(variance > ROUNDING, variance, 0))[None])
    return _smoothed(np.stack(found))


def unlearnt(
    config: dict, backbone: str | os.PathLike | None = None, seed: int = 0
) -> nn.Module:
    """The network of ``config.json`` before it saw a vote, in evaluation mode.

    Its convolutional layers are those of the run folder ``backbone``, such as the objects run
    that it starts from, or random for None; its heads are random. They answer about the mean
    training distribution, so that no output is dead.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = evaluation.build(config)
        for head, _ in net.heads():
            head.start_at(config["trained"]["mean_distribution"])
            nn.init.normal_(head.fc2.weight, std=LAST)
    if backbone is not None:
        model.load_backbone(net.backbone, backbone)
    return net.eval()


# --- Held against a mask -------------------------------------------------------------------


def inside(found: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Share of each map's mass inside the mask, (B,); nan for a map of zeros.

    ``found``: (B, H, W), not negative. ``mask``: (B, H, W), above 0 on the subject.
    """
    whole = found.sum(axis=(1, 2))
    within = np.where(np.asarray(mask) > 0, found, 0).sum(axis=(1, 2))
    return np.divide(within, whole, out=np.full(len(whole), np.nan), where=whole > 0)


def points(found: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The pointing game: whether each map is hottest inside the mask, (B,) in 0 .. 1.

    Where several pixels are hottest, the share of them that lies inside.
    """
    hottest = found == found.max(axis=(1, 2), keepdims=True)
    return inside(hottest.astype(np.float64), mask)


def alike(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Correlation of two maps of each photograph over its pixels, (B,); nan for a flat one.

    ``a``, ``b``: (B, H, W).
    """
    a, b = (x.reshape(len(x), -1) - x.mean(axis=(1, 2))[:, None] for x in (a, b))
    both = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    together = (a * b).sum(axis=1)
    return np.divide(together, both, out=np.full(len(both), np.nan), where=both > 0)
