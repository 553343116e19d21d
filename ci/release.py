"""Put a finished run of the paper's full model into data/released, with its provenance.

    python ci/release.py

Chapter 0 scores photographs with it, before anything is trained. It is trained if it is not in
the store. To be run on committed code: the commit is written down.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from apmlib import evaluation, runs  # noqa: E402
from apmlib.simulated import frozen, latents  # noqa: E402
from apmlib.simulated.render import render  # noqa: E402
from world_check import commit, machine  # noqa: E402

VARIANT, PROFILE, SEED = "resnet-ava-dist-m", "laptop", 0
OUT = ROOT / "data" / "released" / VARIANT
FILES = (
    *("config.json", "weights.safetensors", "history.csv"),
    *("metrics.json", "predictions.csv", "train.csv"),
)
KNOWN = (5, 17, 42)  # rows of latents.sample(50, WORLD), rendered at SIDE: scores to be held to
WORLD, SIDE = 2017, 96


def main() -> int:
    """Copy the run, score the photographs that a test holds it to, write the provenance."""
    run = runs.run(VARIANT, profile=PROFILE, seed=SEED)
    OUT.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        shutil.copy(run / name, OUT / name)
    config = evaluation.read_config(OUT)
    provenance = {
        "what": f"{VARIANT}, profile {PROFILE}, trained on the simulated collection",
        "run": run.name,
        "command": "python ci/release.py",
        "commit": commit(),
        "machine": machine(),
        "seeds": {"world": 0, "run": SEED},
        "world": frozen.world_hash(),
        "licence": "CC0-1.0, weights and tables, as the photographs that it was trained on",
        "versions": config["versions"],
        "scores": scores(),
        "scores_of": f"rows {', '.join(map(str, KNOWN))} of apmlib.simulated.latents.sample("
        f"50, seed={WORLD}), rendered at side {SIDE}, as PNG",
        "sha256": {name: evaluation.file_hash(OUT / name) for name in FILES},
    }
    evaluation.write_json(OUT / "provenance.json", provenance)
    print(f"{OUT.relative_to(ROOT)}: {run.name}")
    return 0


def scores() -> dict:
    """Mean and deviation that the released run predicts for the known photographs."""
    rows = latents.sample(50, seed=WORLD).loc[[str(i) for i in KNOWN]]
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{image}.png" for image in rows.index]
        for path, row in zip(paths, rows.to_dict("records"), strict=True):
            Image.fromarray(render(row, SIDE).rgb).save(path)
        table = evaluation.predict(OUT, paths, names=list(rows.index)).set_index("image")
    return {
        image: {"mean": round(float(row["mean"]), 4), "std": round(float(row["std"]), 4)}
        for image, row in table.iterrows()
    }


if __name__ == "__main__":
    sys.exit(main())
