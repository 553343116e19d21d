"""What the simulated world asks of a model, and how far the first one gets.

    python ci/world_check.py [--time]

A world in which a handful of colour statistics predicted the scores would teach nothing about
networks. So a ridge regression on 23 global statistics of colour, brightness and sharpness,
fitted on the training photographs and its penalty chosen on validation, is held against the
image ceiling; it must stay below 60 per cent of the ceiling's rank correlation. And
``resnet-imn-dist`` must cover at least 40 per cent of the way from the constant baseline to the
image ceiling, in MSE and in CDLoss. Trains it if it is not in the store, then reads the test
split. Writes data/results/world-PROFILE.json; ends with 1 where a target is missed.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from apmlib import evaluation, metrics, ratings, runs, training, variants  # noqa: E402
from apmlib.simulated import crowd, frozen, world  # noqa: E402

VARIANT = "resnet-imn-dist"
RIDGE_BELOW, COVERED_ABOVE = 0.60, 0.40
PENALTIES = 10.0 ** np.arange(-1, 5.1, 0.5)


def main() -> int:
    """Measure, write the result, say what was missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="laptop")
    parser.add_argument("--time", action="store_true", help="train once more, by the clock")
    options = parser.parse_args()
    out = ROOT / f"data/results/world-{options.profile}.json"
    root = runs.simulated(options.profile)
    collection = ratings.read(root)
    ridge = ridge_on_statistics(collection)

    run = runs.run(VARIANT, root, options.profile)
    old = json.loads(out.read_text("utf-8")) if out.is_file() else {}
    seconds = old.get("training_seconds") if old.get("run") == run.name else None
    if options.time:
        seconds = time_training(collection, options.profile)

    test = collection.split("test")
    latents = world.read_latents(root).loc[test.table.index]
    train = collection.split("train").counts
    ceilings = crowd.ceilings(latents, test.counts, train=train)
    measured = json.loads((run / "metrics.json").read_text("utf-8"))
    covered = {key: share_covered(measured, ceilings, key) for key in ("mse", "cdloss")}
    result = {
        "what": f"{VARIANT} and a ridge on global statistics, test split",
        "world": frozen.world_hash(),
        "run": run.name,
        "settings": variants.settings(VARIANT, options.profile),
        "photographs": {
            name: len(collection.split(name).table) for name in ("train", "val", "test")
        },
        "split_hash": measured["split_hash"],
        "ridge": ridge | {"share_of_ceiling": ridge["rho"] / ceilings["image"]["rho"]},
        "constant": ceilings["constant"],
        "image_ceiling": ceilings["image"],
        "vote_ceiling": ceilings["vote"],
        VARIANT: {key: measured[key] for key in evaluation.METRICS},
        "covered": covered,
        "training_seconds": seconds,
        "targets": {"ridge_below": RIDGE_BELOW, "covered_above": COVERED_ABOVE},
        "provenance": {
            "command": f"python ci/world_check.py --profile {options.profile}",
            "commit": commit(),
            "machine": machine(),
            "seeds": {"world": 0, "run": measured["seed"]},
        },
    }
    evaluation.write_json(out, result)
    share = result["ridge"]["share_of_ceiling"]
    print(f"ridge: rho {ridge['rho']:.3f}, {share:.2f} of the image ceiling's")
    print(f"{VARIANT}: covered {covered['mse']:.2f} in MSE, {covered['cdloss']:.2f} in CDLoss")
    missed = share >= RIDGE_BELOW or min(covered.values()) < COVERED_ABOVE
    print("a target is missed" if missed else "all targets are met", f"({out.name})")
    return int(missed)


def time_training(collection: ratings.Collection, profile: str) -> int:
    """Seconds of one run after its pre-training, reading and measuring counted in."""
    init = runs.predecessor(VARIANT, profile)
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        training.train(VARIANT, collection, Path(folder) / "run", profile, init=init)
        return round(time.monotonic() - started)


def share_covered(measured: dict, ceilings: dict, key: str) -> float:
    """Share of the way from the constant baseline to the image ceiling in one metric."""
    low, high = ceilings["constant"][key], ceilings["image"][key]
    return (low - measured[key]["value"]) / (low - high)


def ridge_on_statistics(collection: ratings.Collection) -> dict:
    """Rank correlation on test of a ridge on :func:`statistics`, and the penalty chosen."""
    x = np.array([statistics(path) for path in collection.table["path"]])
    mu, split = collection.means, collection.table["split"].to_numpy()
    train, val, test = (split == name for name in ("train", "val", "test"))
    x = (x - x[train].mean(axis=0)) / (x[train].std(axis=0) + 1e-9)
    level = mu[train].mean()
    gram, target = x[train].T @ x[train], x[train].T @ (mu[train] - level)

    def predict(penalty: float, part: np.ndarray) -> np.ndarray:
        return level + x[part] @ np.linalg.solve(gram + penalty * np.eye(x.shape[1]), target)

    best = min(PENALTIES, key=lambda penalty: metrics.mse(predict(penalty, val), mu[val]))
    predicted = predict(best, test)
    return {
        "statistics": x.shape[1],
        "penalty": float(best),
        "rho_validation": metrics.rho(predict(best, val), mu[val]),
        "rho": metrics.rho(predicted, mu[test]),
        "mse": metrics.mse(predicted, mu[test]),
    }


def statistics(path: str) -> list[float]:
    """23 numbers that know colour, brightness and sharpness, and nothing of where things are.

    Means and deviations of R, G, B, luminance, saturation, chroma and the two opponent colours,
    five quantiles of luminance, clipped shares, energies of the Laplacian and the gradient.
    """
    with Image.open(path) as image:
        x = np.asarray(image.convert("RGB"), dtype=np.float64) / 255
    light = x @ (0.299, 0.587, 0.114)
    chroma = x.max(axis=2) - x.min(axis=2)
    saturation = chroma / (x.max(axis=2) + 1e-3)
    red_green, yellow_blue = x[..., 0] - x[..., 1], x[..., :2].mean(axis=2) - x[..., 2]
    laplacian = 4 * light[1:-1, 1:-1] - light[:-2, 1:-1] - light[2:, 1:-1]
    laplacian = laplacian - light[1:-1, :-2] - light[1:-1, 2:]
    slope = np.abs(np.diff(light, axis=0)).mean() + np.abs(np.diff(light, axis=1)).mean()
    return [
        *x.mean(axis=(0, 1)),
        *x.std(axis=(0, 1)),
        *(part.mean() for part in (light, saturation, chroma)),
        *(part.std() for part in (light, saturation, chroma, red_green, yellow_blue)),
        *np.quantile(light, (0.02, 0.25, 0.5, 0.75, 0.98)),
        (light > 0.98).mean(),
        (light < 0.02).mean(),
        np.log((laplacian**2).mean() + 1e-6),
        slope,
    ]


def commit() -> str:
    """The commit whose code was run."""
    command = ["git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def machine() -> str:
    """The machine in generic words."""
    cores = f"{os.cpu_count()} cores"
    if hasattr(os, "sysconf"):
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        cores += f", {memory:.0f} GiB"
    return f"{cores}, {platform.machine()}"


if __name__ == "__main__":
    sys.exit(main())
