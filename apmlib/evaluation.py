"""From a run folder to predictions, to metrics, to the table of the paper.

A run folder is read without executing anything: JSON, CSV and safetensors only.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from apmlib import fusion, images, metrics, model, parallel, ratings
from apmlib.errors import InputError
from apmlib.progress import progress
from apmlib.simulated import crowd, world

CACHED = 2_000_000_000  # bytes of decoded photographs that are kept in memory
CHUNK = 256  # photographs decoded at a time for predictions
BATCH = 32  # photographs that pass the network together, at most
METRICS = ("kldiv", "cdloss", "mse", "rho", "accuracy")
FORMATS = ("text", "markdown", "latex", "csv")

Run = str | os.PathLike
Model = tuple[nn.Module, dict]


# --- Run folders ---------------------------------------------------------------------------


def build(config: dict) -> nn.Module:
    """The network that ``config.json`` describes, with random weights."""
    settings = config["settings"]
    net = model.backbone(settings["backbone"], settings["width"], settings["stages"])
    has_bfloat16 = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    net.bfloat16 = settings.get("bfloat16", False) and has_bfloat16
    net.recompute = settings.get("recompute", False)
    if settings["backbone"].endswith("-narrow") and settings["target"] != "objects":
        model.check_fits(net, settings["side"])
    if settings["target"] == "objects":
        return model.Classifier(net, config["bins"])
    keys = (
        ("n", "how", "l2") if settings["target"] == "semantic" else ("n", "how", "l2", "last")
    )
    # Runs of before these were settings have none of them, and the values of today's defaults.
    options = {key: settings[key] for key in keys if key in settings}
    if settings["target"] == "semantic":
        return model.Student(net, config["bins"], **options)
    branch = settings.get("branch", 0)
    if settings["target"] == "mean" and (branch or options.get("last", "relu") != "relu"):
        raise InputError(
            "target mean: one output has no branches and is not normalised; "
            "leave out --set branch and --set last"
        )
    outputs = 1 if settings["target"] == "mean" else config["bins"]
    if branch:
        return fusion.Fusion(net, outputs, settings["hidden"], branch, **options)
    if settings.get("joint"):
        return model.Joint(net, outputs, config["shown"], settings["hidden"], **options)
    return model.APM(net, outputs, settings["hidden"], **options)


def read_config(run: Run) -> dict:
    """``config.json`` of a run folder."""
    return _read_json(Path(run) / "config.json", "is this a run folder?")


def load(run: Run) -> Model:
    """The trained network of a run folder, in evaluation mode, and its ``config.json``."""
    config = read_config(run)
    if not (Path(run) / "weights.safetensors").is_file():
        raise InputError(
            f"{run}: is not finished; give the same apm train again and it goes on"
        )
    try:
        net = build(config)
    except KeyError as error:
        raise InputError(
            f"{Path(run) / 'config.json'}: has no {error}; get the run again"
        ) from error
    model.load_weights(net, run)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return net.to(device, memory_format=torch.channels_last).eval(), config


# --- Predictions ---------------------------------------------------------------------------


def photographs(
    paths: Sequence[str | os.PathLike], side: int, view: str = "whole"
) -> images.Photographs:
    """The photographs at ``paths``, kept in memory where all of them take less than 2 GB."""
    cache = len(paths) * 3 * 1.5 * side**2 < CACHED
    return images.Photographs(list(paths), side, cache=cache, view=view)


def seen_as(settings: dict) -> dict:
    """How a run of these settings sees photographs: arguments of :func:`photographs`."""
    return {"side": settings["side"], "view": settings.get("view", "whole")}


@torch.inference_mode()
def outputs(
    net: nn.Module,
    photographs: images.Photographs,
    batch: int = BATCH,
    of: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """What ``net`` says of each photograph, float32 (N, outputs) on the CPU, in eval mode.

    ``of`` is another function of the photographs than calling ``net``, such as one of its
    methods; then it is (N, *shape of what that gives). Several processes share the photographs,
    and all of them return the whole.
    """
    net.eval()
    groups = images.batches(photographs.shapes, min(batch, BATCH))
    process, processes = parallel.here()
    part = parallel.deal(groups, photographs.shapes, processes)[process]
    mine = [group for group, weight in part if weight]
    said = [_forward(net, pixels, of) for _, pixels in images.loaded(photographs, mine)]
    every = parallel.gathered((np.concatenate([[], *mine]).astype(np.int64), said))
    p = torch.cat([output for _, outputs in every for output in outputs])
    return p[np.argsort(np.concatenate([indices for indices, _ in every]))]


@torch.inference_mode()
def predict(
    run: Run | Model,
    photographs: ratings.Collection | Sequence[str | os.PathLike],
    names: Sequence[str] | None = None,
    flips: bool = False,
    skipped: list | None = None,
) -> pd.DataFrame:
    """Scores of photographs: columns ``image``, ``mean``, ``std``, ``p1`` to ``pK``.

    ``run`` is a run folder, or what :func:`load` gave. ``photographs`` is a collection or
    paths; ``names`` stand in the column ``image``, by default the paths as given. The
    distribution p is l1-normalised; a mean-only variant has ``image`` and ``mean``. ``flips``
    averages with the mirrored photograph. A photograph that cannot be read is an InputError,
    or, where the list ``skipped`` is given, put there as (image, reason) and left out.
    """
    net, config = load(run) if isinstance(run, str | os.PathLike) else run
    _check_scores(config)
    if isinstance(photographs, ratings.Collection):
        names, paths = list(photographs.table.index), list(photographs.table["path"])
    else:
        paths = [os.fspath(path) for path in photographs]
        names = paths if names is None else list(names)
    net.eval()
    kept, found = [], []
    bar = progress(range(len(paths)), "scoring", total=len(paths))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(paths), CHUNK):
            chunk = range(start, min(start + CHUNK, len(paths)))
            decoded = pool.map(lambda i: _load(paths[i], config["preprocessing"]), chunk)
            tensors = {}
            for i, tensor in zip(chunk, decoded, strict=True):
                if isinstance(tensor, Tensor):
                    tensors[i] = tensor
                elif skipped is None:
                    raise tensor
                else:
                    skipped.append((names[i], str(tensor)))
            here = list(tensors)
            result = np.zeros((len(here), net.head.fc2.out_features))
            shapes = [tuple(tensors[i].shape[1:]) for i in here]
            for group in images.batches(shapes, BATCH):
                pixels = torch.stack([tensors[here[i]] for i in group])
                result[group] = _score(net, pixels)
                if flips:
                    result[group] = (result[group] + _score(net, pixels.flip(-1))) / 2
                bar.update(len(group))
            kept += [names[i] for i in here]
            found.append(result)
    bar.close()
    p = np.concatenate(found) if found else np.zeros((0, net.head.fc2.out_features))
    return _frame(kept, p, config["settings"]["target"])


def branches(
    run: Run | Model, photographs: ratings.Collection | Sequence[str | os.PathLike]
) -> tuple[np.ndarray, np.ndarray]:
    """What each branch of a two-branch run says alone: two (N, K) of l1-normalised rows.

    The first is the pyramid's. Their late fusion with the run's weight is what :func:`predict`
    gives.
    """
    net, config = load(run) if isinstance(run, str | os.PathLike) else run
    if not isinstance(net, fusion.Fusion):
        raise InputError(f"{config['variant']}: has one branch; give a run of two branches")
    if isinstance(photographs, ratings.Collection):
        photographs = list(photographs.table["path"])
    shown = images.Photographs(photographs, cache=False, **seen_as(config["settings"]))
    p = outputs(net, shown, of=net.branches).numpy().astype(np.float64)
    return metrics.normalise(p[:, 0]), metrics.normalise(p[:, 1])


def _check_scores(config: dict) -> None:
    if config["settings"]["target"] in ("objects", "semantic"):
        raise InputError(
            f"{config['variant']}: says what is shown, it gives no scores; "
            "use a run of another variant"
        )


def _load(path: str, preprocessing: dict) -> Tensor | InputError:
    view = preprocessing.get("view", "whole")
    try:
        return images.load(path, preprocessing["side"], preprocessing["longest"], view)
    except InputError as error:
        return error


def _forward(
    net: nn.Module, pixels: Tensor, of: Callable[[Tensor], Tensor] | None = None
) -> Tensor:
    device = next(net.parameters()).device
    x = images.normalise(pixels.to(device)).to(memory_format=torch.channels_last)
    return (of or net)(x).float().cpu()


def _score(net: nn.Module, pixels: Tensor) -> np.ndarray:
    """Normalised distributions (B, K), or mean scores (B, 1)."""
    p = _forward(net, pixels).numpy().astype(np.float64)
    return p if p.shape[1] == 1 else metrics.normalise(p)


def _frame(names: list[str], p: np.ndarray, target: str) -> pd.DataFrame:
    table = pd.DataFrame({"image": names})
    if target == "mean":
        return table.assign(mean=p[:, 0])
    table["mean"], table["std"] = metrics.mean(p), metrics.std(p)
    bins = pd.DataFrame(p, columns=[f"p{k}" for k in range(1, p.shape[1] + 1)])
    return pd.concat([table, bins], axis=1)


def distributions(predictions: pd.DataFrame) -> np.ndarray:
    """The (N, K) predicted distributions of a table of predictions, or (N,) mean scores."""
    bins = [name for name in predictions.columns if name[0] == "p" and name[1:].isdigit()]
    return predictions[bins or "mean"].to_numpy(np.float64)


# --- Metrics -------------------------------------------------------------------------------


def evaluate(
    run: Run,
    data: ratings.Collection | str | os.PathLike,
    split: str = "test",
    ceilings: dict | None = None,
    fair: bool = False,
) -> dict:
    """Metrics of a run on one split of a collection, in the form of ``metrics.json``.

    Each metric is a dict with ``value``, ``low`` and ``high`` (a 95 % bootstrap interval over
    images), or None where the variant or the data do not have it. Beside them stand the split's
    name, size and hash, how many of its photographs the run was trained on, and under
    ``references`` the constant predictor of the training photographs and, for a simulated
    collection, the image ceiling and the vote ceiling. ``ceilings`` gives those two for votes
    that are not the ones on disk. ``fair`` makes it an InputError where the run was trained on
    some of the photographs.

    Writes ``metrics.json`` and ``predictions.csv`` into the run folder.
    """
    loaded = load(run)
    config = loaded[1]
    _check_scores(config)
    collection = data if isinstance(data, ratings.Collection) else ratings.read(data)
    part = collection.split(split)
    if part.table.empty:
        sizes = collection.table["split"].value_counts()
        there = ", ".join(f"{name} ({sizes[name]})" for name in ratings.SPLITS if name in sizes)
        raise InputError(f"{collection.root}: has no split {split!r}; it has {there}")
    votes = "n1" in part.table
    if votes and config["bins"] and part.bins != config["bins"]:
        raise InputError(
            f"{collection.root}: is rated on a scale of {part.bins}, {run} learnt one of "
            f"{config['bins']}; use a run trained on this scale"
        )
    seen = seen_in_training(run, part.table["path"])
    if fair and seen.any():
        raise InputError(
            f"{collection.root}: {seen.sum()} of {len(seen)} photographs of split {split!r} "
            f"are among those that {run} was trained on, as {part.table.index[seen][0]}; take "
            "them out of the split, or train without them"
        )
    predictions = predict(loaded, part)
    p = distributions(predictions)
    constant = np.array(config["trained"]["mean_distribution"])
    references = {"constant": _measured(np.tile(constant, (len(p), 1)), part)}
    references.update(ceilings or _ceilings(collection, split))
    result = {
        "variant": config["variant"],
        "profile": config["profile"],
        "seed": config["seed"],
        "split": split,
        "split_hash": ratings.split_hash(part.table.index),
        "data": collection.fingerprint,
        **_measured(p, part),
        "seen_in_training": int(seen.sum()),
        "references": references,
    }
    write_table(Path(run) / "predictions.csv", predictions)
    write_json(Path(run) / "metrics.json", result)
    return result


def measure(run: Run, collection) -> dict:
    """What training ends with: the run measured on the test split, or else on validation."""
    if read_config(run)["settings"]["target"] == "objects":
        part = collection.split("val")
        return named_right(run, "val", part, part.table["label"].to_numpy())
    there = set(collection.table["split"])
    name = next((name for name in ("test", "val", "train") if name in there), "train")
    return evaluate(run, collection, name)


def seen_in_training(run: Run, paths: Iterable[str | os.PathLike]) -> np.ndarray:
    """Whether each file, by its content, is one that the run was trained on: bool (N,)."""
    table = Path(run) / "train.csv"
    known = set(pd.read_csv(table, dtype=str)["sha256"]) if table.is_file() else set()
    return np.array([file_hash(path) in known for path in paths], dtype=bool)


def percentile(run: Run, means: Iterable[float]) -> np.ndarray:
    """Share of the run's training photographs with a lower mean score, in percent: (N,)."""
    known = np.sort(pd.read_csv(Path(run) / "train.csv")["mean"].to_numpy())
    return 100 * np.searchsorted(known, np.asarray(means)) / len(known)


