"""What training minimises: robust and plain regression of distributions, and relatives.

Every loss takes predictions and targets of one shape ``(B, K)``. The two of the paper are
summed over the K bins (section 3.1) and averaged over the batch.

Two scalings are in use. ``scale="paper"`` is equation 1 as printed; there ``p_j`` is a slip
for ``p_i``. ``scale="caffe"`` is what Caffe's SmoothL1 layer computes when it is told
``sigma = 3``: equation 1 divided by ``delta = 1 / sigma**2``. The minimiser is the same, the
gradient is nine times as long. Caffe's Euclidean layer knows no such factor, so the paper's
two losses may have been trained at different step sizes; to tell step size from robustness,
``euclidean`` offers the same factor.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

DELTA = 1 / 9
SCALES = ("paper", "caffe")


def huber(p: Tensor, g: Tensor, delta: float = DELTA, scale: str = "paper") -> Tensor:
    """Huber loss of equation 1, summed over bins, mean over the batch.

    ``p``, ``g``: float ``(B, K)``. An error within ``delta`` costs half its square, a larger
    one grows linearly, so its gradient never exceeds ``delta`` (``"paper"``) or 1
    (``"caffe"``, which is ``smooth_l1_loss(beta=delta)``). Returns a scalar.
    """
    loss = F.huber_loss(p, g, reduction="none", delta=delta).sum(dim=1).mean()
    return loss * _factor(scale, delta)


def euclidean(p: Tensor, g: Tensor, scale: str = "paper", delta: float = DELTA) -> Tensor:
    """Half the squared distance, summed over bins, mean over the batch.

    The half is Caffe's, and makes this the Huber loss of an unlimited ``delta``. With
    ``scale="caffe"`` it is divided by ``delta``, as Caffe divides the Huber loss.
    """
    loss = 0.5 * F.mse_loss(p, g, reduction="none").sum(dim=1).mean()
    return loss * _factor(scale, delta)


def emd(p: Tensor, g: Tensor, r: float = 2) -> Tensor:
    """Earth mover's distance of order ``r`` between l1-normalised distributions, batch mean.

    Per image ``(mean over bins of |P - G|**r) ** (1 / r)`` with cumulative ``P``, ``G``: the
    loss of NIMA with ``r = 2``. ``p``, ``g``: non-negative ``(B, K)``; a row of zeros counts
    as uniform and passes no gradient. Mass moved far costs more than mass moved near.
    """
    gap = (normalise(p).cumsum(dim=1) - normalise(g).cumsum(dim=1)).abs()
    # A root has no finite slope at zero: a perfect prediction passes no gradient instead.
    tiny = torch.finfo(gap.dtype).tiny
    return gap.pow(r).mean(dim=1).clamp_min(tiny).pow(1 / r).mean()


def kl(p: Tensor, g: Tensor, eps: float = 1e-4) -> Tensor:
    """KL(g || p) of l1-normalised distributions, batch mean: ``metrics.kl`` with a gradient.

    ``p``, ``g``: non-negative ``(B, K)``. ``p`` is clipped at ``eps`` and normalised again; a
    clipped bin passes next to no gradient. The cross entropy of a ReLU output, but for the
    entropy of ``g``, which nothing can change.
    """
    log_p = normalise(normalise(p).clamp_min(eps)).log()
    g = normalise(g)
    return (torch.xlogy(g, g) - g * log_p).sum(dim=1).mean()


def cross_entropy(logits: Tensor, g: Tensor) -> Tensor:
    """Cross entropy ``-sum g log softmax(logits)``, batch mean.

    ``logits``: float ``(B, K)``, before any softmax. ``g``: distributions ``(B, K)``, or class
    indices ``(B,)``. It does not know that the bins are ordered. For a last layer without ReLU.
    """
    return F.cross_entropy(logits, g)


def joint(p: Tensor, g: Tensor, loss: Callable, bins: int, weight: float) -> Tensor:
    """``loss`` of the scores, and ``weight`` times the cross entropy of what is shown.

    ``g``: distributions over scores, then soft targets ``(B, bins + C)``. ``p``: raw
    predictions, then logits of that shape; or the predictions ``(B, bins)`` alone, whose loss
    is that of the scores. Section 3.3 calls it the ideal, and hard to calibrate.
    """
    scores = loss(p[:, :bins], g[:, :bins])
    if p.shape[1] == bins:
        return scores
    return scores + weight * cross_entropy(p[:, bins:], g[:, bins:])


def logistic(score: Tensor, g: Tensor, threshold: float = 5.0) -> Tensor:
    """Cross entropy of "better than ``threshold``", batch mean: labels as before section 3.1.

    ``score``, ``g``: mean scores ``(B, 1)``. The label is ``g > threshold``, and by how much is
    thrown away; ``score - threshold`` is its logit, so that a trained score orders photographs
    and tells good from bad at the same place, but is no estimate of the mean.
    """
    return F.binary_cross_entropy_with_logits(score - threshold, (g > threshold).to(g.dtype))


def _factor(scale: str, delta: float) -> float:
    if scale not in SCALES:
        raise ValueError(f"scale {scale!r} is none of {', '.join(SCALES)}")
    return 1.0 if scale == "paper" else 1 / delta


def normalise(p: Tensor) -> Tensor:
    """Each row of non-negative ``(..., K)`` divided by its sum; a row of zeros is uniform."""
    total = p.sum(dim=-1, keepdim=True)
    empty = total <= 0
    return torch.where(empty, 1 / p.shape[-1], p / torch.where(empty, 1.0, total))
