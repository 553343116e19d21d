"""The command ``apm``.

Exit status: 0, done; 1, done, but some photographs could not be scored; 2, the input cannot be
used, one line on standard error says why; 130, interrupted; 143, asked to end (SIGTERM).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

import apmlib
from apmlib import variants
from apmlib.errors import InputError, Stopped

PROG = "apm"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line ``arguments`` (default: those of the process); return its status."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options) or 0
    except InputError as error:
        print(f"{PROG}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\n{PROG}: interrupted; {options.interrupted}", file=sys.stderr)
        return 130
    except Stopped:
        print(f"\n{PROG}: stopped; {options.interrupted}", file=sys.stderr)
        return 143
    except BrokenPipeError:  # the reader, such as head, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"{PROG}: {where}{error.strerror or error}; check the disk", file=sys.stderr)
        return 2


def simulate(options: argparse.Namespace) -> None:
    """``apm data simulate``: draw a collection in AVA's layout."""
    from apmlib.simulated import world

    world.simulate(options.root, options.images, options.side, options.seed)
    print(f"{options.root}: {options.images} photographs, shorter side {options.side}")


def check(options: argparse.Namespace) -> None:
    """``apm data check``: what is there, what is missing, what will be used."""
    from apmlib import ratings

    report = ratings.check(options.root)
    print(report)
    if report.error:
        raise InputError(report.error)


def cache(options: argparse.Namespace) -> int:
    """``apm data cache``: a copy of a collection at the working size."""
    from apmlib import cache

    out, left_out = cache.cache(options.root, options.out, options.side)
    print(f"{out}: shorter side {options.side} at most; train on it with --data {out}")
    return _left_out(left_out, 1)


def import_collection(options: argparse.Namespace) -> int:
    """``apm data import``: a public collection into ratings.csv and images/."""
    from apmlib import importing

    name, more = options.name, {"photographs": options.photographs}
    fitting = {"oasis": ("all",), "koniq": (), "table": ("columns", "scores")}[name]
    for option in ("all", "columns", "scores"):
        if getattr(options, option) and option not in fitting:
            raise InputError(f"--{option}: does not fit {name}; leave it out")
    if name == "oasis":
        more |= {"everything": options.all}
    elif name == "table":
        columns = options.columns and tuple(options.columns.split(","))
        if columns and len(columns) != 3:
            raise InputError(
                f"--columns {options.columns}: not three names; write IMAGE,RATER,SCORE"
            )
        more |= {"columns": columns, "bins": options.scores}
    done = getattr(importing, name)(options.source, options.root, **more)
    print(f"{done}\nlook at it with apm data check {options.root}")
    for image in done.without_ratings:
        print(f"{PROG}: {image}: nobody rated it", file=sys.stderr)
    absent = [(image, "is rated, but not there") for image in done.without_photograph]
    return _left_out(absent, len(done.table))


def train(options: argparse.Namespace) -> None:
    """``apm train``: train a variant, or all of Table 1, into run folders."""
    from apmlib import parallel, ratings, runs, training

    overrides = _settings(options.set)
    every = options.variant == "all"
    names = variants.TABLE if every else [variants.variant(options.variant).name]
    for name in names:
        variants.settings(name, options.profile, overrides)  # wrong ones end it here
    stages = [stage for name in names for stage in (name, *variants.ancestors(name))]
    if options.teacher and not any(variants.VARIANTS[stage].teacher for stage in stages):
        raise InputError(
            f"--teacher {options.teacher}: {names[0]} has no teacher; leave it out"
        )
    data = options.data
    for name in names:
        out = options.out / name if every else options.out
        if variants.VARIANTS[name].target == "objects":
            collection = training.read_objects(data or runs.objects(options.profile))
        else:
            data = data or runs.simulated(options.profile)
            collection = ratings.read(data)
        beside = out.absolute().parent
        start = variants.VARIANTS[name].start
        if every and start in names:
            init = options.out / start
        else:
            init = options.init or runs.predecessor(
                name,
                options.profile,
                beside,
                overrides,
                collection,
                options.seed,
                options.teacher,
            )
        teacher = runs.teacher_of(name, options.profile, beside, overrides, options.teacher)
        started = time.monotonic()
        training.train(
            name,
            collection,
            out,
            options.profile,
            options.seed,
            init=init,
            restart=options.restart,
            overrides=overrides,
            teacher=teacher,
        )
        if parallel.here()[0]:
            continue  # the first of several processes speaks for all
        print(f"{name}: {out}, {time.monotonic() - started:.0f} s", file=sys.stderr)
        result = json.loads((out / "metrics.json").read_text())
        if (out / "predictions.csv").is_file():
            _print_metrics(result, out)
        elif variants.VARIANTS[name].target == "semantic":
            share = result["accuracy"]
            print(
                f"{name} ({out})\nsplit {result['split']}, {result['n']} photographs: names "
                f"the same class as its teacher in {100 * share['value']:.1f} % "
                f"[{100 * share['low']:.1f}, {100 * share['high']:.1f}]"
            )


