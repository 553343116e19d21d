"""How fast photographs are read and resized, and what the fast way changes.

    python ci/bench/reading.py [--quick] [--no-install] [--out FILE]

JPEGs of about 12 megapixels, drawn here, are read at shorter side 500 by ``images.load`` and by
Pillow's plain open, convert and resize, on one core. Beside the speed stands what decoding at
reduced scale does to pixels and to the predictions of the released run, measured in what
another good filter (Lanczos in place of bicubic) does. Then a copy at the working size
(JPEG, quality 95) is read against its original, drawn ones and, where APM_AVA_ROOT or
APM_OASIS_ROOT is set, real ones. Writes data/results/bench-reading.json.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import environment

if __name__ == "__main__":
    environment.enter()

import os
import tempfile
from collections.abc import Sequence

import measure
import numpy as np
import torch
from PIL import Image

from apmlib import evaluation, images
from apmlib.cache import QUALITY

SIDE = 500
SIZES = (  # of cameras and phones; the height of the last is odd, as after a crop
    (4000, 3000),
    (3024, 4032),
    (4288, 2848),
    (4000, 2667),
)
SMALL = (640, 427)  # most of AVA's
COUNT, REAL, ROUNDS = 6, 24, 7


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write; return the exit status."""
    options = measure.options("reading", __doc__, arguments)
    side, sizes, small, count, rounds = SIDE, SIZES, SMALL, COUNT, ROUNDS
    if options.quick:
        side, sizes, small, count, rounds = 96, ((800, 600), (640, 427)), (128, 85), 2, 2
    with tempfile.TemporaryDirectory() as folder, measure.one_thread():
        folder = Path(folder)
        drawn = {size: measure.draw(folder, count, *size) for size in sizes}
        originals = {_name(sizes[0]): drawn[sizes[0]]}
        originals[_name(small)] = measure.draw(folder, 4 * count, *small)
        originals |= real()
        results = {
            "side": side,
            "sizes": {
                _name(size): {
                    "bytes": _bytes(paths),
                    **speed(paths, side, rounds),
                    "pixels": pixels(paths, side),
                }
                for size, paths in drawn.items()
            },
            "predictions": predictions([path for paths in drawn.values() for path in paths]),
            "cache": {
                name: cache(paths, folder / "cache" / name, side, rounds)
                for name, paths in originals.items()
            },
        }
    measure.write(options, "photographs read and resized, one core", results)
    return 0


def speed(paths: Sequence[Path], side: int, rounds: int) -> dict:
    """APM's reading against Pillow's plain one."""
    ways = {
        "plain": lambda: [plain(path, side) for path in paths],
        "apm": lambda: [images.load(path, side) for path in paths],
    }
    seconds = measure.in_turns(ways, rounds)
    return measure.compared(seconds, len(paths), {"speedup": ("plain", "apm", ">= 2")})


def plain(path: Path, side: int, how=Image.Resampling.BICUBIC) -> np.ndarray:
    """What anybody would write: open, convert, resize."""
    with Image.open(path) as image:
        height, width = images.target_shape(image.height, image.width, side)
        return np.asarray(image.convert("RGB").resize((width, height), how))


def pixels(paths: Sequence[Path], side: int) -> dict:
    """What decoding at reduced scale changes, beside what another filter changes."""
    exact = [plain(path, side) for path in paths]
    return {
        "fast": difference(exact, [_array(images.load(path, side)) for path in paths]),
        "lanczos": difference(
            exact, [plain(path, side, Image.Resampling.LANCZOS) for path in paths]
        ),
    }


def difference(one: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> dict:
    """PSNR in dB (median and worst; None where nothing differs) and the largest difference."""
    apart = [a.astype(np.float64) - b for a, b in zip(one, other, strict=True)]
    errors = [float((d**2).mean()) for d in apart]
    psnr = [10 * np.log10(255**2 / error) if error else None for error in errors]
    some = [value for value in psnr if value is not None]
    return {
        "psnr": float(np.median(some)) if some else None,
        "worst_psnr": float(min(some)) if some else None,
        "largest": int(max(np.abs(d).max() for d in apart)),
    }


def predictions(paths: Sequence[Path]) -> dict:
    """How far the released run's mean scores move, at the side that it was trained at."""
    net, config = evaluation.load(measure.RELEASED)
    side = config["preprocessing"]["side"]
    exact = measure.means(net, [_tensor(plain(path, side)) for path in paths])
    fast = measure.means(net, [images.load(path, side) for path in paths])
    other = [_tensor(plain(path, side, Image.Resampling.LANCZOS)) for path in paths]
    return {
        "run": measure.RELEASED.name,
        "side": side,
        "fast": measure.moved(exact, fast) | {"below": 0.01},
        "lanczos": measure.moved(exact, measure.means(net, other)),
    }


def cache(originals: Sequence[Path], folder: Path, side: int, rounds: int) -> dict:
    """Photographs kept at the working size against their originals.

    Written as ``apm data cache`` writes them, but the smaller ones too, which it leaves as they
    are: here is to be seen whether that is right.
    """
    folder.mkdir(parents=True)
    kept = []
    for number, path in enumerate(originals):
        kept.append(folder / f"{number}.jpg")
        picture = Image.fromarray(_array(images.load(path, side)))
        picture.save(kept[-1], quality=QUALITY, subsampling=0)
    ways = {
        "original": lambda: [images.load(path, side) for path in originals],
        "cached": lambda: [images.load(path, side) for path in kept],
    }
    seconds = measure.in_turns(ways, rounds)
    decoded = [[_array(images.load(path, side)) for path in of] for of in (originals, kept)]
    return {
        **measure.compared(seconds, len(kept), {"speedup": ("original", "cached", "")}),
        "bytes": {"original": _bytes(originals), "cached": _bytes(kept)},
        "pixels": difference(*decoded),
    }


def real() -> dict[str, list[Path]]:
    """A few real photographs of each collection that is at hand."""
    found = {}
    for name, variable in (("AVA", "APM_AVA_ROOT"), ("OASIS", "APM_OASIS_ROOT")):
        folder = Path(os.environ.get(variable) or "") / "images"
        if os.environ.get(variable) and folder.is_dir():
            found[name] = sorted(folder.glob("*.jpg"))[:REAL]
    return {name: paths for name, paths in found.items() if paths}


def _name(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"


def _bytes(paths: Sequence[Path]) -> float:
    """Size of a file on average."""
    return float(np.mean([path.stat().st_size for path in paths]))


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.permute(1, 2, 0).numpy()


def _tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array.copy()).permute(2, 0, 1).contiguous()


if __name__ == "__main__":
    sys.exit(main())
