"""Being stopped from outside: SIGTERM (a scheduler, a container) and Ctrl-C, in the middle of training."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch

STOPPING = (signal.SIGTERM, signal.SIGINT)
# Seconds. A launcher hands on what the whole group of processes got already: a signal soon after the first is the same.
IMPATIENCE = 3.0


class Interrupted(SystemExit):
    """The run was stopped by a signal, and has saved what it had to; exits with 128 + the signal's number.

    Args:
        number: The signal.
        message: What to tell people.
    """

    def __init__(self, number: int, message: str):
        super().__init__(128 + number)
        self.message = message


class EvaluationAbandoned(Exception):
    """An evaluation was left in the middle because of a signal."""


class StopSignal:
    """Remembers a signal, so that a run stops where it can go on from; a second Ctrl-C stops it at once.

    Attributes:
        number: The signal that came, or None.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._since = 0.0

    @contextlib.contextmanager
    def listen(self) -> Iterator[None]:
        """Catch the signals that ask to stop, while this lasts; only the main thread can."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._remember) for number in STOPPING}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _remember(self, number: int, frame: Any) -> None:
        if self.number is None:
            self.number, self._since = number, time.monotonic()
        elif number == signal.SIGINT and time.monotonic() - self._since > IMPATIENCE:
            raise Interrupted(number, "stopped at once by a second Ctrl-C: what came after the last checkpoint is lost")


def ignore_stop_signals(worker_init: Callable[[int], None] | None, worker: int) -> None:
    """Start a process that loads data; signals to the whole group are for the run to act on, which ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "sigwaitinfo"):  # macOS has no way to tell who sent a signal
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_leave_when_the_run_does, args=(os.getppid(),), daemon=True).start()
    if worker_init is not None:
        worker_init(worker)


def _leave_when_the_run_does(run: int) -> None:
    """End this process at a SIGTERM of the run itself, which waits for it on its way out; leave out those of others."""
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != run:
        pass
    os._exit(0)


def shield_workers(loader: Any) -> Any:
    """Make the workers of a loader ignore signals that ask to stop, from their first moment; returns the loader."""
    target = getattr(loader, "base_dataloader", loader)
    start = target.worker_init_fn
    if not isinstance(start, functools.partial) or start.func is not ignore_stop_signals:
        target.worker_init_fn = functools.partial(ignore_stop_signals, start)
        target._get_iterator = functools.partial(_start_with_signals_blocked, target._get_iterator)
        if target.persistent_workers:
            # They start once a run, and once more in one that is resumed: that must draw no number of the training's.
            target._get_iterator = functools.partial(_start_without_drawing, target._get_iterator)
    return loader


def _start_without_drawing(get_iterator: Callable[[], Any]) -> Any:
    with torch.random.fork_rng(devices=[]):
        return get_iterator()


def _start_with_signals_blocked(get_iterator: Callable[[], Any]) -> Any:
    """Start the workers; they inherit the blocked signals, which this process gets as soon as they have started."""
    if not hasattr(signal, "sigwaitinfo"):
        return get_iterator()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, set(STOPPING))
    try:
        return get_iterator()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
