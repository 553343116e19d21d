"""Section 4.3 measured: how far the full model can be fooled, where it looks, what it knows.

    python ci/inside.py [--profile laptop] [--photographs N] [--only PART ...]

Five parts, on photographs of the simulated test split and on pairs drawn for the purpose, with
bootstrap intervals over photographs:

    claims    scores fall further and faster than they rise; by how much, and who would see it
    survival  what saving leaves of it, and whether other models fall for it
    maps      where the model looks, against the masks of the subjects, with controls
    rules     pairs that differ in one latent: predicted against true change
    whose     the same of a model of one reader's taste, side by side with the crowd's

Runs that are not in the store are trained. A finished part is kept there as well, so that the
same command goes on after an interruption. Writes data/results/inside.json; of another profile
than laptop the file has its name.
"""

import environment

if __name__ == "__main__":
    environment.enter()

import argparse
import functools
import inspect
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from environment import ROOT

sys.path.insert(0, str(ROOT))

from apmlib import (
    adversarial,
    evaluation,
    images,
    maps,
    metrics,
    pairs,
    ratings,
    runs,
    survival,
    training,
    variants,
)
from apmlib.adversarial import DIRECTIONS, Descent
from apmlib.errors import InputError
from apmlib.home import home
from apmlib.simulated import crowd, frozen, world
from world_check import commit, machine

VARIANT = "resnet-ava-dist-m"
SOFTMAX = "resnet-imn-dist-softmax"  # no bin of it is ever dead
OTHERS = ("resnet-imn-dist", "vgg-imn-dist")  # models that the changes were not made for
READERS = "resnet-imn-dist"  # what learns one reader's taste, and the crowd's beside it
RELEASED = ROOT / "data" / "released" / VARIANT
MODULES = ("adversarial", "maps", "pairs", "survival")  # what is measured follows from these
PHOTOGRAPHS = 400

BUDGETS = (0.5, 1.0, 2.0, 4.0)  # root mean square of 255
MIDDLE = 2.0  # the budget of all that is measured under one
STEPS, REACH = 30, 10  # steps in all; of those, how many go straight to the budget
RACE = Descent(iterations=60, step=0.05, budget=4.0)  # steps so short that none is cut off
MOVES = (0.25, 0.5, 1.0)  # how many steps of the race a move of so many points takes
MATCHED = 0.25  # points from the middle of the scale
AREA = (0.02, 0.6)  # share of the frame that a subject covers, else a map has nothing to find

NO_MODEL = {"area": maps.even, "centred hill": maps.hill, "local contrast": maps.contrast}

Part = Callable[[argparse.Namespace], dict]


