"""OASIS: the three ResNet rows of Table 1 against a ridge by five folds, and the test split.

    python ci/oasis_cv.py --data OASIS --init WEIGHTS --teacher SOFT_TARGETS [--jobs N]

The folds are drawn from the photographs of train and val; those of test are not looked at. In
each fold ``resnet-imn-dist``, ``resnet-ava-dist`` and ``resnet-ava-dist-m`` are trained as
``apm train --profile photos`` trains them, the student on the soft targets of that fold's
training photographs. A ridge regression, its penalty chosen inside the fold, gets what the
frozen network sees at the photographs' own size: the l2-normalised 3 x 3 max-pooled pyramid,
alone and beside the global average. All predict the fifth that they have not seen, the ridge
also where it learns from fewer photographs.

Then the same settings are trained once more, on all photographs of train and val, compared
with the ridge on the test split, and the last row of the table is explained there (section
4.3). Finished stages are not trained again. Writes data/results/oasis.json.
"""

import environment

if __name__ == "__main__":
    environment.enter()

import argparse
import functools
import json
import os
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from environment import ROOT

sys.path.insert(0, str(ROOT))

from apmlib import (
    adversarial,
    evaluation,
    images,
    metrics,
    model,
    ratings,
    ridge,
    training,
    variants,
)
from apmlib.errors import InputError
from apmlib.home import home
from apmlib.progress import progress
from apmlib.spp import l2_normalise, spatial_pyramid_pooling
from jobs import in_order
from world_check import commit, machine

FOLDS = 5
WHOLE = -1  # in place of the number of a fold: all photographs of train and val
SHARES = (1 / 8, 1 / 4, 1 / 2, 1)  # of a fold's training photographs, for the ridge
STAGES = {  # each with the one that it starts from
    "resnet-imn-dist": None,
    "resnet-ava-semantic": None,
    "resnet-ava-dist": "resnet-ava-semantic",
    "resnet-ava-dist-m": "resnet-ava-dist",
}
ROWS = [name for name in STAGES if variants.variant(name).target == "dist"]
RIDGES = ("ridge, pyramid", "ridge, pyramid and average")
PAIRS = (
    ("resnet-imn-dist", RIDGES[0]),
    ("resnet-ava-dist-m", RIDGES[1]),
    ("resnet-ava-dist", "resnet-imn-dist"),
    ("resnet-ava-dist-m", "resnet-ava-dist"),
)


class Job(NamedTuple):
    """One stage of one fold, or of the ``WHOLE``."""

    variant: str
    fold: int


def main() -> int:
    """Train the folds, compare, write the result."""
    options = _options()
    try:
        return _main(options)
    except InputError as error:
        print(f"oasis_cv: {error}", file=sys.stderr)
        return 2


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--init", type=Path, required=True, help="weights of the backbone")
    parser.add_argument("--teacher", type=Path, required=True, help="soft targets, .npz")
    parser.add_argument("--seed", type=int, default=0, help="of the folds and of the training")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--out", type=Path, default=ROOT / "data/results/oasis.json")
    return parser.parse_args()


