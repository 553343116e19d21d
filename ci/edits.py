"""What edits through the model are truly worth, on photographs of the simulated test split.

    python ci/edits.py [--profile laptop] [--each N] [--whole N] [--jobs N] [--run RUN]

The first N photographs with each one fault of ``gain.FAULTS``, and N without any, are drawn
again at twice the side of the network, so that a turned one is not blurred. The released run
edits each; what that gains in truth stands beside the best edit under the same bounds and
penalty, random edits of the same size, "always brighten and saturate", and a change of the
pixels that the model likes as well. What a photograph gave is kept in the store: interrupted,
the same command goes on. A photograph that fails does not stop the others; then the status is
1. Writes data/results/edits.json; of another profile than laptop the file has its name.
"""

import environment

if __name__ == "__main__":
    environment.enter()

import argparse
import functools
import json
import math
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from environment import ROOT

sys.path.insert(0, str(ROOT))

import numpy as np
import pandas as pd
import torch
from PIL import Image
from scipy.stats import binomtest

from apmlib import (
    adversarial,
    editing,
    evaluation,
    gain,
    images,
    metrics,
    ratings,
    runs,
    training,
    variants,
)
from apmlib.errors import InputError
from apmlib.home import home
from apmlib.simulated import frozen, world
from jobs import in_order
from world_check import commit, machine

RUN = ROOT / "data" / "released" / "resnet-ava-dist-m"
TIMES = 2  # the side of a photograph that is edited, in sides of the network
RANDOM = 4  # random edits of a photograph; their gains are averaged
EDITS = ("model", "best", "random", "brighter")
CHANGES = (*EDITS, "pixels")
SEARCH = editing.Search()
DESCENT = adversarial.Descent()


def main(arguments: Sequence[str] | None = None) -> int:
    """Edit, ask the crowd, write; return the exit status."""
    options = _options(arguments)
    made_by = training.code_key(), gain.code_key(), frozen.world_hash()
    try:
        table = latents(options.profile)
        faults = chosen(table, options.each, options.whole)
        found, failed = measure_all(list(faults.index), options)
        if (training.code_key(), gain.code_key(), frozen.world_hash()) != made_by:
            raise InputError("apmlib: was changed meanwhile; give the same command again")
    except InputError as error:
        print(f"edits: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nedits: interrupted; the same command goes on", file=sys.stderr)
        return 130
    results = {
        "what": "true and predicted gains of edits, points of the mean score, test split",
        "profile": options.profile,
        "split": "test",
        "split_hash": ratings.split_hash(table.index),
        "improved": gain.IMPROVED,
        "random_edits": RANDOM,
        "search": asdict(SEARCH),
        "descent": asdict(DESCENT),
        **measured(pd.DataFrame(found)),
        "photographs": found,
        "failed": failed,
        "provenance": provenance(options, made_by),
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    evaluation.write_json(options.out, results)
    print(f"{options.out.name}: {len(found)} photographs, {len(failed)} failed")
    return int(bool(failed))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="laptop", choices=variants.PROFILES)
    parser.add_argument("--each", type=int, default=40, help="photographs with each fault")
    parser.add_argument("--whole", type=int, default=80, help="photographs without a fault")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--run", type=Path, default=RUN, help="run that edits")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    name = "edits" if options.profile == "laptop" else f"edits-{options.profile}"
    options.out = options.out or ROOT / "data" / "results" / f"{name}.json"
    return options


# --- Photographs ---------------------------------------------------------------------------


@functools.cache
def latents(profile: str) -> pd.DataFrame:
    """Latents of the test split of the profile's simulated photographs."""
    root = runs.simulated(profile)
    return world.read_latents(root).loc[ratings.read(root).split("test").table.index]


def chosen(table: pd.DataFrame, each: int, whole: int) -> pd.Series:
    """The fault of each photograph that is edited: the first ones of every kind, by id."""
    faults = gain.faults(table)
    counts = dict.fromkeys(gain.FAULTS, each) | {"none": whole}
    return pd.concat([faults[faults == name].head(n) for name, n in counts.items()])


# --- What is measured ----------------------------------------------------------------------


def measure_all(names: Sequence[str], options: argparse.Namespace) -> tuple[list, list[str]]:
    """What every photograph gave, in the order of ``names``, and those that failed."""
    kept = store(options)
    kept.mkdir(parents=True, exist_ok=True)
    files = {name: kept / f"{name}.json" for name in names}
    todo = [name for name in names if not files[name].is_file()]
    task = functools.partial(measure, profile=options.profile, run=options.run)
    failed = []
    for name, result, error in in_order(task, dict.fromkeys(todo), options.jobs):
        if error:
            failed.append(name)
            print(f"photograph {name}: failed\n{error}", file=sys.stderr, flush=True)
            continue
        evaluation.write_json(files[name], result)
        done = sum(file.is_file() for file in files.values())
        print(f"{done} of {len(names)}: photograph {name}, {result['fault']}", flush=True)
    found = [file.read_text("utf-8") for file in files.values() if file.is_file()]
    return [json.loads(text) for text in found], failed


def store(options: argparse.Namespace) -> Path:
    """Where the photographs' results are kept, by all that they depend on."""
    about = {
        "profile": options.profile,
        "weights": evaluation.file_hash(options.run / "weights.safetensors"),
        "code": [training.code_key(), gain.code_key(), frozen.world_hash()],
        "how": [TIMES, RANDOM, asdict(SEARCH), asdict(DESCENT)],
    }
    return home() / "edits" / runs.key(about)


@functools.cache
def scorer(run: Path) -> tuple:
    """Network, configuration and scores K of a run, loaded once in each process."""
    return adversarial.scorer(run)