def taste(latents):
    """A reader who loves dusk: dark, cold and soft photographs."""
    dark = np.tanh((0.42 - latents["lightness"]) / 0.12)
    cold = np.tanh(-latents["warmth"] / 0.10)
    return 5.5 + 0.9 * dark + 0.5 * cold + 0.9 * (latents["focus_error"] - 0.1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write; return the exit status."""
    options = _options(arguments)
    made_by = training.code_key(), frozen.world_hash(), training.code_key(MODULES)
    results = {
        "what": "section 4.3 on simulated photographs; intervals over photographs",
        "profile": options.profile,
        "photographs": options.photographs,
    }
    try:
        for name in options.only or PARTS:
            started = time.monotonic()
            results[name] = kept(name, options, made_by)
            print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)
        if (training.code_key(), frozen.world_hash(), training.code_key(MODULES)) != made_by:
            raise InputError("apmlib: was changed meanwhile; give the same command again")
    except InputError as error:
        print(f"inside: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninside: interrupted; the same command goes on", file=sys.stderr)
        return 130
    test = collection(options.profile).split("test")
    results["split_hash"] = ratings.split_hash(test.table.index)
    results["provenance"] = provenance(options, made_by)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    evaluation.write_json(options.out, results)
    print(f"{options.out.name}: {', '.join(options.only or PARTS)}")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="laptop", choices=variants.PROFILES)
    parser.add_argument("--photographs", type=int, default=PHOTOGRAPHS, metavar="N")
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    if options.only and not options.out:
        parser.error("--only makes a part of the results; name its file with --out")
    name = "inside" + ("" if options.profile == "laptop" else f"-{options.profile}")
    options.out = options.out or ROOT / "data" / "results" / f"{name}.json"
    return options


def kept(name: str, options: argparse.Namespace, made_by: tuple[str, ...]) -> dict:
    """What a part has found, from the store where it is there already."""
    key = "-".join([options.profile, str(options.photographs), *made_by, program_key()])
    file = home() / "inside" / f"{name}-{key}.json"
    if file.is_file():
        return json.loads(file.read_text("utf-8"))
    found = PARTS[name](options)
    file.parent.mkdir(parents=True, exist_ok=True)
    evaluation.write_json(file, found)
    return found


def program_key() -> str:
    """Hash of this program: a part that another version of it measured is not reused."""
    return evaluation.file_hash(__file__)[:12]


# --- What is looked at ---------------------------------------------------------------------


@functools.cache
def collection(profile: str) -> ratings.Collection:
    """The simulated photographs of the profile."""
    return ratings.read(runs.simulated(profile))


def full_model(profile: str) -> Path:
    """Run folder of the paper's full model: the released one where it is up to date."""
    released = evaluation.read_config(RELEASED)
    if profile == released["profile"] and released["code"] == training.code_key():
        return RELEASED
    return runs.run(VARIANT, collection(profile), profile)


def chosen(options: argparse.Namespace) -> ratings.Collection:
    """So many photographs of the test split, drawn once and for all parts alike."""
    test = collection(options.profile).split("test")
    order = np.random.default_rng(0).permutation(len(test))[: options.photographs]
    return replace(test, table=test.table.iloc[np.sort(order)])


def seen(part: ratings.Collection, run: Path) -> images.Photographs:
    """The photographs of ``part`` as ``run`` sees them."""
    settings = evaluation.read_config(run)["settings"]
    return evaluation.photographs(list(part.table["path"]), **evaluation.seen_as(settings))


def masks(part: ratings.Collection, shown: images.Photographs) -> list[np.ndarray]:
    """Where the subjects are: bool (H, W) each, at the size that the network sees."""
    found = []
    for name, (height, width) in zip(part.table.index, shown.shapes, strict=True):
        with Image.open(part.root / "masks" / f"{name}.png") as mask:
            small = mask.convert("L").resize((width, height), Image.Resampling.NEAREST)
        found.append(np.asarray(small) > 127)
    return found


def entry(measure: Callable, *arrays: np.ndarray) -> dict | None:
    """``value``, ``low`` and ``high`` of a measure over photographs; None where undefined."""
    found = metrics.bootstrap(measure, *arrays)
    return (
        dict(zip(("value", "low", "high"), found, strict=True))
        if np.isfinite(found).all()
        else None
    )


def within(budget: float) -> Descent:
    """The descent under a budget: a third of its steps to get there, the rest to turn."""
    return Descent(iterations=STEPS, step=budget / REACH, budget=budget)


# --- The three claims ----------------------------------------------------------------------


def claims(options: argparse.Namespace) -> dict:
    """The full model under every budget; the softmax variant under one."""
    part = chosen(options)
    softmax = runs.run(SOFTMAX, collection(options.profile), options.profile)
    return {
        "full": fooled(full_model(options.profile), part, BUDGETS),
        "softmax": fooled(softmax, part, (MIDDLE,)),
    }


def fooled(run: Path, part: ratings.Collection, budgets: Sequence[float]) -> dict:
    """How far and how fast the predicted means of the photographs of ``part`` move."""
    net, config, bins = adversarial.scorer(run)
    shown = seen(part, run)
    point = 2 * adversarial.half_a_point(bins)
    race = {name: descended(net, shown, name, RACE, bins) for name in DIRECTIONS}
    found = {
        "run": run.name,
        "variant": config["variant"],
        "n": len(shown),
        "race": raced(race, point),
        "budgets": {},
    }
    for budget in budgets:
        both = {name: descended(net, shown, name, within(budget), bins) for name in DIRECTIONS}
        found["budgets"][str(budget)] = reached(both, point)
        if budget == MIDDLE:
            found["headroom"] = headroom(both, bins, point)
            found["dead"] = dead(both)
    return found


def descended(net, shown, name: str, descent: Descent, bins: int) -> dict[str, np.ndarray]:
    """Photographs changed in a direction; what is kept of each, by name.

    ``moved`` and ``dead`` (iterations + 1, N): how far the mean has moved in that direction,
    and the number of dead bins. (N,): ``mean`` before, ``saved``, the move that whole-numbered
    pixels keep, ``psnr`` and ``ssim`` of these.
    """
    sign, count = DIRECTIONS[name], len(shown)
    found = {key: np.empty((descent.iterations + 1, count)) for key in ("moved", "dead")}
    found |= {key: np.empty(count) for key in ("mean", "saved", "psnr", "ssim")}
    for rows, batch in adversarial.modifications(net, shown, sign, descent, bins):
        found["moved"][:, rows] = sign * (batch.mean - batch.mean[0])
        found["dead"][:, rows] = batch.dead
        found["mean"][rows] = batch.mean[0]
        found["saved"][rows] = sign * (survival.means(net, batch.rounded()) - batch.mean[0])
        psnr, ssim = survival.visibility(batch.original, batch.rounded())
        found["psnr"][rows], found["ssim"][rows] = psnr, ssim
    return found


def raced(race: dict, point: float) -> dict:
    """Step by step in steps of one length: the curves, the first step, and who is there first.

    A photograph that never gets there has taken one step more than there were.
    """
    ways = {name: race[name]["moved"] for name in DIRECTIONS}
    found = {"step": RACE.step, "curves": {}, "moves": {}}
    for name, moved in ways.items():
        low, middle, high = np.quantile(moved, (0.25, 0.5, 0.75), axis=1).round(4).tolist()
        mean = moved.mean(axis=1).round(4).tolist()
        found["curves"][name] = {"mean": mean, "low": low, "median": middle, "high": high}
    found["first"] = {name: entry(metrics.average, moved[1]) for name, moved in ways.items()}
    found["first"]["down over up"] = entry(survival.kept, ways["down"][1], ways["up"][1])
    for move in MOVES:
        steps = {name: first_time(moved, move * point) for name, moved in ways.items()}
        found["moves"][str(move)] = {
            **{name: entry(np.median, taken) for name, taken in steps.items()},
            "got there": {
                name: entry(metrics.average, (taken <= RACE.iterations).astype(float))
                for name, taken in steps.items()
            },
            "down first": entry(metrics.average, np.sign(steps["up"] - steps["down"])),
            "up less down": entry(metrics.average, steps["up"] - steps["down"]),
        }
    return found


def first_time(moved: np.ndarray, wanted: float) -> np.ndarray:
    """The first row of ``moved`` (T, N) that is ``wanted`` or more, float (N,); T for never."""
    there = moved >= wanted
    return np.where(there.any(axis=0), there.argmax(axis=0), len(moved)).astype(float)


def reached(both: dict, point: float) -> dict:
    """What a budget is good for in both directions, and how visible that is."""
    ends = {name: both[name]["moved"][-1] for name in DIRECTIONS}
    found = {name: entry(metrics.average, end) for name, end in ends.items()}
    found["down less up"] = entry(metrics.average, ends["down"] - ends["up"])
    found["down further"] = entry(metrics.average, (ends["down"] > ends["up"]).astype(float))
    for key in ("moved", "saved"):
        found[f"a point, {key}"] = {}
        for name in DIRECTIONS:
            end = both[name][key] if key == "saved" else ends[name]
            share = entry(metrics.average, (end >= point).astype(float))
            found[f"a point, {key}"][name] = share
    for key in ("psnr", "ssim"):
        found[key] = {name: entry(np.median, both[name][key]) for name in DIRECTIONS}
    return found


def headroom(both: dict, bins: int, point: float) -> dict:
    """Do scores fall further because there is more room below? Asked in two ways.

    A line through the difference of the moves over the difference of the rooms: its height
    where both rooms are equal. And the photographs near the middle of the scale, where they
    nearly are.
    """
    up, down = both["up"]["moved"][-1], both["down"]["moved"][-1]
    middle = (1 + bins) / 2
    above = both["up"]["mean"] - middle  # half of room below less room above
    near = np.abs(above) <= MATCHED * point
    return {
        "budget": MIDDLE,
        "mean": entry(metrics.average, both["up"]["mean"]),
        "at equal room": entry(_height, down - up, above),
        "per point": entry(pairs.slope, down - up, above),
        "near the middle": {
            "within": MATCHED * point,
            "n": int(near.sum()),
            "down less up": entry(metrics.average, (down - up)[near]) if near.any() else None,
        },
        "photographs": np.stack([both["up"]["mean"], up, down], 1).round(3).tolist(),
    }


def _height(difference: np.ndarray, above: np.ndarray) -> float:
    """Of the least-squares line at 0."""
    return float(np.mean(difference) - pairs.slope(difference, above) * np.mean(above))


def dead(both: dict) -> dict:
    """Share of the photographs with a bin predicted as exactly zero, before and after."""
    found = {"before": both["up"]["dead"][0]}
    found |= {name: both[name]["dead"][-1] for name in DIRECTIONS}
    return {
        key: entry(metrics.average, (bins > 0).astype(float)) for key, bins in found.items()
    }


# --- Survival and transfer -----------------------------------------------------------------


def survived(options: argparse.Namespace) -> dict:
    """What saving leaves of the change, beside noise of its size; what others make of it."""
    run, part = full_model(options.profile), chosen(options)
    net, _, bins = adversarial.scorer(run)
    others = {
        name: adversarial.scorer(runs.run(name, collection(options.profile), options.profile))
        for name in OTHERS
    }
    shown = seen(part, run)
    result = {"run": run.name, "n": len(shown), "budget": MIDDLE}
    for direction, sign in DIRECTIONS.items():
        kinds = {"change": {}, "noise": {}}
        elsewhere = {name: {"change": [], "noise": []} for name in OTHERS}
        descent = within(MIDDLE)
        batches = adversarial.modifications(net, shown, sign, descent, bins)
        for number, (_, batch) in enumerate(batches):
            noisy = survival.noise(batch.original, batch.rms[-1], seed=number)
            for kind, changed in (("change", batch.pixels), ("noise", noisy)):
                for name, effect in survival.effects(net, batch.original, changed).items():
                    kinds[kind].setdefault(name, []).append(sign * effect)
                for name, (other, _, _) in others.items():
                    effect = survival.means(other, changed)
                    effect -= survival.means(other, batch.original)
                    elsewhere[name][kind].append(sign * effect)
        joined = {
            kind: {name: np.concatenate(parts) for name, parts in found.items()}
            for kind, found in kinds.items()
        }
        whole = joined["change"]["as it is"]
        result[direction] = {
            "saved": {
                name: {
                    "effect": entry(metrics.average, effect),
                    "kept": entry(survival.kept, effect, whole),
                    "noise": entry(metrics.average, joined["noise"][name]),
                }
                for name, effect in joined["change"].items()
            },
            "others": {
                name: {
                    "effect": entry(metrics.average, np.concatenate(found["change"])),
                    "kept": entry(survival.kept, np.concatenate(found["change"]), whole),
                    "noise": entry(metrics.average, np.concatenate(found["noise"])),
                }
                for name, found in elsewhere.items()
            },
        }
    return result


# --- Maps against masks --------------------------------------------------------------------


def looked(options: argparse.Namespace) -> dict:
    """Where the full model looks, the same network with an unlearnt head, and no model."""
    run, part = full_model(options.profile), chosen(options)
    net, config = evaluation.load(run)
    start = runs.run("objects-resnet", profile=options.profile)
    fresh = maps.unlearnt(config, start).to(next(net.parameters()).device)
    shown = seen(part, run)
    subjects = masks(part, shown)
    usable = [i for i, mask in enumerate(subjects) if AREA[0] <= mask.mean() <= AREA[1]]
    kinds = {
        "descent, worse": _descent(net, -1),
        "descent, better": _descent(net, 1),
        "gradient": functools.partial(maps.gradient, net),
        "integrated gradients": functools.partial(maps.integrated, net),
        "descent, worse, unlearnt head": _descent(fresh, -1),
        "gradient, unlearnt head": functools.partial(maps.gradient, fresh),
        "integrated gradients, unlearnt head": functools.partial(maps.integrated, fresh),
        **NO_MODEL,
    }
    inside, points, alike = compared_maps(kinds, shown, subjects, usable)
    controls = [name for name in kinds if "unlearnt" in name or name in NO_MODEL]
    return {
        "run": run.name,
        "n": len(usable),
        "area": list(AREA),
        "maps": {
            name: {
                "inside": entry(metrics.average, inside[name]),
                "points": entry(metrics.average, points[name]),
                "beyond area": entry(metrics.average, inside[name] - inside["area"]),
            }
            for name in kinds
        },
        "inside, less a control": {
            name: {
                control: entry(metrics.average, inside[name] - inside[control])
                for control in controls
            }
            for name in kinds
            if name not in controls
        },
        "like its own with an unlearnt head": {
            name: entry(metrics.average, alike[name, f"{name}, unlearnt head"])
            for name in ("descent, worse", "gradient", "integrated gradients")
        },
    }


def _descent(net, sign: int) -> Callable[[torch.Tensor], np.ndarray]:
    """The map of figure 5: heat of the change that a descent made."""

    def found(pixels: torch.Tensor) -> np.ndarray:
        changed = adversarial.modify(net, pixels, sign, within(MIDDLE))
        both = zip(changed.original, changed.pixels, strict=True)
        return np.stack([adversarial.heat(a, b) for a, b in both])

    return found


def compared_maps(kinds: dict, shown, subjects: list[np.ndarray], usable: list[int]):
    """Share inside and pointing game of every kind of map, (N,) each; likeness of all pairs.

    A map that is nowhere above zero, since nothing changed, counts as an even one.
    """
    inside = {name: np.empty(len(usable)) for name in kinds}
    points = {name: np.empty(len(usable)) for name in kinds}
    alike = {(a, b): np.empty(len(usable)) for a in kinds for b in kinds if a != b}
    for rows in images.batches([shown.shapes[i] for i in usable], adversarial.BATCH):
        pixels = torch.stack([shown[usable[row]] for row in rows])
        mask = np.stack([subjects[usable[row]] for row in rows])
        found = {name: kind(pixels) for name, kind in kinds.items()}
        for name, heat in found.items():
            heat[~heat.any(axis=(1, 2))] = 1.0
            inside[name][rows] = maps.inside(heat, mask)
            points[name][rows] = maps.points(heat, mask)
        for a, b in alike:
            alike[a, b][rows] = np.nan_to_num(maps.alike(found[a], found[b]))
    return inside, points, alike


# --- The rules, and whose ------------------------------------------------------------------


@functools.cache
def drawn(rule: str, count: int, side: int) -> pairs.Pairs:
    """Pairs of a rule, drawn once for all models."""
    return pairs.draw(rule, count, side)


def rules(options: argparse.Namespace) -> dict:
    """What the full model says of pairs that differ in one latent."""
    run = full_model(options.profile)
    net, config = evaluation.load(run)
    count, side = options.photographs, config["settings"]["side"]
    result = {"run": run.name, "n": count, "rules": {}}
    for rule, about in pairs.RULES.items():
        both = drawn(rule, count, side)
        predicted, true = pairs.predicted_change(net, both), pairs.true_change(both)
        values = both.second[about.latent] - both.first[about.latent]
        result["rules"][rule] = {
            "latent": about.latent,
            **pairs.compared(predicted, true),
            "true deviation": float(true.std()),
            "pairs": np.stack([values, true, predicted], axis=1).round(3).tolist(),
        }
    return result


def whose(options: argparse.Namespace) -> dict:
    """The crowd's model and a reader's: ranking, maps and rules, each by both tastes."""
    theirs, part = collection(options.profile), chosen(options)
    table = world.read_latents(theirs.root)
    mine = crowd.revote(theirs, table, taste=taste)
    votes = {"crowd": (theirs, None), "reader": (mine, taste)}
    found = {
        name: runs.run(READERS, data, options.profile) for name, (data, _) in votes.items()
    }
    nets = {name: evaluation.load(run) for name, run in found.items()}
    test = theirs.split("test")
    predicted = {
        name: metrics.mean(evaluation.distributions(evaluation.predict(net, test)))
        for name, net in nets.items()
    }
    asked = {name: data.split("test").means for name, (data, _) in votes.items()}
    return {
        "taste": inspect.getsource(taste),
        "runs": {name: run.name for name, run in found.items()},
        "n": len(test),
        "rho": {
            model: {
                judge: entry(metrics.rho, predicted[model], asked[judge]) for judge in asked
            }
            for model in predicted
        },
        "rho of the votes": entry(metrics.rho, asked["crowd"], asked["reader"]),
        "rho of the models": entry(metrics.rho, predicted["crowd"], predicted["reader"]),
        "maps": whose_maps(options, part, {name: net for name, (net, _) in nets.items()}),
        "rules": whose_rules(options, nets, votes),
    }


def whose_maps(options: argparse.Namespace, part: ratings.Collection, nets: dict) -> dict:
    """Do two tastes look elsewhere? Held against two models of one taste."""
    run = full_model(options.profile)
    nets = nets | {"full": evaluation.load(run)[0]}
    shown = seen(part, run)
    subjects = masks(part, shown)
    usable = [i for i, mask in enumerate(subjects) if AREA[0] <= mask.mean() <= AREA[1]]
    kinds = {name: functools.partial(maps.integrated, net) for name, net in nets.items()}
    kinds["area"] = maps.even
    inside, points, alike = compared_maps(kinds, shown, subjects, usable)
    return {
        "what": "integrated gradients",
        "n": len(usable),
        "inside": {name: entry(metrics.average, inside[name]) for name in kinds},
        "points": {name: entry(metrics.average, points[name]) for name in kinds},
        "alike": {
            "crowd and reader": entry(metrics.average, alike["crowd", "reader"]),
            "crowd and full": entry(metrics.average, alike["crowd", "full"]),
        },
    }


def whose_rules(options: argparse.Namespace, nets: dict, votes: dict) -> dict:
    """By rule, model and judge: predicted against true change."""
    result = {}
    for rule in pairs.RULES:
        result[rule] = {}
        for model, (net, config) in nets.items():
            both = drawn(rule, options.photographs, config["settings"]["side"])
            predicted = pairs.predicted_change(net, both)
            result[rule][model] = {
                judge: pairs.compared(predicted, pairs.true_change(both, taste=by))
                for judge, (_, by) in votes.items()
            }
    return result


PARTS: dict[str, Part] = {
    "claims": claims,
    "survival": survived,
    "maps": looked,
    "rules": rules,
    "whose": whose,
}


def provenance(options: argparse.Namespace, made_by: tuple[str, ...]) -> dict:
    """Where the numbers come from."""
    run = full_model(options.profile)
    command = f"python ci/inside.py --profile {options.profile}"
    command += f" --photographs {options.photographs}"
    if options.only:
        command += f" --only {' '.join(options.only)}"
    return {
        "command": command,
        "commit": commit(),
        "code": made_by[0],
        "world": made_by[1],
        "modules": {"names": list(MODULES), "code": made_by[2]},
        "machine": machine(),
        "run": run.name,
        "versions": evaluation.read_config(run)["versions"],
        "seeds": {"world": 0, "votes": 0, "pairs": pairs.SEED, "bootstrap": 0, "runs": [0]},
        "settings": {
            "budgets": BUDGETS,
            "steps": STEPS,
            "race": [RACE.iterations, RACE.step],
            "integrated gradients": maps.STEPS,
        },
    }


if __name__ == "__main__":
    sys.exit(main())
