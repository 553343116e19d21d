"""The training loop, its history, and going on after an interruption.

:func:`fit` is the loop that chapter 6 shows line by line: SGD with momentum (section 3.4 of the
paper) on batches of one shape. All that is random in it, the order of the photographs and which
ones are mirrored, follows from the seed and the number of the step alone. So the loop can stop
after any step and go on from ``state.pt`` to the same weights, bit for bit on a CPU.

:func:`train` puts a run folder around it.
"""

from __future__ import annotations

import hashlib
import math
import os
import platform
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torchvision
from accelerate import Accelerator
from safetensors.torch import save
from torch import Tensor, nn

import apmlib
from apmlib import (
    distillation,
    evaluation,
    fusion,
    images,
    losses,
    metrics,
    model,
    parallel,
    ratings,
    ridge,
    variants,
)
from apmlib.errors import InputError, Stopped
from apmlib.evaluation import write_bytes, write_json, write_table
from apmlib.progress import progress
from apmlib.spp import spatial_pyramid_pooling

LOSSES = ("huber", "euclidean", "emd", "kl", "logistic", "cross_entropy")
HISTORY = (
    "step",
    "epoch",
    "lr",
    "loss",
    "val_loss",
    "val_rho",
    "dead_bins",
    "zero_outputs",
    "grad_norm",
    "l1_mass",
)
SAVE_EVERY = 600  # seconds between two states, where the rows of the history are further apart
NO_IDENTITY = ("versions", "trained")  # of config.json: what may differ between equal runs


def fit(
    net: nn.Module,
    loss: Callable[[Tensor, Tensor], Tensor],
    photographs: images.Photographs,
    targets: Tensor,
    settings: dict,
    seed: int = 0,
    check: Callable[[nn.Module], dict] | None = None,
    state: dict | None = None,
    save: Callable[[dict], None] | None = None,
) -> dict:
    """Train ``net`` in place and return the last state; the weights kept are in ``net``.

    ``loss(p, g)`` is averaged over a batch. ``targets`` has a row for each photograph.
    ``settings`` is the dict of ``variants.settings``. ``check(net)`` gives ``val_loss``
    (lower is better) and ``val_rho`` for each row of the history. The weights kept are those
    of the lowest ``val_loss``, or the last ones where ``settings["select"]`` is "last" or
    ``check`` is None. ``save`` gets a state whenever a row is added, between rows
    every ``SAVE_EVERY`` seconds, and when the process is asked to end (SIGTERM), which then
    raises Stopped; ``fit`` called with that ``state`` goes on from there. A state holds
    tensors, numbers, lists and dicts only.

    Raises InputError when the loss is no number any more.
    """
    among = parallel.engine()
    device = next(net.parameters()).device
    shapes, targets = photographs.shapes, targets.to(device)
    in_steps = partial(images.steps, shapes, settings["batch"], settings["at_once"])
    per_epoch = len(in_steps())
    total = steps(settings, per_epoch)
    interval = settings["interval"] or per_epoch
    optimizer = torch.optim.SGD(
        parameter_groups(net, settings), lr=0.0, momentum=settings["momentum"]
    )
    step, rows, best, seen = 0, [], None, []  # seen: what the row to come is made of
    if state:
        step, rows, best, seen = (state[key] for key in ("step", "rows", "best", "seen"))
        net.load_state_dict(state["net"])
        optimizer.load_state_dict(state["optimizer"])
        seen = seen if among.is_main_process else []
    shared = parallel.shared(among, net)
    net.train()
    bar = progress(range(total), "training", total=total, initial=step)
    with _told_to_end() as told:
        saved = time.monotonic()
        while step < total:
            epoch, done = divmod(step, per_epoch)
            order = torch.Generator().manual_seed(_number(seed, "order", epoch))
            plan = in_steps(generator=order)[done : done + total - step]
            parts = [
                parallel.deal(groups, shapes, among.num_processes)[among.process_index]
                for groups in plan
            ]
            loaded = images.loaded(photographs, [group for part in parts for group, _ in part])
            for groups, part in zip(plan, parts, strict=True):
                factor = schedule(step, total, settings)
                for group in optimizer.param_groups:
                    group["lr"] = group["rate"] * factor
                mirrored = _mirrored(groups, seed, step) if settings["flips"] else None
                optimizer.zero_grad()
                value, p = backward(shared, loss, targets, part, loaded, mirrored, among)
                norm = nn.utils.clip_grad_norm_(net.parameters(), settings["clip"] or math.inf)
                optimizer.step()
                step += 1
                bar.update()
                scores = p[:, : net.head.fc2.out_features] if settings["joint"] else p
                seen.append((value, norm.detach(), scores))
                row_due = step % interval == 0 or step == total
                end, save_due = _agreed(among, told, time.monotonic() - saved > SAVE_EVERY)
                if not (row_due or end or save_due):
                    continue

                seen = _together(seen)
                if row_due:
                    row = {"step": step, "epoch": step / per_epoch}
                    row |= {"lr": settings["rate"] * factor, **_summary(seen)}
                    seen = []
                    if not math.isfinite(row["loss"]):
                        raise InputError(
                            f"training: the loss is {row['loss']} at step {step}; lower the "
                            f"rates, as with --set rate={settings['rate'] / 3:.1g}"
                        )
                    row |= check(net) if check else {"val_loss": math.nan, "val_rho": math.nan}
                    net.train()
                    last = not check or settings["select"] == "last"
                    if last or _lower(row["val_loss"], best):
                        best = {"step": step, "val_loss": row["val_loss"], "net": _copy(net)}
                    rows.append([float(row[name]) for name in HISTORY])
                    bar.set_postfix_str(
                        f"loss {row['loss']:.4f}, validation {row['val_loss']:.4f}"
                    )
                state = {"step": step, "rows": rows, "best": best, "seen": seen}
                state |= {"net": _copy(net), "optimizer": optimizer.state_dict()}
                if save and among.is_main_process:
                    save(state)
                saved = time.monotonic()
                seen = seen if among.is_main_process else []
                if end and step < total:
                    raise Stopped
    bar.close()
    net.load_state_dict(state["best"]["net"])
    return state


