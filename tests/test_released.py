"""The trained run in data/released: whole, what it says it is, and the scores it gives."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from apmlib import evaluation, metrics

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "ci"))

import release  # noqa: E402

RUN = release.OUT


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


def test_three_photographs_score_as_when_it_was_released():
    expected = json.loads((RUN / "provenance.json").read_text("utf-8"))["scores"]
    scores = release.scores()
    assert scores.keys() == expected.keys() and len({s["mean"] for s in scores.values()}) == 3
    for image, found in scores.items():
        assert found == pytest.approx(expected[image], abs=0.02), image
