"""The benchmarks run, at tiny size, and what they count is right. Nothing here is timed."""

import importlib
import json
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch._subclasses import FakeTensorMode

from apmlib import model

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "ci"), str(ROOT / "ci" / "bench")]

import gpu  # noqa: E402
import measure  # noqa: E402
import memory  # noqa: E402
import reading  # noqa: E402
import scoring  # noqa: E402
import training  # noqa: E402

import bench  # noqa: E402


def results(program, folder):
    """What a program, started as users start it, writes with ``--quick``."""
    out = folder / f"{program.__name__}.json"
    command = [sys.executable, program.__file__, "--no-install", "--quick", "--out", str(out)]
    environ = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text("utf-8"))
    assert found["quick"] is True
    wanted = {"command", "commit", "code", "machine", "device", "threads", "versions"}
    assert set(found["provenance"]) == wanted
    every = list(spreads(found))
    assert every or program is memory
    assert all(entry["low"] <= entry["value"] <= entry["high"] for entry in every)
    return found


def spreads(found):
    """Every median with its quartiles, however deep."""
    if isinstance(found, dict):
        if {"value", "low", "high"} <= found.keys():
            yield found
        for part in found.values():
            yield from spreads(part)


def compared(entry, ways, ratio, aim=None):
    """The parts of one comparison: positive times of all ways, and a ratio with its aim."""
    assert set(entry["seconds"]) == set(ways)
    assert all(seconds["value"] > 0 for seconds in entry["seconds"].values())
    assert entry["photographs"] > 0 and entry["rounds"] > 0
    assert entry[ratio].get("aim") == aim


# Every program, whole


def test_reading(tmp_path):
    found = results(reading, tmp_path)
    assert found["provenance"]["threads"] == 1
    for part in found["sizes"].values():
        compared(part, ("plain", "apm"), "speedup", ">= 2")
        assert set(part["pixels"]) == {"fast", "lanczos"}
    for name in ("800 x 600", "640 x 427"):  # both are decoded at half their scale
        fast = found["sizes"][name]["pixels"]["fast"]
        assert fast["psnr"] > 30 and fast["largest"] > 0
    assert found["predictions"]["fast"]["largest"] >= found["predictions"]["fast"]["average"]
    for part in found["cache"].values():
        compared(part, ("original", "cached"), "speedup")
        assert set(part["bytes"]) == {"original", "cached"}


def test_training(tmp_path):
    found = results(training, tmp_path)
    for part in found["step"].values():
        compared(part, ("apm", "model", "backbone"), "apm to backbone", "<= 1.05")
    assert found["step"]["photos"]["settings"]["frozen"] == "layer2"
    compared(found["batches"], ("batches", "one by one"), "speedup", ">= 2")
    for name in ("cached", "not cached"):
        ways = ("model", "cached", "not cached")
        compared(found["pipeline"], ways, f"model to {name}", ">= 1")
    compared(found["processes"], ("one process", "two processes"), "two to one process")
    shapes = found["shapes"]
    assert shapes["counted"]["rounded"]["shapes"] < shapes["counted"]["exact"]["shapes"]
    compared(shapes["timed"], ("exact", "rounded"), "exact to rounded")


def test_scoring(tmp_path):
    found = results(scoring, tmp_path)
    aims = {"released run, side 96": ">= 2", "resnet18, side 256": ">= 1.5"}
    for name, aim in aims.items():
        compared(found["against a loop"][name], ("loop", "apm"), "speedup", aim)
    # Small photographs are decoded alike by both, and differ by how they were resized alone.
    assert found["against a loop"]["released run, side 96"]["means apart, at most"] < 0.05
    for part in found["precision"].values():
        ways = ("backbone", "float32", "apm", "bfloat16", "compiled")
        compared(part, ways, "backbone to apm", ">= 0.95")
        assert part["failed"] == {} and part["moved"]["compiled"]["largest"] < 1e-3
        assert set(part["moved"]) == {"apm", "bfloat16", "compiled"}
        assert part["moved"]["apm"]["largest"] < 1e-4
    assert set(found["larger"]["seconds"]) == set(found["larger"]["photographs"])
    peaks = [part["peak"] for name, part in found["more"].items() if name != "growth"]
    assert found["more"]["growth"] == pytest.approx(peaks[-1] / peaks[-2])


def test_memory(tmp_path):
    found = results(memory, tmp_path)
    (network,) = found["networks"].values()
    ways = {(step["at_once"], step["bfloat16"], step["recompute"]) for step in network["steps"]}
    assert len(ways) == len(network["steps"]) == 8
    by_way = {
        (step["at_once"], step["bfloat16"], step["recompute"]): step
        for step in network["steps"]
    }
    for (count, bfloat16, recompute), step in by_way.items():
        assert step["total"] == step["peak"] + sum(network["bytes"].values())
        if recompute:
            assert step["kept"] < by_way[count, bfloat16, False]["kept"]
        if bfloat16:
            assert step["kept"] < by_way[count, False, recompute]["kept"]
    operations = network["operations"]
    assert operations["forward"] < operations["training"] < operations["training, recompute"]