def backward(
    net: nn.Module,
    loss: Callable[[Tensor, Tensor], Tensor],
    targets: Tensor,
    part: Sequence[tuple[np.ndarray, float]],
    loaded: Iterator[tuple[Tensor, Tensor]],
    mirrored: dict[int, bool] | None,
    among: Accelerator,
) -> tuple[Tensor, Tensor]:
    """Add to the gradients of ``net`` those of one step; return its loss and its output.

    ``part`` is this process's share of the step, groups with their weights, and ``loaded``
    gives their photographs. Each group's mean loss counts by the number of its photographs, so
    the sum is the mean over the step: groups of 1 and of 16 give the gradient of the 17. The
    loss returned is this process's share of that mean.
    """
    value, outputs = torch.zeros((), device=targets.device), []
    for left, (_, weight) in zip(range(len(part) - 1, -1, -1), part, strict=True):
        indices, batch = next(loaded)
        if mirrored:
            batch = flip(batch, torch.tensor([mirrored[i] for i in indices.tolist()]))
        batch = batch.to(targets.device, non_blocking=True)
        x = images.normalise(batch).to(memory_format=torch.channels_last)
        with among.no_sync(net) if left else nullcontext():  # gradients travel once a step
            p = net(x)
            term = weight * loss(p, targets[indices.to(targets.device)])
            among.backward(term * among.num_processes)  # their average becomes the sum
        value += term.detach()
        if weight:
            outputs.append(p.detach())
    return value, torch.cat(outputs) if outputs else p.detach()[:0]


def steps(settings: dict, per_epoch: int) -> int:
    """Number of steps of a run whose epochs have ``per_epoch`` steps."""
    return settings["steps"] or max(1, round(settings["epochs"] * per_epoch))