def evaluate(options: argparse.Namespace) -> None:
    """``apm evaluate``: measure a run on a split of a collection."""
    from apmlib import evaluation

    fair = options.split != "train"
    result = evaluation.evaluate(options.run, options.data, options.split, fair=fair)
    if options.json:
        print(json.dumps(result))
    else:
        _print_metrics(result, options.run)


def table(options: argparse.Namespace) -> None:
    """``apm table``: finished runs as the paper's Table 1."""
    from apmlib import evaluation, variants

    # Beside the rows of the table, its folder has the networks that they start from.
    named = {run: evaluation.read_config(run)["variant"] for run in options.runs}
    rows = [run for run, name in named.items() if variants.variant(name).target != "objects"]
    if not rows:
        raise InputError(f"{options.runs[0]}: is no row of the table; name runs on rated votes")
    print(evaluation.table(rows, options.format))


def predict(options: argparse.Namespace) -> int:
    """``apm predict``: score photographs and folders of them."""
    from apmlib import evaluation, folding

    paths, skipped = _files(options.photographs)
    loaded = folding.folded(evaluation.load(options.run))
    started = time.monotonic()
    scores = evaluation.predict(loaded, paths, skipped=skipped)
    seconds = time.monotonic() - started
    if options.json:
        for record in scores.to_dict("records"):
            print(json.dumps(record))
    elif options.csv:
        print(scores.to_csv(index=False, lineterminator="\n"), end="")
    elif len(scores):
        ranked = scores.sort_values("mean", ascending=False, kind="stable")
        _print_scores(ranked, options.run)
    for name, reason in skipped:
        reason = reason.removeprefix(f"{name}: ")
        print(f"{PROG}: {name}: {reason}", file=sys.stderr)
    rate = len(scores) / max(seconds, 1e-9)
    summary = f"{len(scores)} scored, {rate:.1f} images a second"
    if skipped:
        summary += f"; {len(skipped)} could not be scored"
    print(f"{PROG}: {summary}", file=sys.stderr)
    return 1 if skipped else 0


def explain(options: argparse.Namespace) -> int:
    """``apm explain``: change photographs until the model says otherwise, and show where."""
    from apmlib import adversarial

    directions = ("up", "down") if options.direction == "both" else (options.direction,)
    paths, skipped = _files(options.photographs)
    records = adversarial.explain(options.run, paths, options.out, directions, skipped=skipped)
    for record in records:
        after = ", ".join(f"{record[d]['mean']:.2f} {d}" for d in directions)
        print(
            f"{record['before']['mean']:.2f} to {after}  {record['photograph']}  "
            f"{options.out / record['sheet']}"
        )
    return _left_out(skipped, len(records))


def improve(options: argparse.Namespace) -> int:
    """``apm improve``: edit photographs as the model likes them."""
    from apmlib import editing

    paths, skipped = _files(options.photographs)
    records = editing.improve(options.run, paths, options.out, skipped=skipped)
    for record in records:
        print(
            f"{record['before']['mean']:.2f} to {record['after']['mean']:.2f}  "
            f"{record['photograph']}  {options.out / record['files']['photograph']}: "
            f"{editing.changes(editing.Edit(**record['edit']))}"
        )
    return _left_out(skipped, len(records))


def report(options: argparse.Namespace) -> int:
    """``apm report``: a page and its notebook on how a run does on a rated collection."""
    from apmlib import report

    skipped = report.report(
        options.run, options.data, options.out, options.split, options.explain
    )
    print(options.out / "report.html")
    return _left_out(skipped, 1)


def _left_out(skipped: list[tuple[str, str]], done: int) -> int:
    """Name what could not be used; the exit status: 2 where nothing could."""
    for name, reason in skipped:
        print(f"{PROG}: {name}: {reason.removeprefix(f'{name}: ')}", file=sys.stderr)
    if not skipped:
        return 0
    return 1 if done else 2


