"""A second branch over the same feature map, and the late fusion of the two (section 4.1).

The pyramid sees where things are; global max pooling, a grid of one cell, sees only that they
are there. Each branch predicts the whole distribution, both are trained together, and a weight
that is learnt on the validation photographs says how much each counts.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from apmlib.losses import normalise
from apmlib.model import APM, Backbone, Head
from apmlib.spp import spatial_pyramid_pooling

WEIGHTS = torch.linspace(0, 1, 101)  # of the first branch, among which one is chosen
DRAWS = 1_000  # bootstrap samples


class Fusion(APM):
    """The aesthetic model with a second branch: an ``n2`` x ``n2`` grid and a head of its own.

    ``n2`` = 1 is the paper's global max pooling. All other arguments are those of ``APM``. The
    buffer ``w``, in [0, 1], is the weight of the first branch, 1/2 until it is learnt.

    ``forward``: in training mode the raw predictions of both branches ``(B, 2, K)``, in
    evaluation mode their late fusion ``(B, K)``, rows of sum 1.
    """

    def __init__(self, net: Backbone, outputs: int, hidden: int = 256, n2: int = 1, **options):
        super().__init__(net, outputs, hidden, **options)
        first = self.head
        self.n2 = n2
        self.second = Head(
            net.channels * n2 * n2, hidden, outputs, first.rescale, first.l2, first.last
        )
        self.register_buffer("w", torch.tensor(0.5))

    def branches(self, photographs: Tensor) -> Tensor:
        """Float ``(B, 3, H, W)`` to raw predictions ``(B, 2, K)``, the pyramid's first."""
        features = self.backbone(photographs)
        pooled = [spatial_pyramid_pooling(features, n, self.how) for _, n in self.heads()]
        return torch.stack([self.head(pooled[0]), self.second(pooled[1])], dim=1)

    def forward(self, photographs: Tensor) -> Tensor:
        p = self.branches(photographs)
        return p if self.training else fuse(p[:, 0], p[:, 1], self.w)

    def heads(self) -> list[tuple[Head, int]]:
        """Each head with the grid that it looks through."""
        return [(self.head, self.n), (self.second, self.n2)]


def fuse(p1: Tensor, p2: Tensor, w: float | Tensor) -> Tensor:
    """Weighted average of two predictions ``(..., K)``, each l1-normalised first.

    ``w`` in [0, 1] is the weight of ``p1``. A row of zeros counts as uniform.
    """
    return w * normalise(p1) + (1 - w) * normalise(p2)


def summed(loss: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """``loss`` of one prediction ``(B, K)``, and the sum of both losses for ``(B, 2, K)``."""

    def both(p: Tensor, g: Tensor) -> Tensor:
        return loss(p, g) if p.ndim == 2 else loss(p[:, 0], g) + loss(p[:, 1], g)

    return both


def learn_weight(
    p1: Tensor, p2: Tensor, g: Tensor, loss: Callable[[Tensor, Tensor], Tensor], seed: int = 0
) -> dict:
    """The weight w of ``p1`` at which the late fusion has the lowest ``loss`` towards ``g``.

    All are float ``(N, K)``, of photographs that neither branch was trained on. ``loss(p, g)``
    is a mean over photographs. Returns ``w``, the ends ``low`` and ``high`` of its 95 %
    bootstrap interval over photographs, and ``curve``, the loss at w = 0, 0.01, ..., 1. Among
    equal losses the smallest w is taken.
    """
    alone = torch.vmap(lambda p, g: loss(p[None], g[None]))
    by_image = torch.stack([alone(fuse(p1, p2, w), g) for w in WEIGHTS], dim=1).double()
    curve = by_image.mean(dim=0)
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(len(g), (DRAWS, len(g)), generator=generator)
    best = [int(by_image[rows].mean(dim=0).argmin()) for rows in drawn]
    chosen = WEIGHTS[best].double()
    low, high = chosen.quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    w = round(WEIGHTS[curve.argmin()].item(), 2)
    return {"w": w, "low": low, "high": high, "curve": curve.tolist()}
