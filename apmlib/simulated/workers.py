"""Many photographs drawn at once."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence

from apmlib.progress import progress


def spread(task: Callable, items: Sequence, workers: int | None, what: str) -> Iterator:
    """Yield ``task(item)`` for each item, in order, computed by several processes.

    Args:
        task: a function of a module (it is sent to the processes by name), which writes its
            own file atomically.
        items: what it is called with; sent to the processes, so keep them small.
        workers: number of processes; None: one a core. 1 computes here.
        what: the name of the work in the progress bar.

    The results do not depend on the number of processes.
    """
    workers = min(workers or os.cpu_count() or 1, max(1, len(items) // 16))
    if workers <= 1:
        yield from progress(map(task, items), what, total=len(items))
        return
    # Spawned, not forked: the same on every system, and safe beside torch's threads.
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        chunk = max(1, min(32, len(items) // (4 * workers)))
        yield from progress(pool.imap(task, items, chunk), what, total=len(items))