def test_gpu_tried_on_the_cpu(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    found = results(gpu, tmp_path)
    assert set(found["training"]) == {
        f"{count} at once{more}" for count in (2, 4) for more in ("", ", recompute")
    }
    assert found["operations"]["forward"] < found["operations"]["training"]
    for part in found["memory"].values():
        assert part["recompute"]["counted"] <= part["kept"]["counted"]
        assert part["kept"]["measured"] is None
    compared(found["batches"], ("batches", "one by one"), "speedup", ">= 5")
    compared(found["busy"], ("from memory", "from files"), "busy", ">= 0.9")
    seconds = found["epoch"]["seconds"]["from files"]
    assert seconds * found["busy"]["photographs a second"]["value"] == pytest.approx(gpu.AVA)


def test_without_a_gpu_one_line_says_so(capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu.main([]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and "no GPU" in said.err


def test_make_bench_runs_all_that_need_no_gpu():
    programs = {path.stem for path in (ROOT / "ci" / "bench").glob("*.py")}
    assert programs == {*bench.NAMES, "gpu", "measure"}


@pytest.mark.parametrize("name", [*bench.NAMES, "gpu"])
def test_results_go_where_the_program_says(name):
    program = importlib.import_module(name)
    assert f"python ci/bench/{name}.py [--quick]" in program.__doc__
    assert f"data/results/bench-{name}.json" in " ".join(program.__doc__.split())
    out = ROOT / "data" / "results"
    assert measure.options(name, program.__doc__, []).out == out / f"bench-{name}.json"
    tried = measure.options(name, program.__doc__, ["--quick"])
    assert tried.out == out / f"bench-{name}-quick.json"


# Times and ratios


def test_ways_take_turns():
    calls = []
    ways = {name: lambda name=name: calls.append(name) for name in "AB"}
    seconds = measure.in_turns(ways, 3)
    assert "".join(calls) == "ABABABAB"  # the first turn of each is not counted
    assert [len(found) for found in seconds.values()] == [3, 3]


def test_ratios_are_taken_round_by_round():
    # The machine is twice as slow in the second round, three times in the third.
    seconds = {"slow": np.array([4.0, 8.0, 12.0]), "fast": np.array([2.0, 4.0, 6.0])}
    found = measure.compared(seconds, 2, {"speedup": ("slow", "fast", ">= 1")})
    assert found["seconds"]["slow"] == {"value": 4.0, "low": 3.0, "high": 5.0}
    assert found["speedup"] == {"value": 2.0, "low": 2.0, "high": 2.0, "aim": ">= 1"}
    assert [name for name, _ in measure.aims({"part": found})] == ["part, speedup"]


def test_difference_by_hand():
    one = [np.zeros((2, 2, 3), np.uint8)]
    other = [np.full((2, 2, 3), 5, np.uint8)]
    found = reading.difference(one, other)
    assert found["largest"] == 5
    assert found["psnr"] == pytest.approx(20 * np.log10(255 / 5))
    found = measure.moved(np.array([5.0, 6.0]), np.array([5.1, 5.7]))
    assert found["largest"] == pytest.approx(0.3) and found["average"] == pytest.approx(0.2)


# Shapes


def test_longer_side_is_rounded_and_the_shorter_kept():
    assert training.rounded((500, 750), 32) == (500, 736)
    assert training.rounded((751, 500), 32) == (736, 500)
    assert training.rounded((500, 500), 32) == (500, 512)


def test_assumed_shapes_are_those_described():
    shapes = np.array(training.ava_shapes(20_000))
    short = shapes.min(axis=1)
    assert (shapes.max(axis=1) == 640).all() and short.min() >= 300
    rest = 0.27 / 341  # the share of each of the other shorter sides
    assert np.mean(np.abs(short - 427) <= 2) == pytest.approx(0.45 + 5 * rest, abs=0.02)
    assert np.mean(short == 480) == pytest.approx(0.20 + rest, abs=0.02)
    assert np.mean(short == 640) == pytest.approx(0.08 + rest, abs=0.02)


# Operations and bytes


class Plain(nn.Module):
    """A convolution, a ReLU and a sum; ``backbone`` is where the settings of APM's are put."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(inplace=True))

    def forward(self, photographs):
        return self.backbone(photographs).mean(dim=(2, 3))


@pytest.mark.parametrize("mode", [FakeTensorMode, nullcontext])
def test_counting_by_hand(mode):
    height, width, count = 8, 10, 2
    with mode():
        net = Plain()
        forward, both = memory.operations(net, (height, width))
        found = memory.step(net, count, (height, width), False, False)
    # Each of 4 outputs at each place is 27 products and as many sums. The gradient of the
    # weights takes as much again; that of the photograph is not asked for.
    assert forward == 2 * 27 * 4 * height * width
    assert both == 2 * forward
    photographs, maps = (4 * count * channels * height * width for channels in (3, 4))
    # Kept are what the convolution saw and, once, what the ReLU left, in the same place.
    assert found["kept"] == photographs + maps
    # Most is alive when the map's gradient and the convolution's copy of it, cut by the ReLU,
    # lie beside what was kept.
    assert photographs + 2 * maps <= found["peak"] <= photographs + 4 * maps


@pytest.mark.parametrize("name", ["resnet-narrow", "vgg-narrow"])
@pytest.mark.parametrize("bfloat16", [False, True])
@pytest.mark.parametrize("recompute", [False, True])
def test_tensors_without_content_take_what_real_ones_take(name, bfloat16, recompute):
    found = []
    for mode in (FakeTensorMode(), nullcontext()):
        with mode:
            net = model.APM(model.backbone(name, width=4, stages=2), 10, hidden=8).train()
            found.append(memory.step(net, 2, (32, 48), bfloat16, recompute))
    assert found[0] == found[1]


def test_most_at_once_that_fits():
    step = {"bfloat16": False, "recompute": False}
    steps = [step | {"at_once": 1, "fits": [8, 12]}, step | {"at_once": 8, "fits": [12]}]
    found = memory.largest_at_once(steps)
    assert [found[f"{card} GB"]["float32"] for card in (8, 12, 16)] == [1, 8, 0]
    assert found["12 GB"]["bfloat16"] == 0
