"""Five-fold cross-validation on OASIS: the model of the photos profile against a ridge.

    python ci/oasis_cv.py --data OASIS --init WEIGHTS

The folds are drawn from the photographs of train and val; those of test are not looked at. In
each fold ``resnet-imn-dist`` is trained as ``apm train --profile photos`` trains it. A ridge
regression, its penalty chosen inside the fold, gets the l2-normalised 3 x 3 max-pooled pyramid
of the frozen network at the photographs' own size. Both predict the fifth that they have not
seen. Writes data/results/oasis-resnet-imn-dist.json. A finished fold is not trained again.
"""

import argparse
import platform
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from apmlib import evaluation, images, metrics, model, ratings, ridge, training  # noqa: E402
from apmlib.home import home  # noqa: E402
from apmlib.progress import progress  # noqa: E402
from apmlib.spp import l2_normalise, spatial_pyramid_pooling  # noqa: E402

VARIANT = "resnet-imn-dist"
FOLDS = 5


def main() -> None:
    """Train the folds, compare, write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--init", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0, help="of the folds and of the training")
    parser.add_argument(
        "--fold",
        type=int,
        nargs="+",
        help="train these folds (0 to 4) and stop: for several at once",
    )
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path, default=ROOT / f"data/results/oasis-{VARIANT}.json")
    options = parser.parse_args()
    overrides = dict(pair.split("=", 1) for pair in options.set)

    collection = ratings.read(options.data)
    table = collection.table[collection.table["split"] != "test"]
    fold = np.random.default_rng(options.seed).permutation(len(table)) % FOLDS
    g = replace(collection, table=table).distributions
    features = None if options.fold else own_size_pyramids(table["path"], options.init)
    model_p, ridge_p, seconds, penalties = np.zeros_like(g), np.zeros_like(g), [], []
    for i in options.fold or range(FOLDS):
        inside, outside = fold != i, fold == i
        parts = table.assign(split=np.where(inside, "train", "test"))
        started = time.monotonic()
        name = "-".join([training.code_key(), str(options.seed), str(i), *options.set])
        run = training.train(
            VARIANT,
            replace(collection, table=parts),
            home() / "oasis" / name,
            "photos",
            options.seed,
            init=options.init,
            overrides=overrides,
        )
        seconds.append(time.monotonic() - started)
        print(f"fold {i}: {seconds[-1]:.0f} s", file=sys.stderr)
        if options.fold:
            continue
        predictions = evaluation.distributions(
            pd.read_csv(run / "predictions.csv", dtype={"image": str})
        )
        model_p[outside] = predictions
        x, y = torch.tensor(features[inside]), torch.tensor(g[inside])
        weight, bias, penalty = ridge.fit(x, y)
        penalties.append(penalty)
        ridge_p[outside] = np.maximum(features[outside] @ weight.numpy() + bias.numpy(), 0)
    if options.fold:
        return
    result = compare(model_p, ridge_p, replace(collection, table=table).counts)
    result["provenance"] = {
        "command": "python ci/oasis_cv.py --data OASIS --init WEIGHTS"
        + "".join(f" --set {pair}" for pair in options.set)
        + f" --seed {options.seed}",
        "commit": _commit(),
        "code": training.code_key(),
        "seeds": {"folds": options.seed, "training": options.seed},
        "split_hash": ratings.split_hash(table.index),
        "weights_sha256": evaluation.file_hash(options.init),
        "settings": evaluation.read_config(run)["settings"],
        "ridge_penalties": penalties,
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads, shared",
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    evaluation.write_json(options.out, result)
    for name, entry in result["difference"].items():
        interval = f"[{entry['low']:+.4f}, {entry['high']:+.4f}]"
        print(f"{name:9} model less ridge {entry['value']:+.4f} {interval}")


def own_size_pyramids(paths, init: Path) -> np.ndarray:
    """The l2-normalised pyramid of the frozen network, each photograph at its own size.

    Kept in the store under a hash of weights and photographs.
    """
    names = [evaluation.file_hash(path) for path in (init, *paths)]
    kept = home() / "oasis" / f"pyramids-{ratings.split_hash(names)}.npy"
    if kept.is_file():
        return np.load(kept)
    net = model.backbone("resnet18:layer3")
    model.load_backbone(net, init)
    net.eval()
    rows = []
    with torch.inference_mode():
        for path in progress(list(paths), "pyramids", total=len(paths)):
            image = images.read(path)
            pixels = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)[None]
            features = spatial_pyramid_pooling(net(images.normalise(pixels)))
            rows.append(l2_normalise(features, rescale=False)[0].double().numpy())
    kept.parent.mkdir(parents=True, exist_ok=True)
    part = kept.with_suffix(".part.npy")
    np.save(part, np.array(rows))
    part.replace(kept)
    return np.load(kept)


def compare(a: np.ndarray, b: np.ndarray, counts: np.ndarray) -> dict:
    """Both models' metrics over all folds, and the paired differences, model less ridge."""
    true = metrics.mean(counts)
    means = metrics.mean(a), metrics.mean(b)

    by_image = {"cdloss": metrics.cdloss, "kldiv": lambda p, g: metrics.kl(g, p)}
    difference = {
        "mse": metrics.paired(metrics.mse, *means, true),
        "rho": metrics.paired(metrics.rho, *means, true),
    }
    for name, measure in by_image.items():
        values = measure(a, counts), measure(b, counts)
        difference[name] = metrics.paired(metrics.average, *values)
    return {
        "what": "out-of-fold predictions of all folds; the difference is model less ridge",
        "n": len(counts),
        "folds": FOLDS,
        "model": metrics.report(a, counts),
        "ridge": metrics.report(b, counts),
        "difference": {
            name: dict(zip(("value", "low", "high"), found, strict=True))
            for name, found in difference.items()
        },
    }


def _commit() -> str:
    found = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True
    )
    return found.stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
