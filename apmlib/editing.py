"""Photographs made better through the model: the future work of the paper, with real edits.

A change of single pixels fools the model (``adversarial``); a photographer's edit has ten
numbers and nowhere to hide. The operations follow the simulated camera, so that what they do is
known there: contrast as a power law about middle grey, then exposure, white balance and
saturation, all in linear light (:func:`tone`). A rotation and a crop come before, chosen such
that no corner leaves the frame (:func:`window`), and a vignette last. All are differentiable;
:func:`find` climbs the predicted mean from several starts, less a penalty on what it risks.

An edit is a vector of numbers in -1 .. 1, 0 for no change: see ``RANGES``.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from apmlib import adversarial, evaluation, images, metrics, sheets
from apmlib.errors import InputError
from apmlib.progress import progress
from apmlib.simulated import camera

STRIP = 1_000_000  # pixels whose tones are edited at a time: 24 megapixels need no 24 copies
FINE = 2  # the search samples so many points a pixel of the network, along each side
PREVIEW = 4  # the starts are compared on a photograph so many times as large
UNSURE = 0.04  # colours are edited in full where all channels are so far below white
QUALITY = 95  # of a JPEG that is written
LOSSLESS = ("PNG", "TIFF", "BMP", "PPM")  # formats whose edited photograph is a PNG


class Range(NamedTuple):
    """Lowest, neutral and highest value of a parameter, and how little a model knows of it.

    ``doubt`` multiplies the penalty of a model's search. A model has seen photographs as they
    were taken: it takes a warm cast for warm light, and hardly answers to a rotation, so that
    what it does answer is chance. Chosen on validation photographs, by true gain (chapter 13).
    """

    low: float
    neutral: float
    high: float
    doubt: float


RANGES = {
    "exposure": Range(-2.0, 0.0, 2.0, 3),  # EV
    "contrast": Range(0.6, 1.0, 1.6, 2),  # exponent of the tone curve about middle grey
    "white_balance": Range(-0.8, 0.0, 0.8, 4),  # colder, warmer; as the simulated camera's
    "saturation": Range(0.2, 1.0, 2.5, 1),  # times the distance from grey
    "vignette": Range(-0.6, 0.0, 0.6, 1),  # lighter, darker corners
    "rotation": Range(-12.0, 0.0, 12.0, 16),  # degrees clockwise
    "zoom": Range(0.6, 1.0, 1.0, 4),  # share of the longest sides that fit which a crop keeps
    "aspect": Range(0.75, 1.0, 4 / 3, 4),  # times the photograph's width / height
    "x": Range(-1.0, 0.0, 1.0, 0),  # the crop's place in the room that is left: left, right
    "y": Range(-1.0, 0.0, 1.0, 0),  # up, down
}
NAMES = tuple(RANGES)
FREE = ("x", "y")  # where a crop lies costs nothing, that it is one does
LOW = torch.tensor([-1.0 if r.low < r.neutral else 0.0 for r in RANGES.values()])
HIGH = torch.tensor([1.0 if r.high > r.neutral else 0.0 for r in RANGES.values()])
_COSTS = torch.tensor([float(name not in FREE) for name in NAMES])
_DOUBTS = torch.tensor([float(r.doubt) for r in RANGES.values()])
_BELOW = torch.tensor([r.neutral - r.low for r in RANGES.values()])
_ABOVE = torch.tensor([r.high - r.neutral for r in RANGES.values()])
_NEUTRAL = torch.tensor([r.neutral for r in RANGES.values()])
_LUMA = torch.tensor(camera.LUMA)


@dataclass(frozen=True)
class Edit:
    """What a photographer would dial in; the default leaves a photograph as it is.

    The fields, their units and their limits are those of ``RANGES``.
    """

    exposure: float = 0.0
    contrast: float = 1.0
    white_balance: float = 0.0
    saturation: float = 1.0
    vignette: float = 0.0
    rotation: float = 0.0
    zoom: float = 1.0
    aspect: float = 1.0
    x: float = 0.0
    y: float = 0.0

    def __post_init__(self):
        for name, limits in RANGES.items():
            value = getattr(self, name)
            if not limits.low - 1e-6 <= value <= limits.high + 1e-6:
                raise InputError(
                    f"edit: {name} {value:g} is out of range; "
                    f"choose {limits.low:g} .. {limits.high:g}"
                )


def edit(vector: Tensor | Sequence[float]) -> Edit:
    """The edit that a vector (P,) in -1 .. 1 stands for; beyond its bounds, the nearest."""
    vector = torch.as_tensor(vector, dtype=torch.float32).detach().cpu()
    values = natural(torch.minimum(torch.maximum(vector, LOW), HIGH)[None])[0]
    return Edit(*(round(value, 6) for value in values.tolist()))


def vector(edit: Edit) -> Tensor:
    """The vector float32 (P,) of an edit: 0 neutral, -1 and 1 the limits of each parameter."""
    offset = torch.tensor(astuple(edit)) - _NEUTRAL
    return torch.where(offset < 0, offset / _BELOW, offset / _ABOVE.clamp_min(1e-12))


def natural(vectors: Tensor) -> Tensor:
    """Vectors (N, P) in -1 .. 1 to the parameters' own units, (N, P), with gradient."""
    below, above, neutral = (t.to(vectors.device) for t in (_BELOW, _ABOVE, _NEUTRAL))
    return neutral + vectors * torch.where(vectors < 0, below, above)


