import json
import sys
from pathlib import Path

import pytest

from apmlib import variants
from tests import tiny

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "ci"))

import ablation  # noqa: E402
import limits  # noqa: E402
from ablation import Job  # noqa: E402


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        tiny.smoke_store(home, patch)
        ablation.collection.cache_clear()
        yield home
    ablation.collection.cache_clear()


def test_more_photographs_are_of_another_world_and_for_training_only(store):
    usual, twice = (ablation.collection("smoke", share=share) for share in (1, 2))
    train, more = usual.split("train").table, twice.split("train").table
    assert len(more) == 2 * len(train)
    assert more.head(len(train)).equals(train)
    assert more["path"].nunique() == len(more)
    for name in ("val", "test"):
        assert twice.split(name).table.equals(usual.split(name).table)


def test_photographs_change_no_steps_and_steps_no_photographs(store):
    usual = variants.settings(limits.VARIANT, "smoke")
    half = limits.job("photographs", 1 / 2, "smoke")
    assert (half.share, dict(half.settings)["epochs"]) == (1 / 2, 2 * usual["epochs"])
    half = limits.job("steps", 1 / 2, "smoke")
    assert (half.share, dict(half.settings)) == (1, {"epochs": usual["epochs"] / 2})
    assert limits.job("photographs and steps", 2, "smoke") == Job(limits.VARIANT, share=2)


def test_every_lever_is_measured_against_the_network_as_it_is(store, tmp_path, capsys):
    out = tmp_path / "limits.json"
    arguments = ["--profile", "smoke", "--seeds", "1", "--jobs", "1", "--out", str(out)]
    assert limits.main(arguments) == 0, capsys.readouterr().err
    found = json.loads(out.read_text("utf-8"))
    base = found["as it is"]
    assert base["paired"]["mse"]["value"] == 0
    rows = {(row["lever"], row["times"]): row for row in found["levers"]}
    pairs = {(lever, times) for lever, several in limits.TIMES.items() for times in several}
    assert set(rows) == pairs
    for (lever, times), row in rows.items():
        for part in ("photographs", "width", "steps"):
            if part == "steps" and "photographs" in lever:
                continue  # of so few photographs an epoch is a step or two
            wanted = times if part in lever else 1
            assert row[part] / base[part] == pytest.approx(wanted), (lever, times, part)
        less = row["summary"]["mse"]["value"] - base["summary"]["mse"]["value"]
        assert row["paired"]["mse"]["value"] == pytest.approx(less)
    assert found["provenance"]["command"].startswith("python ci/limits.py --profile smoke")
