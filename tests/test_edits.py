import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from apmlib import adversarial, comparison, gain
from apmlib.editing import Edit, Search
from apmlib.simulated import frozen, latents

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "ci"))

import edits  # noqa: E402


@pytest.fixture(scope="module")
def world_hash():
    return frozen.world_hash()


@pytest.fixture
def small(tmp_path, monkeypatch, world_hash):
    """Everything as small as it goes, in this process; the file that is written."""
    table = latents.sample(300, 3)
    monkeypatch.setenv("APM_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(frozen, "world_hash", lambda: world_hash)  # it is slow
    monkeypatch.setattr(edits, "latents", lambda profile: table)
    monkeypatch.setattr(edits, "SEARCH", Search(candidates=2, starts=1, iterations=1))
    monkeypatch.setattr(edits, "DESCENT", adversarial.Descent(iterations=2))
    monkeypatch.setattr(gain, "best_edit", lambda *given: Edit(exposure=0.1))
    monkeypatch.setattr(gain, "FAULTS", {"dark": gain.FAULTS["dark"]})

    def here(task, before, workers):
        for job in before:
            try:
                yield job, task(job, None), ""
            except ValueError as error:
                yield job, None, str(error)

    monkeypatch.setattr(edits, "in_order", here)
    return tmp_path / "edits.json"


def program(out):
    return [*("--profile smoke --each 1 --whole 1 --jobs 1 --out".split()), str(out)]


def test_first_photographs_of_every_fault_are_taken():
    table = latents.sample(600, 1)
    found = edits.chosen(table, 2, 3)
    assert list(found) == [name for name in gain.FAULTS for _ in range(2)] + 3 * ["none"]
    faults = gain.faults(table)
    assert list(found.index[:2]) == list(faults.index[faults == "dark"][:2])


def test_gains_are_those_of_the_edits_and_where_they_come_from_is_said(small):
    assert edits.main(program(small)) == 0
    results = json.loads(small.read_text("utf-8"))
    assert [found["fault"] for found in results["photographs"]] == ["dark", "none"]
    assert results["faults"]["dark"]["n"] == results["faults"]["none"]["n"] == 1
    for found in results["photographs"]:
        row, photograph, mask = gain.taken(edits.latents("smoke").loc[found["image"]], 192)
        wanted = [Edit(**found["edit"]), Edit(exposure=0.1), gain.BRIGHTER]
        true = gain.true_gain(row, photograph, mask, wanted)
        assert [found[k] for k in ("model", "best", "brighter")] == pytest.approx(list(true))
        assert found["predicted_pixels"] > 0.01 and abs(found["pixels"]) < 0.05
    assert not comparison.stale(results)
    assert results["provenance"]["editing"] == gain.code_key()
    assert "profile smoke, seed 0." in comparison.origin("edits.json", results)


def test_what_was_measured_is_not_measured_again(small, monkeypatch):
    assert edits.main(program(small)) == 0
    first = json.loads(small.read_text("utf-8"))
    (kept,) = (small.parent / "home" / "edits").iterdir()
    gone = first["photographs"][1]["image"]
    (kept / f"{gone}.json").unlink()
    asked, measure = [], edits.measure

    def asking(name, given, **options):
        asked.append(name)
        return measure(name, given, **options)

    monkeypatch.setattr(edits, "measure", asking)
    assert edits.main(program(small)) == 0
    assert asked == [gone]
    assert json.loads(small.read_text("utf-8"))["photographs"] == first["photographs"]


def test_a_photograph_that_fails_is_named_and_stops_no_other(small, monkeypatch, capsys):
    taken = gain.taken

    def failing(row, side):
        if row["exposure"] <= -0.8:
            raise ValueError("no film")
        return taken(row, side)

    monkeypatch.setattr(gain, "taken", failing)
    assert edits.main(program(small)) == 1
    results = json.loads(small.read_text("utf-8"))
    assert [found["fault"] for found in results["photographs"]] == ["none"]
    assert len(results["failed"]) == 1 and "no film" in capsys.readouterr().err


def test_summary_by_hand():
    rows = pd.DataFrame(
        {
            "model": [0.2, 0.0, -0.1, 0.3],
            "best": [0.4, 0.4, 0.0, 0.8],
            "random": [-0.2, 0.0, 0.0, -0.2],
            "brighter": [0.1, 0.1, 0.1, 0.1],
            "predicted": [0.5, 0.5, 0.5, 0.5],
        }
    )
    found = edits.summary(rows)
    assert found["gain"]["model"]["value"] == pytest.approx(0.1)
    assert found["improved"]["model"]["value"] == 0.5
    assert found["worse"]["model"]["value"] == 0.25
    none = found["worse"]["best"]
    assert none["value"] == 0 and 0.1 < none["high"] < 0.6  # four photographs prove little
    assert found["of_the_best"]["value"] == pytest.approx(0.25)
    assert found["beyond"]["random"]["value"] == pytest.approx(0.2)
    left = edits.fooled(rows["predicted"].to_numpy(), rows["model"].to_numpy())["left"]
    assert left["value"] == pytest.approx(0.2)
    assert np.isfinite([left["low"], left["high"]]).all()
