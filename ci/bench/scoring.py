"""How fast photographs are scored, and how that grows.

    python ci/bench/scoring.py [--quick] [--no-install] [--out FILE]

What ``apm predict`` does, ``evaluation.predict`` with batch norm folded, against what anybody
would write first, a loop over Pillow, torchvision's transforms and the network, one photograph
at a time; against the bare network's forward pass, with what folding, bfloat16 and
torch.compile give and by how much they move the mean score; and the cost as photographs grow
and as there are more of them. Writes data/results/bench-scoring.json.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import environment

if __name__ == "__main__":
    environment.enter()

import multiprocessing
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

import measure
import numpy as np
import torch
from PIL import Image
from torchvision import transforms

from apmlib import evaluation, folding, images, metrics, model, variants
from apmlib.errors import InputError
from apmlib.simulated import world

ROUNDS = 5
SIDES = {128: 64, 256: 32, 512: 16, 1024: 8}  # shorter side, and photographs of it
COUNTS = (100, 1_000, 10_000)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write; return the exit status."""
    options = measure.options("scoring", __doc__, arguments)
    quick, rounds = options.quick, 1 if options.quick else ROUNDS
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        released = evaluation.load(measure.RELEASED)
        root = world.simulate(folder / "simulated", *((10, 48, 0, 1) if quick else (512, 96)))
        small = sorted((root / "images").glob("*.jpg"))
        if quick:
            large = measure.draw(folder / "large", 3, 128, 96)
            shown = measure.draw(folder / "shown", 2, 96, 64)
            resnet18 = resnet101 = network("resnet18:layer1", 32)
            pretrained = network("resnet18:layer1", 32)
        else:
            large = measure.draw(folder / "large", 32, 1600, 1200)
            shown = measure.draw(folder / "shown", 8, 1500, 1000)
            resnet18, resnet101 = network("resnet18", 256), network("resnet101", 500)
            pretrained = network("resnet18:layer3", 224)
        counts = (10, 20) if quick else COUNTS
        sides = {48: 2, 64: 2} if quick else SIDES
        more = {str(count): in_a_process(small, count) for count in counts}
        results = {
            "against a loop": {
                "released run, side 96": against_a_loop(released, small, rounds, ">= 2"),
                "resnet18, side 256": against_a_loop(resnet18, large, rounds, ">= 1.5"),
            },
            "precision": {
                "resnet101, side 500": precision(resnet101, shown, min(rounds, 3), quick),
                "released run, side 96": precision(released, small, rounds, quick),
            },
            "larger": larger(sides, folder, rounds),
            "more": more
            | {"growth": more[str(counts[-1])]["peak"] / more[str(counts[-2])]["peak"]},
        }
        if pretrained[1]["weights"] != "random":
            found = precision(pretrained, large, rounds, quick)
            results["precision"]["resnet18:layer3, ImageNet's weights, side 224"] = found
    measure.write(options, "scoring photographs", results)
    return 0


def network(name: str, side: int) -> evaluation.Model:
    """APM on the network ``name`` with a head that has learnt nothing: for times.

    Its convolutions have ImageNet's weights where a file in ``$APM_WEIGHTS`` holds them, else
    random ones; how far mean scores move is then that of no trained model.
    """
    torch.manual_seed(0)
    overrides = {"backbone": name, "side": side, "bfloat16": False}
    settings = variants.settings("resnet-imn-dist", "full", overrides)
    config = {
        "variant": "resnet-imn-dist",
        "settings": settings,
        "bins": 10,
        "preprocessing": {"side": side, "view": "whole", "longest": images.PANORAMA * side},
        "weights": "random",
    }
    net = evaluation.build(config)
    for path in sorted(Path(os.environ.get("APM_WEIGHTS") or "/nowhere").glob("*.safetensors")):
        try:
            model.load_backbone(net.backbone, path)
            config["weights"] = path.name
        except InputError:  # of another network
            continue
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return net.to(device, memory_format=torch.channels_last).eval(), config


def described(run: evaluation.Model) -> dict:
    """Which network, which weights, and how large it sees photographs."""
    config = run[1]
    return {
        "backbone": config["settings"]["backbone"],
        "side": config["preprocessing"]["side"],
        "weights": config.get("weights", "trained"),
    }


# --- Against a loop ------------------------------------------------------------------------


def against_a_loop(run: evaluation.Model, paths: Sequence[Path], rounds: int, aim: str) -> dict:
    """``apm predict`` against one photograph after the other."""
    ready_to_score = folding.folded(run)
    ways = {
        "loop": lambda: loop(run, paths),
        "apm": lambda: evaluation.predict(ready_to_score, paths),
    }
    seconds = measure.in_turns(ways, rounds)
    apart = np.abs(loop(run, paths) - evaluation.predict(ready_to_score, paths)["mean"])
    return {
        "network": described(run),
        **measure.compared(seconds, len(paths), {"speedup": ("loop", "apm", aim)}),
        "means apart, at most": float(apart.max()),
    }


