"""What limits the network of this book: photographs, width or training, one changed at a time.

    python ci/limits.py [--profile laptop] [--seeds N] [--jobs N]

Trains ``resnet-imn-dist`` with fewer and more photographs (as many steps), narrower and wider,
and with fewer and more steps, into the store, and compares each with the network as it is.
Interrupted, the same command goes on. Writes data/results/limits.json; of another profile than
laptop the file has its name.
"""

import environment

if __name__ == "__main__":
    environment.enter()

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from environment import ROOT

sys.path.insert(0, str(ROOT))

import ablation
from ablation import Job
from apmlib import evaluation, runs, training, variants
from apmlib.errors import InputError
from apmlib.simulated import frozen

VARIANT = "resnet-imn-dist"
TIMES = {  # what each of them is multiplied by
    "photographs": (1 / 4, 1 / 2, 2),
    "width": (1 / 2, 2),
    "steps": (1 / 2, 2),
    "photographs and steps": (2,),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, measure, write; return the exit status."""
    options = _options(arguments)
    made_by = training.code_key(), frozen.world_hash()
    folders, seconds = {}, {}
    kinds = {
        (lever, times): job(lever, times, options.profile)
        for lever, several in TIMES.items()
        for times in several
    }
    base = Job(VARIANT)
    asked = [
        kind._replace(seed=seed)
        for seed in range(options.seeds)
        for kind in (base, *kinds.values())
    ]
    try:
        # Here and now: several processes at once would draw the same photographs.
        runs.objects(options.profile)
        ablation.collection(options.profile, share=max(TIMES["photographs"]))
        failed = ablation.train_all(asked, options.profile, options.jobs, folders, seconds)
        if failed:
            return 1
        results = {
            "what": "metrics on the test split; differences a - b, paired by seed and "
            f"photograph; b is {VARIANT} as it is",
            "profile": options.profile,
            "as it is": measured(folders, base, base, options.profile),
            "levers": [
                {"lever": lever, "times": times}
                | measured(folders, kind, base, options.profile)
                for (lever, times), kind in kinds.items()
            ],
            "provenance": ablation.provenance(
                f"python ci/limits.py --profile {options.profile} --seeds {options.seeds} "
                f"--jobs {options.jobs}",
                options,
                made_by,
                folders,
            ),
        }
    except InputError as error:
        print(f"limits: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nlimits: interrupted; the same command goes on", file=sys.stderr)
        return 130
    evaluation.write_json(options.out, results)
    print(f"{options.out.name}: {len(folders)} runs")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="laptop", choices=variants.PROFILES)
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds (1)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    name = "limits" + ("" if options.profile == "laptop" else f"-{options.profile}")
    options.out = options.out or ROOT / "data" / "results" / f"{name}.json"
    return options


def job(lever: str, times: float, profile: str) -> Job:
    """The run that has ``times`` as much of what ``lever`` names."""
    usual = variants.settings(VARIANT, profile)
    if lever == "photographs":  # as many steps
        return ablation.few(VARIANT, times, profile)
    if lever == "width":
        return Job(VARIANT, settings=(("width", round(times * usual["width"])),))
    if lever == "steps":
        return Job(VARIANT, settings=(("epochs", times * usual["epochs"]),))
    return Job(VARIANT, share=times)  # as many epochs, so more steps


def measured(folders: ablation.Folders, kind: Job, base: Job, profile: str) -> dict:
    """What one kind of run was given, what it reaches, and what it gains on the base."""
    data = ablation.collection(profile)
    config = evaluation.read_config(folders[kind])
    return {
        "photographs": len(ablation.collection(profile, share=kind.share).split("train")),
        "width": config["settings"]["width"],
        "steps": config["trained"]["steps"],
        "summary": ablation.summary(folders, kind, data),
        "paired": ablation.paired(folders, kind, base, data),
    }


if __name__ == "__main__":
    sys.exit(main())