def _measured(p: np.ndarray, part: ratings.Collection) -> dict:
    """``metrics.report``, or where the data have mean scores only what is left of it."""
    if p.ndim == 2 and p.shape[1] == 1:
        p = p[:, 0]
    if "n1" in part.table:
        return metrics.report(p, part.counts)
    p = metrics.mean(p) if p.ndim == 2 else p
    result = dict.fromkeys(METRICS) | {"n": len(p)}
    for name, function in (("mse", metrics.mse), ("rho", metrics.rho)):
        value, low, high = metrics.bootstrap(function, p, part.means)
        result[name] = {"value": value, "low": low, "high": high} if value == value else None
    return result


def named_right(run: Run, split: str, part, labels: np.ndarray) -> dict:
    """``metrics.json`` of a run that names what is shown, written into its folder.

    ``part`` are the photographs of ``split``, a collection or objects; ``labels`` int (N,) is
    the class that each should get. Its accuracy is the share that does; all else is null.
    """
    net, config = load(run)
    shown = photographs(part.table["path"], **seen_as(config["settings"]))
    correct = outputs(net, shown).argmax(dim=1).numpy() == labels
    value, low, high = metrics.bootstrap(metrics.average, correct.astype(float))
    result = {
        "variant": config["variant"],
        "profile": config["profile"],
        "seed": config["seed"],
        "split": split,
        "split_hash": ratings.split_hash(part.table.index),
        "data": config["data"],
        "n": len(part.table),
        **dict.fromkeys(METRICS),
        "accuracy": {"value": value, "low": low, "high": high},
    }
    write_json(Path(run) / "metrics.json", result)
    return result


