"""Several processes train one network: which of them looks at which photographs.

Accelerate does the rest. Started alone a program is one process, and all here changes nothing;
started by ``torchrun`` or ``accelerate launch``, on one machine or several, each process has a
GPU of its own and a share of every step, and their gradients are averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import nn


def engine() -> Accelerator:
    """This process among the others: its ``device``, ``process_index``, ``num_processes``."""
    return Accelerator(cpu=not torch.cuda.is_available())


def shared(among: Accelerator, net: nn.Module) -> nn.Module:
    """``net`` as it is called in training, so that its gradient becomes that of all processes.

    The weights are those of ``net`` itself.
    """
    return among.prepare_model(net) if among.num_processes > 1 else net


def deal(
    groups: Sequence[np.ndarray], shapes: Sequence[tuple[int, int]], processes: int
) -> list[list[tuple[np.ndarray, float]]]:
    """The groups of one step for each process, with the weight of each group in the step.

    The photographs are cut, in their order, into parts of equally many pixels, so that no
    process waits for one with larger photographs. A weight is the group's share of the step's
    photographs; over all processes they add up to 1. A process that would have nothing gets
    the first photograph once more, at weight 0: it must be there when gradients are averaged.
    """
    count = sum(len(group) for group in groups)
    if processes == 1:
        return [[(group, len(group) / count) for group in groups]]
    pixels = np.array([np.prod(shapes[i]) for group in groups for i in group], dtype=float)
    middle = (pixels.cumsum() - pixels / 2) / pixels.sum()
    owner = np.split((middle * processes).astype(int), np.cumsum([len(g) for g in groups])[:-1])
    shares = [
        [
            (group[of == process], float((of == process).sum() / count))
            for group, of in zip(groups, owner, strict=True)
            if (of == process).any()
        ]
        for process in range(processes)
    ]
    return [share or [(groups[0][:1], 0.0)] for share in shares]


def gathered(value: Any) -> list:
    """What each process gives as ``value``, in the order of the processes."""
    return gather_object([value]) if torch.distributed.is_initialized() else [value]


def here() -> tuple[int, int]:
    """Number of this process, from 0, and of all."""
    if torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1