def schedule(step: int, total: int, settings: dict) -> float:
    """What the rates are multiplied by at ``step`` (from 0) of ``total``.

    "step" is the paper's: a tenth after every 20,000 steps. "cycle" rises in a straight line
    over the first share ``warmup`` of the steps, then falls along half a cosine to nothing:
    in the few hundred steps of a small profile every rate gets its turn.
    """
    if settings["schedule"] == "step":
        return settings["decay"] ** (step // settings["decay_every"])
    warm = settings["warmup"] * total
    if step < warm:
        return (step + 1) / (warm + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / (total - warm)))


def flip(batch: Tensor, chosen: Tensor) -> Tensor:
    """Mirror the photographs (B, 3, H, W) for which ``chosen``, bool (B,), is true.

    Taste hardly knows left from right, so a mirrored photograph is a second one for nothing.
    """
    return torch.where(chosen.view(-1, 1, 1, 1), batch.flip(-1), batch)


def parameter_groups(net: nn.Module, settings: dict) -> list[dict]:
    """Parameters of ``net`` for SGD, by part and kind, each group with its ``rate``.

    The convolutional layers have ``backbone_rate``, all else ``rate``; both are multiplied by
    ``carried``, but for a second branch, which is new. Weight decay is for weights alone:
    biases, and what batch norm scales by, are vectors and have none. Frozen parameters are left
    out.
    """
    rates = {
        "backbone": settings["backbone_rate"] * settings["carried"],
        "": settings["rate"] * settings["carried"],
        "second": settings["rate"],
    }

    def part_of(name: str) -> str:
        first = name.partition(".")[0]
        return first if first in rates else ""

    groups = []
    for part, rate in rates.items():
        chosen = [
            parameter
            for name, parameter in net.named_parameters()
            if parameter.requires_grad and part_of(name) == part
        ]
        for decay, several in ((settings["weight_decay"], True), (0.0, False)):
            members = [parameter for parameter in chosen if (parameter.ndim > 1) == several]
            if members:
                groups.append({"params": members, "rate": rate, "weight_decay": decay})
    return groups


def loss_function(settings: dict) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss that ``settings`` name, with its delta and scale, as a function of p and g.

    Of the predictions of two branches it is the sum.
    """
    if settings["loss"] not in LOSSES:
        raise InputError(
            f"--set loss={settings['loss']}: no such loss; choose one of {', '.join(LOSSES)}"
        )
    function = getattr(losses, settings["loss"])
    if settings["loss"] in ("huber", "euclidean"):
        function = partial(function, delta=settings["delta"], scale=settings["scale"])
    elif settings["loss"] == "logistic":
        function = partial(function, threshold=settings["threshold"])
    return fusion.summed(function) if settings["branch"] else function


def _mirrored(groups: Sequence[np.ndarray], seed: int, step: int) -> dict[int, bool]:
    """For each photograph of a step whether it is mirrored: half of them, drawn at random."""
    members = np.concatenate(groups).tolist()
    generator = torch.Generator().manual_seed(_number(seed, "flip", step))
    drawn = torch.rand(len(members), generator=generator) < 0.5
    return dict(zip(members, drawn.tolist(), strict=True))


def _together(seen: Sequence[tuple[Tensor, Tensor, Tensor]]) -> list[tuple]:
    """Loss, norm of the gradient and output, step by step, of all processes and on the CPU."""
    mine = [tuple(tensor.cpu() for tensor in step) for step in seen]
    every = parallel.gathered(mine)
    steps = max(len(of_one) for of_one in every)
    joined = []
    for number in range(-steps, 0):  # a process that went on from a state lacks the first ones
        values, norms, outputs = zip(
            *(of_one[number] for of_one in every if len(of_one) >= -number), strict=True
        )
        joined.append((sum(values), norms[0], torch.cat(outputs)))
    return joined


def _agreed(among: Accelerator, told: dict, save_due: bool) -> tuple[bool, bool]:
    """Whether all processes shall end, and whether save, as soon as it is so for one."""
    if among.num_processes == 1:
        return told["end"], save_due
    flags = torch.tensor([told["end"], save_due], device=among.device, dtype=torch.float32)
    end, due = among.reduce(flags, "sum").tolist()
    return end > 0, due > 0


@contextmanager
def _told_to_end() -> Iterator[dict]:
    """While it lasts SIGTERM ends nothing, but ``end`` becomes true."""
    told = {"end": False}
    if threading.current_thread() is not threading.main_thread():  # cannot hear signals
        yield told
        return
    before = signal.signal(signal.SIGTERM, lambda *_: told.update(end=True))
    try:
        yield told
    finally:
        signal.signal(signal.SIGTERM, before)


def _summary(seen: Sequence[tuple[Tensor, Tensor, Tensor]]) -> dict:
    """Training's share of a row of the history, from loss, gradient norm and output by step."""
    p = torch.cat([outputs for _, _, outputs in seen])
    return {
        "loss": float(np.mean([value.item() for value, _, _ in seen])),
        "grad_norm": float(np.mean([norm.item() for _, norm, _ in seen])),
        "dead_bins": int((p <= 0).all(dim=0).sum()),
        "zero_outputs": float((p <= 0).all(dim=-1).double().mean()),
        "l1_mass": float(p.double().sum(dim=-1).mean()),
    }


