"""Collections of a few small pictures, for tests that train."""

import json

import numpy as np
import pandas as pd
from PIL import Image

from apmlib import evaluation, ratings, training
from apmlib.simulated import frozen, world

SHAPES = ((64, 80), (64, 64), (80, 64))


def picture(rng: np.random.Generator, shape: tuple[int, int], light: float) -> np.ndarray:
    """Noise around one colour; ``light`` in 0..1 is how bright it is."""
    colour = 255 * light * rng.uniform(0.8, 1.0, 3)
    noise = rng.normal(0, 12, (*shape, 3))
    return np.clip(colour + noise, 0, 255).astype(np.uint8)


def rated(root, images: int = 40, bins: int = 5, seed: int = 0, means: bool = False):
    """Write a ratings.csv collection in which bright pictures are liked; return its root."""
    rng = np.random.default_rng(seed)
    (root / "images").mkdir(parents=True)
    rows = []
    for i in range(images):
        light = rng.uniform(0.15, 0.95)
        name = f"{i:03d}.jpg"
        Image.fromarray(picture(rng, SHAPES[i % len(SHAPES)], light)).save(
            root / "images" / name, quality=95
        )
        middle = 1 + (bins - 1) * light
        votes = np.exp(-0.5 * (np.arange(1, bins + 1) - middle) ** 2)
        counts = rng.multinomial(100, votes / votes.sum())
        split = ("train", "train", "train", "val", "test")[i % 5]
        scores = {"mean": float(counts @ np.arange(1, bins + 1)) / 100}
        if not means:
            scores = {f"n{k + 1}": count for k, count in enumerate(counts)}
        rows.append({"image": name, **scores, "split": split})
    pd.DataFrame(rows).to_csv(root / "ratings.csv", index=False)
    return root


def objects(root, images: int = 48, seed: int = 0):
    """Write an objects task of two kinds, red and blue squares; return its root."""
    rng = np.random.default_rng(seed)
    (root / "images").mkdir(parents=True)
    rows = []
    for i in range(images):
        name, label = f"{i:03d}.jpg", i % 2
        pixels = rng.integers(100, 150, (64, 64, 3)).astype(np.uint8)
        pixels[16:48, 16:48, 2 * label] = 255
        Image.fromarray(pixels).save(root / "images" / name, quality=95)
        split = "val" if i % 6 > 3 else "train"
        rows.append(
            {"image": name, "label": label, "kind": ("red", "blue")[label], "split": split}
        )
    pd.DataFrame(rows).to_csv(root / "objects.csv", index=False)
    return root


def smoke_store(home, patch):
    """Make ``home`` the store, with 40 photographs at the smoke profile: quick to train on."""
    patch.setenv("APM_HOME", str(home))
    world_hash = frozen.world_hash()
    patch.setattr(frozen, "world_hash", lambda: world_hash)  # it takes a second
    ending = f"smoke-0-{world_hash}"
    objects(home / "simulated" / f"objects-{ending}")
    root = world.simulate(home / "simulated" / f"photographs-{ending}", 40, 64)
    about = json.loads((root / "simulated.json").read_text("utf-8"))
    evaluation.write_json(root / "simulated.json", about | {"images": 400})


# A network that trains in a second.
SMALL = {"width": 4, "hidden": 16, "epochs": 2, "batch": 8}


def trained(folder):
    """Train a small model of five scores under ``folder``; return its run folder."""
    task = training.read_objects(objects(folder / "task"))
    out = folder / "objects-resnet"
    init = training.train("objects-resnet", task, out, "smoke", overrides=SMALL)
    data = ratings.read(rated(folder / "root"))
    return training.train(
        "resnet-imn-dist", data, folder / "run", "smoke", init=init, overrides=SMALL
    )
