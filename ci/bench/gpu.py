"""ResNet-101 at the paper's setting on a GPU.

    python ci/bench/gpu.py [--quick] [--no-install] [--out FILE]

Photographs a second of training and scoring at shorter side 500, batch 128, in bfloat16 and
channels-last; the share of the card's measured matrix throughput that this is; peak memory;
batches against one photograph at a time; how much of the time the GPU works when photographs
come from files at the working size; and what an epoch of AVA takes. Without a GPU it ends with
status 2, but for ``--quick``, which runs all of it at tiny size on the CPU. Writes
data/results/bench-gpu.json.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import environment

if __name__ == "__main__":
    environment.enter()

import tempfile
from collections.abc import Callable, Sequence

import measure
import memory
import numpy as np
import torch
from torch import nn
from torch._subclasses import FakeTensorMode

from apmlib import evaluation, images, parallel, training, variants
from apmlib.cache import QUALITY

VARIANT = "resnet-imn-dist"
AVA = 235_000
PAPER_DAYS = 14  # the paper's training on one M40
ROUNDS, STEPS = 5, 4


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write; return the exit status."""
    options = measure.options("gpu", __doc__, arguments)
    if not (torch.cuda.is_available() or options.quick):
        print("gpu: no GPU is here; --quick tries the program on the CPU", file=sys.stderr)
        return 2
    quick = options.quick
    size = {"backbone": "resnet18:layer3", "side": 32, "batch": 8} if quick else {}
    still = {"rate": 1e-9, "backbone_rate": 1e-9}  # noise shall teach nothing: times only
    settings = variants.settings(VARIANT, "full", size | still)
    rounds, steps, square = (1, 1, 128) if quick else (ROUNDS, STEPS, 8192)
    ways = (2, 4) if quick else (16, 32)
    peaks = (1, 2) if quick else (8, 32, 128)

    net = evaluation.build({"settings": settings, "bins": 10})
    net.init_head(np.full(10, 0.1))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    net.to(device, memory_format=torch.channels_last)
    shape = images.target_shape(1000, 1500, settings["side"])
    photographs = measure.noise([shape] * settings["batch"])
    work = operations(settings, shape)
    matrix = matmul(square, rounds, steps)
    speeds = training_speed(net, settings, photographs, ways, rounds, steps)
    fastest = max(
        found["photographs a second"]["value"]
        for found in speeds.values()
        if "failed" not in found
    )
    fed = busy(net, settings, shape, rounds, steps)
    results = {
        "settings": settings,
        "shape": list(shape),
        "operations": work,
        "matrix": matrix,
        "training": speeds,
        "share of the matrix throughput": fastest * work["training"] / matrix["value"],
        "scoring": scoring_speed(net, photographs, rounds, steps),
        "memory": {str(count): peak(net, settings, shape, count) for count in peaks},
        "batches": against_singles(net, settings, photographs, ways[0], rounds),
        "busy": fed,
        "epoch": epoch(fastest, fed["photographs a second"]["value"], settings),
    }
    measure.write(options, "ResNet-101 on a GPU", results)
    return 0


def operations(settings: dict, shape: tuple[int, int]) -> dict:
    """Operations a photograph, as ``memory`` counts them."""
    with FakeTensorMode():
        net = memory.build(settings["backbone"], settings["side"])
        forward, both = memory.operations(net, shape)
    return {"forward": forward, "training": both}