def _ceilings(collection: ratings.Collection, split: str) -> dict:
    """The two ceilings of a simulated collection with the votes on disk, else nothing."""
    if not (collection.root / "latents.csv").is_file():
        return {}
    stored = ratings.read(collection.root).table
    part = collection.split(split)
    bins = [name for name in stored.columns if name[0] == "n" and name[1:].isdigit()]
    if not part.table.index.isin(stored.index).all() or not np.array_equal(
        part.counts, stored.loc[part.table.index, bins]
    ):
        return {}
    latents = world.read_latents(collection.root).loc[part.table.index]
    found = crowd.ceilings(latents, part.counts)
    return {
        name: {metric: {"value": value} for metric, value in found[name].items()}
        for name in ("image", "vote")
    }


# --- The table -----------------------------------------------------------------------------

HEADINGS = {
    "kldiv": "KLDIV",
    "cdloss": "CDLoss",
    "mse": "MSE",
    "rho": "rho",
    "accuracy": "Acc.(%)",
}
LATEX = {
    "kldiv": r"KLDIV $\downarrow$",
    "cdloss": r"CDLoss $\downarrow$",
    "mse": r"MSE $\downarrow$",
    "rho": r"$\rho$ $\uparrow$",
    "accuracy": r"Acc.(\%) $\uparrow$",
}


