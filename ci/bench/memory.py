"""Operations and bytes that training takes, counted without a clock and without the memory.

    python ci/bench/memory.py [--quick] [--no-install] [--out FILE]

The networks see tensors that have a shape and no content, so that ResNet-101 with 128
photographs is counted on a laptop. Counted are operations a photograph (a multiplication and an
addition are two), the bytes that a forward pass keeps for the gradient, and the most that is
alive at any moment of a step. From that follows which settings fit which card. Writes
data/results/bench-memory.json.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import environment

if __name__ == "__main__":
    environment.enter()

import weakref
from collections.abc import Sequence

import measure
import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from apmlib import evaluation, variants

NETWORKS = ("vgg16", "resnet101", "resnet50", "resnet18:layer3")
SIDE = 500
AT_ONCE = (1, 8, 16, 32, 128)
CARDS = (8, 12, 16, 24, 48, 80)  # GB
ROOM = 1e9  # bytes that count for one GB of a card; see "assumed"


def main(arguments: Sequence[str] | None = None) -> int:
    """Count and write; return the exit status."""
    options = measure.options("memory", __doc__, arguments)
    networks, side, at_once = NETWORKS, SIDE, AT_ONCE
    if options.quick:
        networks, side, at_once = ("resnet18:layer1",), 64, (1, 8)
    results = {
        "shape": [side, round(1.5 * side)],
        "counted": "a step of resnet-imn-dist at profile full, its head included",
        "assumed": "a card's GB are taken as 10^9 bytes, though it has 2^30: the 7 per cent "
        "between are left to the driver, to convolutions' working room and to gaps",
        "networks": {name: network(name, side, at_once) for name in networks},
    }
    results["largest_at_once"] = {
        name: largest_at_once(found["steps"]) for name, found in results["networks"].items()
    }
    measure.write(options, "operations and bytes of a training step, counted", results)
    return 0


def network(name: str, side: int, at_once: Sequence[int]) -> dict:
    """One network: its weights, its operations, and each way to take a step."""
    shape = (side, round(1.5 * side))
    steps = []
    with FakeTensorMode():
        net = build(name, side)
        weights = 4 * sum(parameter.numel() for parameter in net.parameters())
        result = {
            "parameters": weights // 4,
            "bytes": {"weights": weights, "gradients": weights, "momentum": weights},
            "operations": {
                "forward": operations(net, shape)[0],
                "training": operations(net, shape)[1],
                "training, recompute": operations(net, shape, recompute=True)[1],
            },
        }
        for bfloat16 in (False, True):
            for recompute in (False, True):
                for count in at_once:
                    found = step(net, count, shape, bfloat16, recompute)
                    total = 3 * weights + found["peak"]  # weights, gradients, momentum
                    fits = [card for card in CARDS if total <= card * ROOM]
                    way = {"at_once": count, "bfloat16": bfloat16, "recompute": recompute}
                    steps.append(way | found | {"total": total, "fits": fits})
    return result | {"steps": steps}


def build(name: str, side: int) -> nn.Module:
    """APM on the network ``name`` at the paper's setting, in training mode."""
    overrides = {"backbone": name, "side": side}
    settings = variants.settings("resnet-imn-dist", "full", overrides)
    return evaluation.build({"settings": settings, "bins": 10}).train()


def operations(
    net: nn.Module, shape: tuple[int, int], recompute: bool = False
) -> tuple[int, int]:
    """Operations for one photograph: of the forward pass, and with the gradient."""
    net.backbone.recompute = recompute
    with FlopCounterMode(display=False) as counter:
        p = net(torch.empty(1, 3, *shape))
        forward = counter.get_total_flops()
        p.sum().backward()
    net.zero_grad()
    return forward, counter.get_total_flops()


def step(
    net: nn.Module, count: int, shape: tuple[int, int], bfloat16: bool, recompute: bool
) -> dict:
    """Bytes of one forward and backward pass of ``count`` photographs.

    ``kept`` is what the forward pass keeps for the gradient, ``peak`` the most that is alive at
    once. Neither counts the weights and their gradients, which a step of several groups has
    from its first group on.
    """
    net.backbone.bfloat16, net.backbone.recompute = bfloat16, recompute
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    gradients = [parameter.grad for parameter in net.parameters()]
    lasting = (*net.parameters(), *net.buffers(), *gradients)
    own = {tensor.untyped_storage()._cdata for tensor in lasting}
    kept = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:  # several views of one storage are counted once
            kept[storage._cdata] = storage.nbytes()
        return tensor

    with Alive(own) as alive:
        x = torch.empty(count, 3, *shape)
        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            p = net(x)
        p.sum().backward()
    net.zero_grad()
    return {"kept": sum(kept.values()), "peak": alive.peak}


class Alive(TorchDispatchMode):
    """Counts the bytes of the tensors alive: ``peak`` is the most, without those in ``own``."""

    def __init__(self, own: set[int]):
        super().__init__()
        self.now = self.peak = 0
        self.known = dict.fromkeys(own)

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(found):
            if isinstance(tensor, Tensor):
                self._see(tensor.untyped_storage())
        return found

    def _see(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self.known:
            return

        def gone(_) -> None:
            del self.known[key]
            self.now -= size

        self.known[key] = weakref.ref(storage, gone)
        self.now += size
        self.peak = max(self.peak, self.now)


def largest_at_once(steps: Sequence[dict]) -> dict:
    """By card and way, the most photographs at once that fit, 0 where none does."""
    ways = {
        "float32": (False, False),
        "float32, recompute": (False, True),
        "bfloat16": (True, False),
        "bfloat16, recompute": (True, True),
    }
    return {
        f"{card} GB": {
            name: max(
                (
                    step["at_once"]
                    for step in steps
                    if (step["bfloat16"], step["recompute"]) == way and card in step["fits"]
                ),
                default=0,
            )
            for name, way in ways.items()
        }
        for card in CARDS
    }


if __name__ == "__main__":
    sys.exit(main())
