"""The trained run in data/released: whole, what it says it is, and the scores it gives."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from apmlib import evaluation, metrics
from apmlib.simulated import latents
from apmlib.simulated.render import render

RUN = Path(__file__).resolve().parents[1] / "data" / "released" / "resnet-ava-dist-m"
IDS = ("5", "17", "42")  # of a world of its own, seed 2017


def test_the_weights_are_those_of_the_provenance():
    provenance = json.loads((RUN / "provenance.json").read_text("utf-8"))
    for name, digest in provenance["sha256"].items():
        assert evaluation.file_hash(RUN / name) == digest, name
    assert {"weights.safetensors", "metrics.json", "predictions.csv"} <= set(
        provenance["sha256"]
    )
    assert {"commit", "machine", "command", "seeds", "world", "licence"} <= set(provenance)


def test_it_is_small_and_names_no_folder_of_the_machine_it_was_made_on():
    assert sum(path.stat().st_size for path in RUN.iterdir()) < 5_000_000
    for path in RUN.iterdir():
        if path.suffix in (".json", ".csv"):
            assert not any(
                part in path.read_text("utf-8") for part in ("/home", "/work", "/tmp")
            )


def test_it_keeps_what_it_covered_of_the_way_to_the_image_ceiling():
    measured = json.loads((RUN / "metrics.json").read_text("utf-8"))
    assert measured["split"] == "test" and measured["n"] >= 2000
    assert measured["seen_in_training"] == 0
    covered = {}
    for key in ("mse", "cdloss"):
        low = measured["references"]["constant"][key]["value"]
        high = measured["references"]["image"][key]["value"]
        covered[key] = (low - measured[key]["value"]) / (low - high)
    assert min(covered.values()) >= 0.5
    assert measured["rho"]["low"] > 0.4


def test_its_predictions_are_distributions_of_its_test_split():
    measured = json.loads((RUN / "metrics.json").read_text("utf-8"))
    table = pd.read_csv(RUN / "predictions.csv", dtype={"image": str})
    p = evaluation.distributions(table)
    assert len(table) == measured["n"]
    assert np.allclose(p.sum(axis=1), 1, atol=1e-6)
    assert np.allclose(metrics.mean(p), table["mean"], atol=1e-6)


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rendered")
    rows = latents.sample(50, seed=2017).loc[list(IDS)]
    paths = [folder / f"{image}.png" for image in IDS]
    for path, row in zip(paths, rows.to_dict("records"), strict=True):
        Image.fromarray(render(row, 96).rgb).save(path)
    return evaluation.predict(RUN, paths, names=IDS).set_index("image")


def test_three_photographs_score_as_when_it_was_released(scores):
    provenance = json.loads((RUN / "provenance.json").read_text("utf-8"))
    for image, expected in provenance["scores"].items():
        assert scores.loc[image, "mean"] == pytest.approx(expected["mean"], abs=0.02)
        assert scores.loc[image, "std"] == pytest.approx(expected["std"], abs=0.02)
    assert scores["mean"].nunique() == 3