def _number(seed: int, purpose: str, count: int) -> int:
    """A seed for one purpose and one step, unlike those of all others."""
    digest = hashlib.sha256(f"{seed} {purpose} {count}".encode()).digest()
    return int.from_bytes(digest[:7], "big")


def _lower(value: float, best: dict | None) -> bool:
    return best is None or value < best["val_loss"]


def _copy(net: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in net.state_dict().items()}


# --- What is learnt ------------------------------------------------------------------------


@dataclass(frozen=True)
class Objects:
    """The objects task: single objects with a label each, for pre-training a backbone.

    ``table`` is indexed by ``image`` and has columns ``path``, ``label`` (int64) and ``split``
    ("train" or "val"). ``classes`` names the labels 0, 1, ...
    """

    root: Path
    table: pd.DataFrame
    classes: list[str]

    @property
    def bins(self) -> int:
        """Number of classes: the outputs of the network."""
        return len(self.classes)

    @property
    def fingerprint(self) -> str:
        """Hash of images and labels: 16 hexadecimal digits."""
        text = self.table[["label", "split"]].to_csv() + ",".join(self.classes)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def split(self, name: str) -> Objects:
        """The part whose split is ``name``."""
        return Objects(self.root, self.table[self.table["split"] == name], self.classes)


def read_objects(root: str | os.PathLike) -> Objects:
    """The objects task in folder ``root``: ``objects.csv`` beside ``images/``.

    The table has columns image, label (0, 1, ...), kind (the label's name) and split
    ("train" or "val").
    """
    root = Path(root).resolve()
    file = root / "objects.csv"
    if not file.is_file():
        raise InputError(f"{file}: no such file; the objects variants learn from objects.csv")
    table = pd.read_csv(file, dtype={"image": str})
    absent = [name for name in ("image", "label", "kind", "split") if name not in table]
    if absent or table.empty:
        raise InputError(f"{file}: needs the columns image,label,kind,split, and rows")
    table["path"] = [str(root / "images" / name) for name in table["image"]]
    kinds = table.drop_duplicates("label").sort_values("label")["kind"]
    return Objects(root, table.set_index("image"), list(kinds))


def targets_of(data: ratings.Collection | Objects, target: str) -> Tensor:
    """What is to be learnt of the photographs of ``data``, one row each.

    "dist": float32 (N, K) distributions; "mean": float32 (N, 1) mean scores; "objects": int64
    (N,) labels.
    """
    if target == "objects":
        return torch.tensor(data.table["label"].to_numpy(np.int64))
    if target == "mean":
        return torch.tensor(data.means, dtype=torch.float32)[:, None]
    return torch.tensor(data.distributions, dtype=torch.float32)