def _print_scores(scores, run: Path) -> None:
    from apmlib import evaluation

    spread = "std" in scores
    print("score  " + ("spread  " if spread else "") + "above  photograph")
    shares = evaluation.percentile(run, scores["mean"])
    for row, share in zip(scores.itertuples(), shares, strict=True):
        middle = f"{row.std:6.2f}  " if spread else ""
        print(f"{row.mean:5.2f}  {middle}{share:3.0f} %  {row.image}")
    print("above: share of the photographs that the run was trained on with a lower mean score")


def _print_metrics(result: dict, run: Path) -> None:
    print(f"{result['variant']} ({run})")
    print(f"split {result['split']}, {result['n']} photographs, hash {result['split_hash']}")
    names = {
        "kldiv": "KL divergence",
        "cdloss": "CDLoss",
        "mse": "MSE of the mean",
        "rho": "Spearman's rho",
        "accuracy": "accuracy",
    }
    for key, name in names.items():
        entry = result[key]
        constant = result["references"]["constant"][key]
        beside = ""
        if constant and constant["value"] is not None:
            beside = f"   constant {constant['value']:.4f}"
        if entry is None:
            print(f"  {name:16} -")
        elif entry["value"] is None:
            print(f"  {name:16} {entry['reason']}")
        else:
            interval = f"[{entry['low']:.4f}, {entry['high']:.4f}]"
            print(f"  {name:16} {entry['value']:.4f} {interval}{beside}")
    if result["seen_in_training"]:
        count = result["seen_in_training"]
        print(f"  {count} of these photographs were trained on: this is no fair test")


def _files(given: list[Path]) -> tuple[list[Path], list[tuple[str, str]]]:
    """All files among ``given`` and in the folders among them, and what is not there."""
    from apmlib.rating import SCALE

    paths, skipped = [], []
    for path in given:
        if path.is_dir():
            inside = [item for item in sorted(path.rglob("*")) if item.is_file()]
            # The votes on a folder's photographs lie among them (see ``rating``).
            paths += [
                item
                for item in inside
                if not item.name.startswith(".") and not (item.parent / SCALE).is_file()
            ]
        elif path.exists():
            paths.append(path)
        else:
            skipped.append((str(path), "no such file; check the name"))
    if not paths and not skipped:
        raise InputError(f"{given[0]}: holds no files; give photographs or a folder of them")
    return paths, skipped


def _settings(pairs: list[str]) -> dict[str, str]:
    settings = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise InputError(f"--set {pair}: no value; write --set KEY=VALUE")
        settings[name.strip()] = value.strip()
    return settings


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return number


