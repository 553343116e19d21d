"""What the benchmarks share: options, photographs to measure on, times taken in turns.

Seconds say little on another machine, so what counts are ratios, measured in one run. The ways
that are compared take turns, A B A B ..., so that whatever slows the machine down slows them
all, and each round gives a ratio of its own. What is written is the median over the rounds
with the quartiles.
"""

import argparse
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from environment import ROOT

sys.path.insert(0, str(ROOT))

import accelerate
import numpy as np
import PIL
import torch
import torchvision
from PIL import Image, features

from apmlib import evaluation, images, metrics, training
from apmlib.simulated import latents
from apmlib.simulated.render import render
from world_check import commit, machine

RELEASED = ROOT / "data" / "released" / "resnet-ava-dist-m"
GRAIN = 5.0  # deviation of the noise of a drawn photograph, of 255
SHARPEST = 1024  # shorter side up to which photographs are drawn; larger ones are enlarged


# --- A benchmark's beginning and end -------------------------------------------------------


def options(name: str, doc: str, arguments: Sequence[str] | None) -> argparse.Namespace:
    """``--quick`` and ``--out``, with the name of the benchmark."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to try the program")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where the results go")
    found = parser.parse_args(arguments)
    found.name = name
    ending = "-quick" if found.quick else ""
    found.out = found.out or ROOT / "data" / "results" / f"bench-{name}{ending}.json"
    return found


def write(options: argparse.Namespace, what: str, results: dict) -> None:
    """Write the results with where they come from, and print what has an aim."""
    found = {"what": what, "quick": options.quick, **results}
    found["provenance"] = provenance(options)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    evaluation.write_json(options.out, found)
    for name, entry in aims(results):
        print(
            f"{options.name}: {name} {entry['value']:.3g} "
            f"[{entry['low']:.3g}, {entry['high']:.3g}], aim {entry['aim']}"
        )
    print(f"{options.name}: written to {options.out.name}")


def aims(results: dict, name: str = "") -> Iterator[tuple[str, dict]]:
    """Every entry that has an aim, however deep, with the way to it."""
    for key, part in results.items():
        if isinstance(part, dict):
            inside = f"{name}, {key}" if name else key
            if "aim" in part:
                yield inside, part
            yield from aims(part, inside)


def provenance(options: argparse.Namespace) -> dict:
    """Where the numbers come from."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    quick = " --quick" if options.quick else ""
    return {
        "command": f"python ci/bench/{options.name}.py{quick}",
        "commit": commit(),
        "code": training.code_key(),
        "machine": machine(),
        "device": device,
        "threads": torch.get_num_threads(),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
            "accelerate": accelerate.__version__,
            "numpy": np.__version__,
            "pillow": PIL.__version__,
            "libjpeg_turbo": features.version("libjpeg_turbo"),
        },
    }


# --- Times ---------------------------------------------------------------------------------


def in_turns(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, np.ndarray]:
    """Seconds of each of ``ways`` in each round. A turn before the first only warms up."""
    seconds = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            took = clocked(way)
            if number:
                seconds[name].append(took)
    return {name: np.array(found) for name, found in seconds.items()}


def clocked(way: Callable[[], object]) -> float:
    """Seconds that ``way`` takes, a GPU's work counted in."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    started = time.perf_counter()
    way()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started


def spread(values: Sequence[float]) -> dict:
    """The median of ``values`` with the quartiles."""
    low, value, high = np.quantile(values, (0.25, 0.5, 0.75))
    return {"value": float(value), "low": float(low), "high": float(high)}


def compared(
    seconds: Mapping[str, np.ndarray],
    photographs: int,
    ratios: Mapping[str, tuple[str, str, str]],
) -> dict:
    """Seconds a photograph of each way, and ratios of them round by round.

    ``ratios`` maps a name to the way above, the way below, and the aim as text ("" for none).
    """
    result = {
        "photographs": photographs,
        "rounds": len(next(iter(seconds.values()))),
        "seconds": {name: spread(found / photographs) for name, found in seconds.items()},
    }
    for name, (above, below, aim) in ratios.items():
        result[name] = spread(seconds[above] / seconds[below]) | ({"aim": aim} if aim else {})
    return result


@contextmanager
def one_thread() -> Iterator[None]:
    """While it lasts torch computes on one core."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


# --- Photographs ---------------------------------------------------------------------------


class Pixels(images.Photographs):
    """Photographs that are in memory already: uint8 tensors (3, H, W)."""

    def __init__(self, tensors: Sequence[torch.Tensor]):
        self.tensors = list(tensors)
        self.paths = [f"photograph {i}" for i in range(len(self.tensors))]
        self.shapes = [tuple(tensor.shape[1:]) for tensor in self.tensors]


def noise(shapes: Sequence[tuple[int, int]], seed: int = 0) -> Pixels:
    """Photographs of these shapes that show noise: for times that no content changes."""
    drawn = torch.Generator().manual_seed(seed)
    return Pixels(
        [torch.randint(0, 256, (3, *s), dtype=torch.uint8, generator=drawn) for s in shapes]
    )


def targets(count: int, bins: int = 10, seed: int = 0) -> torch.Tensor:
    """Distributions (count, bins) to learn, drawn at random."""
    drawn = torch.Generator().manual_seed(seed)
    return torch.rand(count, bins, generator=drawn).softmax(dim=1)


def draw(
    folder: Path,
    count: int,
    width: int,
    height: int,
    quality: int = 90,
    subsampling: int = 2,
) -> list[Path]:
    """JPEGs of ``width`` by ``height``: simulated photographs with the grain of a camera.

    Large ones are enlarged from a shorter side of 1024, and the grain, which is in the pixels
    of the file, gives them the fine detail that makes a JPEG large and slow to decode.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, row in latents.sample(count, seed=width).iterrows():
        row = row.to_dict() | {"aspect": width / height}
        picture = Image.fromarray(render(row, max(min(width, height, SHARPEST), 48)).rgb)
        pixels = np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC))
        grain = np.random.default_rng([width, int(name)]).standard_normal(
            pixels.shape, dtype=np.float32
        )
        pixels = np.clip(pixels + GRAIN * grain, 0, 255).astype(np.uint8)
        paths.append(folder / f"{width}x{height}-{name}.jpg")
        Image.fromarray(pixels).save(paths[-1], quality=quality, subsampling=subsampling)
    return paths


def means(net: torch.nn.Module, tensors: Sequence[torch.Tensor]) -> np.ndarray:
    """Mean scores that ``net`` predicts for photographs in memory."""
    p = evaluation.outputs(net, Pixels(tensors))
    return metrics.mean(metrics.normalise(p.double().numpy()))


def moved(before: np.ndarray, after: np.ndarray) -> dict:
    """How far mean scores move, beside how far apart those of the photographs are."""
    distance = np.abs(after - before)
    return {
        "photographs": len(distance),
        "largest": float(distance.max()),
        "average": float(distance.mean()),
        "deviation of the means": float(np.std(before)),
    }
