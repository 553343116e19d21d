"""Photographs drawn by several processes at once."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from apmlib.errors import InputError

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def spread(task: Callable, jobs: Sequence, workers: int | None = None) -> Iterator:
    """Yield ``task(job)`` for each job, in any order, from processes of one thread each.

    Args:
        task: a function of a module (it is sent to the processes by name) that writes its own
            files, each whole or not at all.
        jobs: what it is called with.
        workers: number of processes; None: one a core. With one, the work is done here.

    Raises:
        InputError: where the processes cannot start because the script that calls this has no
            ``if __name__ == "__main__":``, or where one of them was ended from outside.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        # A new process first imports the script that started it, and this one came here by
        # doing so. It leaves without a word: the process that waits for it has the message.
        sys.exit(1)
    workers = min(workers or os.cpu_count() or 1, len(jobs))
    if workers <= 1:
        yield from map(task, jobs)
        return
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    # Spawned, not forked: the same on every system, and safe beside torch's threads.
    spawn = multiprocessing.get_context("spawn")
    pool, started = ProcessPoolExecutor(workers, mp_context=spawn), False
    try:
        pool.submit(os.getpid).result()
        started = True
        for done in as_completed([pool.submit(task, job) for job in jobs]):
            yield done.result()
    except BrokenProcessPool:
        raise InputError(_ended() if started else _unguarded()) from None
    finally:
        pool.shutdown(cancel_futures=True)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _unguarded() -> str:
    script = getattr(sys.modules["__main__"], "__file__", None) or "the running program"
    return (
        f"{script}: processes that draw cannot start, as each would run the script again; put "
        'what the script does below a line `if __name__ == "__main__":`'
    )


def _ended() -> str:
    return (
        "a process that draws was ended from outside, perhaps for want of memory; call again, "
        "what is finished is kept"
    )