def _whole(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        PROG,
        description="Predict how people rate photographs: Murray and Gordo (2017) rebuilt.",
        epilog="Exit status: 0 done, 1 some photographs could not be scored, 2 the input "
        "cannot be used, 130 interrupted. $APM_HOME keeps simulated photographs and runs.",
    )
    parser.add_argument("--version", action="version", version=apmlib.__version__)
    parser.set_defaults(interrupted="nothing was changed")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(parent, name: str, function, text: str, **defaults):
        command = parent.add_parser(
            name, help=text, description=text[0].upper() + text[1:] + "."
        )
        command.set_defaults(command=function, **defaults)
        return command

    data = commands.add_parser("data", help="make, check or copy a rated collection")
    data_commands = data.add_subparsers(required=True, metavar="COMMAND")
    go_on = "the same command goes on where it stopped"

    sub = add(
        data_commands,
        "simulate",
        simulate,
        "draw rated photographs in AVA's layout",
        interrupted=go_on,
    )
    sub.add_argument("root", type=Path, metavar="ROOT", help="folder to write")
    sub.add_argument(
        "--images", type=_positive, default=1_000, metavar="N", help="default 1000"
    )
    sub.add_argument(
        "--side", type=_positive, default=128, metavar="PX", help="shorter side, default 128"
    )
    sub.add_argument("--seed", type=int, default=0, metavar="S", help="default 0")

    sub = add(data_commands, "check", check, "say what is there, missing, unreadable, used")
    sub.add_argument("root", type=Path, metavar="ROOT", help="folder of the collection")

    sub = add(
        data_commands,
        "cache",
        cache,
        "copy a collection with its photographs at the working size",
        interrupted=go_on,
    )
    sub.add_argument("root", type=Path, metavar="ROOT", help="folder of the collection")
    sub.add_argument(
        "--out", type=Path, metavar="DIR", help="folder to write, default ROOT/cache-PX"
    )
    sub.add_argument(
        "--side", type=_positive, default=500, metavar="PX", help="shorter side, default 500"
    )

    sub = add(
        data_commands,
        "import",
        import_collection,
        "turn a public collection, as its authors publish it, into ratings.csv and images/",
        interrupted=go_on,
    )
    sub.add_argument(
        "name",
        metavar="NAME",
        choices=("oasis", "koniq", "table"),
        help="oasis, koniq, or table: any CSV with a row of image, rater, score a rating",
    )
    sub.add_argument(
        "source", type=Path, metavar="SOURCE", help="folder of what you downloaded, or the CSV"
    )
    sub.add_argument("root", type=Path, metavar="ROOT", help="folder to write")
    sub.add_argument(
        "--photographs",
        type=Path,
        metavar="DIR",
        help="folder of the photographs (default: below SOURCE)",
    )
    sub.add_argument(
        "--all",
        action="store_true",
        help="oasis: all 900 photographs, nudes and carcasses among them, not our 400",
    )
    sub.add_argument(
        "--columns", metavar="IMAGE,RATER,SCORE", help="table: names of the three columns"
    )
    sub.add_argument(
        "--scores", type=_positive, metavar="K", help="table: scale 1..K (default: found)"
    )

    sub = add(commands, "train", train, "train a variant into a run folder", interrupted=go_on)
    sub.add_argument(
        "variant",
        metavar="VARIANT",
        help=f"all (Table 1), or one of {', '.join(variants.VARIANTS)}",
    )
    sub.add_argument(
        "--data", type=Path, metavar="ROOT", help="rated collection (default: simulated)"
    )
    sub.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="RUN",
        help="run folder; of all, their parent",
    )
    sub.add_argument(
        "--profile",
        default="laptop",
        metavar="PROFILE",
        help=f"{', '.join(variants.PROFILES)}; default laptop",
    )
    sub.add_argument("--seed", type=int, default=0, metavar="S", help="default 0")
    sub.add_argument(
        "--init",
        type=Path,
        metavar="RUN_OR_WEIGHTS",
        help="convolutional layers to start from, or the run to go on from",
    )
    sub.add_argument(
        "--teacher",
        metavar="FILE",
        help="what a semantic variant learns: soft targets (.npz), a run of an objects "
        "variant, or imagenet:NETWORK (default: the variant's own teacher)",
    )
    sub.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a setting, such as epochs=20 or backbone=resnet18:layer3; may be repeated",
    )
    sub.add_argument("--restart", action="store_true", help="throw away what is in RUN")

    sub = add(commands, "evaluate", evaluate, "measure a run on a rated collection")
    sub.add_argument("run", type=Path, metavar="RUN")
    sub.add_argument("--data", type=Path, required=True, metavar="ROOT")
    sub.add_argument("--split", default="test", metavar="SPLIT", help="train, val or test")
    sub.add_argument("--json", action="store_true", help="the content of metrics.json")

    sub = add(commands, "table", table, "print finished runs as the paper's Table 1")
    sub.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    sub.add_argument(
        "--format", default="text", metavar="FORMAT", help="text, markdown, latex or csv"
    )

    sub = add(commands, "predict", predict, "score photographs")
    sub.add_argument("run", type=Path, metavar="RUN")
    sub.add_argument("photographs", type=Path, nargs="+", metavar="PHOTO_OR_FOLDER")
    form = sub.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one object a line")
    form.add_argument("--csv", action="store_true", help="image,mean,std,p1..pK")

    sub = add(
        commands,
        "explain",
        explain,
        "show where photographs must change to score better or worse",
        interrupted="what is in --out is whole",
    )
    sub.add_argument("run", type=Path, metavar="RUN")
    sub.add_argument("photographs", type=Path, nargs="+", metavar="PHOTO_OR_FOLDER")
    sub.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    sub.add_argument(
        "--direction", default="both", metavar="D", help="up, down or both; default both"
    )

    sub = add(
        commands,
        "improve",
        improve,
        "edit photographs so that they score better",
        interrupted="the photographs in --out are whole; the same command begins anew",
    )
    sub.add_argument("run", type=Path, metavar="RUN")
    sub.add_argument("photographs", type=Path, nargs="+", metavar="PHOTO_OR_FOLDER")
    sub.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")

    sub = add(
        commands,
        "report",
        report,
        "write a page on how a run does on a rated collection, and the notebook behind it",
        interrupted="what is in --out is as it was",
    )
    sub.add_argument("run", type=Path, metavar="RUN")
    sub.add_argument("--data", type=Path, required=True, metavar="ROOT")
    sub.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    sub.add_argument("--split", default="test", metavar="SPLIT", help="train, val or test")
    sub.add_argument(
        "--explain",
        type=_whole,
        default=3,
        metavar="N",
        help="photographs that get heat maps, default 3",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