@torch.inference_mode()
def loop(run: evaluation.Model, paths: Sequence[Path]) -> np.ndarray:
    """Mean scores by Pillow, torchvision's transforms and the network, one by one."""
    net, config = run
    device = next(net.parameters()).device
    prepare = transforms.Compose(
        [
            transforms.Resize(
                config["preprocessing"]["side"], transforms.InterpolationMode.BICUBIC
            ),
            transforms.ToTensor(),
            transforms.Normalize(images.MEAN, images.STD),
        ]
    )
    found = []
    for path in paths:
        with Image.open(path) as image:
            x = prepare(image.convert("RGB"))[None].to(device)
        found.append(net(x).cpu().double().numpy())
    return metrics.mean(metrics.normalise(np.concatenate(found)))


# --- Against the bare network, and in other precisions -------------------------------------


def precision(
    run: evaluation.Model, paths: Sequence[Path], rounds: int, quick: bool = False
) -> dict:
    """``apm predict``, also in bfloat16 and compiled, against the bare backbone.

    "apm" is with batch norm folded, as the command does it, and "float32" without.
    """
    net, config = run
    apm, bfloat16, compiled = (folding.folded(run)[0] for _ in range(3))
    bfloat16.backbone.bfloat16 = True
    compiled.compile(backend="eager" if quick else "inductor", dynamic=False)
    networks = {"float32": net, "apm": apm, "bfloat16": bfloat16, "compiled": compiled}
    found, failed = {}, {}
    for name, one in networks.items():
        try:
            found[name] = evaluation.predict((one, config), paths)["mean"].to_numpy()
        except Exception as error:  # a compiler may be missing; the rest is still measured
            if name in ("float32", "apm"):
                raise
            failed[name] = str(error).strip().splitlines()[0]
    batches = ready(config, paths, next(net.parameters()).device)
    ways = {"backbone": lambda: bare(net, batches)}
    for name in found:
        ways[name] = lambda name=name: evaluation.predict((networks[name], config), paths)
    seconds = measure.in_turns(ways, rounds)
    ratios = {"backbone to apm": ("backbone", "apm", ">= 0.95")}
    ratios["folding speedup"] = ("float32", "apm", "")
    rest = [name for name in found if name not in ("float32", "apm")]
    ratios |= {f"{name} speedup": ("apm", name, "") for name in rest}
    return {
        "network": described(run),
        "shapes": len({tuple(x.shape[2:]) for x in batches}),
        **measure.compared(seconds, len(paths), ratios),
        "moved": {
            name: measure.moved(found["float32"], after) | {"below": 0.01}
            for name, after in found.items()
            if name != "float32"
        },
        "failed": failed,
    }


def ready(config: dict, paths: Sequence[Path], device: torch.device) -> list[torch.Tensor]:
    """The photographs as the network takes them, in the batches of ``predict``."""
    side, longest = config["preprocessing"]["side"], config["preprocessing"]["longest"]
    tensors = [images.load(path, side, longest) for path in paths]
    shapes = [tuple(tensor.shape[1:]) for tensor in tensors]
    return [
        images.normalise(torch.stack([tensors[i] for i in group]).to(device)).to(
            memory_format=torch.channels_last
        )
        for group in images.batches(shapes, evaluation.BATCH)
    ]


@torch.inference_mode()
def bare(net: torch.nn.Module, batches: Sequence[torch.Tensor]) -> None:
    """The backbone's forward pass alone."""
    for x in batches:
        net.backbone(x)


# --- Larger photographs and more of them ---------------------------------------------------


def larger(sides: dict[int, int], folder: Path, rounds: int) -> dict:
    """Seconds a photograph as it grows, and the exponent of its number of pixels."""
    ways = {}
    for side, count in sides.items():
        run = folding.folded(network("resnet18:layer3", side))
        paths = measure.draw(folder / f"side{side}", count, round(1.5 * side), side)
        ways[str(side)] = lambda run=run, paths=paths: evaluation.predict(run, paths)
    found = measure.in_turns(ways, rounds)
    seconds = {side: found[str(side)] / count for side, count in sides.items()}
    pixels = np.log([1.5 * side**2 for side in sides])
    by_round = np.log(list(seconds.values())).T
    exponents = [float(np.polyfit(pixels, times, 1)[0]) for times in by_round]
    return {
        "backbone": "resnet18:layer3",
        "photographs": {str(side): count for side, count in sides.items()},
        "rounds": rounds,
        "seconds": {str(side): measure.spread(times) for side, times in seconds.items()},
        "exponent": measure.spread(exponents) | {"aim": "<= 1"},
    }


def in_a_process(paths: Sequence[Path], count: int) -> dict:
    """Score ``count`` photographs, the same ones again and again, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(peak, [str(path) for path in paths], count).result()


def peak(paths: Sequence[str], count: int) -> dict:
    """Seconds a photograph of scoring ``count``, and the most memory the process ever had."""
    run = folding.folded(evaluation.load(measure.RELEASED))
    before = resident()
    chosen = [paths[i % len(paths)] for i in range(count)]
    seconds = measure.clocked(lambda: evaluation.predict(run, chosen))
    return {"seconds": seconds / count, "before": before, "peak": resident()}


def resident() -> int:
    """Peak resident memory of this process in bytes."""
    status = Path("/proc/self/status")
    if status.is_file():  # getrusage would give the peak of the parent, where that is higher
        (line,) = (line for line in status.read_text().splitlines() if line[:6] == "VmHWM:")
        return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )


if __name__ == "__main__":
    sys.exit(main())
