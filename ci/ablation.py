"""Table 1 with several seeds, or with ``--extra`` all that its claims are held against.

    python ci/ablation.py [--extra] [--profile laptop] [--seeds N] [--jobs N] [--only VARIANT]
                          [--anew]

Trains into the store, by ``--jobs`` processes of one thread each, what is not there: the seven
variants of Table 1 with five seeds; or with three the controls, the experiments, both variants
of each claim again on votes of a crowd without the mechanism that is claimed, the step sizes,
and what semantics gain where few photographs have votes. Interrupted, the same command goes on.
A job that fails does not stop the others; then the status is 1. Writes
data/results/ablation.json, or ablation-extra.json; of another profile than laptop the file has
its name. What the runs of a seed say of the test photographs is kept beside it, in runs/: a
seed that today's code has trained on one machine is not trained again on another, unless
``--anew``.
"""

import environment

if __name__ == "__main__":
    environment.enter()

import argparse
import dataclasses
import functools
import json
import math
import os
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from environment import ROOT

sys.path.insert(0, str(ROOT))

import kept
from apmlib import comparison, evaluation, ratings, runs, training, variants, windows
from apmlib.comparison import Claim, Mechanism
from apmlib.errors import InputError
from apmlib.home import home
from apmlib.simulated import frozen
from jobs import in_order
from world_check import commit, machine


class Job(NamedTuple):
    """One run: ``votes`` of a crowd that is not the usual one, ``settings`` that differ.

    ``share`` is the part of the training photographs that it has votes of; above 1 there are
    more photographs.
    """

    variant: str
    seed: int = 0
    votes: Mechanism | None = None
    settings: tuple[tuple[str, float], ...] = ()
    share: float = 1.0

    def __str__(self) -> str:
        parts = [f"{key}={value}" for key, value in self.settings]
        parts += [self.votes.label] if self.votes else []
        parts += [f"{self.share:.0%} of the votes"] if self.share != 1 else []
        return " ".join([self.variant, *parts, f"seed {self.seed}"])


