"""Photographs changed by gradient descent until the model says otherwise (section 4.3).

A photograph is assigned a distribution slightly better or slightly worse than the predicted one
(:func:`target`), and its pixels follow the gradient towards it while the model stays as it is
(:func:`modify`). Where they had to change most is where the model looks (:func:`heat`,
:func:`overlay`, figure 5).

What the paper leaves open and is our choice: the form of the new distribution, the size of its
move, steps of one length (so that "fewer iterations" compares distances, not slopes), and a
budget on the change, without which any score can be reached.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from apmlib import evaluation, images, losses, metrics, sheets
from apmlib.errors import InputError
from apmlib.progress import progress

FLOOR = 1e-4  # of a bin before its distribution is tilted, as in metrics.kl
EDGE = 0.01  # a target keeps this share of the scale away from its ends
BATCH = 16  # photographs of one shape that are changed together
SMOOTH = 0.03  # deviation of the heat map's blur, share of the shorter side
SHOWN = 384  # shorter side of a heat map that is written, pixels
DIRECTIONS = {"up": 1, "down": -1}
# Dark to light, so that grey paper keeps the order: matplotlib's "inferno", seven of its 256.
HEAT = ("#000004", "#320a5e", "#781c6d", "#bc3754", "#ed6925", "#fbb61a", "#fcffa4")

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Descent:
    """How far and how fast photographs are changed; pixels count from 0 to 255.

    Attributes:
        iterations: gradient steps.
        step: root mean square of one step over all pixels and channels of a photograph.
        budget: the most that the whole change may be, as a root mean square.
        move: of the target's mean; None is half a point on the scale of 1 to 10, and as much
            of any other scale.
        anew: set the target anew after each step, from what is predicted then; else the one
            target of the beginning is kept.
    """

    iterations: int = 50
    step: float = 0.1
    budget: float = 2.0
    move: float | None = None
    anew: bool = True


@dataclass(frozen=True)
class Modified:
    """A batch of photographs before and after the descent.

    Attributes:
        original: (B, 3, H, W) uint8.
        pixels: (B, 3, H, W) float32 in 0 .. 255, not rounded.
        before, after: what is predicted of these two, float64 (B, K) rows of sum 1, or (B, 1).
        mean, rms: predicted mean and size of the change before each step and after the last,
            float64 (iterations + 1, B).
        dead: bins predicted as exactly zero, which pass no gradient, int64, of that shape.
    """

    original: Tensor
    pixels: Tensor
    before: np.ndarray
    after: np.ndarray
    mean: np.ndarray
    rms: np.ndarray
    dead: np.ndarray

    def rounded(self) -> Tensor:
        """The changed photographs as a file holds them: uint8 (B, 3, H, W)."""
        return self.pixels.round().to(torch.uint8)


def scorer(run: evaluation.Run | evaluation.Model) -> tuple[nn.Module, dict, int]:
    """A run that gives scores: network in evaluation mode, configuration, scores K.

    InputError where the run only says what is shown. A mean-only run that never saw the votes
    does not know its scale and counts as one of ten scores.
    """
    loaded = evaluation.load(run) if isinstance(run, str | os.PathLike) else run
    net, config = loaded
    target = config["settings"]["target"]
    if target in ("objects", "semantic"):
        raise InputError(
            f"{config['variant']}: says what is shown, it gives no scores; "
            "use a run of another variant"
        )
    return net, config, config["bins"] or 10


def distribution(net: nn.Module, pixels: Tensor) -> Tensor:
    """What ``net`` says of pixels (B, 3, H, W) in 0 .. 255, float or uint8, with gradient.

    Float (B, K), rows of sum 1, or mean scores (B, 1).
    """
    p = net(images.normalise(pixels).contiguous(memory_format=torch.channels_last))
    return p if p.shape[1] == 1 else losses.normalise(p)


def mean(p: Tensor) -> Tensor:
    """Mean scores (B,) of distributions (B, K), equation 2, or of mean scores (B, 1)."""
    if p.shape[1] == 1:
        return p[:, 0]
    return p @ torch.arange(1, p.shape[1] + 1, dtype=p.dtype, device=p.device)


def half_a_point(bins: int) -> float:
    """Half a point of the scale of 1 to 10, carried over to a scale of ``bins`` scores."""
    return 0.5 * (bins - 1) / 9


def target(p: Tensor, move: float | Tensor) -> Tensor:
    """The distributions nearest to ``p`` whose means lie ``move`` further up (below 0: down).

    ``p``: (B, K), rows of sum 1; ``move``: a number or (B,). q_i is proportional to
    p_i exp(lambda i), which of all distributions with its mean has the least KL(q || p) (the
    Lagrange condition of that problem). p is floored at 1e-4 first, or a bin that it leaves
    empty would stay so. No target comes nearer than a hundredth of the scale to its ends,
    unless p is nearer. Returns (B, K) of p's type, without gradient.
    """
    bins = p.shape[1]
    exact = p.detach().double()
    scores = torch.arange(1, bins + 1, dtype=torch.float64, device=p.device)
    now = exact @ scores
    near = EDGE * (bins - 1)
    wanted = now + torch.as_tensor(move, dtype=torch.float64, device=p.device)
    # Minimum and maximum one after the other: a photograph beyond the edge may stay there.
    wanted = torch.minimum(wanted, now.clamp_min(bins - near))
    wanted = torch.maximum(wanted, now.clamp_max(1 + near))
    logs = exact.clamp_min(FLOOR).log()
    low, high = torch.full_like(now, -100.0), torch.full_like(now, 100.0)
    # The mean grows with lambda everywhere, so halving finds it to the last digit.
    for _ in range(70):
        middle = (low + high) / 2
        above = (logs + middle[:, None] * scores).softmax(dim=1) @ scores > wanted
        low, high = torch.where(above, low, middle), torch.where(above, middle, high)
    return (logs + low[:, None] * scores).softmax(dim=1).to(p.dtype)


def modify(
    net: nn.Module,
    photographs: Tensor,
    direction: int | Tensor,
    descent: Descent | None = None,
    bins: int = 10,
    loss: Loss = losses.huber,
) -> Modified:
    """Change photographs of one shape until their predicted means rise or fall.

    Each step goes against the gradient of ``loss(p, target)`` with respect to the pixels, and
    is as long for every photograph (its root mean square is ``descent.step``), whatever the
    others of the batch. The change is then shortened to the budget and the pixels are kept in
    0 .. 255. p is normalised first: the loss sees shares, not the head's raw sum. A photograph
    without a gradient, since all its outputs are dead, stays as it is.

    ``photographs``: uint8 (B, 3, H, W). ``direction``: 1 for better, -1 for worse, or one for
    each, (B,). ``bins``: the scale of a mean-only run. Nothing of ``net`` changes.
    """
    descent = descent or Descent()
    net.eval()
    device = next(net.parameters()).device
    original = photographs.to(device).float()
    sign = torch.as_tensor(direction, dtype=torch.float32, device=device).expand(len(original))
    x, fixed, traces = original.clone(), None, []
    bar = progress(range(descent.iterations), "changing pixels", total=descent.iterations)
    for _ in bar:
        x.requires_grad_(True)
        p = distribution(net, x)
        if fixed is None or descent.anew:
            scale = bins if p.shape[1] == 1 else p.shape[1]
            move = half_a_point(scale) if descent.move is None else descent.move
            fixed = _target(p, sign * move)
        gradient = _gradient(p, fixed, loss, x)
        traces.append(_trace(p, x.detach() - original))
        bar.set_postfix_str(f"mean {traces[-1][0].mean():.2f}")
        x = _step(x.detach(), original, gradient, descent)
    with torch.inference_mode():
        p = distribution(net, x)
    traces.append(_trace(p, x - original))
    with torch.inference_mode():
        before = distribution(net, original)
    found = [np.stack(part) for part in zip(*traces, strict=True)]
    return Modified(photographs.cpu(), x.cpu(), _exact(before), _exact(p), *found)


def _target(p: Tensor, move: Tensor) -> Tensor:
    return (p.detach() + move[:, None]) if p.shape[1] == 1 else target(p, move)


def _gradient(p: Tensor, q: Tensor, loss: Loss, x: Tensor) -> Tensor:
    """Of the loss with respect to the pixels; zero where nothing depends on them."""
    value = 0.5 * (p - q).square().sum() if p.shape[1] == 1 else loss(p, q)
    (gradient,) = torch.autograd.grad(value, x, allow_unused=True)
    return torch.zeros_like(x) if gradient is None else gradient


def _step(x: Tensor, original: Tensor, gradient: Tensor, descent: Descent) -> Tensor:
    length = _rms(gradient)
    # A gradient too short for float32 to square has no direction worth following.
    scale = torch.where(length > 1e-12, descent.step / length.clamp_min(1e-12), 0.0)
    change = x - original - scale[:, None, None, None] * gradient
    fits = (descent.budget / _rms(change).clamp_min(1e-12)).clamp_max(1.0)
    return (original + fits[:, None, None, None] * change).clamp(0, 255)


def _rms(change: Tensor) -> Tensor:
    return change.square().mean(dim=(1, 2, 3)).sqrt()


def _trace(p: Tensor, change: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    dead = (p <= 0).sum(dim=1) if p.shape[1] > 1 else torch.zeros(len(p), dtype=torch.int64)
    parts = mean(p.detach().double()), _rms(change).double(), dead
    return tuple(part.cpu().numpy() for part in parts)


def _exact(p: Tensor) -> np.ndarray:
    p = p.detach().double().cpu().numpy()
    return p if p.shape[1] == 1 else metrics.normalise(p)


def modifications(
    net: nn.Module,
    photographs: Sequence[Tensor],
    direction: int,
    descent: Descent | None = None,
    bins: int = 10,
    loss: Loss = losses.huber,
    batch: int = BATCH,
) -> Iterator[tuple[np.ndarray, Modified]]:
    """:func:`modify` every one of ``photographs``, those of one shape together.

    ``photographs``: uint8 (3, H, W) each, such as ``images.Photographs``. Yields the indices
    int64 (B,) of a batch with what became of it, each photograph once.
    """
    shapes = [tuple(photographs[i].shape[1:]) for i in range(len(photographs))]
    bar = progress(None, "photographs changed", total=len(shapes))
    for indices in images.batches(shapes, batch):
        pixels = torch.stack([photographs[i] for i in indices])
        yield indices, modify(net, pixels, direction, descent, bins, loss)
        bar.update(len(indices))
    bar.close()


# --- Heat maps -----------------------------------------------------------------------------


def heat(original: Tensor | np.ndarray, changed: Tensor | np.ndarray) -> np.ndarray:
    """Where the pixels of one photograph changed most: float64 (H, W), greatest value 1.

    ``original``, ``changed``: (3, H, W). The length of a pixel's change over its channels,
    blurred by 3 % of the shorter side; all 0 where nothing changed.
    """
    change = np.asarray(changed, np.float64) - np.asarray(original, np.float64)
    length = np.sqrt(np.square(change).sum(axis=0))
    smooth = gaussian_filter(length, SMOOTH * min(length.shape), mode="nearest")
    return smooth / smooth.max() if smooth.max() > 0 else smooth


def overlay(photograph: Image.Image, heated: np.ndarray) -> Image.Image:
    """The photograph in grey under its heat map, as in figure 5: RGB of the same size.

    ``heated``: (h, w) in 0 .. 1 of the same aspect, enlarged to the photograph. The colder a
    place, the more of the photograph is seen.
    """
    small = Image.fromarray(heated.astype(np.float32))
    large = np.asarray(small.resize(photograph.size, Image.Resampling.BICUBIC))
    large = np.clip(large, 0, 1)[..., None]
    stops = np.linspace(0, 1, len(HEAT))
    table = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in HEAT], np.float64)
    colour = np.stack([np.interp(large[..., 0], stops, channel) for channel in table.T], -1)
    grey = np.asarray(photograph.convert("L"), np.float64)[..., None]
    share = 0.75 * large
    return Image.fromarray(((1 - share) * grey + share * colour + 0.5).astype(np.uint8))


# --- The command ---------------------------------------------------------------------------


def explain(
    run: evaluation.Run,
    paths: Sequence[str | os.PathLike],
    out: str | os.PathLike,
    directions: Sequence[str] = ("up", "down"),
    descent: Descent | None = None,
    skipped: list | None = None,
) -> list[dict]:
    """Change photographs in each of ``directions``; write what came of it into ``out``.

    Of each photograph, and of each direction for the first two: ``NAME-up.png``, the changed
    photograph at the size that the network sees; ``NAME-up-heat.png``, the heat map over it;
    ``NAME-explained.png``, all side by side with the distributions; ``NAME-explained.json``,
    what was done. The predictions in it are those of the PNG, whose pixels are whole numbers.

    Returns the content of the JSON files. The photographs are only read. What cannot be read
    is an InputError, or, where ``skipped`` is given, put there as (name, reason).
    """
    descent = descent or Descent()
    for direction in directions:
        if direction not in DIRECTIONS:
            raise InputError(f"--direction {direction}: unknown; choose up, down or both")
    net, config, bins = scorer(run)
    seen = evaluation.seen_as(config["settings"])
    paths, shown = _readable(paths, seen, skipped)
    if not paths:
        return []
    names, out = sheets.stems(paths), Path(out)
    for name in names:
        written = [f"{name}-explained.png"]
        written += [f"{name}-{d}{end}.png" for d in directions for end in ("", "-heat")]
        sheets.check_free(out, written, f"{name}-explained.json", paths)
    out.mkdir(parents=True, exist_ok=True)
    found = [{} for _ in paths]
    for direction in directions:
        for indices, batch in modifications(net, shown, DIRECTIONS[direction], descent, bins):
            with torch.inference_mode():
                after = _exact(distribution(net, batch.rounded().to(_device(net))))
            for row, i in enumerate(indices):
                found[i][direction] = _one(batch, row, after[row])
    about = {"run": os.fspath(run), "variant": config["variant"], "side": seen["side"]}
    about["descent"] = asdict(descent)
    about["descent"]["move"] = half_a_point(bins) if descent.move is None else descent.move
    return [
        _write(out, name, path, parts, about, seen)
        for name, path, parts in zip(names, paths, found, strict=True)
    ]


def _readable(
    paths: Sequence[str | os.PathLike], seen: dict, skipped: list | None
) -> tuple[list, list[Tensor]]:
    """The paths that hold a photograph, and those as the network sees them, (3, H, W)."""
    kept, shown = [], []
    for path in progress(paths, "photographs", total=len(paths)):
        try:
            shown.append(images.load(path, seen["side"], view=seen["view"]))
            kept.append(path)
        except InputError as error:
            if skipped is None:
                raise
            skipped.append((os.fspath(path), str(error)))
    return kept, shown


def _device(net: nn.Module) -> torch.device:
    return next(net.parameters()).device


def _one(batch: Modified, row: int, after: np.ndarray) -> dict:
    """What is kept of one photograph of a batch."""
    return {
        "original": batch.original[row],
        "pixels": batch.rounded()[row],
        "heat": heat(batch.original[row], batch.pixels[row]),
        "before": batch.before[row],
        "after": after,
        "mean": batch.mean[:, row],
        "rms": batch.rms[:, row],
        "dead": batch.dead[:, row],
    }


def predicted(p: np.ndarray) -> dict:
    """``mean`` and, where there is one, ``distribution`` of a prediction (K,), for JSON."""
    if len(p) == 1:
        return {"mean": float(p[0])}
    return {"mean": float(metrics.mean(p)), "distribution": p.tolist()}


def _write(out: Path, name: str, path, parts: dict, about: dict, seen: dict) -> dict:
    first = next(iter(parts.values()))
    record = {"command": "explain", "photograph": os.fspath(path), **about}
    record["before"] = predicted(first["before"])
    large = _enlarged(path, seen)
    pictures = [(f"photograph, {record['before']['mean']:.2f}", large)]
    charts = []
    for direction, part in parts.items():
        changed = part["pixels"].permute(1, 2, 0).numpy()
        heated = overlay(large, part["heat"])
        files = {
            "photograph": f"{name}-{direction}.png",
            "heat": f"{name}-{direction}-heat.png",
        }
        evaluation.write_bytes(out / files["photograph"], sheets.png(changed))
        evaluation.write_bytes(out / files["heat"], sheets.png(heated))
        change = part["pixels"].double() - part["original"].double()
        after = predicted(part["after"])
        record[direction] = {
            **after,
            "rms": float(change.square().mean().sqrt()),
            "largest": float(change.abs().max()),
            "history": {key: part[key].tolist() for key in ("mean", "rms", "dead")},
            "files": files,
        }
        title = f"{direction}, {after['mean']:.2f}"
        pictures += [(title, Image.fromarray(changed)), ("what changed most", heated)]
        charts.append((f"before and {direction}", part["before"], part["after"]))
    record["sheet"] = f"{name}-explained.png"
    page = sheets.sheet(pictures, charts)
    evaluation.write_bytes(out / record["sheet"], sheets.png(page))
    evaluation.write_json(out / f"{name}-explained.json", record)
    return record


def _enlarged(path, seen: dict) -> Image.Image:
    """The photograph as the network sees it, but larger, for eyes; not above its own size."""
    photograph = images.read(path)
    times = max(1, min(SHOWN, *photograph.size) // seen["side"])
    side = seen["side"] * times
    longest = images.PANORAMA * side
    return Image.fromarray(images.resize(photograph, side, longest, seen["view"]))
