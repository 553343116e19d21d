"""Photographs drawn by several processes at once."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def spread(task: Callable, jobs: Sequence, workers: int | None = None) -> Iterator:
    """Yield ``task(job)`` for each job, in any order, from processes of one thread each.

    Args:
        task: a function of a module (it is sent to the processes by name) that writes its own
            files, each whole or not at all.
        jobs: what it is called with.
        workers: number of processes; None: one a core. With one, the work is done here.
    """
    workers = min(workers or os.cpu_count() or 1, len(jobs))
    if workers <= 1:
        yield from map(task, jobs)
        return
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        # Spawned, not forked: the same on every system, and safe beside torch's threads.
        with multiprocessing.get_context("spawn").Pool(workers) as pool:
            yield from pool.imap_unordered(task, jobs)
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