Folders = Mapping[Job, Path]
SQUARES = "resnet-imn-dist-crop"  # the variant that is asked about windows


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, measure, write; return the exit status."""
    options = _options(arguments)
    made_by = training.code_key(), frozen.world_hash()
    folders, seconds = {}, {}  # of what is done so far
    try:
        # Here and now: several processes at once would draw the same photographs.
        runs.objects(options.profile)
        collection(options.profile)
        asked = table_jobs(options.seeds)
        if options.extra:
            asked = extra_jobs(options.seeds, options.profile)
        if options.only:
            asked = [job for job in asked if job.variant in options.only]
        told = found_kept(chains(asked, options.profile), options, made_by, folders, seconds)
        left = [job for job in asked if job not in folders]
        failed = train_all(left, options.profile, options.jobs, folders, seconds)
        if options.train_only:
            return int(bool(failed))
        if (training.code_key(), frozen.world_hash()) != made_by:
            raise InputError("apmlib: was changed meanwhile; give the same command again")
        results = measured(folders, asked, options.profile)
    except InputError as error:
        print(f"ablation: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        keep(folders, seconds, options, made_by)
        print("\nablation: interrupted; the same command goes on", file=sys.stderr)
        return 130
    for entry in results["runs"]:
        entry["seconds"] = seconds.get(entry["run"])
    results["failed"] = [str(job) for job in failed]
    results["provenance"] = provenance(_command(options), options, made_by, folders)
    results["provenance"]["kept"] = told
    every = [entry["seconds"] for entry in results["runs"]]
    results["core_minutes"] = None if None in every else sum(every) / 60
    options.out.parent.mkdir(parents=True, exist_ok=True)
    evaluation.write_json(options.out, results)
    keep(folders, seconds, options, made_by)
    print(f"{options.out.name}: {len(folders)} runs, {len(failed)} failed")
    return int(bool(failed))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--extra", action="store_true", help="what Table 1 is held against")
    parser.add_argument("--profile", default="laptop", choices=variants.PROFILES)
    parser.add_argument("--seeds", type=int, help="number of seeds (5, with --extra 3)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--only", nargs="+", choices=variants.VARIANTS, metavar="VARIANT")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--anew", action="store_true", help="train kept seeds as well")
    parser.add_argument(
        "--train-only", action="store_true", help="into the store; measure and write nothing"
    )
    options = parser.parse_args(arguments)
    options.seeds = options.seeds or (3 if options.extra else 5)
    if options.only and not options.out:
        parser.error("--only makes a part of the results; name its file with --out")
    name = "ablation-extra" if options.extra else "ablation"
    name += "" if options.profile == "laptop" else f"-{options.profile}"
    options.out = options.out or ROOT / "data" / "results" / f"{name}.json"
    return options


# --- What is trained -----------------------------------------------------------------------


def table_jobs(seeds: int) -> list[Job]:
    """Table 1."""
    return [Job(name, seed) for seed in range(seeds) for name in variants.TABLE]


def extra_jobs(seeds: int, profile: str) -> list[Job]:
    """All else that is measured, and Table 1 with as many seeds, to compare with."""
    names = (*variants.TABLE, *variants.CONTROLS, *variants.EXPERIMENTS)
    kinds = [Job(name) for name in names]
    kinds += [
        Job(name, votes=mechanism)
        for claim in comparison.CLAIMS
        for mechanism in claim.mechanisms
        for name in (claim.a, claim.b)
    ]
    kinds += [
        Job(name, settings=settings_of(rate))
        for rate in comparison.PUZZLE_RATES
        for name in comparison.PUZZLE.values()
    ]
    kinds += [
        few(name, share, profile)
        for share in comparison.SHARES
        for name in comparison.SEMANTICS
    ]
    kinds = dict.fromkeys(kinds)  # some are there already
    return [kind._replace(seed=seed) for seed in range(seeds) for kind in kinds]


def settings_of(rate: str) -> tuple[tuple[str, float], ...]:
    """The settings of one of the rates of the puzzle, as a job has them."""
    return tuple(sorted(comparison.PUZZLE_RATES[rate].items()))


def few(name: str, share: float, profile: str) -> Job:
    """A variant trained on a share of the photographs, shown as often in all as the whole."""
    usual = variants.settings(name, profile)
    changed = {
        "epochs": usual["epochs"] / share,
        # Looked at on validation about as often as usual, not after each of many short epochs.
        "interval": math.ceil(len(collection(profile).split("train")) / usual["batch"]),
    }
    return Job(name, settings=tuple(changed.items()), share=share)


def predecessor(job: Job, profile: str) -> Job | None:
    """The job that this one starts from, as ``runs.predecessor`` would find it."""
    start = variants.variant(job.variant).start
    if start is None:
        return None
    shared = variants.handed_down(job.variant, profile, dict(job.settings))
    target = variants.variant(start).target
    found = Job(start, 0 if target == "objects" else job.seed)
    if target in ("dist", "mean"):
        found = found._replace(votes=job.votes, share=job.share)
    # A stage that learns what is shown looks at no votes: one serves every crowd, and sees
    # those photographs too that have none.
    return found._replace(settings=tuple(sorted(shared.items())))


def chains(asked: Sequence[Job], profile: str) -> dict[Job, Job | None]:
    """The jobs asked for and all that they start from, each with its predecessor."""
    found: dict[Job, Job | None] = {}
    for job in asked:
        while job is not None and job not in found:
            found[job] = predecessor(job, profile)
            job = found[job]
    return found


@functools.cache
def collection(
    profile: str, votes: Mechanism | None = None, share: float = 1.0
) -> ratings.Collection:
    """The simulated photographs of the profile, with their own votes or with others.

    Of those to train on, the first ``share`` in a random order that is always the same. A share
    above 1 (of at most 2) adds photographs from the world of another seed.
    """
    whole = comparison.votes(runs.simulated(profile), votes)
    names = whole.split("train").table.index
    if share > 1:
        more = comparison.votes(runs.simulated(profile, seed=1), votes).table
        more = more.head(round((share - 1) * len(names))).assign(split="train")
        more.index = "more-" + more.index
        return dataclasses.replace(whole, table=pd.concat([whole.table, more]))
    order = np.random.default_rng(0).permutation(len(names))
    left_out = names[order[round(share * len(names)) :]]
    return dataclasses.replace(whole, table=whole.table.drop(left_out))


def train(
    job: Job, first: tuple[Path, float | None] | None, profile: str
) -> tuple[Path, float | None]:
    """Run folder of a job and its seconds, None where it was begun before.

    ``first`` is the same of the job that it starts from.
    """
    objects = variants.variant(job.variant).target == "objects"
    data = None if objects else collection(profile, job.votes, job.share)
    given = {} if first is None else {"init": first[0]}
    before = {path.name for path in (home() / "runs").glob(f"{job.variant}-*")}
    started = time.monotonic()
    folder = runs.run(job.variant, data, profile, job.seed, **given, **dict(job.settings))
    seconds = time.monotonic() - started
    return folder, None if folder.name in before else seconds


def train_all(
    asked: Sequence[Job],
    profile: str,
    workers: int,
    folders: dict[Job, Path],
    seconds: dict[str, float],
) -> list[Job]:
    """Train what is not there, as it is done into ``folders`` and ``seconds``, by name.

    Returns what failed.
    """
    before = chains(asked, profile)
    record = home() / "ablation-seconds.json"  # what was trained on another day
    known = json.loads(record.read_text("utf-8")) if record.is_file() else {}
    done, failed = set(), []
    took = defaultdict(list)
    task = functools.partial(train, profile=profile)
    for job, result, error in in_order(task, before, workers):
        if error:
            failed.append(job)
            print(f"{job}: failed\n{error}", file=sys.stderr, flush=True)
            continue
        folders[job], now = result
        done.add(job)
        name = folders[job].name
        if now is not None:
            known[name] = round(now, 1)
            evaluation.write_json(record, known)
        if name in known:
            seconds[name] = known[name]
            took[job.variant].append(known[name])
        did = "found" if now is None else f"{now:.0f} s"
        left = [other.variant for other in before if other not in {*done, *failed}]
        time_left = _time_left(took, left, workers)
        print(f"{len(done)} of {len(before)}: {job}, {did}{time_left}", flush=True)
    return failed


def _time_left(took: Mapping[str, list[float]], left: Sequence[str], workers: int) -> str:
    if not took or not left:
        return ""
    mean = {name: sum(found) / len(found) for name, found in took.items()}
    usual = sum(mean.values()) / len(mean)
    total = sum(mean.get(name, usual) for name in left) / workers
    return f"; {total / 60:.0f} min left"


# --- What is kept of a seed ----------------------------------------------------------------


def kept_file(options: argparse.Namespace, seed: int) -> Path:
    """The file that the runs of a seed are kept in."""
    return options.out.parent / "runs" / f"{options.out.stem}-seed{seed}.zip"


def found_kept(
    wanted: Iterable[Job],
    options: argparse.Namespace,
    made_by: tuple[str, str],
    folders: dict[Job, Path],
    seconds: dict[str, float],
) -> dict[str, dict]:
    """Add kept runs, which need not be trained, to ``folders`` and ``seconds``, by name.

    Returns by seed where they come from.
    """
    told = {}
    for seed in range(options.seeds):
        file = kept_file(options, seed)
        # Who trains only is after the networks, which are not kept.
        if options.only or options.anew or options.train_only or not file.is_file():
            continue
        about = kept.read_about(file)
        if (about["code"], about["world"]) != made_by:
            print(f"{file.name}: by other code than today's; the seed is trained again")
            continue
        target = home() / "kept" / file.stem
        kept.unpack(file, target)
        jobs = [job for job in wanted if job.seed == seed and str(job) in about["runs"]]
        for job in jobs:
            name, took = about["runs"][str(job)]
            folders[job] = target / "runs" / name
            seconds |= {} if took is None else {name: took}
        told[str(seed)] = {key: about[key] for key in ("commit", "machine")}
        print(f"{file.name}: {len(jobs)} runs, kept")
    return told


def keep(
    folders: Folders,
    seconds: Mapping[str, float],
    options: argparse.Namespace,
    made_by: tuple[str, str],
) -> None:
    """Write the file of each seed that this machine has trained a part of.

    The objects networks do not count: other seeds start from those of seed 0.
    """
    for seed in range(0 if options.only or options.train_only else options.seeds):
        by_job = {job: folder for job, folder in folders.items() if job.seed == seed}
        for job in [job for job in by_job if job.variant == SQUARES]:
            # Without its network nobody can ask it again.
            if not all(_windows_folder(by_job[job], how).is_dir() for how in windows.WAYS):
                del by_job[job]
        trained = [job for job, run in by_job.items() if run.parent == home() / "runs"]
        if all(variants.variant(job.variant).target == "objects" for job in trained):
            continue
        joined = [_windows_folder(run, how) for run in by_job.values() for how in windows.WAYS]
        about = {
            "commit": commit(),
            "machine": machine(),
            "code": made_by[0],
            "world": made_by[1],
            "runs": {
                str(job): (run.name, seconds.get(run.name)) for job, run in by_job.items()
            },
        }
        folders_kept = [*by_job.values(), *filter(Path.is_dir, joined)]
        kept.write(kept_file(options, seed), about, folders_kept)


# --- What is measured ----------------------------------------------------------------------


def measured(folders: Folders, asked: Sequence[Job], profile: str) -> dict:
    """What the results file says of the runs and of every comparison between them.

    A claim, control or experiment whose runs are not all there is left out; compared are the
    seeds that both sides have.
    """
    data = collection(profile)
    summaries, references = {}, {}
    for name in dict.fromkeys(job.variant for job in asked):
        found = summary(folders, Job(name), data)
        if found:
            references = found.pop("references", references)  # one and the same for all
            summaries[name] = found
    claims = {
        claim.name: measured_claim(claim, folders, profile) for claim in comparison.CLAIMS
    }
    base = Job("resnet-imn-dist")
    experiments = {
        name: paired(folders, Job(name), base, data)
        for name in variants.EXPERIMENTS
        if variants.variant(name).family == "resnet"
    }
    return {
        "what": "metrics on the test split; differences a - b, paired by seed and photograph",
        "profile": profile,
        "photographs": {name: len(data.split(name)) for name in ratings.SPLITS},
        "split_hash": ratings.split_hash(data.split("test").table.index),
        "references": references,
        "variants": summaries,
        "claims": {name: found for name, found in claims.items() if found},
        "experiments": {name: found for name, found in experiments.items() if found},
        "puzzle": puzzle(folders, data),
        "shares": shares(folders, profile),
        "windows": windowed(folders, data),
        "steps": steps(folders),
        "runs": [run_entry(job, folder) for job, folder in folders.items()],
    }


def common(folders: Folders, *kinds: Job) -> list[list[Path]] | None:
    """For each kind, whatever its seed, its runs of the seeds that all kinds have."""
    by_seed = [
        {job.seed: folder for job, folder in folders.items() if job._replace(seed=0) == kind}
        for kind in kinds
    ]
    seeds = sorted(set.intersection(*map(set, by_seed)))
    return [[side[seed] for seed in seeds] for side in by_seed] if seeds else None


def paired(folders: Folders, a: Job, b: Job, data: ratings.Collection) -> dict | None:
    """``comparison.paired`` of two kinds, None where they have no seed in common."""
    sides = common(folders, a, b)
    return sides and comparison.paired(*sides, data)


def summary(folders: Folders, kind: Job, data: ratings.Collection) -> dict | None:
    """``comparison.summary`` of a kind, held against the ceilings of its own crowd."""
    sides = common(folders, kind)
    crowd = kind.votes and kind.votes.crowd
    return sides and comparison.summary(sides[0], data, crowd=crowd)


def measured_claim(claim: Claim, folders: Folders, profile: str) -> dict | None:
    """A claim, with its controls and with its mechanism on and off."""
    data = collection(profile)
    a, b = Job(claim.a), Job(claim.b)
    found = paired(folders, a, b, data)
    if found is None:
        return None
    controls = {
        name: {
            "what": what,
            "instead": paired(folders, Job(name), b, data),
            "beyond": paired(folders, a, Job(name), data),
        }
        for name, what in claim.controls.items()
        if common(folders, Job(name), a, b)
    }
    mechanisms = {}
    for mechanism in claim.mechanisms:
        a_off, b_off = a._replace(votes=mechanism), b._replace(votes=mechanism)
        sides = common(folders, a, b, a_off, b_off)
        if sides is None:
            continue
        other = collection(profile, mechanism)
        mechanisms[mechanism.label] = {
            "more": mechanism.more,
            "paired": paired(folders, a_off, b_off, other),
            "change": comparison.change(*sides[:2], data, *sides[2:], other),
            # Trained on these votes and asked for the usual ones: what outliers do to learning
            # is not what they do to measuring.
            "on_usual_votes": paired(folders, a_off, b_off, data),
            "variants": {
                kind.variant: summary(folders, kind, other) for kind in (a_off, b_off)
            },
        }
    return {
        "sentence": claim.sentence,
        "a": claim.a,
        "b": claim.b,
        "expected": dict(claim.expected),
        "paired": found,
        "controls": controls,
        "mechanisms": mechanisms,
    }


def puzzle(folders: Folders, data: ratings.Collection) -> dict:
    """By rate: the four runs of loss and scale, and the gap as the sum of its two parts."""
    found = {}
    for rate in comparison.PUZZLE_RATES:
        kinds = {
            key: Job(name, settings=settings_of(rate))
            for key, name in comparison.PUZZLE.items()
        }
        if common(folders, *kinds.values()) is None:
            continue
        summaries = {" ".join(key): summary(folders, kinds[key], data) for key in kinds}
        for summed in summaries.values():
            del summed["references"]
        found[rate] = {
            "settings": comparison.PUZZLE_RATES[rate],
            "variants": summaries,
            "differences": {
                name: paired(folders, kinds[a], kinds[b], data)
                for name, (a, b) in comparison.PUZZLE_PAIRS.items()
            },
        }
    return found


def shares(folders: Folders, profile: str) -> dict:
    """By share of the training photographs that have votes: what semantics gain there."""
    found = {}
    for share in comparison.SHARES:
        a, b = (few(name, share, profile) for name in comparison.SEMANTICS)
        data = collection(profile, share=share)
        if common(folders, a, b):
            found[f"{share:g}"] = {
                "photographs": len(data.split("train")),
                "paired": paired(folders, a, b, data),
                "variants": {job.variant: summary(folders, job, data) for job in (a, b)},
            }
    return found


def windowed(folders: Folders, data: ratings.Collection) -> dict:
    """By way of joining them: what windows say, of a network of squares, less the whole."""
    sides = common(folders, Job(SQUARES), Job("resnet-imn-dist"))
    if sides is None:
        return {}
    crops, whole = sides
    found = {}
    for how in windows.WAYS:
        joined = [_windows_of(run, data.split("test"), how) for run in crops]
        found[how] = {
            "paired": comparison.paired(joined, whole, data),
            "beyond the middle one": comparison.paired(joined, crops, data),
        }
    return found


def _windows_of(run: Path, part: ratings.Collection, how: str) -> Path:
    """A folder that compares like a run, with what its windows say of the test photographs."""
    folder = _windows_folder(run, how)
    if not (folder / "predictions.csv").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(run / "config.json", folder)
        table = windows.predict(run, list(part.table["path"]), how)
        evaluation.write_table(
            folder / "predictions.csv", table.assign(image=list(part.table.index))
        )
    return folder


def _windows_folder(run: Path, how: str) -> Path:
    return run.parents[1] / "windows" / f"{run.name}-{how}"


def steps(folders: Folders) -> dict:
    """By last layer: steps to the validation loss that ReLU has half way (section 3.4).

    ``by_seed`` is null where a run never gets there.
    """
    names = {layer: f"resnet-imn-dist-{layer}" for layer in ("l1", "softmax")}
    names = {"relu": "resnet-imn-dist"} | names
    sides = common(folders, *map(Job, names.values()))
    if sides is None:
        return {}
    histories = [[pd.read_csv(run / "history.csv") for run in side] for side in sides]
    half_way = [table["val_loss"].iloc[len(table) // 2 - 1] for table in histories[0]]
    found = {}
    for layer, tables in zip(names, histories, strict=True):
        reached = [
            table["step"][table["val_loss"] <= loss]
            for table, loss in zip(tables, half_way, strict=True)
        ]
        found[layer] = {
            "by_seed": [int(rows.iloc[0]) if len(rows) else None for rows in reached]
        }
    return {"val_loss": half_way, "of": int(histories[0][0]["step"].iloc[-1]), "layers": found}


def run_entry(job: Job, folder: Path) -> dict:
    """What the results file says of one run."""
    found = json.loads((folder / "metrics.json").read_text("utf-8"))
    return {
        "variant": job.variant,
        "seed": job.seed,
        "votes": job.votes and job.votes.label,
        "settings": dict(job.settings),
        "share": job.share,
        "run": folder.name,
        "metrics": {key: found[key] for key in evaluation.METRICS},
    }


def _command(options: argparse.Namespace) -> str:
    command = ["python ci/ablation.py", "--extra" if options.extra else ""]
    command += [f"--profile {options.profile} --seeds {options.seeds} --jobs {options.jobs}"]
    command += ["--only", *options.only] if options.only else []
    return " ".join(filter(None, command))


def provenance(
    command: str, options: argparse.Namespace, made_by: tuple[str, str], folders: Folders
) -> dict:
    """Where the numbers come from: ``command``, and the options profile, seeds and jobs."""
    names = sorted({job.variant for job in folders})
    versions = [evaluation.read_config(folder)["versions"] for folder in folders.values()]
    return {
        "command": command,
        "commit": commit(),
        "code": made_by[0],
        "world": made_by[1],
        "machine": f"{machine()}, {options.jobs} processes of one thread",
        "versions": versions[0] if versions else {},
        "seeds": {"world": 0, "votes": 0, "bootstrap": 0, "runs": list(range(options.seeds))},
        "settings": {name: variants.settings(name, options.profile) for name in names},
    }


if __name__ == "__main__":
    sys.exit(main())
