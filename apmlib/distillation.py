"""What is shown, learnt from a teacher: soft targets, on disk and off (section 3.3).

The teacher is a network that names objects in square pictures. Its softmax of a photograph,
computed once at the teacher's own input size, is the *soft target* that the student, which sees
the whole photograph through the pyramid, learns to predict.

A *teacher* is one of three: the folder of a finished objects run; ``"imagenet:resnet101"`` or
any other torchvision network, with its ImageNet weights; a ``.npz`` of soft targets made
elsewhere, with the arrays ``image`` (N names) and ``softmax`` (N x C).
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.transforms.functional import center_crop

from apmlib import evaluation, images, model, parallel, ratings
from apmlib.errors import InputError
from apmlib.progress import progress

BATCH = 32
IMAGENET = "imagenet:"
TOLERANCE = 0.02  # by which a softmax, perhaps stored in 16 bits, may miss the sum of 1

Teacher = str | os.PathLike


def soft_targets(teacher: Teacher, paths: Sequence[str | os.PathLike]) -> np.ndarray:
    """The teacher's softmax of each photograph: float32 (N, C), rows of sum 1.

    Each photograph is shown as the teacher was trained: for the run of an objects variant the
    shorter side at its side, then the central square; for a torchvision network the transforms
    that its weights come with. ``teacher`` is a run folder or "imagenet:NETWORK". Several
    processes share the photographs, and all of them return the whole.
    """
    net, prepare = _network(teacher)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    net.to(device).eval()
    process, processes = parallel.here()
    mine, found = paths[process::processes], []
    bar = progress(range(len(mine)), "teacher", total=len(mine))
    with ThreadPoolExecutor(os.cpu_count()) as pool, torch.inference_mode():
        rest = iter(mine)
        while chunk := list(islice(rest, BATCH)):
            shown = torch.stack(list(pool.map(prepare, chunk))).to(device)
            found.append(net(shown).softmax(dim=1).cpu().numpy())
            bar.update(len(chunk))
    bar.close()
    softmax = [np.concatenate(part) for part in parallel.gathered(found) if part]
    whole = np.empty((len(paths), softmax[0].shape[1]), dtype=np.float32)
    for first, part in enumerate(softmax):
        whole[first::processes] = part
    return whole


def _network(teacher: Teacher) -> tuple[nn.Module, Callable[[str], Tensor]]:
    """The teacher, and what makes its input (3, S, S) of the path of a photograph."""
    if str(teacher).startswith(IMAGENET):
        name = str(teacher).removeprefix(IMAGENET)
        weights = _weights(name)
        net = models.get_model(name)
        state, path = model.imagenet(name)
        model.fit_weights(net, state, path)
        transform = weights.transforms()
        seen = weights.transforms().resize_size[0]
        return net, lambda path: transform(images.read(path, seen))
    net, config = evaluation.load(teacher)
    if config["settings"]["target"] != "objects":
        raise InputError(
            f"{teacher}: a run of {config['variant']} names no objects; give the run of an "
            "objects variant, or soft targets (.npz)"
        )
    side = config["settings"]["side"]

    def prepare(path: str) -> Tensor:
        whole = images.load(path, side, longest=10**6)  # a square needs no bound on the other
        return images.normalise(center_crop(whole, side)[None])[0]

    return net, prepare


def _weights(name: str):
    if name not in models.list_models(models):
        raise InputError(
            f"{IMAGENET}{name}: torchvision has no such network; use one such as resnet101"
        )
    return models.get_model_weights(name).IMAGENET1K_V1


def classes(teacher: Teacher) -> int:
    """Number of the teacher's classes C."""
    if str(teacher).startswith(IMAGENET):
        return len(_weights(str(teacher).removeprefix(IMAGENET)).meta["categories"])
    if Path(teacher).is_dir():
        return evaluation.read_config(teacher)["bins"]
    return _arrays(teacher)[1].shape[1]


def identity(teacher: Teacher) -> str:
    """What ``config.json`` calls a teacher: the hash of its file or weights, or its name."""
    if str(teacher).startswith(IMAGENET):
        return str(teacher)
    path = Path(teacher)
    return evaluation.file_hash(path if path.is_file() else model.weights_file(path))


# --- Files ---------------------------------------------------------------------------------


