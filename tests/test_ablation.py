import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from apmlib import comparison, evaluation, training, variants
from apmlib.comparison import Mechanism
from tests import tiny

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "ci"))

import ablation  # noqa: E402
from ablation import Job  # noqa: E402


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store whose photographs of the smoke profile are 40, so that a job takes a second."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        tiny.smoke_store(home, patch)
        ablation.collection.cache_clear()
        yield home
    ablation.collection.cache_clear()


def program(*arguments, out):
    return ["--profile", "smoke", "--seeds", "1", *arguments, "--out", str(out)]


def finished(home):
    folders = (home / "runs").glob("*")
    return {
        folder.name: (folder / "weights.safetensors").stat().st_mtime_ns
        for folder in folders
        if (folder / "metrics.json").exists() and not (folder / "state.pt").exists()
    }


def test_every_chain_is_the_one_of_the_store(store):
    chains = ablation.chains(ablation.extra_jobs(3, "smoke"), "smoke")
    assert {job.seed for job in chains if job.variant.startswith("objects")} == {0}
    assert len([job for job in chains if job.variant.startswith("objects")]) == 2
    semantic = [job for job in chains if job.variant == "resnet-ava-semantic"]
    assert sorted(job.seed for job in semantic) == [0, 1, 2]
    off = Mechanism("composition", 0.0)
    last = Job("resnet-ava-dist-m", 1, off)
    assert chains[last] == Job("resnet-ava-dist", 1, off)
    assert chains[chains[last]] == Job("resnet-ava-semantic", 1)
    for job, before in chains.items():
        assert (before and before.variant) == variants.variant(job.variant).start


def test_lists_hold_what_is_claimed(store):
    table, extra = ablation.table_jobs(5), ablation.extra_jobs(3, "smoke")
    assert len(table) == len(set(table)) == 35
    assert len(extra) == len(set(extra))
    assert {job.variant for job in extra} == {
        *variants.TABLE,
        *variants.CONTROLS,
        *variants.EXPERIMENTS,
    }
    # As they are on three seeds: to be compared with, and found where table made them.
    assert set(extra) & set(table) == {job for job in table if job.seed < 3}


def test_a_part_does_not_replace_the_results(capsys):
    with pytest.raises(SystemExit):
        ablation.main(["--only", "vgg-imn-mean"])
    assert "--out" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="kills as POSIX does")
