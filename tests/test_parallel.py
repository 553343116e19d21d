import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apmlib import parallel
from tests import tiny

ROOT = Path(__file__).resolve().parents[1]


def command(folder, out, *changes):
    """``apm train`` on the photographs in ``folder``, as a list for subprocess."""
    given = ["train", "resnet-imn-dist", "--data", folder / "root", "--profile", "smoke"]
    given += ["--init", folder / "objects-resnet", "--out", folder / out]
    settings = {**tiny.SMALL, "epochs": 4, "batch": 7, "at_once": 3, **dict(changes)}
    given += [text for key, value in settings.items() for text in ("--set", f"{key}={value}")]
    return [sys.executable, "-m", "apmlib.cli", *map(str, given)]


def environment(folder):
    return os.environ | {
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
        "APM_HOME": str(folder / "home"),
    }


def run(arguments, folder):
    return subprocess.run(
        arguments, env=environment(folder), capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Photographs, a run of the objects task to start from, and a run of one process."""
    folder = tmp_path_factory.mktemp("parallel")
    tiny.trained(folder)
    done = run(command(folder, "one"), folder)
    assert done.returncode == 0, done.stderr
    return folder


shapes = st.lists(st.sampled_from([(64, 64), (64, 96), (64, 200), (300, 64)]), min_size=1)


@given(shapes, st.integers(1, 5), st.integers(1, 6))
def test_every_photograph_is_dealt_once_and_all_weights_make_one(shapes, size, processes):
    groups = np.array_split(np.random.default_rng(0).permutation(len(shapes)), size)
    groups = [group for group in groups if len(group)]
    dealt = parallel.deal(groups, shapes, processes)
    assert len(dealt) == processes and all(dealt)
    counted = [index for part in dealt for group, weight in part if weight for index in group]
    assert sorted(counted) == list(range(len(shapes)))
    weights = [weight for part in dealt for _, weight in part]
    assert np.isclose(sum(weights), 1)
    for part in dealt:
        for group, weight in part:
            assert np.isclose(weight, len(group) / len(shapes)) or weight == 0


@given(shapes, st.integers(2, 6))
def test_no_process_has_more_pixels_than_a_share_and_one_photograph(shapes, processes):
    groups = [np.arange(len(shapes))]
    pixels = np.prod(shapes, axis=1)
    for part in parallel.deal(groups, shapes, processes):
        mine = sum(pixels[group].sum() for group, weight in part if weight)
        assert mine <= pixels.sum() / processes + pixels.max()


def test_two_groups_for_two_processes_by_hand():
    groups = [np.array([4, 2]), np.array([0, 1, 3])]
    shapes = [(10, 10)] * 5
    first, second = parallel.deal(groups, shapes, 2)
    assert [(g.tolist(), w) for g, w in first] == [([4, 2], 2 / 5)]
    assert [(g.tolist(), w) for g, w in second] == [([0, 1, 3], 3 / 5)]


def test_a_process_without_a_photograph_computes_one_at_weight_zero():
    dealt = parallel.deal([np.array([7])], [(8, 8)] * 8, 2)
    assert sorted((part[0][0].tolist(), part[0][1]) for part in dealt) == [([7], 0), ([7], 1)]


def test_two_processes_train_as_one(folder):
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    torchrun += ["--nproc-per-node", "2", *command(folder, "two")[1:]]
    done = run(torchrun, folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("split test, 8 photographs") == 1  # the first speaks for both
    one, two = (pd.read_csv(folder / name / "history.csv") for name in ("one", "two"))
    assert len(one) == 4
    for column in one:
        assert np.allclose(one[column], two[column], atol=1e-4), column
    one, two = (pd.read_csv(folder / name / "predictions.csv") for name in ("one", "two"))
    assert np.allclose(one["mean"], two["mean"], atol=1e-4)


def signalled(arguments, folder, by, group, every_step=False):
    """``apm`` with a process that gets the signal ``by`` when it mirrors that many groups."""
    program = (
        "import os, sys\n"
        "from apmlib import cli, training\n"
        f"training.SAVE_EVERY = {0 if every_step else 'training.SAVE_EVERY'}\n"
        "flip, calls = training.flip, []\n"
        "def signalling(*given):\n"
        "    calls.append(1)\n"
        f"    if len(calls) == {group}:\n"
        f"        os.kill(os.getpid(), {int(by)})\n"
        "    return flip(*given)\n"
        "training.flip = signalling\n"
        "sys.exit(cli.main(sys.argv[1:]))\n"
    )
    return run([sys.executable, "-c", program, *arguments[3:]], folder)


def test_a_run_that_is_killed_goes_on_to_the_same_weights(folder):
    again = command(folder, "killed")
    when = np.random.default_rng().integers(9, 38)
    done = signalled(again, folder, signal.SIGKILL, when, every_step=True)
    assert done.returncode == -signal.SIGKILL
    assert (folder / "killed" / "state.pt").is_file()
    done = run(again, folder)
    assert done.returncode == 0, done.stderr
    for name in ("weights.safetensors", "history.csv", "predictions.csv", "metrics.json"):
        whole, parts = ((folder / out / name).read_bytes() for out in ("one", "killed"))
        assert whole == parts, name


def test_a_run_that_is_asked_to_end_saves_first(folder):
    again = command(folder, "asked")
    done = signalled(again, folder, signal.SIGTERM, 20)
    assert done.returncode == 143
    assert done.stderr.strip() == "apm: stopped; the same command goes on where it stopped"
    assert not (folder / "asked" / "weights.safetensors").exists()
    assert run(again, folder).returncode == 0
    whole, parts = (
        (folder / out / "weights.safetensors").read_bytes() for out in ("one", "asked")
    )
    assert whole == parts
