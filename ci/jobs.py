"""Jobs done in order of dependence, by several processes of one thread each."""

import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Hashable, Iterator, Mapping
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

Job = Hashable


def in_order(
    task: Callable, before: Mapping[Job, Job | None], workers: int
) -> Iterator[tuple[Job, object, str]]:
    """Yield each job with its result and "", or None and the error, as they are done.

    ``before`` maps each job to the one that must be done first, or to None, and
    ``task(job, given)`` gets that one's result, or None. The task is a function of a module,
    since it is sent to the processes by name; jobs and results are pickled. A job that fails,
    or whose process is killed, takes down those that wait for it and no other. The longest
    chains go first. To leave the loop early, or to kill this process, ends the others.
    """
    todo = sorted(before, key=_waiting(before).get, reverse=True)
    results: dict[Job, object] = {}
    failed: set[Job] = set()
    idle: list[Connection] = []
    busy: dict[Connection, Job] = {}
    processes: dict[Connection, BaseProcess] = {}
    try:
        while todo or busy:
            # Jobs of a chain stand in its order, so this finds all that wait for a failed one.
            for job in list(todo):
                if before[job] in failed:
                    todo.remove(job)
                    failed.add(job)
                    yield job, None, "what it starts from failed"
            for job in list(todo):
                if len(busy) < workers and (before[job] is None or before[job] in results):
                    todo.remove(job)
                    connection = idle.pop() if idle else _start(task, processes)
                    connection.send((job, results.get(before[job])))
                    busy[connection] = job
            for connection in wait(list(busy)):
                job = busy.pop(connection)
                try:
                    result, error = connection.recv()
                    idle.append(connection)
                except (EOFError, OSError):
                    result, error = None, "its process ended; was memory short?"
                if error:
                    failed.add(job)
                else:
                    results[job] = result
                yield job, result, error
    finally:
        for connection, process in processes.items():
            connection.close()  # who waits for a job ends by this, who is at one by a signal
            if connection in busy:
                process.terminate()
        for process in processes.values():
            process.join(10)
            process.kill()


def _waiting(before: Mapping[Job, Job | None]) -> dict[Job, int]:
    """How many jobs the longest chain has that begins with each job, itself counted."""
    length = dict.fromkeys(before, 1)
    for last in before:
        job, steps = before[last], 2
        while job is not None:
            length[job] = max(length[job], steps)
            job, steps = before[job], steps + 1
    return length


def _start(task: Callable, processes: dict[Connection, BaseProcess]) -> Connection:
    here, there = multiprocessing.Pipe()
    # Spawned, not forked: the same on every system, and safe beside torch's threads.
    process = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(task, there), daemon=True
    )
    old = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        process.start()
    finally:
        for name, value in old.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
    there.close()  # the end of the process is then the end of the pipe
    processes[here] = process
    return here


def _serve(task: Callable, connection: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends us
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            job, given = connection.recv()
        except EOFError:
            return
        try:
            connection.send((task(job, given), ""))
        except Exception:
            connection.send((None, traceback.format_exc()))


def _end_with_parent() -> None:
    """A parent that is killed ends nobody; two at work in one folder would be the harm."""
    multiprocessing.parent_process().join()
    os._exit(1)