def validator(
    loss: Callable[[Tensor, Tensor], Tensor],
    photographs: images.Photographs,
    targets: Tensor,
    settings: dict,
) -> Callable[[nn.Module], dict]:
    """A function of the network: its ``val_loss`` and ``val_rho`` on these photographs."""

    def check(net: nn.Module) -> dict:
        p = evaluation.outputs(net, photographs, settings["batch"])
        values = {"val_loss": loss(p, targets).item(), "val_rho": math.nan}
        if settings["target"] == "dist":
            g = targets[:, : p.shape[1]]
            values["val_rho"] = metrics.rho(metrics.mean(p.numpy()), metrics.mean(g.numpy()))
        elif settings["target"] == "mean":
            values["val_rho"] = metrics.rho(p[:, 0].numpy(), targets[:, 0].numpy())
        return values

    return check


@torch.inference_mode()
def pyramids(
    net: model.APM, photographs: images.Photographs, batch: int, n: int | None = None
) -> Tensor:
    """What a head of ``net`` is given, float32 (2 N, D): photographs, then mirrored ones.

    ``n`` is the grid, by default that of the first head.
    """
    net.eval()
    n = n or net.n
    device = next(net.parameters()).device
    pooled = [None] * (2 * len(photographs))
    for indices, pixels in images.loader(photographs, batch):
        for first, shown in ((0, pixels), (len(photographs), pixels.flip(-1))):
            x = images.normalise(shown.to(device)).to(memory_format=torch.channels_last)
            features = spatial_pyramid_pooling(net.backbone(x), n, net.how)
            for index, row in zip(indices.tolist(), features.cpu(), strict=True):
                pooled[first + index] = row
    return torch.stack(pooled)


# --- The run folder ------------------------------------------------------------------------