def table(runs: Sequence[Run], format: str = "text") -> str:
    """Table 1 of the paper for finished runs, each value with its interval.

    Above the runs stands the constant predictor, below them, where the world is simulated, the
    image ceiling and the vote ceiling. All must be measured on the same split of the same
    photographs, which is named under the table. ``format`` is text, markdown, latex or csv.
    """
    if format not in FORMATS:
        raise InputError(f"--format {format}: no such format; choose {', '.join(FORMATS)}")
    found = [_read_json(Path(run) / "metrics.json", "is it finished?") for run in runs]
    splits = {(item["split"], item["split_hash"]) for item in found}
    if len(splits) > 1:
        named = ", ".join(
            f"{run} on {item['split']} {item['split_hash']}"
            for run, item in zip(runs, found, strict=True)
        )
        raise InputError(
            f"runs measured on different photographs: {named}; apm evaluate them alike"
        )
    references = next((item["references"] for item in found if "references" in item), {})
    rows = [("constant", references["constant"])] if "constant" in references else []
    # A stage that gives no scores has an accuracy too, but one of naming, not of liking.
    rows += [(item["variant"], item if item["mse"] else {}) for item in found]
    rows += [
        (f"{name} ceiling", references[name])
        for name in ("image", "vote")
        if name in references
    ]
    first = found[0]
    note = f"split {first['split']}, {first['n']} photographs, hash {first['split_hash']}"
    if format == "csv":
        return _csv(rows, first)
    names = LATEX if format == "latex" else HEADINGS
    rows_of_text = [["Method", *names.values()]]
    rows_of_text += [
        [name, *(cell(row.get(key), key) for key in METRICS)] for name, row in rows
    ]
    return layout(rows_of_text, format, note=note)


