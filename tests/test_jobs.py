import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "ci"))

import jobs  # noqa: E402


def add(job, given):
    """A job is a number; its result says which one it was given."""
    if job == 13:
        raise ValueError("unlucky")
    if job == 99:
        os._exit(9)
    return job, given, os.getpid(), os.environ["OMP_NUM_THREADS"]


def test_each_job_gets_what_it_waits_for():
    before = {3: 2, 2: 1, 1: None, 10: None, 11: 1}
    found = {job: result for job, result, error in jobs.in_order(add, before, 2) if not error}
    for job, first in before.items():
        number, given, pid, threads = found[job]
        assert number == job and given == (None if first is None else found[first])
        assert pid != os.getpid() and threads == "1"
    assert len({result[2] for result in found.values()}) <= 2
    assert multiprocessing.active_children() == []


def test_the_longest_chain_goes_first():
    before = {10: None, 3: 2, 11: 1, 2: 1, 1: None}
    order = [job for job, _, _ in jobs.in_order(add, before, 1)]
    assert order[:2] == [1, 2] and set(order) == set(before)


def test_a_failure_takes_its_own_chain_only():
    before = {13: None, 14: 13, 15: 14, 99: None, 100: 99, 1: None, 2: 1}
    found = {job: (result, error) for job, result, error in jobs.in_order(add, before, 1)}
    assert set(found) == set(before)
    assert [job for job in before if not found[job][1]] == [1, 2]
    assert "ValueError: unlucky" in found[13][1]
    assert "process ended" in found[99][1]
    assert all("starts from failed" in found[job][1] for job in (14, 15, 100))


def test_leaving_early_ends_the_processes():
    for _ in jobs.in_order(add, dict.fromkeys(range(6)), 2):
        break
    assert multiprocessing.active_children() == []


WAITER = """
import os, sys, threading
sys.path.insert(0, {ci!r})
import jobs

def wait(job, given):
    print(os.getpid(), flush=True)
    threading.Event().wait()

if __name__ == "__main__":
    list(jobs.in_order(wait, {{1: None}}, 1))
"""


@pytest.mark.skipif(os.name == "nt", reason="kills as POSIX does")
@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT])
def test_whoever_kills_the_program_ends_its_processes(tmp_path, by):
    program = tmp_path / "program.py"
    program.write_text(WAITER.format(ci=str(ROOT / "ci")), "utf-8")
    started = subprocess.Popen(
        [sys.executable, program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    at_work = int(started.stdout.readline())
    try:
        started.send_signal(by)
        # The pipe is shared: it ends when the last process that holds it does.
        started.communicate(timeout=30)
        assert started.returncode != 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(at_work, signal.SIGKILL)