def train(
    variant: str,
    collection: ratings.Collection | Objects,
    out: str | os.PathLike,
    profile: str = "laptop",
    seed: int = 0,
    init: str | os.PathLike | None = None,
    restart: bool = False,
    overrides: dict | None = None,
    teacher: str | os.PathLike | None = None,
) -> Path:
    """Train ``variant`` on ``collection`` into the run folder ``out`` and return it.

    ``init`` is a run folder or a file of weights for the convolutional layers; without it the
    profiles photos and full take torchvision's ImageNet weights, the others start from random
    weights. A variant that goes on from its own target takes all of such a run, not the
    convolutional layers alone. ``teacher`` is what a semantic or joint variant learns
    from, in one of the forms of ``distillation``. ``overrides`` change single settings.

    A finished run of the same configuration is returned as it is, an unfinished one goes on,
    and another one is an InputError, unless ``restart`` throws it away. The run is measured on
    the test split, or where there is none on validation, after all choices are made.
    """
    out = Path(out)
    config = configuration(variant, collection, profile, seed, init, overrides, teacher)
    if _finished(out, config, restart):
        return out
    settings = config["settings"]
    joined = settings["select"] == "last" and settings["target"] != "objects"
    learnt = collection.split("train")
    held_out = None if joined else collection.split("val")
    if joined:
        rows = collection.table["split"].isin(["train", "val"])
        learnt = ratings.Collection(collection.root, collection.table[rows])
    if learnt.table.empty:
        raise InputError(
            f"{collection.root}: no photographs to train on; mend its split column"
        )

    among = parallel.engine()
    torch.manual_seed(seed)
    net = evaluation.build(config)
    carried = variants.goes_on(variant) and _target(init) == settings["target"]
    new_heads = []
    if carried:
        new_heads = model.load_carried(net, init)
    else:
        if settings["target"] in ("dist", "mean"):
            new_heads = net.heads()
        settings = settings | {"carried": 1.0}  # there is nothing to be gentle with
        if init or settings["pretrained"]:
            model.load_backbone(net.backbone, init or "imagenet")
    freeze(net.backbone, settings["frozen"])
    net.to(among.device, memory_format=torch.channels_last)

    among.wait_for_everyone()  # until each has seen what was in the folder before
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "config.json", config)
    loss, target_of = loss_function(settings), partial(targets_of, target=settings["target"])
    if teacher:
        file = _soft_targets(out, collection, teacher)
        among.wait_for_everyone()
        target_of = partial(soft_targets_of, file, settings, seed)
    if settings["joint"]:
        loss = partial(losses.joint, loss=loss, bins=config["bins"], weight=settings["joint"])
    check = None
    how = evaluation.seen_as(settings)
    if held_out is not None and len(held_out.table):
        seen = evaluation.photographs(held_out.table["path"], **how)
        wanted = target_of(held_out)
        check = validator(loss, seen, wanted, settings)
    photographs = evaluation.photographs(learnt.table["path"], **how)
    targets = target_of(learnt)

    def save_state(state: dict) -> None:
        write_table(out / "history.csv", pd.DataFrame(state["rows"], columns=HISTORY))
        temporary = out / ".state.pt"
        torch.save(state, temporary)
        os.replace(temporary, out / "state.pt")

    state = None
    if (out / "state.pt").is_file():
        state = torch.load(out / "state.pt", map_location=among.device, weights_only=True)
    elif settings["target"] == "semantic":
        net.init_head(targets.mean(dim=0))
    else:
        for head, n in new_heads:
            _start_head(net, head, n, photographs, targets, settings)
    learned = {"w": 0.5, "low": None, "high": None, "curve": None}
    if settings["branch"] and check is None and settings["ridge"]:
        # Before the network has learnt from these photographs, while it can be told apart.
        learned = _weight(net, photographs, targets, loss, settings, seed)
    try:
        state = fit(net, loss, photographs, targets, settings, seed, check, state, save_state)
    except torch.OutOfMemoryError as error:
        together = settings["at_once"] or settings["batch"]
        raise InputError(
            f"{out}: the memory of {among.device} does not hold {together} photographs; "
            f"train with --set at_once={max(together // 2, 1)} or --set recompute=true, and "
            "--restart"
        ) from error

    best = state["best"]
    config["trained"] = {"steps": state["step"], "kept_step": best["step"]}
    if settings["target"] in ("dist", "mean"):
        config["trained"]["mean_distribution"] = _mean_distribution(learnt)
    if settings["branch"]:
        if check:
            # Weighed on photographs that were trained on, the better fitted branch would win.
            p = evaluation.outputs(net, seen, settings["batch"], net.branches)
            learned = fusion.learn_weight(p[:, 0], p[:, 1], wanted, loss, seed)
        best["net"]["w"] = torch.tensor(learned["w"])
        config["trained"]["fusion"] = learned
    write_json(out / "config.json", config)
    if among.is_main_process:
        _write_training_list(out / "train.csv", learnt)
    weights = {name: tensor.contiguous() for name, tensor in best["net"].items()}
    write_bytes(out / "weights.safetensors", save(weights))
    among.wait_for_everyone()
    if settings["target"] == "semantic":
        distillation.measure(out, collection, file)
    else:
        evaluation.measure(out, collection)
    among.wait_for_everyone()
    (out / "state.pt").unlink(missing_ok=True)
    return out


def soft_targets_of(file: Path, settings: dict, seed: int, data: ratings.Collection) -> Tensor:
    """The soft targets of ``data`` from ``file``, float32 (N, C); permuted as settings say.

    Where the scores are learnt along with them, both: (N, K + C).
    """
    softmax = distillation.read(file, list(data.table.index))
    if settings["permuted"]:
        softmax = distillation.permuted(softmax, seed)
    shown = torch.from_numpy(softmax)
    return torch.cat([targets_of(data, "dist"), shown], dim=1) if settings["joint"] else shown


def _soft_targets(out: Path, data: ratings.Collection, teacher: str | os.PathLike) -> Path:
    """The file of soft targets: the one given, or the teacher's, computed once into ``out``."""
    if Path(teacher).is_file():
        return Path(teacher)
    file = out / "soft_targets.npz"
    if not file.is_file():
        softmax = distillation.soft_targets(teacher, list(data.table["path"]))
        distillation.write(file, list(data.table.index), softmax)
    return file


