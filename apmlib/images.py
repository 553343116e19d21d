"""Photographs from files to batches.

A file becomes upright 8-bit RGB (:func:`read`), its shorter side becomes S pixels with the
aspect kept (:func:`resize`), and photographs of one shape travel together (:func:`batches`),
so that none is cropped, warped or padded (section 3.2 of the paper).
"""

import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from apmlib.errors import InputError
from apmlib.progress import progress

MEAN = (0.485, 0.456, 0.406)  # of ImageNet's training images, as torchvision's weights expect
STD = (0.229, 0.224, 0.225)
SMALLEST = 8  # pixels: a file whose shorter side is below this is no photograph
PANORAMA = 6  # the longer side is at most this many times S ...
NARROWEST = 32  # ... and the shorter side not below this, lest a network be left without a cell
SPARE = 2  # times the working size is what a JPEG is decoded to at least
WORKERS = 16  # processes that decode, at most
VIEWS = ("whole", "crop", "warp")

# Pillow warns of odd metadata and of files above 89 megapixels; the pixels are good in both.
warnings.filterwarnings("ignore", module=r"PIL\.")

_UPRIGHT = {  # the EXIF orientation tag: what brings the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read(path: str | os.PathLike, side: int = 0) -> Image.Image:
    """Photograph at ``path`` as an upright 8-bit RGB image, fully decoded.

    With ``side``, the working size, a large JPEG comes smaller by a whole factor: its blocks
    of 8 x 8 pixels are decoded to 4 x 4, 2 x 2 or one, which takes a fraction of the time. Its
    shorter side is still ``SPARE`` times ``side`` or more. Where the factor does not divide a
    side, the last pixel shows less than its neighbours; :func:`resize` can allow for that.

    The decoder decides what a file is, not its suffix. The EXIF orientation is applied;
    CMYK, palette, grey, 1-bit and 16-bit images become the RGB that they show. Alpha is left
    out (what is stored under it is used: there is no background to assume) and colour
    profiles are not applied, as in the systems that we compare with. Of the several pictures
    that some cameras put into one JPEG (MPO) the first is taken.

    Raises InputError, one line, for a file that is missing, no image, truncated, animated,
    of 32-bit pixels, huge, or less than 8 pixels high or wide.
    """
    with _open(path) as image:
        return _decoded(image, path, side)


def resize(
    image: Image.Image,
    side: int,
    longest: int | None = None,
    view: str = "whole",
    size: tuple[int, int] | None = None,
) -> np.ndarray:
    """Pixels of ``image`` with the shorter side at ``side``: uint8 (H, W, 3).

    Bicubic, with the antialiasing of Pillow. The aspect is kept to the nearest pixel. A smaller
    image is enlarged to ``side``, so that all have the scale that the network was trained at.
    See :func:`target_shape` for what ``longest`` does to extreme panoramas.

    The other two ways to ``view`` a photograph are squares of as many pixels as the whole one
    has at this side: "crop", its central square, and "warp", all of it squeezed into one.
    ``size`` is the (height, width) of the photograph where ``image`` is a smaller one, decoded
    for this ``side``.
    """
    full_height, full_width = size or (image.height, image.width)
    height, width = target_shape(full_height, full_width, side, longest, view)
    factor = round(full_width / image.width)
    right, bottom = full_width / factor, full_height / factor  # where the photograph ends
    box = (0, 0, right, bottom)
    if view == "crop":
        short = min(right, bottom)
        left, top = (right - short) / 2, (bottom - short) / 2
        box = (left, top, left + short, top + short)
    resized = image.resize((width, height), Image.Resampling.BICUBIC, box, reducing_gap=3.0)
    return np.asarray(resized).copy()


def target_shape(
    height: int, width: int, side: int, longest: int | None = None, view: str = "whole"
) -> tuple[int, int]:
    """Shape (H, W) to which a photograph of ``height`` by ``width`` pixels is resized.

    The shorter side is ``side``. Where the longer one would pass ``longest`` (default 6 times
    ``side``), it is ``longest``, and the shorter side follows in proportion, though not below
    32 pixels: one panorama must not take the memory of a whole batch. See :func:`resize` for
    ``view``.
    """
    if view not in VIEWS:
        raise InputError(f"view {view!r}: unknown; choose one of {', '.join(VIEWS)}")
    longest = PANORAMA * side if longest is None else max(longest, side)
    short, long = min(height, width), max(height, width)
    new_short, new_long = side, max(side, round(side * long / short))
    if new_long > longest:
        new_short = max(round(longest * short / long), min(side, NARROWEST))
        new_long = longest
    if view != "whole":
        square = round((new_short * new_long) ** 0.5)
        return square, square
    return (new_short, new_long) if height <= width else (new_long, new_short)


def load(
    path: str | os.PathLike, side: int, longest: int | None = None, view: str = "whole"
) -> torch.Tensor:
    """Photograph at ``path``, read and resized: uint8 (3, H, W), RGB, shorter side ``side``."""
    with _open(path) as image:
        size = _upright_size(image)
        pixels = resize(_decoded(image, path, side), side, longest, view, size)
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def shape_of(
    path: str | os.PathLike, side: int, longest: int | None = None, view: str = "whole"
) -> tuple[int, int]:
    """Shape (H, W) that :func:`load` will give, from the file's header alone."""
    return target_shape(*size_of(path), side, longest, view)


def size_of(path: str | os.PathLike) -> tuple[int, int]:
    """Height and width of the upright photograph at ``path``, from its header alone."""
    with _open(path) as image:
        return _upright_size(image)


def normalise(batch: torch.Tensor) -> torch.Tensor:
    """Uint8 (B, 3, H, W) in 0..255 to float32 with ImageNet's mean 0 and deviation 1."""
    mean = torch.tensor(MEAN, device=batch.device).view(1, 3, 1, 1)
    std = torch.tensor(STD, device=batch.device).view(1, 3, 1, 1)
    return (batch.float() / 255 - mean) / std


class Photographs(Dataset):
    """The photographs at ``paths`` as uint8 tensors (3, H, W), shorter side ``side``.

    With ``cache`` all are decoded once, on all cores, and kept in memory (41 kB each at
    96 x 144): for the small profiles. Without it each is decoded when it is asked for.
    ``shapes`` lists their (H, W). Raises InputError naming the first that is no photograph.
    """

    def __init__(
        self,
        paths: Sequence[str | os.PathLike],
        side: int,
        cache: bool = True,
        longest: int | None = None,
        view: str = "whole",
    ):
        self.paths, self.side, self.longest = [str(path) for path in paths], side, longest
        self.view = view
        self.tensors: list[torch.Tensor] | None = None
        if cache:
            self.tensors = _in_threads(lambda path: load(path, side, longest, view), self.paths)
            self.shapes = [tuple(tensor.shape[1:]) for tensor in self.tensors]
        else:
            self.shapes = _in_threads(
                lambda path: shape_of(path, side, longest, view), self.paths
            )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        if self.tensors is not None:
            return self.tensors[index]
        return load(self.paths[index], self.side, self.longest, self.view)


def batches(
    shapes: Sequence[tuple[int, int]],
    batch_size: int,
    generator: torch.Generator | None = None,
) -> list[np.ndarray]:
    """Indices 0..N-1 in groups of one shape, at most ``batch_size`` each, every index once.

    With a ``generator`` the photographs are shuffled within their shape, and the batches among
    each other; without one the order is that of the indices. Returns int64 arrays.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; at least 1 is needed")
    count = len(shapes)
    order = range(count) if generator is None else _permutation(count, generator)
    buckets: dict[tuple[int, int], list[int]] = {}
    for index in order:
        buckets.setdefault(tuple(shapes[index]), []).append(int(index))
    groups = [
        np.array(bucket[start : start + batch_size], dtype=np.int64)
        for bucket in buckets.values()
        for start in range(0, len(bucket), batch_size)
    ]
    if generator is not None:
        groups = [groups[i] for i in _permutation(len(groups), generator)]
    return groups


def steps(
    shapes: Sequence[tuple[int, int]],
    batch_size: int,
    at_once: int = 0,
    generator: torch.Generator | None = None,
) -> list[list[np.ndarray]]:
    """Indices 0..N-1 by training step, and in each step by groups of one shape.

    A step's gradient is that of all its photographs; its groups pass the network one after the
    other. With ``at_once`` 0 each of :func:`batches` is a step. Where there are thousands of
    shapes, most of those would hold a few photographs only; with ``at_once`` above 0 a step
    has ``batch_size`` photographs (the last one the rest) in groups of at most ``at_once``.
    """
    groups = batches(shapes, at_once or batch_size, generator)
    if not at_once:
        return [[group] for group in groups]
    found: list[list[np.ndarray]] = []
    room = 0
    for group in groups:
        while len(group):
            if not room:
                found.append([])
                room = batch_size
            found[-1].append(group[:room])
            group, room = group[room:], max(room - len(group), 0)
    return found


def loader(
    photographs: Photographs,
    batch_size: int,
    generator: torch.Generator | None = None,
    workers: int | None = None,
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield each photograph once as (indices int64 (B,), uint8 batch (B, 3, H, W)).

    The order is that of :func:`batches`; see :func:`loaded` for ``workers``.
    """
    yield from loaded(photographs, batches(photographs.shapes, batch_size, generator), workers)


def loaded(
    photographs: Photographs, groups: Sequence[np.ndarray], workers: int | None = None
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield the photographs of each of ``groups`` as (indices, uint8 batch (B, 3, H, W)).

    ``workers`` are processes that decode; the default is none where the photographs are
    cached, else one a core, at most ``WORKERS``. Where there is a GPU the batches lie in
    pinned memory, from which they can be copied while it computes.
    """
    if workers is None:
        workers = 0 if photographs.tensors is not None else min(WORKERS, os.cpu_count() or 1)
    # DataLoader draws a seed each time; from a generator of its own, so that the number of
    # times that a photograph was looked at cannot change the training.
    batched = DataLoader(
        photographs,
        batch_sampler=groups,
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator(),
    )
    for indices, batch in zip(groups, _one_lined(batched), strict=True):
        yield torch.from_numpy(indices), batch


def _one_lined(loaded: DataLoader) -> Iterator[torch.Tensor]:
    """The batches; of a worker's error, which is its whole traceback, only the last line."""
    try:
        yield from loaded
    except InputError as error:
        raise InputError(str(error).splitlines()[-1].split("InputError: ")[-1]) from None


def _open(path: str | os.PathLike) -> Image.Image:
    """Open ``path`` and refuse, from the header, what is no single photograph."""
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file; check the name and the folder")
    try:
        image = Image.open(path)
        frames = getattr(image, "n_frames", 1)
    except Image.DecompressionBombError as error:
        raise InputError(
            f"{path}: claims more pixels than a photograph has ({_one_line(error)}); "
            "reduce it or remove it"
        ) from error
    except Image.UnidentifiedImageError as error:
        raise InputError(
            f"{path}: is not an image that can be read; export it as JPEG or PNG, or remove it"
        ) from error
    except Exception as error:
        raise InputError(
            f"{path}: cannot be read ({_one_line(error)}); get this file again or remove it"
        ) from error
    problem = ""
    if frames > 1 and image.format != "MPO":
        problem = f"holds {frames} frames, not one photograph; export a single frame"
    elif image.format in ("EPS", "WMF"):  # Pillow would start another program to draw these
        problem = f"is a drawing ({image.format}), no photograph; export it as JPEG or PNG"
    elif min(image.size) < SMALLEST:
        problem = (
            f"is {image.width} x {image.height} pixels, too small for a photograph; "
            f"at least {SMALLEST} x {SMALLEST} are needed"
        )
    elif image.mode == "F" or (image.mode.startswith("I") and not _sixteen_bit(image)):
        problem = "has 32-bit pixels, whose white is unknown; export it with 8 or 16 bits"
    if problem:
        image.close()
        raise InputError(f"{path}: {problem}")
    return image


def _upright_size(image: Image.Image) -> tuple[int, int]:
    """Height and width of an image that was opened and not decoded yet."""
    # Pillow turns a TIFF by itself, and its size is that of the turned picture already.
    turned = image.format != "TIFF" and _orientation(image) >= 5
    return image.size if turned else image.size[::-1]


def _decoded(image: Image.Image, path: str | os.PathLike, side: int) -> Image.Image:
    """Upright RGB of an opened image, a JPEG by ``side`` perhaps at a part of its size."""
    try:
        if side:
            image.draft(None, _decoded_size(image, side))  # does nothing but to a JPEG
        image.load()
        turn = _UPRIGHT.get(_orientation(image))
        rgb = _rgb(image)
    except Exception as error:  # decoders raise whatever they like on broken files
        raise InputError(
            f"{path}: cannot be decoded ({_one_line(error)}); get it again or remove it"
        ) from error
    return rgb if turn is None else rgb.transpose(turn)


def _decoded_size(image: Image.Image, side: int) -> tuple[int, int]:
    """Size (width, height) to decode a JPEG at, for a shorter side of ``side`` in the end."""
    for factor in (8, 4, 2):
        # A pixel that shows less must not come to lie at the left or the top by turning.
        whole = image.width % factor == image.height % factor == 0 or _orientation(image) == 1
        if whole and min(image.size) >= factor * SPARE * side:
            return image.width // factor, image.height // factor
    return image.size


def _sixteen_bit(image: Image.Image) -> bool:
    return image.mode.startswith("I;16") or (
        image.mode == "I" and image.format in ("PNG", "PPM")
    )


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1..8; 1 where there is none or it cannot be read."""
    try:
        return int(image.getexif().get(0x0112, 1))
    except Exception:  # broken metadata leave the pixels as they are
        return 1


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits of grey: 65535 becomes 255
        grey = np.clip(np.asarray(image).astype(np.int64), 0, 65535)
        image = Image.fromarray(((grey + 128) // 257).astype(np.uint8))
    if image.mode == "P":  # by way of RGBA, since Pillow warns of transparency otherwise
        image = image.convert("RGBA")
    return image.convert("RGB")


def _permutation(count: int, generator: torch.Generator) -> list[int]:
    return torch.randperm(count, generator=generator).tolist()


def _in_threads(function, paths: Sequence[str]) -> list:
    """``function`` of each path, in order; Pillow decodes outside Python's lock."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            return list(progress(pool.map(function, paths), "photographs", total=len(paths)))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