def size(vectors: Tensor) -> Tensor:
    """How much edits (..., P) change: the sum of squares (...), less where a crop lies."""
    return (_COSTS.to(vectors.device) * vectors.square()).sum(dim=-1)


def risk(vectors: Tensor) -> Tensor:
    """The size (...) of edits (..., P), each parameter weighted by the doubt of a model."""
    return (_DOUBTS.to(vectors.device) * vectors.square()).sum(dim=-1)


# --- The operations ------------------------------------------------------------------------


def decode(display: Tensor) -> Tensor:
    """Display values in 0 .. 1 to linear light, as ``camera.decode``, with gradient.

    The shoulder of the camera's film is undone too, so that darker exposures bring highlights
    back as a negative would. What is clipped becomes 3.6, and stays flat.
    """
    curve = ((display.clamp_min(0.04045) + 0.055) / 1.055) ** 2.4
    light = torch.where(display <= 0.04045, display / 12.92, curve).clamp_max(0.9995)
    room = 1 - camera.SHOULDER
    over = (light - camera.SHOULDER).clamp_min(0) / room
    return torch.where(
        light > camera.SHOULDER, camera.SHOULDER - room * torch.log1p(-over), light
    )


def encode(light: Tensor) -> Tensor:
    """Linear light to display values in 0 .. 1: shoulder, then the sRGB curve."""
    room = 1 - camera.SHOULDER
    over = (light - camera.SHOULDER).clamp_min(0) / room
    light = torch.where(
        light > camera.SHOULDER, camera.SHOULDER + room * (1 - torch.exp(-over)), light
    )
    curve = 1.055 * light.clamp_min(0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(light <= 0.0031308, light.clamp_min(0) * 12.92, curve)


def tone(display: Tensor, values: Tensor, radius: Tensor | None = None) -> Tensor:
    """Edit tones and colours: contrast, exposure, white balance, saturation, vignette.

    White balance and saturation fade out towards pixels with a clipped channel.

    ``display``: (N, 3, H, W) in 0 .. 1. ``values``: (N, P) in the parameters' own units.
    ``radius``: (H, W) squared distances from the middle as :func:`radii` gives them, for a part
    of a photograph; by default these are the whole. Returns (N, 3, H, W) in 0 .. 1.
    """
    part = {name: values[:, i, None, None, None] for i, name in enumerate(NAMES)}
    luma = _LUMA.to(display.device)
    # Of a pixel with a clipped channel the colour is unknown, and what is made of it glares.
    sure = ((1 - display.amax(dim=1, keepdim=True)) / UNSURE).clamp(0, 1)
    light = decode(display)
    grey = torch.einsum("nchw,c->nhw", light, luma)[:, None]
    slope = (grey.clamp_min(1e-5) / camera.GREY) ** (part["contrast"] - 1)
    warm = torch.tensor([0.55, 0.02, -0.85], device=display.device)
    gains = torch.exp(warm[:, None, None] * part["white_balance"])
    gains = gains / torch.einsum("nchw,c->nhw", gains, luma)[:, None]
    light = light * slope * 2 ** part["exposure"] * gains**sure
    grey = torch.einsum("nchw,c->nhw", light, luma)[:, None]
    light = (grey + (1 + (part["saturation"] - 1) * sure) * (light - grey)).clamp_min(0)
    if radius is None:
        radius = radii(*display.shape[2:]).to(display.device)
    dark = 1 - 0.42 * part["vignette"].abs() * radius.clamp_max(2)
    return encode(light * torch.where(part["vignette"] < 0, 1 / dark, dark))


def radii(height: int, width: int, first: int = 0, last: int | None = None) -> Tensor:
    """Squared distance from the middle (1 at the middle of an edge), of rows first .. last."""
    y = (torch.arange(height, dtype=torch.float32)[first:last] + 0.5) * 2 / height - 1
    x = (torch.arange(width, dtype=torch.float32) + 0.5) * 2 / width - 1
    return y[:, None] ** 2 + x**2


def window(values: Tensor, height: float, width: float) -> tuple[Tensor, ...]:
    """The rectangle that edits cut from a frame: width, height, centre x and y, each (N,).

    It is turned by ``rotation`` against the frame. The centre counts from the frame's. The
    largest rectangle of the wanted aspect that fits, turned, into the frame is made smaller by
    ``zoom``; ``x`` and ``y`` move it within what is left. So every corner is inside.
    """
    part = dict(zip(NAMES, values.unbind(dim=1), strict=True))
    angle = torch.deg2rad(part["rotation"])
    c, s = angle.cos(), angle.sin().abs()
    stretch = part["aspect"].sqrt()
    w, h = width * stretch, height / stretch
    fits = torch.minimum(width / (w * c + h * s), height / (w * s + h * c)) * part["zoom"]
    w, h = fits * w, fits * h
    across, down = width - (w * c + h * s), height - (w * s + h * c)
    return w, h, part["x"] * across / 2, part["y"] * down / 2


def cut(source: Tensor, values: Tensor, shape: tuple[int, int], square: bool = False) -> Tensor:
    """Rotate and crop: (N, 3, H, W) of ``shape`` from one ``source`` (1, 3, h, w).

    Bilinear, ``FINE`` points along each side of a pixel and their mean, with gradient in
    ``values``. ``square`` keeps the central square of the crop only.
    """
    height, width = source.shape[2:]
    w, h, cx, cy = (t[:, None, None] for t in window(values, height, width))
    if square:
        w = h = torch.minimum(w, h)
    rows, columns = FINE * shape[0], FINE * shape[1]
    y = ((torch.arange(rows, device=source.device) + 0.5) / rows - 0.5)[None, :, None] * h
    x = ((torch.arange(columns, device=source.device) + 0.5) / columns - 0.5)[None, None] * w
    angle = torch.deg2rad(values[:, NAMES.index("rotation")])[:, None, None]
    c, s = angle.cos(), angle.sin()
    # A picture turned clockwise shows at o what the frame had at o turned back.
    u, v = cx + c * x + s * y, cy + c * y - s * x
    grid = torch.stack([2 * u / width, 2 * v / height], dim=-1)
    frames = source.expand(len(values), -1, -1, -1)
    sampled = F.grid_sample(frames, grid, padding_mode="border", align_corners=False)
    return F.avg_pool2d(sampled, FINE)


def apply(photograph: Image.Image, edit: Edit) -> Image.Image:
    """The edited photograph at its own resolution, RGB; the given one stays as it is.

    A crop is as many pixels as it cuts. Bicubic where it is turned. The tones are edited in
    strips, so that 24 megapixels take some hundred megabytes.
    """
    picture = reframe(photograph, edit)
    if all(getattr(edit, name) == RANGES[name].neutral for name in NAMES[:5]):
        return picture
    pixels = np.array(picture)
    height, width = pixels.shape[:2]
    values = torch.tensor([astuple(edit)])
    rows = max(1, STRIP // width)
    with torch.inference_mode():
        for top in range(0, height, rows):
            part = torch.from_numpy(pixels[top : top + rows]).permute(2, 0, 1)[None]
            edited = tone(part / 255, values, radii(height, width, top, top + rows))
            edited = (edited[0] * 255 + 0.5).clamp(0, 255).to(torch.uint8)
            pixels[top : top + rows] = edited.permute(1, 2, 0).numpy()
    return Image.fromarray(pixels)


def reframe(picture: Image.Image, edit: Edit, how: int = Image.Resampling.BICUBIC):
    """Rotation and crop of an edit alone, of a photograph or (``how`` nearest) its mask."""
    if (edit.rotation, edit.zoom, edit.aspect) == (0, 1, 1):
        return picture.copy()
    values = torch.tensor([astuple(edit)], dtype=torch.float64)
    w, h, cx, cy = (t.item() for t in window(values, picture.height, picture.width))
    width, height = max(1, int(w + 1e-6)), max(1, int(h + 1e-6))
    angle = np.deg2rad(edit.rotation)
    c, s = np.cos(angle), np.sin(angle)
    left = picture.width / 2 + cx - c * width / 2 - s * height / 2
    top = picture.height / 2 + cy + s * width / 2 - c * height / 2
    turned = (c, s, left, -s, c, top)
    return picture.transform((width, height), Image.Transform.AFFINE, turned, how)


# --- The search ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Search:
    """How an edit is looked for.

    Attributes:
        candidates: random edits, spread evenly (Sobol), from which the starts are chosen.
        starts: the best of them, and the neutral one, from which the gradient is followed.
        iterations: steps of Adam from each start.
        rate: their size, in units of a parameter's range.
        penalty: points, on the scale of 1 to 10, that an edit of risk 1 must gain at least;
            carried over to other scales.
        only: the parameters that may change; the others stay neutral.
        seed: of the candidates.
    """

    candidates: int = 64
    starts: int = 4
    iterations: int = 30
    rate: float = 0.06
    penalty: float = 0.1
    only: tuple[str, ...] = NAMES
    seed: int = 0


@dataclass(frozen=True)
class Improved:
    """What a search found: the edit, and what is predicted before and after, float64 (K,)."""

    edit: Edit
    before: np.ndarray
    after: np.ndarray


def find(
    net: nn.Module,
    photograph: Image.Image,
    seen: dict,
    bins: int = 10,
    search: Search | None = None,
) -> Improved:
    """The edit that the model likes best, less a penalty on its :func:`risk`.

    ``seen``: ``side`` and ``view`` of the run. Adam climbs from several starts at the network's
    size, on the mean over the photograph and its mirror image, which a fluke of the model
    seldom fools at once. What each start reaches, and no edit at all, are then made with
    Pillow on a larger copy and scored as a file would be; the best of these is returned.
    """
    options = search or Search()
    unknown = [name for name in options.only if name not in NAMES]
    if unknown:
        raise InputError(f"edit: no parameter {unknown[0]}; choose among {', '.join(NAMES)}")
    net.eval()
    device = next(net.parameters()).device
    side, view = seen["side"], seen.get("view", "whole")
    source = images.resize(photograph, FINE * side)
    source = torch.from_numpy(source).permute(2, 0, 1)[None].to(device) / 255
    cost = options.penalty * (bins - 1) / 9
    vectors = _starts(options).to(device)
    with torch.inference_mode():
        values = torch.cat(
            [_worth(net, source, v, side, view, cost) for v in vectors.split(16)]
        )
    kept = values[1:].topk(min(options.starts, len(values) - 1)).indices + 1
    vectors = torch.cat([vectors[:1], vectors[kept]])
    vectors = _climb(net, source, vectors, side, view, cost, options)
    return _choose(net, photograph, vectors, seen, cost)


def _starts(options: Search) -> Tensor:
    """(1 + candidates, P): no edit, then random ones, half of them near."""
    engine = torch.quasirandom.SobolEngine(len(NAMES), scramble=True, seed=options.seed)
    drawn = 2 * engine.draw(options.candidates) - 1
    # Most faults are one thing: cubes leave most parameters small and some large.
    drawn = drawn**3 * torch.tensor([float(name in options.only) for name in NAMES])
    drawn = torch.minimum(torch.maximum(drawn, LOW), HIGH)
    return torch.cat([torch.zeros(1, len(NAMES)), drawn])


def _worth(net, source: Tensor, vectors: Tensor, side: int, view: str, cost: float) -> Tensor:
    """Predicted mean less the penalty, (N,), with gradient in ``vectors``."""
    values = natural(vectors)
    w, h, _, _ = window(values.detach(), *source.shape[2:])
    sides = zip(h.tolist(), w.tolist(), strict=True)
    shapes = [images.target_shape(round(a), round(b), side, None, view) for a, b in sides]
    means = torch.zeros(len(vectors), device=source.device)
    for group in images.batches(shapes, len(shapes)):
        index = torch.from_numpy(group).to(source.device)
        part = values[index]
        shown = 255 * tone(cut(source, part, shapes[group[0]], view == "crop"), part)
        p = adversarial.distribution(net, torch.cat([shown, shown.flip(-1)]))
        both = adversarial.mean(p).view(2, -1).mean(dim=0)
        means = means.index_add(0, index, both)
    return means - cost * risk(vectors)


def _climb(net, source, vectors, side, view, cost, options: Search) -> Tensor:
    """The best vectors (N, P) that Adam met on its way from each start."""
    allowed = torch.tensor([float(name in options.only) for name in NAMES])
    low, high = (t.to(vectors.device) for t in (LOW * allowed, HIGH * allowed))
    x = vectors.clone().requires_grad_(True)
    adam = torch.optim.Adam([x], lr=options.rate)
    best = torch.full((len(x),), -torch.inf, device=x.device)
    found = vectors.clone()
    bar = progress(range(options.iterations), "editing", total=options.iterations)
    for step in bar:
        for group in adam.param_groups:  # small steps at the end, to settle
            group["lr"] = options.rate * (1 - step / options.iterations)
        value = _worth(net, source, x, side, view, cost)
        better = value.detach() > best
        best = torch.where(better, value.detach(), best)
        found = torch.where(better[:, None], x.detach(), found)
        (x.grad,) = torch.autograd.grad(-value.sum(), x)
        adam.step()
        with torch.no_grad():
            x.copy_(torch.minimum(torch.maximum(x, low), high))
        bar.set_postfix_str(f"mean {best.max():.2f}")
    return found


def _choose(net, photograph: Image.Image, vectors: Tensor, seen: dict, cost: float) -> Improved:
    side = min(PREVIEW * seen["side"], min(photograph.size))
    preview = Image.fromarray(images.resize(photograph, side))
    edits = [Edit(), *(edit(row) for row in vectors)]
    found = [score(net, apply(preview, item), seen) for item in edits]
    risks = risk(torch.stack([vector(item) for item in edits])).tolist()
    worth = [_mean(p) - cost * much for p, much in zip(found, risks, strict=True)]
    best = int(np.argmax(worth))
    return Improved(edits[best], found[0], found[best])


def score(net: nn.Module, photograph: Image.Image, seen: dict) -> np.ndarray:
    """What the model says of a photograph in memory, float64 (K,), or (1,) a mean score."""
    pixels = images.resize(photograph, seen["side"], view=seen.get("view", "whole"))
    pixels = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    with torch.inference_mode():
        p = adversarial.distribution(net, pixels.to(next(net.parameters()).device))
    p = p[0].double().cpu().numpy()
    return p if len(p) == 1 else metrics.normalise(p)


def _mean(p: np.ndarray) -> float:
    return adversarial.predicted(p)["mean"]


# --- The command ---------------------------------------------------------------------------


def improve(
    run: evaluation.Run,
    paths: Sequence[str | os.PathLike],
    out: str | os.PathLike,
    search: Search | None = None,
    skipped: list | None = None,
) -> list[dict]:
    """Edit photographs as the model likes them; write them into ``out``.

    Of each photograph: ``NAME-improved.jpg`` (or ``.png`` of a lossless format), edited at the
    full resolution, upright, with the colour profile of the original and no other metadata;
    ``NAME-improved-sheet.png``, before and after; ``NAME-improved.json``, the edit and the
    predictions, which are those of the original and of the file that was written.

    Returns the content of the JSON files. The photographs are only read. What cannot be read
    is an InputError, or, where ``skipped`` is given, put there as (name, reason).
    """
    net, config, bins = adversarial.scorer(run)
    options = search or Search()
    seen = evaluation.seen_as(config["settings"])
    about = {"run": os.fspath(run), "variant": config["variant"], "search": asdict(options)}
    out, records = Path(out), []
    for path, name in zip(paths, sheets.stems(paths), strict=True):
        try:
            photograph = images.read(path)
        except InputError as error:
            if skipped is None:
                raise
            skipped.append((os.fspath(path), str(error)))
            continue
        suffix, saving = _format(path)
        files = {
            "photograph": f"{name}-improved{suffix}",
            "sheet": f"{name}-improved-sheet.png",
        }
        sheets.check_free(out, files.values(), f"{name}-improved.json", paths)
        out.mkdir(parents=True, exist_ok=True)
        found = find(net, photograph, seen, bins, options)
        record = {"command": "improve", "photograph": os.fspath(path), **about}
        record["before"] = adversarial.predicted(score(net, photograph, seen))
        records.append(record)
        edited = apply(photograph, found.edit)
        before = photograph.size
        del photograph  # 24 megapixels are read again for the sheet rather than kept
        file = io.BytesIO()
        edited.save(file, **saving)
        evaluation.write_bytes(out / files["photograph"], file.getvalue())
        size_of_edit = float(size(vector(found.edit)))
        record["after"] = adversarial.predicted(
            score(net, images.read(out / files["photograph"]), seen)
        )
        record |= {
            "edit": asdict(found.edit),
            "size": size_of_edit,
            "pixels": {"before": list(before), "after": list(edited.size)},
            "files": files,
        }
        _write_sheet(out, path, edited, record)
        evaluation.write_json(out / f"{name}-improved.json", record)
    return records


def _format(path: str | os.PathLike) -> tuple[str, dict]:
    """Suffix of the edited photograph, and how Pillow is to save it."""
    with Image.open(path) as image:
        # A profile of another colour space would not describe what is written as RGB.
        profile = image.info.get("icc_profile") if image.mode in ("RGB", "RGBA") else None
        lossless = image.format in LOSSLESS
    kept = {"icc_profile": profile} if profile else {}
    if lossless:
        return ".png", {"format": "PNG", **kept}
    return ".jpg", {"format": "JPEG", "quality": QUALITY, "subsampling": 0, **kept}


def _write_sheet(out: Path, path, edited: Image.Image, record: dict) -> None:
    before, after = record["before"], record["after"]
    pictures = [
        (f"before, {before['mean']:.2f}", images.read(path)),
        (f"after, {after['mean']:.2f}", edited),
    ]
    charts = []
    if "distribution" in before:
        charts = [("before and after", before["distribution"], after["distribution"])]
    page = sheets.sheet(pictures, charts)
    evaluation.write_bytes(out / record["files"]["sheet"], sheets.png(page))


def changes(edit: Edit) -> str:
    """What an edit changes, in words of one line: ``exposure +0.52, rotation -3.1``."""
    parts = []
    for field in fields(edit):
        value, neutral = getattr(edit, field.name), RANGES[field.name].neutral
        shown = f"{value:.2f}" if neutral else f"{value:+.2f}"
        if field.name not in FREE and shown != (f"{neutral:.2f}" if neutral else "+0.00"):
            parts.append(f"{field.name.replace('_', ' ')} {shown}")
    return ", ".join(parts).replace("-0.00", "0.00") or "nothing"