def _start_head(
    net: model.APM,
    head: model.Head,
    n: int,
    photographs: images.Photographs,
    targets: Tensor,
    settings: dict,
) -> None:
    """Start a head from ridge regression or from the constant, as ``settings`` say."""
    targets = targets[:, : head.fc2.out_features]
    if not settings["ridge"] or head.last == "softmax":  # a softmax of a distribution is none
        head.start_at(targets.mean(dim=0))
        return
    pooled = pyramids(net, photographs, settings["batch"], n)
    groups = torch.arange(len(targets)).repeat(2)
    ridge.start(head, pooled, targets.repeat(2, 1), groups)


def _weight(
    net: model.APM,
    photographs: images.Photographs,
    targets: Tensor,
    loss: Callable[[Tensor, Tensor], Tensor],
    settings: dict,
    seed: int,
) -> dict:
    """``fusion.learn_weight`` where all photographs are trained on and none is kept back.

    In place of the branches stand ridge regressions on what they see, each asked about
    photographs that it was not fitted on.
    """
    groups = torch.arange(len(targets)).repeat(2)
    p = []
    for head, n in net.heads():
        pooled = head.scaled(pyramids(net, photographs, settings["batch"], n))
        mirrored_too = ridge.out_of_fold(pooled, targets.repeat(2, 1), groups)
        p.append(mirrored_too[: len(targets)].float())
    return fusion.learn_weight(*p, targets, loss, seed)


def _target(run: str | os.PathLike | None) -> str | None:
    """What ``run`` learnt; None where it is a file of weights or nothing."""
    if run is None or not Path(run).is_dir():
        return None
    return evaluation.read_config(run)["settings"]["target"]


def configuration(
    variant: str,
    collection: ratings.Collection | Objects,
    profile: str,
    seed: int = 0,
    init: str | os.PathLike | None = None,
    overrides: dict | None = None,
    teacher: str | os.PathLike | None = None,
) -> dict:
    """What ``config.json`` says before training: what a run depends on, and the versions."""
    settings = variants.settings(variant, profile, overrides)
    objects = settings["target"] == "objects"
    if objects != isinstance(collection, Objects):
        raise InputError(
            f"{collection.root}: {variant} is trained on "
            + (
                "the objects task, a folder with objects.csv"
                if objects
                else "rated photographs"
            )
        )
    means_only = not objects and "n1" not in collection.table
    if means_only and settings["target"] == "dist":
        raise InputError(
            f"{collection.root / 'ratings.csv'}: holds mean scores only, and {variant} learns "
            "distributions; give the votes n1..nK, or train vgg-imn-mean"
        )
    semantic, joint = settings["target"] == "semantic", settings["joint"] > 0
    if joint and (settings["target"] != "dist" or settings["branch"] or teacher is None):
        raise InputError(
            f"--set joint={settings['joint']}: {variant} has no one branch and teacher that it "
            "takes; leave it out, or train resnet-imn-dist-joint"
        )
    if semantic and teacher is None:
        raise InputError(
            f"{variant}: has no teacher; give --teacher, a run of an objects variant or soft "
            "targets (.npz)"
        )
    if teacher is not None and not (semantic or joint):
        raise InputError(f"{variant}: learns from votes, not from a teacher; leave it out")
    bins = None if means_only else collection.bins
    config = {
        "variant": variant,
        "profile": profile,
        "seed": seed,
        "bins": distillation.classes(teacher) if semantic else bins,
        "settings": settings,
        "preprocessing": {
            "side": settings["side"],
            "view": settings["view"],
            "longest": images.PANORAMA * settings["side"],
            "mean": list(images.MEAN),
            "std": list(images.STD),
        },
        "data": collection.fingerprint,
        "init": evaluation.file_hash(model.weights_file(init)) if init else None,
        "code": code_key(),
        "versions": {
            "apmlib": apmlib.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
        },
    }
    if objects:
        config["classes"] = collection.classes
    if teacher is not None:
        config["teacher"] = distillation.identity(teacher)
    if joint:
        config["shown"] = distillation.classes(teacher)
    return config