def write(file: str | os.PathLike, names: Sequence[str], softmax: np.ndarray) -> None:
    """Write soft targets (N, C) of the photographs ``names`` to an ``.npz``, in 16 bits."""
    data = io.BytesIO()
    np.savez_compressed(data, image=np.array(names, dtype=str), softmax=np.float16(softmax))
    evaluation.write_bytes(Path(file), data.getvalue())


def read(file: str | os.PathLike, names: Sequence[str]) -> np.ndarray:
    """Soft targets of the photographs ``names`` from an ``.npz``: float32 (N, C), sums of 1.

    Raises InputError, one line, for a file that is no such thing, holds pickled objects, a name
    twice, a row that is no distribution, or not all of ``names``.
    """
    known, softmax = _arrays(file)
    row = {name: i for i, name in enumerate(known)}
    missing = [name for name in names if name not in row]
    if missing:
        some = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        raise InputError(
            f"{file}: lacks {len(missing)} of {len(names)} photographs ({some}); make the "
            "soft targets anew for all of them"
        )
    chosen = softmax[[row[name] for name in names]].astype(np.float32)
    return chosen / chosen.sum(axis=1, keepdims=True)


def names_in(file: str | os.PathLike) -> set[str]:
    """The photographs of which ``file`` holds soft targets."""
    return set(_arrays(file)[0])


def _arrays(file: str | os.PathLike) -> tuple[list[str], np.ndarray]:
    """Names and softmax of a file of soft targets, checked."""
    if not Path(file).is_file():
        raise InputError(f"{file}: no such file; give a run folder or soft targets (.npz)")
    try:
        with np.load(file, allow_pickle=False) as stored:
            names, softmax = stored["image"], stored["softmax"]
    except (OSError, ValueError, KeyError, EOFError, IndexError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{file}: no soft targets ({reason}); write the plain arrays image and softmax "
            "with numpy.savez"
        ) from error
    problem = ""
    if names.ndim != 1 or softmax.ndim != 2 or len(names) != len(softmax):
        problem = f"image {names.shape} and softmax {softmax.shape} are not (N,) and (N, C)"
    elif softmax.dtype.kind != "f" or softmax.shape[1] < 2:
        problem = f"softmax {softmax.shape} of {softmax.dtype} holds no shares of classes"
    elif names.dtype.kind != "U":
        problem = f"image holds {names.dtype}, not names"
    elif len(set(names.tolist())) < len(names):
        seen: set[str] = set()
        twice = next(name for name in names.tolist() if name in seen or seen.add(name))
        problem = f"holds {twice} more than once"
    else:
        # In 32 bits: the sum of a thousand 16-bit numbers would be off by more than they are.
        off = np.abs(softmax.sum(axis=1, dtype=np.float32) - 1)
        wrong = ~((softmax >= 0).all(axis=1) & (off < TOLERANCE))
        if wrong.any():
            problem = f"the row of {names[wrong.argmax()]} is no distribution"
    if problem:
        raise InputError(f"{file}: {problem}; make the soft targets anew")
    return names.tolist(), softmax


def entropy(softmax: np.ndarray) -> np.ndarray:
    """Entropy in nats of each row of (N, C): (N,) in float64; 0 where one class is certain."""
    p = np.asarray(softmax, dtype=np.float64)
    return -np.where(p > 0, p * np.log(np.where(p > 0, p, 1)), 0).sum(axis=1)


def permuted(softmax: np.ndarray, seed: int = 0) -> np.ndarray:
    """The same rows dealt out to other photographs: the control of what a student learns.

    As many targets, as sharp, of the same classes, but of something that is not shown.
    """
    return softmax[np.random.default_rng([seed, len(softmax)]).permutation(len(softmax))]


# --- The student's run ---------------------------------------------------------------------


def measure(run: str | os.PathLike, collection: ratings.Collection, file: Teacher) -> dict:
    """How often student and teacher name the same class: ``accuracy`` of ``metrics.json``.

    Measured on the test split, or the first of val and train, of whose photographs ``file`` has
    soft targets. What is measured of scores is null.
    """
    there, known = set(collection.table["split"]), names_in(file)
    split = next(
        name
        for name in ("test", "val", "train")
        if name in there and known.issuperset(collection.split(name).table.index)
    )
    part = collection.split(split)
    teacher = read(file, list(part.table.index)).argmax(axis=1)
    return evaluation.named_right(run, split, part, teacher)
