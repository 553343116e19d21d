import os
import subprocess
import sys
from pathlib import Path

import pytest

from apmlib.errors import InputError
from apmlib.simulated.workers import THREADS, spread

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
from apmlib.simulated.workers import spread

print("ran")
{guard}print(sorted(spread(len, ["a", "bb", "ccc"], workers=2)))
"""


def run(tmp_path, guard=""):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT.format(guard=guard), "utf-8")
    return subprocess.run(
        [sys.executable, str(path)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_script_without_a_guard_is_told_what_to_do(tmp_path):
    done = run(tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("Traceback") == 1  # one, of this process, and none of the others
    last = done.stderr.splitlines()[-1]
    assert last.startswith("apmlib.errors.InputError: ") and "script.py: " in last
    assert 'if __name__ == "__main__":' in last
    assert done.stdout.splitlines() == ["ran"] * 2  # here, and once by a new process


def test_a_script_with_a_guard_runs(tmp_path):
    done = run(tmp_path, 'if __name__ == "__main__":\n    ')
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[1, 2, 3]"


@pytest.mark.parametrize("workers", [1, 2])
def test_every_job_is_done_once_and_the_threads_are_as_before(workers):
    before = {name: os.environ.get(name) for name in THREADS}
    assert sorted(spread(abs, [-3, 1, -2, 5, 0], workers)) == [0, 1, 2, 3, 5]
    assert {name: os.environ.get(name) for name in THREADS} == before


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_task_comes_back_as_it_is(workers):
    with pytest.raises(ZeroDivisionError):
        list(spread(divmod_by, [1, 0, 2], workers))


def divmod_by(number):
    return divmod(1, number)


def test_a_process_that_is_ended_is_an_error_and_no_endless_wait():
    with pytest.raises(InputError, match="ended from outside"):
        list(spread(os._exit, [1, 1], workers=2))