# What a trained run depends on beside its configuration, in which stands what ``variants`` says
# of it. A change in one of these makes stored runs out of date.
KEYED_MODULES = (
    "distillation",
    "evaluation",
    "fusion",
    "images",
    "losses",
    "metrics",
    "model",
    "parallel",
    "ratings",
    "ridge",
    "spp",
    "training",
)


def code_key(modules: Sequence[str] = KEYED_MODULES) -> str:
    """Hash of the source of ``modules``, blank lines and lines of comment left out."""
    digest = hashlib.sha256()
    for name in modules:
        text = (Path(__file__).parent / f"{name}.py").read_text(encoding="utf-8")
        lines = (line.rstrip() for line in text.splitlines())
        kept = [line for line in lines if line and not line.lstrip().startswith("#")]
        digest.update("\n".join([name, *kept]).encode())
    return digest.hexdigest()[:12]


def freeze(backbone: nn.Module, stage: str) -> None:
    """Leave the layers of ``backbone`` up to and with the module named ``stage`` untrained.

    With small data the early layers, which see edges and colours, have nothing new to learn.
    """
    if not stage:
        return
    names = [name for name, _ in backbone.named_modules()]
    if stage not in names:
        raise InputError(
            f"--set frozen={stage}: {backbone.name} has no such layer; it has "
            + ", ".join(name for name, _ in backbone.named_children())
        )
    last = max(i for i, name in enumerate(names) if f"{name}.".startswith(f"{stage}."))
    for name in names[: last + 1]:
        for parameter in backbone.get_submodule(name).parameters(recurse=False):
            parameter.requires_grad = False


def _finished(out: Path, config: dict, restart: bool) -> bool:
    """Whether ``out`` holds this very run, complete. Another run there is an InputError."""
    if not (out / "config.json").is_file():
        if out.is_dir() and any(out.iterdir()) or out.is_file():
            raise InputError(f"{out}: is there and no run folder; choose another --out")
        return False
    old = evaluation.read_config(out)
    if restart:
        for name in (
            "weights.safetensors",
            "state.pt",
            "metrics.json",
            "predictions.csv",
            "soft_targets.npz",
        ):
            (out / name).unlink(missing_ok=True)
        return False
    differing = _differences(old, config)
    if differing:
        raise InputError(
            f"{out}: holds another run (different: {', '.join(differing)}); "
            "choose another --out, or --restart to train anew"
        )
    return (out / "weights.safetensors").is_file() and not (out / "state.pt").is_file()


def _differences(old: dict, new: dict) -> list[str]:
    """Names of what two configurations do not share, settings by their own name."""
    names = [
        key
        for key in sorted(
            (old.keys() | new.keys()) - {*NO_IDENTITY, "settings", "preprocessing"}
        )
        if old.get(key) != new.get(key)
    ]
    one, two = old.get("settings", {}), new.get("settings", {})
    return names + sorted(
        key for key in one.keys() | two.keys() if one.get(key) != two.get(key)
    )


def _mean_distribution(collection: ratings.Collection) -> list[float]:
    """What the constant predictor of this run's training photographs says: K shares."""
    if "n1" not in collection.table:
        return [float(collection.means.mean())]
    return [float(share) for share in collection.distributions.mean(axis=0)]


def _write_training_list(path: Path, data: ratings.Collection | Objects) -> None:
    """train.csv: what the run has seen, for percentiles and to notice leakage."""
    table = pd.DataFrame({"image": data.table.index})
    table["sha256"] = [evaluation.file_hash(file) for file in data.table["path"]]
    if isinstance(data, Objects):
        table["label"] = data.table["label"].to_numpy()
    else:
        table["mean"] = data.means
    write_table(path, table)