def measure(name: str, given: None, profile: str, run: Path) -> dict:
    """One photograph edited in every way: predicted and true gains in points."""
    net, config, bins = scorer(run)
    seen = evaluation.seen_as(config["settings"])
    row, picture, mask = gain.taken(latents(profile).loc[name], TIMES * seen["side"])
    found = editing.find(net, picture, seen, bins, SEARCH)
    size = float(editing.size(editing.vector(found.edit)))
    rng = np.random.default_rng([0, int(name)])
    edits = [found.edit, gain.best_edit(row, picture, mask, SEARCH), gain.BRIGHTER]
    edits += [gain.random_edit(size, rng) for _ in range(RANDOM)]
    model, best, brighter, *chance = gain.true_gain(row, picture, mask, edits)
    fooled, change = changed_pixels(net, picture, mask, row, seen, bins)
    before, after = (adversarial.predicted(p)["mean"] for p in (found.before, found.after))
    return {
        "image": name,
        "category": row["category"],
        "fault": gain.faults(latents(profile).loc[[name]]).iloc[0],
        "mean": float(gain.true_means([row])[0]),
        "predicted_mean": before,
        "edit": asdict(found.edit),
        "best_edit": asdict(edits[1]),
        "size": size,
        "predicted": after - before,
        "predicted_pixels": change,
        "model": model,
        "best": best,
        "random": float(np.mean(chance)),
        "brighter": brighter,
        "pixels": fooled,
    }


def changed_pixels(net, picture, mask, row: dict, seen: dict, bins: int) -> tuple[float, float]:
    """True and predicted gain of a change of single pixels at the network's size."""
    pixels = images.resize(picture, seen["side"], view=seen["view"])
    original = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    found = adversarial.modify(net, original, 1, DESCENT, bins)
    changed = Image.fromarray(found.rounded()[0].permute(1, 2, 0).numpy())
    shown = mask.resize(changed.size, Image.Resampling.NEAREST)
    rows = [gain.shown_as(row, Image.fromarray(pixels), shown)]
    rows.append(gain.shown_as(row, changed, shown))
    before, after = gain.true_means(rows)
    with torch.inference_mode():
        p = adversarial.distribution(net, torch.cat([original, found.rounded()]))
        change = adversarial.mean(p.double()).diff()
    return float(after - before), float(change)


def measured(table: pd.DataFrame) -> dict:
    """By fault, for all photographs with a fault and for what the model predicted."""
    groups = {name: table[table["fault"] == name] for name in (*gain.FAULTS, "none")}
    groups["any fault"] = table[table["fault"] != "none"]
    return {
        "faults": {name: summary(rows) for name, rows in groups.items() if len(rows)},
        "fooled": {
            what: fooled(table[predicted].to_numpy(), table[true].to_numpy())
            for what, predicted, true in (
                ("edits", "predicted", "model"),
                ("pixels", "predicted_pixels", "pixels"),
            )
        },
    }


def summary(rows: pd.DataFrame) -> dict:
    """Mean gains, shares better and worse, and the model's edit against the others."""
    gains = {name: rows[name].to_numpy() for name in EDITS}
    average = functools.partial(_entry, metrics.average)
    return {
        "n": len(rows),
        "gain": {name: average(values) for name, values in gains.items()},
        "improved": {name: _share(values > gain.IMPROVED) for name, values in gains.items()},
        "worse": {name: _share(values < -gain.IMPROVED) for name, values in gains.items()},
        "beyond": {
            name: average(gains["model"] - gains[name]) for name in EDITS if name != "model"
        },
        "of_the_best": _entry(_ratio, gains["model"], gains["best"]),
        "predicted": average(rows["predicted"].to_numpy()),
    }


def fooled(predicted: np.ndarray, true: np.ndarray) -> dict:
    """What is left in truth of the gain that the model predicts."""
    return {
        "n": len(true),
        "predicted": _entry(metrics.average, predicted),
        "true": _entry(metrics.average, true),
        "left": _entry(_ratio, true, predicted),
        "rho": _entry(metrics.rho, predicted, true),
    }


def _ratio(one: np.ndarray, other: np.ndarray) -> float:
    return float(one.mean() / other.mean()) if other.mean() else math.nan


def _entry(measure, *arrays: np.ndarray) -> dict:
    """A measure with its bootstrap interval over photographs."""
    return dict(zip(("value", "low", "high"), metrics.bootstrap(measure, *arrays), strict=True))


def _share(true: np.ndarray) -> dict:
    """A share with Wilson's interval: of none or of all, the bootstrap would be certain."""
    found = binomtest(int(true.sum()), len(true))
    low, high = found.proportion_ci(method="wilson")
    return {"value": found.statistic, "low": low, "high": high}


def provenance(options: argparse.Namespace, made_by: tuple[str, str, str]) -> dict:
    """Where the numbers come from."""
    config = evaluation.read_config(options.run)
    return {
        "command": f"python ci/edits.py --profile {options.profile} --each {options.each} "
        f"--whole {options.whole} --jobs {options.jobs}",
        "commit": commit(),
        "code": made_by[0],
        "editing": made_by[1],
        "world": made_by[2],
        "run": options.run.name,
        "weights_sha256": evaluation.file_hash(options.run / "weights.safetensors"),
        "machine": f"{machine()}, {options.jobs} processes of one thread",
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "seeds": {
            **{"world": 0, "search": SEARCH.seed, "random": 0, "bootstrap": 0},
            "runs": [config["seed"]],
        },
    }


if __name__ == "__main__":
    sys.exit(main())
