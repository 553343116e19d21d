"""The store: what is there is reused, what is not is made.

Three functions give folders below ``$APM_HOME``: :func:`simulated` and :func:`objects` the
collections, :func:`run` a finished run, its predecessors first. The name of a folder ends in a
key, a hash of all that its content depends on, so that nothing out of date is ever returned.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from apmlib import distillation, evaluation, ratings, training, variants
from apmlib.errors import InputError
from apmlib.home import home
from apmlib.simulated import frozen, world
from apmlib.simulated import objects as simulated_objects

KEYED_MODULES = training.KEYED_MODULES  # their source is part of the key of a run


def simulated(profile: str = "laptop", seed: int = 0) -> Path:
    """Root of the simulated collection of this profile, in AVA's layout."""
    size = variants.profile(profile)
    root = _root("photographs", profile, seed)
    return world.simulate(root, size.images, size.side, seed)


def objects(profile: str = "laptop", seed: int = 0) -> Path:
    """Root of the simulated objects task of this profile: ``objects.csv`` and ``images/``."""
    side = variants.settings("objects-resnet", profile)["side"]
    root = _root("objects", profile, seed)
    if not (root / "objects.csv").is_file():
        count = variants.images("objects-resnet", profile)
        simulated_objects.simulate(root, count, side, seed)
    return root


def _root(what: str, profile: str, seed: int) -> Path:
    if not variants.profile(profile).images:
        raise InputError(f"profile {profile}: has no simulated photographs; give your own")
    return home() / "simulated" / f"{what}-{profile}-{seed}-{frozen.world_hash()}"


def run(
    variant: str,
    data: ratings.Collection | str | os.PathLike | None = None,
    profile: str = "laptop",
    seed: int = 0,
    **overrides,
) -> Path:
    """Folder of a finished run of ``variant``, trained now if it is not there.

    ``data`` is a collection or its root, by default the simulated one of the profile. An
    objects predecessor is always the run of seed 0: five seeds of a variant start from one
    pre-trained network, as the paper's all start from ImageNet's. From the first look at the
    photographs on they share nothing: any other predecessor has the same seed. ``overrides``
    are settings of ``variants.settings``, and ``init`` a run folder or a file of weights to
    start from instead, ``teacher`` what a semantic stage learns from (see ``distillation``).
    """
    init, teacher = overrides.pop("init", None), overrides.pop("teacher", None)
    target = variants.variant(variant).target
    if target == "objects":
        collection = training.read_objects(objects(profile) if data is None else data)
    elif isinstance(data, ratings.Collection):
        collection = data
    else:
        collection = ratings.read(simulated(profile) if data is None else data)
    init = init or predecessor(
        variant, profile, None, overrides, collection, seed, teacher=teacher
    )
    teacher = teacher_of(variant, profile, None, overrides, teacher)
    config = training.configuration(
        variant, collection, profile, seed, init, overrides, teacher
    )
    folder = home() / "runs" / f"{variant}-{profile}-{seed}-{key(config)}"
    return training.train(
        variant,
        collection,
        folder,
        profile,
        seed,
        init=init,
        overrides=overrides,
        teacher=teacher,
    )


def predecessor(
    variant: str,
    profile: str,
    folder: str | os.PathLike | None = None,
    overrides: dict | None = None,
    data: ratings.Collection | None = None,
    seed: int = 0,
    teacher: str | os.PathLike | None = None,
) -> Path | None:
    """Finished run that ``variant`` starts from, or None.

    It is found or made, its own predecessors first, in the store, or, where ``folder`` is
    given, there under its own name (with the seed, where a run of another seed has that name).
    ``data`` are the photographs of ``variant``, which all but an objects variant share.
    ``teacher`` is for a semantic one among the predecessors.
    """
    start = variants.variant(variant).start
    if start is None:
        return None
    shared = variants.handed_down(variant, profile, overrides)
    if variants.VARIANTS[start].target == "objects":
        return _objects_run(start, profile, folder, shared)
    if folder is None:
        return run(start, data, profile, seed, teacher=teacher, **shared)
    init = predecessor(start, profile, folder, shared, data, seed, teacher)
    return training.train(
        start,
        data,
        _beside(Path(folder), start, seed),
        profile,
        seed,
        init=init,
        overrides=shared,
        teacher=teacher_of(start, profile, folder, shared, teacher),
    )


def teacher_of(
    variant: str,
    profile: str,
    folder: str | os.PathLike | None = None,
    overrides: dict | None = None,
    given: str | os.PathLike | None = None,
) -> str | os.PathLike | None:
    """What ``variant`` learns from: ``given``, or the variant's own teacher; else None.

    Where the profile has ImageNet weights, the teacher is the network that they belong to.
    """
    name = variants.variant(variant).teacher
    if name is None or given is not None:
        return given if name else None
    if variants.profile(profile).pretrained:
        network = variants.settings(variant, profile, overrides)["backbone"]
        return distillation.IMAGENET + network.partition(":")[0]
    return _objects_run(
        name, profile, folder, variants.handed_down(variant, profile, overrides)
    )


def _objects_run(
    name: str, profile: str, folder: str | os.PathLike | None, shared: dict
) -> Path | None:
    """The run of an objects variant, found or made; None where ImageNet takes its place."""
    if variants.profile(profile).pretrained:
        return None
    if folder is None:
        return run(name, profile=profile, **shared)
    task = training.read_objects(objects(profile))
    return training.train(name, task, Path(folder) / name, profile, overrides=shared)


def _beside(folder: Path, name: str, seed: int) -> Path:
    path = folder / name
    taken = (path / "config.json").is_file() and evaluation.read_config(path)["seed"] != seed
    return folder / f"{name}-{seed}" if taken else path


def key(config: dict) -> str:
    """Hash of a configuration, without what may differ between equal runs."""
    kept = {name: value for name, value in config.items() if name not in training.NO_IDENTITY}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:12]