def matmul(square: int, rounds: int, times: int) -> dict:
    """Operations a second of multiplying large bfloat16 matrices."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    a, b = torch.randn(2, square, square, device=device, dtype=torch.bfloat16)

    def multiply() -> None:
        for _ in range(10 * times):
            a @ b

    seconds = measure.in_turns({"multiply": multiply}, rounds)["multiply"]
    return {"square": square, **measure.spread(10 * times * 2 * square**3 / seconds)}


def trainer(
    net: nn.Module, settings: dict, photographs: images.Photographs, at_once: int, steps: int
) -> Callable[[], None]:
    """A function that trains for ``steps`` steps, groups of ``at_once`` at a time."""
    settings = settings | {"at_once": at_once, "steps": steps, "interval": 0, "flips": True}
    loss, g = training.loss_function(settings), measure.targets(len(photographs))
    return lambda: training.fit(net, loss, photographs, g, settings)


def training_speed(
    net: nn.Module,
    settings: dict,
    photographs: images.Photographs,
    at_once: Sequence[int],
    rounds: int,
    steps: int,
) -> dict:
    """Photographs a second of training, for each number at once, with and without recompute."""
    ways, failed = {}, {}
    for count in at_once:
        for recompute in (False, True):
            name = f"{count} at once" + (", recompute" if recompute else "")
            train = trainer(net, settings, photographs, count, steps)

            def way(train=train, recompute=recompute) -> None:
                net.backbone.recompute = recompute
                train()

            try:
                way()
                ways[name] = way
            except torch.OutOfMemoryError:
                failed[name] = {"failed": "out of memory"}
                torch.cuda.empty_cache()
    seconds = measure.in_turns(ways, rounds)
    net.backbone.recompute = False
    done = steps * settings["batch"]
    return failed | {
        name: {"photographs a second": measure.spread(done / found)}
        for name, found in seconds.items()
    }


def scoring_speed(
    net: nn.Module, photographs: images.Photographs, rounds: int, times: int
) -> dict:
    """Photographs a second of scoring what is in memory."""
    several = measure.Pixels(photographs.tensors * times)
    ways = {"scoring": lambda: evaluation.outputs(net, several)}
    seconds = measure.in_turns(ways, rounds)["scoring"]
    return {"photographs a second": measure.spread(len(several) / seconds)}


def peak(net: nn.Module, settings: dict, shape: tuple[int, int], count: int) -> dict:
    """Most memory of a step's passes with ``count`` at once: measured, and as counted.

    Measured by the allocator, convolutions' working room included; None without a GPU.
    """
    with FakeTensorMode():
        counting = memory.build(settings["backbone"], settings["side"])
        weights = 4 * sum(parameter.numel() for parameter in counting.parameters())
        found = {
            name: {
                "counted": 2 * weights
                + memory.step(counting, count, shape, True, again)["peak"]
            }
            for name, again in (("kept", False), ("recompute", True))
        }
    for name, again in (("kept", False), ("recompute", True)):
        found[name]["measured"] = allocated(net, settings, shape, count, again)
    return found


def allocated(
    net: nn.Module, settings: dict, shape: tuple[int, int], count: int, recompute: bool
) -> int | str | None:
    """Peak of two groups of ``count``: weights, gradients and activations, in bytes."""
    net.backbone.recompute = recompute
    net.train()
    device = next(net.parameters()).device
    loss, among = training.loss_function(settings), parallel.engine()
    groups = [np.arange(count), np.arange(count)]
    batch = torch.zeros(count, 3, *shape, dtype=torch.uint8)
    loaded = iter([(torch.from_numpy(group), batch) for group in groups])
    part = [(group, 0.5) for group in groups]
    g = measure.targets(count).to(device)
    net.zero_grad()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    try:
        training.backward(net, loss, g, part, loaded, None, among)
    except torch.OutOfMemoryError:
        return "out of memory"
    finally:
        net.zero_grad()
        net.backbone.recompute = False
    return torch.cuda.max_memory_allocated() if device.type == "cuda" else None


def against_singles(
    net: nn.Module, settings: dict, photographs: images.Photographs, at_once: int, rounds: int
) -> dict:
    """Groups of ``at_once`` against one photograph at a time with accumulation."""
    ways = {
        "batches": trainer(net, settings, photographs, at_once, 1),
        "one by one": trainer(net, settings, photographs, 1, 1),
    }
    seconds = measure.in_turns(ways, rounds)
    ratios = {"speedup": ("one by one", "batches", ">= 5")}
    return measure.compared(seconds, settings["batch"], ratios)


def busy(
    net: nn.Module, settings: dict, shape: tuple[int, int], rounds: int, steps: int
) -> dict:
    """Training from memory against training from files at the working size.

    The first is the model's own time, so its share of the second is how much of it the GPU has
    something to do.
    """
    height, width = shape
    at_once = min(settings["at_once"], settings["batch"])
    with tempfile.TemporaryDirectory() as folder:
        files = measure.draw(
            Path(folder), 4 if steps == 1 else 64, width, height, quality=QUALITY, subsampling=0
        )
        paths = [files[i % len(files)] for i in range(steps * settings["batch"])]
        ways = {
            name: trainer(net, settings, photographs, at_once, steps)
            for name, photographs in (
                ("from memory", images.Photographs(paths, settings["side"], cache=True)),
                ("from files", images.Photographs(paths, settings["side"], cache=False)),
            )
        }
        seconds = measure.in_turns(ways, rounds)
    ratios = {"busy": ("from memory", "from files", ">= 0.9")}
    return {
        **measure.compared(seconds, len(paths), ratios),
        "photographs a second": measure.spread(len(paths) / seconds["from files"]),
    }


def epoch(fastest: float, fed: float, settings: dict) -> dict:
    """Seconds of an epoch of AVA, and days of the paper's whole training, at these speeds."""
    whole = settings["steps"] * settings["batch"] / 86_400
    return {
        "photographs": AVA,
        "seconds": {"from memory": AVA / fastest, "from files": AVA / fed},
        "days of training": {"from memory": whole / fastest, "from files": whole / fed},
        "days of the paper's": PAPER_DAYS,
    }


if __name__ == "__main__":
    sys.exit(main())