def test_killed_and_called_again_it_goes_on(store, tmp_path, capsys):
    names = ("vgg-imn-dist", "vgg-imn-dist-eucl", "vgg-imn-mean")
    arguments = program("--only", *names, "--jobs", "1", out=tmp_path / "a.json")
    command = [sys.executable, ROOT / "ci" / "ablation.py", "--no-install", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as started:
        lines = [started.stdout.readline(), started.stdout.readline()]  # two jobs are done
        started.send_signal(signal.SIGKILL)
    assert lines[0].startswith("1 of 4: objects-vgg seed 0") and "min left" in lines[0]
    done = finished(store)
    assert len(done) >= 2 and not (tmp_path / "a.json").exists()

    assert ablation.main(arguments) == 0
    assert "1 of 4: objects-vgg seed 0, found" in capsys.readouterr().out
    after = finished(store)
    assert len(after) == 4 and done.items() <= after.items()
    results = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert not comparison.stale(results) and results["failed"] == []
    assert set(results["variants"]) == set(names)
    assert set(results["claims"]) == {"distribution against mean", "Huber against Euclidean"}
    assert set(results["references"]) == {"constant", "image", "vote"}
    by_name = {entry["run"]: entry for entry in results["runs"]}
    assert set(by_name) == set(after)
    known = json.loads((store / "ablation-seconds.json").read_text("utf-8"))
    assert {name: entry["seconds"] for name, entry in by_name.items()} == {
        name: known.get(name) for name in by_name
    }
    claim = results["claims"]["Huber against Euclidean"]
    values = [results["variants"][claim[side]]["cdloss"]["value"] for side in "ab"]
    assert claim["paired"]["cdloss"]["value"] == pytest.approx(values[0] - values[1])
    assert claim["mechanisms"] == claim["controls"] == {}
    assert results["provenance"]["settings"]["vgg-imn-mean"]["loss"] == "huber"

    assert ablation.main(arguments) == 0  # all is there: nothing is trained
    assert finished(store) == after
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == results


def test_mechanisms_controls_and_puzzle(store, tmp_path):
    names = ["resnet-imn-dist", "resnet-imn-dist-longer", "resnet-ava-dist"]
    arguments = program("--extra", "--only", *names, "--jobs", "2", out=tmp_path / "a.json")
    assert ablation.main(arguments) == 0
    results = json.loads((tmp_path / "a.json").read_text("utf-8"))
    (claim,) = results["claims"].values()
    assert (claim["a"], claim["b"]) == ("resnet-ava-dist", "resnet-imn-dist")
    assert set(claim["controls"]) == {"resnet-imn-dist-longer"}
    off = claim["mechanisms"]["interaction=0"]
    for key in evaluation.METRICS:
        gap = claim["paired"][key]["value"] - off["paired"][key]["value"]
        assert off["change"][key]["value"] == pytest.approx(gap)
    assert "image" in off["variants"]["resnet-ava-dist"]["references"]
    control = claim["controls"]["resnet-imn-dist-longer"]
    both = control["instead"]["mse"]["value"] + control["beyond"]["mse"]["value"]
    assert claim["paired"]["mse"]["value"] == pytest.approx(both)
    # The run on other votes starts from the one stage that has looked at no votes.
    entries = [entry for entry in results["runs"] if entry["variant"] == "resnet-ava-dist"]
    configs = [evaluation.read_config(store / "runs" / entry["run"]) for entry in entries]
    assert [entry["votes"] for entry in entries].count("interaction=0") == 1
    assert configs[0]["init"] == configs[1]["init"]
    assert configs[0]["data"] != configs[1]["data"]
    rows = comparison.rows(results["claims"], "rho")["AVA against ImN"]
    assert list(rows) == ["as it is", "mechanism off", "as many steps only"]


def test_the_puzzle_is_a_sum(store, tmp_path):
    names = list(comparison.PUZZLE.values())
    arguments = program("--extra", "--only", *names, out=tmp_path / "a.json")
    assert ablation.main(arguments) == 0
    found = json.loads((tmp_path / "a.json").read_text("utf-8"))["puzzle"]
    assert set(found) == set(comparison.PUZZLE_RATES)
    for rate in found.values():
        gap, shape, size = (
            rate["differences"][name]["mse"]["value"] for name in comparison.PUZZLE_PAIRS
        )
        assert gap == pytest.approx(shape + size)
        assert set(rate["variants"]) == {" ".join(key) for key in comparison.PUZZLE}


def test_few_votes_and_all_photographs(store, tmp_path):
    arguments = program("--extra", "--only", *comparison.SEMANTICS, out=tmp_path / "a.json")
    assert ablation.main(arguments) == 0
    results = json.loads((tmp_path / "a.json").read_text("utf-8"))
    whole = ablation.collection("smoke")
    train = set(whole.split("train").table.index)
    before = set()
    for share in comparison.SHARES:
        part = ablation.collection("smoke", share=share)
        names = set(part.split("train").table.index)
        assert before < names < train and len(names) == round(share * len(train))
        before = names
        assert part.split("test").table.equals(whole.split("test").table)
        found = results["shares"][f"{share:g}"]
        assert found["photographs"] == len(names)
        assert found["paired"]["n"] == len(whole.split("test"))
    runs = {(e["variant"], e["share"], e["votes"]): e for e in results["runs"]}
    configs = {
        key: evaluation.read_config(store / "runs" / entry["run"])
        for key, entry in runs.items()
    }
    usual, few = (configs["resnet-ava-dist", share, None] for share in (1.0, 0.1))
    assert few["init"] == usual["init"]  # the student has seen all photographs
    assert few["data"] != usual["data"]
    shown = [config["settings"]["epochs"] * share for config, share in ((usual, 1), (few, 0.1))]
    assert shown[0] == pytest.approx(shown[1])


def test_windows_of_a_network_of_squares(store, tmp_path):
    names = ["resnet-imn-dist", "resnet-imn-dist-crop"]
    arguments = program("--extra", "--only", *names, out=tmp_path / "a.json")
    assert ablation.main(arguments) == 0
    results = json.loads((tmp_path / "a.json").read_text("utf-8"))
    crop = results["experiments"]["resnet-imn-dist-crop"]
    assert set(results["windows"]) == {"average", "max"}
    for found in results["windows"].values():
        for key in evaluation.METRICS:
            apart = found["paired"][key]["value"] - found["beyond the middle one"][key]["value"]
            assert apart == pytest.approx(crop[key]["value"])
        assert found["paired"]["n"] == crop["n"]


def test_a_seed_that_is_kept_is_not_trained_again(store, tmp_path, monkeypatch, capsys):
    jobs = [Job("resnet-imn-dist"), Job("resnet-imn-dist-crop"), Job("vgg-imn-mean")]
    monkeypatch.setattr(ablation, "table_jobs", lambda seeds: jobs)
    arguments = program(out=tmp_path / "a.json")
    assert ablation.main(arguments) == 0
    before = json.loads((tmp_path / "a.json").read_text("utf-8"))
    file = tmp_path / "runs" / "a-seed0.zip"
    first = file.read_bytes()

    # A machine that has the file and no network.
    monkeypatch.setattr(ablation, "train_all", lambda asked, *rest: [0 / 0 for _ in asked])
    assert ablation.main(arguments) == 0
    assert "a-seed0.zip: 5 runs, kept" in capsys.readouterr().out
    after = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert sorted(map(str, after["runs"])) == sorted(map(str, before["runs"]))
    assert set(after["provenance"]["kept"]) == {"0"} and before["provenance"]["kept"] == {}
    for name, entry in before["variants"].items():
        for key in filter(entry.get, evaluation.METRICS):
            value = after["variants"][name][key]["value"]
            assert value == pytest.approx(entry[key]["value"], abs=2e-5)
    assert set(after["windows"]) == set(before["windows"]) == {"average", "max"}
    assert file.read_bytes() == first

    # By other code it is of no use; neither is another file of that name.
    monkeypatch.setattr(training, "code_key", lambda: "other")
    with pytest.raises(ZeroDivisionError):
        ablation.main(arguments)
    assert "by other code" in capsys.readouterr().out
    file.write_text("no archive")
    assert ablation.main(arguments) == 2
    assert "a-seed0.zip: no file of kept runs" in capsys.readouterr().err
    for option in ("--anew", "--train-only"):
        with pytest.raises(ZeroDivisionError):
            ablation.main([*arguments, option])


def test_the_file_of_a_kept_seed_is_left_alone_by_the_next(store, tmp_path, monkeypatch):
    jobs = [Job("vgg-imn-mean", 0), Job("vgg-imn-mean", 1)]
    monkeypatch.setattr(ablation, "table_jobs", lambda seeds: jobs[:seeds])
    arguments = program(out=tmp_path / "a.json")
    assert ablation.main(arguments) == 0
    first = (tmp_path / "runs" / "a-seed0.zip").read_bytes()
    # The second seed needs the objects network of the first, weights and all.
    monkeypatch.setattr(ablation, "commit", lambda: "another")
    assert ablation.main([*arguments, "--seeds", "2"]) == 0
    assert (tmp_path / "runs" / "a-seed0.zip").read_bytes() == first
    about = ablation.kept.read_about(tmp_path / "runs" / "a-seed1.zip")
    assert about["commit"] == "another"
    assert list(about["runs"]) == ["vgg-imn-mean seed 1"]


def test_steps_to_the_loss_that_relu_has_half_way(tmp_path):
    losses = {"resnet-imn-dist": [9, 5, 4, 3], "resnet-imn-dist-l1": [9, 8, 7, 4.5]}
    folders = {}
    for name, values in (losses | {"resnet-imn-dist-softmax": [9, 9, 8, 8]}).items():
        folders[Job(name)] = tmp_path / name
        folders[Job(name)].mkdir()
        rows = [f"{10 * (i + 1)},{loss}" for i, loss in enumerate(values)]
        (tmp_path / name / "history.csv").write_text("\n".join(["step,val_loss", *rows]))
    found = ablation.steps(folders)
    assert found["val_loss"] == [5] and found["of"] == 40
    reached = {layer: entry["by_seed"] for layer, entry in found["layers"].items()}
    assert reached == {"relu": [20], "l1": [40], "softmax": [None]}
    del folders[Job("resnet-imn-dist-l1")]
    assert ablation.steps(folders) == {}


def test_one_job_that_fails_does_not_stop_the_others(store, tmp_path, monkeypatch, capsys):
    bad = Job("vgg-imn-dist", settings=(("loss", "nonsense"),))
    monkeypatch.setattr(ablation, "table_jobs", lambda seeds: [bad, Job("vgg-imn-mean")])
    assert ablation.main(program(out=tmp_path / "a.json")) == 1
    results = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert results["failed"] == ["vgg-imn-dist loss=nonsense seed 0"]
    assert set(results["variants"]) == {"vgg-imn-mean"}
    assert "no such loss" in capsys.readouterr().err


def test_interrupted_it_says_so(store, tmp_path, monkeypatch, capsys):
    def interrupted(asked, profile, workers, folders, seconds):
        train_all(asked[:count], profile, workers, folders, seconds)
        raise KeyboardInterrupt

    train_all, count = ablation.train_all, 1
    monkeypatch.setattr(ablation, "train_all", interrupted)
    monkeypatch.setattr(
        ablation, "table_jobs", lambda seeds: [Job("vgg-imn-mean"), Job("vgg-imn-dist")]
    )
    assert ablation.main(program(out=tmp_path / "a.json")) == 130
    assert "goes on" in capsys.readouterr().err
    done = ablation.kept.read_about(tmp_path / "runs" / "a-seed0.zip")["runs"]
    assert set(done) == {"objects-vgg seed 0", "vgg-imn-mean seed 0"}

    # Squares that were not asked about their windows yet could not be asked without weights.
    jobs, count = [Job("resnet-imn-dist"), Job(ablation.SQUARES)], 2
    monkeypatch.setattr(ablation, "table_jobs", lambda seeds: jobs)
    monkeypatch.setattr(ablation, "_windows_folder", lambda run, how: tmp_path / "nowhere")
    assert ablation.main(program(out=tmp_path / "b.json")) == 130
    done = ablation.kept.read_about(tmp_path / "runs" / "b-seed0.zip")["runs"]
    assert set(done) == {"objects-resnet seed 0", "resnet-imn-dist seed 0"}
    (tmp_path / "runs" / "a-seed0.zip").unlink()
    keys = iter(["one", "two"])
    monkeypatch.setattr(ablation, "train_all", lambda *arguments: [])
    monkeypatch.setattr(training, "code_key", lambda: next(keys))
    assert ablation.main(program(out=tmp_path / "a.json")) == 2
    assert "changed meanwhile" in capsys.readouterr().err
    assert not (tmp_path / "a.json").exists()