def layout(cells: list[list[str]], format: str, words: int = 1, note: str = "") -> str:
    """Rows of text under a heading, the first ``words`` columns flush left, the rest right.

    ``format`` is text, markdown or latex. ``note`` stands below, in latex above as a comment.
    """
    numbers = len(cells[0]) - words
    if format == "markdown":
        lines = [f"| {' | '.join(row)} |" for row in cells]
        lines.insert(1, "|" + " --- |" * words + " ---: |" * numbers)
        return "\n".join([*lines, "", note] if note else lines)
    if format == "latex":
        lines = [" & ".join(row) + r" \\" for row in cells]
        top = [rf"\begin{{tabular}}{{{'l' * words}{'r' * numbers}}}", r"\hline"]
        lines = [*top, lines[0], r"\hline", *lines[1:], r"\hline", r"\end{tabular}"]
        return "\n".join([f"% {note}", *lines] if note else lines)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for row in cells:
        padded = [
            text.ljust(width) if i < words else text.rjust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(padded).rstrip())
    return "\n".join([*lines, note] if note else lines)


def cell(entry: dict | None, key: str) -> str:
    """A metric as printed, ``value [low, high]``, with ``-`` for none; accuracy in per cent."""
    if entry is None or entry.get("value") is None:
        return "-"
    scale, digits = (100, 1) if key == "accuracy" else (1, 3 if key in ("mse", "rho") else 4)
    value, low, high = (entry.get(name) for name in ("value", "low", "high"))
    text = f"{scale * value:.{digits}f}"
    if low is None:
        return text
    return f"{text} [{scale * low:.{digits}f}, {scale * high:.{digits}f}]"


def _csv(rows: list[tuple[str, dict]], first: dict) -> str:
    flat = []
    for name, row in rows:
        line = {"method": name}
        for key in METRICS:
            for part in ("value", "low", "high"):
                column = key if part == "value" else f"{key}_{part}"
                line[column] = (row.get(key) or {}).get(part)
        flat.append(line | {name: first[name] for name in ("split", "split_hash", "n")})
    return pd.DataFrame(flat).to_csv(index=False).rstrip("\n")


# --- Files ---------------------------------------------------------------------------------


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` at once: whoever reads it sees the old file or the new one.

    Of several processes only the first writes.
    """
    if parallel.here()[0]:
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, data: dict) -> None:
    """Write ``data`` as JSON, atomically; what is no number is written as null."""
    text = json.dumps(_plain(data), indent=2, allow_nan=False, ensure_ascii=False)
    write_bytes(path, (text + "\n").encode())


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write ``table`` as CSV without its index, atomically."""
    text = io.StringIO()
    table.to_csv(text, index=False, lineterminator="\n")
    write_bytes(path, text.getvalue().encode())


def _plain(value):
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _read_json(path: Path, hint: str) -> dict:
    if not path.is_file():
        raise InputError(f"{path}: no such file; {hint}")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: is not JSON ({error}); get the run again") from error


def file_hash(path: str | os.PathLike) -> str:
    """SHA-256 of the content of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
