"""Processes that work through a list of tasks, and of which any may die without harm to the other tasks."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from hf_slt.errors import MissingDependencyError

_PATIENCE = 10.0  # seconds that a stopped worker may take to clean up
_TERMINATED = 128 + 15  # exit code of a process that SIGTERM ended


@dataclass(frozen=True)
class Failure:
    """What came of a task that gave no result.

    Attributes:
        reason: What happened, for people.
    """

    reason: str


@dataclass(frozen=True)
class Progress:
    """What a task that is not at its end says of itself.

    Attributes:
        value: What its `work` reported.
    """

    value: Any


@dataclass
class _Worker:
    """A process, the line to it, and the task that it is at."""

    process: BaseProcess
    connection: Connection
    place: int
    task: int = -1


def run_in_workers(
    work: Callable[[Any, int, Callable[[Any], None]], Any], tasks: Sequence[Any], workers: int
) -> Iterator[tuple[int, Any | Failure | Progress]]:
    """Run `work(task, place, report)` for each task in processes of their own, started afresh (`spawn`).

    A task whose process dies, or whose `work` raises, is a `Failure`; the others go on, in a new process where needed.
    When the caller stops early, by an error or by closing the iterator, the processes are ended: each gets a SIGTERM,
    which reaches `work` as `SystemExit`, so that what it holds is cleaned up. They also end when this process is gone.

    Args:
        work: A function that can be imported by its name. What it gives to `report`, never from two threads at a
            time, is yielded at once.
        tasks: What it is given; they are begun in this order.
        workers: Number of processes; `place` counts them from 0.

    Yields:
        Position of a task and what came of it, as they end; or its `Progress`.

    Raises:
        OSError, MissingDependencyError: Out of `work`: a disk that is full and a package that is missing hit all tasks,
            so that they end them all.
    """
    context = multiprocessing.get_context("spawn")
    waiting = list(reversed(range(len(tasks))))
    running: list[_Worker] = []

    def start(place: int) -> None:
        """Start a worker at a place, and give it its first task."""
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, work, place), daemon=True)
        process.start()
        theirs.close()
        worker = _Worker(process, ours, place)
        running.append(worker)
        _hand_out(worker, tasks, waiting)

    try:
        for place in range(min(workers, len(tasks))):
            start(place)
        while running:
            for worker in _ready(running):
                outcome = _outcome(worker)
                yield worker.task, outcome
                if isinstance(outcome, Progress):
                    continue
                if worker.process.exitcode is None and waiting:
                    _hand_out(worker, tasks, waiting)
                    continue
                running.remove(worker)
                _end(worker)
                if waiting:
                    start(worker.place)
    finally:
        for worker in running:
            worker.process.terminate()
        for worker in running:
            _end(worker)


def _ready(running: Sequence[_Worker]) -> list[_Worker]:
    """Wait until a worker has answered or died."""
    ready = wait([end for worker in running for end in (worker.connection, worker.process.sentinel)])
    return [worker for worker in running if worker.connection in ready or worker.process.sentinel in ready]


def _hand_out(worker: _Worker, tasks: Sequence[Any], waiting: list[int]) -> None:
    worker.task = waiting.pop()
    try:
        worker.connection.send(tasks[worker.task])
    except OSError:  # it died meanwhile, which its sentinel tells as well
        return


def _outcome(worker: _Worker) -> Any | Failure | Progress:
    """Return the answer of a worker, or how it died."""
    try:
        answer = worker.connection.recv() if worker.connection.poll() else None
    except (EOFError, ConnectionError):
        answer = None
    if isinstance(answer, BaseException):
        raise answer
    if answer is not None:
        return answer
    worker.process.join(_PATIENCE)
    return Failure(f"the process that worked on it died ({_cause(worker.process.exitcode)})")


def _cause(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    name = signal.Signals(-code).name if -code in signal.valid_signals() else f"signal {-code}"
    return f"{name}; it ran out of memory, was ended, or crashed"


def _end(worker: _Worker) -> None:
    """Let a process end, by force if it does not."""
    try:
        worker.connection.send(None)
    except OSError:
        pass
    worker.connection.close()
    worker.process.join(_PATIENCE)
    if worker.process.exitcode is None:
        worker.process.kill()
        worker.process.join()


def _serve(connection: Connection, work: Callable[..., Any], place: int) -> None:
    """Answer tasks until there are no more. This runs in the worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the one who started us decides
    signal.signal(signal.SIGTERM, _terminate)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        if task is None:
            return
        try:
            answer = work(task, place, lambda value: connection.send(Progress(value)))
        except (OSError, MissingDependencyError) as error:
            answer = error
        except Exception as error:
            answer = Failure(f"{type(error).__name__}: {error}")
        try:
            connection.send(answer)
        except OSError:  # nobody is there to hear it
            return


def _terminate(number: int, frame: Any) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # nothing interrupts the cleaning up
    sys.exit(_TERMINATED)


def _end_with_the_parent() -> None:
    """End this process when the one that started it is gone, however it went."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
