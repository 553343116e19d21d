"""Ridge regression on pooled features: a baseline, and a start for the head.

With a few hundred photographs the head has far more weights than there are photographs, and
gradient descent from a random start ends either far from the data or far from the truth. The
best linear map is known in closed form, its penalty chosen inside the training photographs; the
head starts from it and training only has to improve on it. Fine-tuning from such a start also
distorts the pre-trained features less (Kumar et al., "Fine-tuning can distort pretrained
features and underperform out-of-distribution", ICLR 2022).
"""

from __future__ import annotations

import torch
from torch import Tensor

from apmlib.model import Head

PENALTIES = 10.0 ** torch.arange(-6, 1.01, 0.25, dtype=torch.float64)
FOLDS = 5


def fit(x: Tensor, y: Tensor, groups: Tensor | None = None) -> tuple[Tensor, Tensor, float]:
    """Weights (D, K), bias (K,) and penalty of the ridge regression of ``y`` on ``x``.

    ``x``: (N, D). ``y``: (N, K). The penalty, as a share of the sum of squares of the centred
    ``x``, is the one of ``PENALTIES`` with the least squared error in a five-fold
    cross-validation that keeps rows of one of the ``groups`` (int64 (N,), by default each row
    its own) together. The folds are drawn by a fixed seed. All is computed in float64.
    """
    x, y = x.double(), y.double()
    fold = _folds(len(x), groups)
    errors = torch.zeros(len(PENALTIES), dtype=torch.float64)
    for i in range(FOLDS):
        inside, outside = fold != i, fold == i
        if inside.any() and outside.any():
            for j, (weight, bias) in enumerate(_solutions(x[inside], y[inside], PENALTIES)):
                errors[j] += (x[outside] @ weight + bias - y[outside]).square().sum()
    best = PENALTIES[int(errors.argmin())]
    ((weight, bias),) = _solutions(x, y, best[None])
    return weight, bias, float(best)


def out_of_fold(x: Tensor, y: Tensor, groups: Tensor | None = None) -> Tensor:
    """What ridge regression says of rows that it was not fitted on: float64 (N, K), from 0 up.

    Arguments, penalty and folds are those of :func:`fit`. So near to what it says of new
    photographs as can be had without any.
    """
    x, y = x.double(), y.double()
    penalty = torch.tensor([fit(x, y, groups)[2]], dtype=torch.float64)
    fold = _folds(len(x), groups)
    p = torch.zeros_like(y)
    for i in fold.unique():
        inside, outside = fold != i, fold == i
        ((weight, bias),) = _solutions(x[inside], y[inside], penalty)
        p[outside] = x[outside] @ weight + bias
    return p.clamp_min(0)


def _folds(count: int, groups: Tensor | None) -> Tensor:
    """The fold of each of ``count`` rows, int64, the same one for all of a group."""
    groups = torch.arange(count) if groups is None else groups
    number = int(groups.max()) + 1
    order = torch.randperm(number, generator=torch.Generator().manual_seed(0))
    return order[groups] % FOLDS


def _solutions(x: Tensor, y: Tensor, penalties: Tensor):
    """Weights and bias for each penalty, by one singular value decomposition."""
    centre, level = x.mean(dim=0), y.mean(dim=0)
    u, s, v = torch.linalg.svd(x - centre, full_matrices=False)
    projected = u.T @ (y - level)
    for penalty in penalties * s.square().sum():
        weight = v.T @ ((s / (s.square() + penalty))[:, None] * projected)
        yield weight, level - centre @ weight


def start(head: Head, pooled: Tensor, targets: Tensor, groups: Tensor | None = None) -> float:
    """Make ``head`` say what ridge regression says, and return the penalty.

    ``pooled``: (N, D), what the head is given. ``targets``: (N, K). The first K hidden units
    compute the K outputs, which the last layer hands on; ReLU only cuts off what is below zero.
    The other hidden units keep their random weights and have, to begin with, no effect.
    """
    weight, bias, penalty = fit(head.scaled(pooled), targets, groups)
    outputs = weight.shape[1]
    with torch.no_grad():
        head.fc1.weight[:outputs] = weight.T
        head.fc1.bias[:outputs] = bias
        head.fc2.weight.zero_()
        head.fc2.weight[:, :outputs] = torch.eye(outputs)
        head.fc2.bias.zero_()
    return penalty
