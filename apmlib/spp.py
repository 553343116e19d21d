"""Spatial pyramid pooling: any feature map in, a vector of fixed length out (section 3.2)."""

import torch.nn.functional as F
from torch import Tensor


def spatial_pyramid_pooling(features: Tensor, n: int = 3, how: str = "max") -> Tensor:
    """Pool a feature map over an ``n`` x ``n`` grid that is laid over the whole of it.

    ``features``: float ``(B, C, H, W)``, any height and width. Row i of the grid spans the rows
    ``floor(i H / n)`` to ``ceil((i + 1) H / n)`` (end excluded), columns alike: the grid is
    the same for every photograph, its cells are stretched to fit. Where H is no multiple of n
    neighbouring cells share a row. ``how``: ``"max"`` (the paper's) or ``"average"``.

    Returns ``(B, C * n * n)``, channel by channel, each in reading order.
    """
    pool = {"max": F.adaptive_max_pool2d, "average": F.adaptive_avg_pool2d}
    if how not in pool:
        raise ValueError(f"pooling {how!r} is neither 'max' nor 'average'")
    return pool[how](features, n).flatten(1)


def l2_normalise(pooled: Tensor, rescale: bool = True) -> Tensor:
    """Each vector scaled to l2 length 1, then, by default, to the square root of its size.

    ``pooled``: float ``(B, D)``. The paper stops at length 1: each of the D numbers is then
    about ``1 / sqrt(D)``, and so small an input makes the following layer learn at a crawl.
    Multiplied by ``sqrt(D)``, the numbers have mean square 1. Bell et al. [1], whom the paper
    follows in normalising, rescale too. A vector of zeros stays zero.
    """
    unit = F.normalize(pooled, dim=1)
    return unit * pooled.shape[1] ** 0.5 if rescale else unit
