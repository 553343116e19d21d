"""What training costs beside the network itself, and what its batches gain.

    python ci/bench/training.py [--quick] [--no-install] [--out FILE]

The step of ``training.fit`` against the bare backbone's forward and backward pass; batches of
one shape against one photograph at a time, as in 2017; the input pipeline against the model
that it feeds; two processes against one; and AVA's many shapes kept exactly, against the longer
side rounded to the stride. Writes data/results/bench-training.json.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import environment

if __name__ == "__main__":
    environment.enter()

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from itertools import islice

import measure
import numpy as np
import torch
from torch import nn

from apmlib import evaluation, images, parallel, training, variants
from apmlib.simulated import world
from apmlib.simulated.latents import ASPECTS

VARIANT = "resnet-imn-dist"
ROUNDS = 7
STILL = {"rate": 1e-9, "backbone_rate": 1e-9}  # so that noise teaches nothing: times only
# With 4 channels the gradient of torch 2.14.1 crashes on processors without AVX-512.
QUICK = {"width": 8, "hidden": 16, "batch": 4}
AVA = 235_000
ASSUMED = (
    "longer side 640 pixels; 45 % of the photographs 3:2 with the shorter side off by up to 2 "
    "pixels, 20 % 4:3, 8 % square, 27 % with any shorter side from 300 to 640; 30 % stand "
    "upright. An assumption, not a count."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write; return the exit status."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if arguments[:1] == ["--one-of-many"]:  # how :func:`processes` starts this program again
        return one_of_many(*map(int, arguments[1:]))
    options = measure.options("training", __doc__, arguments)
    quick, rounds = options.quick, 1 if options.quick else ROUNDS
    results = {
        "step": {
            "laptop": step_cost("laptop", {}, 8, rounds, quick),
            "photos": step_cost("photos", {}, 4, rounds, quick),
            "photos, nothing frozen": step_cost("photos", {"frozen": ""}, 4, rounds, quick),
        },
        "batches": batches_against_singles(rounds, quick),
        "pipeline": pipeline(rounds, quick),
        "processes": processes(1 if quick else 3, quick),
        "shapes": {
            "assumed": ASSUMED,
            "counted": counted(2_000 if quick else AVA),
            "timed": timed(2_000 if quick else AVA, rounds, quick),
        },
    }
    measure.write(options, "training steps, batches, input pipeline and shapes", results)
    return 0


# --- One step --------------------------------------------------------------------------------


class Task:
    """A network to train, full batches of noise in each of several shapes, and targets."""

    def __init__(self, profile: str, overrides: dict, aspects: int, quick: bool):
        overrides = STILL | overrides | (QUICK if quick else {})
        if quick and profile == "photos":
            overrides |= {"side": 32}
        self.settings = variants.settings(VARIANT, profile, overrides) | {"epochs": 1.0}
        self.net = network(self.settings)
        shapes = [
            images.target_shape(1000, round(1000 * aspect), self.settings["side"])
            for aspect in ASPECTS[: 2 if quick else aspects]
            for _ in range(self.settings["batch"])
        ]
        self.photographs = measure.noise(shapes)
        self.targets = measure.targets(len(shapes))
        self.loss = training.loss_function(self.settings)

    def fit(self, **changes) -> None:
        """One epoch of APM's training."""
        settings = self.settings | changes
        training.fit(self.net, self.loss, self.photographs, self.targets, settings)

    def ready(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """The batches with their targets as the network takes them."""
        device = next(self.net.parameters()).device
        return [
            (
                images.normalise(pixels.to(device)).to(memory_format=torch.channels_last),
                self.targets[indices].to(device),
            )
            for indices, pixels in images.loader(self.photographs, self.settings["batch"])
        ]


def network(settings: dict) -> nn.Module:
    """APM as training has it, its last layer at the constant, so that a gradient flows."""
    net = evaluation.build({"settings": settings, "bins": 10})
    net.init_head(np.full(10, 0.1))
    training.freeze(net.backbone, settings["frozen"])
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return net.to(device, memory_format=torch.channels_last).train()


def step_cost(profile: str, overrides: dict, aspects: int, rounds: int, quick: bool) -> dict:
    """An epoch of ``fit``, its model's part alone, and the bare backbone, on equal batches."""
    task = Task(profile, overrides, aspects, quick)
    net, ready = task.net, task.ready()

    def model() -> None:
        for x, g in ready:
            net.zero_grad()
            task.loss(net(x), g).backward()

    def backbone() -> None:
        for x, _ in ready:
            net.zero_grad()
            net.backbone(x).sum().backward()

    net.train()
    seconds = measure.in_turns({"apm": task.fit, "model": model, "backbone": backbone}, rounds)
    ratios = {
        "apm to backbone": ("apm", "backbone", "<= 1.05"),
        "model to backbone": ("model", "backbone", ""),
    }
    keys = ("backbone", "side", "batch", "frozen")
    return {
        "settings": {key: task.settings[key] for key in keys},
        **measure.compared(seconds, len(task.photographs), ratios),
    }


def batches_against_singles(rounds: int, quick: bool) -> dict:
    """Batches of one shape against single photographs whose gradients are added up."""
    task = Task("laptop", {}, len(ASPECTS), quick)
    ways = {"batches": task.fit, "one by one": lambda: task.fit(at_once=1)}
    seconds = measure.in_turns(ways, rounds)
    ratios = {"speedup": ("one by one", "batches", ">= 2")}
    return measure.compared(seconds, len(task.photographs), ratios)


# --- The input pipeline ----------------------------------------------------------------------


def pipeline(rounds: int, quick: bool, count: int = 640, times: int = 4) -> dict:
    """Photographs read, cached and not, against the model's training on as many."""
    count, times, workers = (10, 1, 1) if quick else (count, times, None)
    settings = variants.settings(VARIANT, "laptop", STILL | (QUICK if quick else {}))
    net, loss = network(settings), training.loss_function(settings)
    with tempfile.TemporaryDirectory() as folder:
        root = world.simulate(
            Path(folder) / "photographs", count, settings["side"], workers=workers
        )
        paths = sorted((root / "images").glob("*.jpg"))
        read = {
            name: images.Photographs(paths, settings["side"], cache=cached)
            for name, cached in (("cached", True), ("not cached", False))
        }
        groups = images.batches(read["cached"].shapes, settings["batch"])
        ready = [
            images.normalise(batch).to(memory_format=torch.channels_last)
            for _, batch in images.loaded(read["cached"], groups)
        ]
        g = measure.targets(max(len(group) for group in groups))

        def model() -> None:
            for x in ready * times:
                net.zero_grad()
                loss(net(x), g[: len(x)]).backward()

        def reading(photographs: images.Photographs) -> None:
            for _, batch in images.loaded(photographs, groups * times):
                images.normalise(batch)

        ways = {
            "model": model,
            "cached": lambda: reading(read["cached"]),
            "not cached": lambda: reading(read["not cached"]),
        }
        seconds = measure.in_turns(ways, rounds)
    ratios = {f"model to {name}": ("model", name, ">= 1") for name in read}
    return measure.compared(seconds, times * len(paths), ratios)


# --- Several processes -----------------------------------------------------------------------


def processes(rounds: int, quick: bool) -> dict:
    """One process of one thread, one of two threads, and two of one: the same training."""
    here = [str(Path(__file__).resolve()), "--no-install", "--one-of-many", str(int(quick))]
    together = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    alone = {"one process": ([sys.executable, *here], 1)}
    if not quick:
        alone["one process, two threads"] = ([sys.executable, *here], 2)
    ways = alone | {"two processes": ([*together, "--nproc-per-node", "2", *here], 1)}
    seconds = {name: [] for name in ways}
    for _ in range(rounds):
        for name, (command, threads) in ways.items():
            found = started(command, threads)
            seconds[name].append(found["seconds"])
    seconds = {name: np.array(values) for name, values in seconds.items()}
    ratios = {f"two to {name}": ("two processes", name, "") for name in alone}
    return measure.compared(seconds, found["photographs"], ratios)


def started(command: Sequence[str], threads: int) -> dict:
    """What the program says that ``command`` starts, on the CPU and with so many threads."""
    environ = os.environ | {"OMP_NUM_THREADS": str(threads), "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def one_of_many(quick: int) -> int:
    """Train as one of several processes, or alone; the first one says how long it took."""
    task = Task("laptop", {}, len(ASPECTS), bool(quick))
    among = parallel.engine()
    task.fit()
    among.wait_for_everyone()
    begun = time.perf_counter()
    task.fit()
    among.wait_for_everyone()
    found = {"seconds": time.perf_counter() - begun, "photographs": len(task.photographs)}
    if among.is_main_process:
        print(json.dumps(found), flush=True)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    return 0


# --- AVA's shapes ----------------------------------------------------------------------------


def ava_shapes(count: int, seed: int = 0) -> list[tuple[int, int]]:
    """Shapes (H, W) of ``count`` photographs as ``ASSUMED`` says."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(4, count, p=(0.45, 0.20, 0.08, 0.27))
    short = np.choose(
        kind,
        (
            rng.integers(425, 430, count),
            np.full(count, 480),
            np.full(count, 640),
            rng.integers(300, 641, count),
        ),
    )
    upright = rng.random(count) < 0.3
    return [
        (640, int(s)) if up else (int(s), 640) for s, up in zip(short, upright, strict=True)
    ]


def rounded(shape: tuple[int, int], stride: int) -> tuple[int, int]:
    """``shape`` with its longer side at the nearest multiple of ``stride``."""
    height, width = shape
    long = max(stride, round(max(shape) / stride) * stride)
    return (height, long) if height <= width else (long, width)


def both_ways(count: int, side: int, stride: int) -> dict[str, list[tuple[int, int]]]:
    """Shapes of the photographs at the working size, exact and rounded."""
    exact = [images.target_shape(*shape, side) for shape in ava_shapes(count)]
    return {"exact": exact, "rounded": [rounded(shape, stride) for shape in exact]}


def plan(shapes: Sequence[tuple[int, int]], batch: int, at_once: int) -> list[list[np.ndarray]]:
    """An epoch's steps and their groups, in random order."""
    return images.steps(shapes, batch, at_once, torch.Generator().manual_seed(0))


def counted(count: int, batch: int = 128, side: int = 500, stride: int = 32) -> dict:
    """Shapes and groups of ``count`` photographs at the paper's setting; none is read."""
    result = {"photographs": count, "batch": batch, "side": side, "stride": stride}
    ways = both_ways(count, side, stride)
    for name, shapes in ways.items():
        result[name] = {"shapes": len(set(shapes))}
        for at_once in (8, 16, 32):
            sizes = [len(group) for step in plan(shapes, batch, at_once) for group in step]
            result[name][f"mean group of at most {at_once}"] = float(np.mean(sizes))
    stretch = [max(b) / max(a) for a, b in zip(*ways.values(), strict=True)]
    result["largest stretch"] = float(max(max(stretch), 1 / min(stretch)))
    return result


def timed(count: int, rounds: int, quick: bool, batch: int = 128, at_once: int = 16) -> dict:
    """Seconds a photograph of the first steps of an epoch, exact and rounded.

    The groups are those of all ``count`` photographs, as filled as they would be; noise stands
    for the few hundred that the first steps take.
    """
    name, side, steps = "resnet18:layer3", 224, 3
    if torch.cuda.is_available():
        name, side = "resnet101", 500
    if quick:
        name, side, steps, batch, at_once = "resnet18:layer1", 32, 1, 8, 4
    overrides = {"backbone": name, "side": side}
    settings = variants.settings(VARIANT, "full", overrides)
    net, loss = network(settings), training.loss_function(settings)
    among, g = parallel.engine(), measure.targets(count).to(next(net.parameters()).device)
    ways, pixels = {}, {}
    for way, shapes in both_ways(count, side, net.backbone.stride).items():
        first = list(islice(plan(shapes, batch, at_once), steps))
        pixels[way] = sum(np.prod(shapes[i]) for step in first for group in step for i in group)
        loaded = [
            [(torch.from_numpy(group), _stacked(shapes, group)) for group in step]
            for step in first
        ]

        def train(first=first, loaded=loaded, shapes=shapes) -> None:
            for groups, tensors in zip(first, loaded, strict=True):
                (part,) = parallel.deal(groups, shapes, 1)
                net.zero_grad()
                training.backward(net, loss, g, part, iter(tensors), None, among)

        ways[way] = train
    seconds = measure.in_turns(ways, rounds)
    result = measure.compared(
        seconds, steps * batch, {"exact to rounded": ("exact", "rounded", "")}
    )
    each = seconds["exact"] / pixels["exact"] / (seconds["rounded"] / pixels["rounded"])
    result["exact to rounded, by the pixel"] = measure.spread(each)
    return {"backbone": name, "side": side, "batch": batch, "at_once": at_once, **result}


def _stacked(shapes: Sequence[tuple[int, int]], group: np.ndarray) -> torch.Tensor:
    return torch.stack(measure.noise([shapes[i] for i in group]).tensors)


if __name__ == "__main__":
    sys.exit(main())
