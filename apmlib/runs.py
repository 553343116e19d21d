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

from apmlib import ratings, training, variants
from apmlib.errors import InputError
from apmlib.home import home
from apmlib.simulated import frozen, world
from apmlib.simulated import objects as simulated_objects

KEYED_MODULES = training.KEYED_MODULES  # their source is part of the key of a run
SHAPING = ("backbone", "width", "stages")  # settings that a predecessor has to share


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

    ``data`` is a collection or its root, by default the simulated one of the profile. A
    predecessor is always the run of seed 0: five seeds of a variant start from one pre-trained
    network, as the paper's all start from ImageNet's. ``overrides`` are settings of
    ``variants.settings``, and ``init`` a run folder or a file of weights to start from instead.
    """
    init = overrides.pop("init", None) or predecessor(variant, profile, overrides=overrides)
    target = variants.variant(variant).target
    if target == "objects":
        collection = training.read_objects(objects(profile) if data is None else data)
    elif isinstance(data, ratings.Collection):
        collection = data
    else:
        collection = ratings.read(simulated(profile) if data is None else data)
    config = training.configuration(variant, collection, profile, seed, init, overrides)
    folder = home() / "runs" / f"{variant}-{profile}-{seed}-{key(config)}"
    return training.train(
        variant, collection, folder, profile, seed, init=init, overrides=overrides
    )


def predecessor(
    variant: str,
    profile: str,
    folder: str | os.PathLike | None = None,
    overrides: dict | None = None,
) -> Path | None:
    """Finished run whose convolutional layers ``variant`` starts from, or None.

    It is found or made in the store, or, where ``folder`` is given, there under its own name.
    """
    start = variants.variant(variant).start
    if start is None or variants.profile(profile).pretrained:
        return None
    shared = {key: value for key, value in (overrides or {}).items() if key in SHAPING}
    if folder is None:
        return run(start, profile=profile, **shared)
    task = training.read_objects(objects(profile))
    return training.train(start, task, Path(folder) / start, profile, overrides=shared)


def key(config: dict) -> str:
    """Hash of a configuration, without what may differ between equal runs."""
    kept = {name: value for name, value in config.items() if name not in training.NO_IDENTITY}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:12]