def _main(options: argparse.Namespace) -> int:
    collection, fold = folded(options)
    table = collection.table
    before = {
        Job(name, i): start and Job(start, i)
        for i in (*range(FOLDS), WHOLE)
        for name, start in STAGES.items()
    }
    task = functools.partial(train, options=options)
    folders, seconds = {}, dict.fromkeys(STAGES, 0.0)
    for job, result, error in in_order(task, before, options.jobs):
        if error:
            print(f"{job.variant}, {job.fold}: failed\n{error}", file=sys.stderr)
            return 1
        folders[job], took = result
        seconds[job.variant] += 0 if job.fold == WHOLE else took
        where = "whole" if job.fold == WHOLE else f"fold {job.fold}"
        print(f"{job.variant}, {where}: {took:.0f} s", flush=True)
    predicted = {
        name: joined([folders[Job(name, i)] for i in range(FOLDS)], table) for name in ROWS
    }
    penalties = {}
    blocks = own_size_features(table["path"], options.init)
    for name, x in zip(RIDGES, (blocks[0], np.hstack(blocks)), strict=True):
        predicted[name], penalties[name] = ridge_predictions(x, collection.distributions, fold)
    what = "out-of-fold predictions of all folds; differences over photographs, paired"
    result = {"profile": "photos", "what": what, "folds": FOLDS}
    result |= compare(predicted, collection.counts)
    result["ridge_by_photographs"] = by_photographs(blocks[0], collection, fold)
    result["collection"] = about(ratings.read(options.data))
    whole = {name: folders[Job(name, WHOLE)] for name in STAGES}
    result["test"] = {
        name: json.loads((whole[name] / "metrics.json").read_text("utf-8")) for name in ROWS
    }
    test = ratings.read(options.data).split("test")
    said = {name: joined([whole[name]], test.table) for name in ROWS}
    shown = own_size_features(test.table["path"], options.init)
    for i, name in enumerate(RIDGES, start=1):
        x, seen = (np.hstack(found[:i]) for found in (shown, blocks))
        weight, bias, _ = ridge.fit(*map(torch.tensor, (seen, collection.distributions)))
        said[name] = np.maximum(x @ weight.numpy() + bias.numpy(), 0)
    result["test_compared"] = compare(said, test.counts)
    result["explained"] = explained(whole[ROWS[-1]], test)
    result["training_seconds"] = {name: round(took) for name, took in seconds.items()}
    result["provenance"] = {
        "command": "python ci/oasis_cv.py --data OASIS --init WEIGHTS --teacher SOFT_TARGETS"
        f" --seed {options.seed} --jobs {options.jobs}",
        "commit": commit(),
        "code": training.code_key(),
        "world": None,  # nothing here is simulated
        "modules": {"names": ["adversarial"], "code": training.code_key(["adversarial"])},
        "seeds": {"folds": options.seed, "runs": [options.seed]},
        "split_hash": ratings.split_hash(table.index),
        "weights_sha256": evaluation.file_hash(options.init),
        "teacher_sha256": evaluation.file_hash(options.teacher),
        "settings": {name: variants.settings(name, "photos") for name in STAGES},
        "ridge_penalties": penalties,
        "machine": f"{machine()}, {options.jobs} processes of one thread",
        "versions": evaluation.read_config(folders[Job(ROWS[0], 0)])["versions"],
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    evaluation.write_json(options.out, result)
    for pair, found in result["differences"].items():
        mse = found["mse"]
        print(f"{pair}: MSE {mse['value']:+.4f} [{mse['low']:+.4f}, {mse['high']:+.4f}]")
    return 0


def folded(options: argparse.Namespace) -> tuple[ratings.Collection, np.ndarray]:
    """The photographs of train and val, and for each the fold that it is kept back in."""
    collection = ratings.read(options.data)
    table = collection.table[collection.table["split"] != "test"]
    fold = np.random.default_rng(options.seed).permutation(len(table)) % FOLDS
    return replace(collection, table=table), fold


def train(
    job: Job, first: tuple[Path, float] | None, options: argparse.Namespace
) -> tuple[Path, float]:
    """Run folder of a job and the seconds that its training took.

    ``first`` is the same of the job that it starts from, None where that is the weights.
    """
    if job.fold == WHOLE:
        collection = ratings.read(options.data)
    else:
        collection, fold = folded(options)
        parts = collection.table.assign(split=np.where(fold == job.fold, "test", "train"))
        collection = replace(collection, table=parts)
    name = f"{training.code_key()}-{options.seed}-{job.fold}-{job.variant}"
    out = home() / "oasis" / name
    record = out / "seconds.json"
    started = time.monotonic()
    semantic = variants.variant(job.variant).target == "semantic"
    training.train(
        job.variant,
        collection,
        out,
        "photos",
        options.seed,
        init=first[0] if first else options.init,
        teacher=options.teacher if semantic else None,
    )
    if not record.is_file():  # of one that was begun before, the part since then
        evaluation.write_json(record, time.monotonic() - started)
    return out, json.loads(record.read_text("utf-8"))


def joined(folders: list[Path], table: pd.DataFrame) -> np.ndarray:
    """Out-of-fold predictions of all folds, (N, K), in the order of ``table``."""
    files = [pd.read_csv(run / "predictions.csv", dtype={"image": str}) for run in folders]
    return evaluation.distributions(pd.concat(files).set_index("image").loc[table.index])


def ridge_predictions(
    x: np.ndarray, g: np.ndarray, fold: np.ndarray
) -> tuple[np.ndarray, list[float]]:
    """Out-of-fold predictions of a ridge of ``g`` (N, K) on ``x``, and the penalties."""
    p, penalties = np.zeros_like(g), []
    for i in range(FOLDS):
        inside, outside = fold != i, fold == i
        weight, bias, penalty = ridge.fit(torch.tensor(x[inside]), torch.tensor(g[inside]))
        p[outside] = np.maximum(x[outside] @ weight.numpy() + bias.numpy(), 0)
        penalties.append(penalty)
    return p, penalties


def by_photographs(x: np.ndarray, collection: ratings.Collection, fold: np.ndarray) -> dict:
    """By number of photographs to learn from: how far a ridge of ``x`` is off, out of fold."""
    g, true = collection.distributions, collection.means
    order = np.random.default_rng(0).permutation(len(g))
    place = np.argsort(order)  # of each photograph in the random order
    found = {}
    for share in SHARES:
        p = np.zeros_like(g)
        for i in range(FOLDS):
            inside = np.flatnonzero(fold != i)
            inside = inside[np.argsort(place[inside])][: round(share * len(inside))]
            weight, bias, _ = ridge.fit(torch.tensor(x[inside]), torch.tensor(g[inside]))
            p[fold == i] = np.maximum(x[fold == i] @ weight.numpy() + bias.numpy(), 0)
        found[len(inside)] = {
            name: _entry(metrics.bootstrap(measure, metrics.mean(p), true))
            for name, measure in (("mse", metrics.mse), ("rho", metrics.rho))
        }
    return found


def about(collection: ratings.Collection) -> dict:
    """What the votes of a collection are like, and how well votes drawn again predict them."""
    counts, g = collection.counts, collection.distributions
    votes = counts.sum(axis=1)
    again = np.random.default_rng(0).multinomial(votes, g)
    return {
        "photographs": {name: len(collection.split(name)) for name in ratings.SPLITS},
        "bins": collection.bins,
        "votes": {"mean": votes.mean(), "low": int(votes.min()), "high": int(votes.max())},
        "mean": collection.means.mean(),
        "std of means": collection.means.std(),
        "std of scores": metrics.std(g).mean(),
        "empty bins": (counts == 0).any(axis=1).mean(),
        "drawn again": metrics.report(again, counts),
    }


def explained(run: Path, part: ratings.Collection) -> dict:
    """How far mean scores go where the pixels are changed (section 4.3)."""
    net, config, bins = adversarial.scorer(run)
    seen = evaluation.seen_as(config["settings"])
    shown = evaluation.photographs(part.table["path"], **seen)
    moved = {}
    for name, direction in adversarial.DIRECTIONS.items():
        moves = np.zeros(len(shown))
        for rows, batch in adversarial.modifications(net, shown, direction, bins=bins):
            moves[rows] = metrics.mean(batch.after) - metrics.mean(batch.before)
        moved[name] = _entry(metrics.bootstrap(metrics.average, moves))
    return {"n": len(shown), "descent": asdict(adversarial.Descent()), "moved": moved}


def _entry(found: metrics.Interval) -> dict[str, float]:
    return dict(zip(("value", "low", "high"), found, strict=True))


def own_size_features(paths: pd.Series, init: Path) -> list[np.ndarray]:
    """What the frozen network sees of each photograph at its own size, two blocks of columns.

    The pyramid and the global average, each of length 1. Kept in the store under a hash of
    weights and photographs.
    """
    names = [evaluation.file_hash(path) for path in (init, *paths)]
    kept = home() / "oasis" / f"features-{ratings.split_hash(names)}.npz"
    if not kept.is_file():
        net = model.backbone("resnet18:layer3")
        model.load_backbone(net, init)
        net.eval()
        rows = []
        with torch.inference_mode():
            for path in progress(list(paths), "features", total=len(paths)):
                pixels = torch.from_numpy(np.array(images.read(path))).permute(2, 0, 1)[None]
                features = net(images.normalise(pixels))
                pyramid = spatial_pyramid_pooling(features)
                average = spatial_pyramid_pooling(features, 1, "average")
                pair = (l2_normalise(x, rescale=False)[0] for x in (pyramid, average))
                rows.append([x.double().numpy() for x in pair])
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(".part.npz")
        np.savez(part, *map(np.array, zip(*rows, strict=True)))
        part.replace(kept)
    with np.load(kept) as stored:
        return [stored[name] for name in stored.files]


def compare(predicted: dict[str, np.ndarray], counts: np.ndarray) -> dict:
    """Metrics of every model, and the differences of ``PAIRS``, paired by photograph."""
    true = metrics.mean(counts)
    differences = {}
    for names in PAIRS:
        a, b = (predicted[name] for name in names)
        means = metrics.mean(a), metrics.mean(b)
        kls = metrics.kl(counts, a), metrics.kl(counts, b)
        cdlosses = metrics.cdloss(a, counts), metrics.cdloss(b, counts)
        compared = {
            "kldiv": (metrics.average, *kls),
            "cdloss": (metrics.average, *cdlosses),
            "mse": (metrics.mse, *means, true),
            "rho": (metrics.rho, *means, true),
        }
        differences[" less ".join(names)] = {
            key: _entry(metrics.paired(*what)) | {"detectable": metrics.detectable(*what)}
            for key, what in compared.items()
        }
    return {
        "n": len(counts),
        "models": {name: metrics.report(p, counts) for name, p in predicted.items()},
        "differences": differences,
    }


if __name__ == "__main__":
    sys.exit(main())
