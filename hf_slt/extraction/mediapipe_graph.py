"""MediaPipe without its noise: importing it, building its graphs, and keeping one to a core.

MediaPipe's libraries write to the file descriptor of standard error, from their own threads and whatever the settings
of logging are; what is not theirs is written on.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import importlib.metadata
import io
import os
import re
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from hf_slt.errors import MissingDependencyError

MEDIAPIPE_VERSION = "0.10.21"  # the last one that carries its models in the wheel
INSTALL = f"pip install 'hf_slt[extraction]' and then: pip install --no-deps mediapipe=={MEDIAPIPE_VERSION}"
_NOISE = re.compile(
    rb"^([WI]\d{4} [\d:.]+ +\d+ \S+\.cc:\d+\]|INFO: Created TensorFlow Lite|WARNING: All log messages before absl|"
    rb"AttributeError: 'MessageFactory')"
)
_STDERR = 2
_lock = threading.RLock()
_depth = 0


def require_mediapipe() -> Any:
    """Import MediaPipe's `solution_base` and OpenCV, or say how to get them.

    Raises:
        MissingDependencyError: One of them is missing, or MediaPipe is a version without its models.
    """
    with quiet():
        for name in ("cv2", "mediapipe", "mediapipe.python.solution_base"):
            try:
                module = importlib.import_module(name)
            except ImportError as error:
                raise MissingDependencyError(
                    f"expected mediapipe {MEDIAPIPE_VERSION} and opencv-python-headless, found no '{name}' that "
                    f"imports ({error}); run: {INSTALL} (there are wheels for Python 3.9 to 3.12)"
                ) from error
    return module


def mediapipe_version() -> str:
    """Return the version of the installed MediaPipe.

    Raises:
        MissingDependencyError: It is not installed.
    """
    try:
        return importlib.metadata.version("mediapipe")
    except importlib.metadata.PackageNotFoundError as error:
        raise MissingDependencyError(f"expected mediapipe {MEDIAPIPE_VERSION}, found none; run: {INSTALL}") from error


class QuietGraph:
    """A MediaPipe graph that takes one RGB image at a time.

    Args:
        options: Arguments of MediaPipe's `SolutionBase`: the graph, its side inputs, outputs and thresholds.
        first_output: Name of an output; until an image first gives it, models are still being loaded.
    """

    def __init__(self, first_output: str, **options: Any):
        base = require_mediapipe()
        with quiet():
            # The graph's message types have to be known to protobuf before the graph is read.
            importlib.import_module("mediapipe.python.solutions.holistic")
            self._solution = base.SolutionBase(**options)
            self._solution._graph.wait_until_idle()  # calculators open, and log, in threads of the graph
        self._first_output = first_output
        self._is_loaded = False

    def process(self, image: np.ndarray) -> Mapping[str, Any]:
        """Return what the graph gives for an image, by the names of its outputs; None for what it does not give.

        Args:
            image: uint8 RGB `(H, W, 3)`.
        """
        image = np.ascontiguousarray(image)
        if self._is_loaded:
            return self._run(image)
        with quiet():
            found = self._run(image)
        self._is_loaded = bool(found.get(self._first_output))
        return found

    def _run(self, image: np.ndarray) -> dict[str, Any]:
        results = self._solution.process(image)
        return {name: getattr(results, name) for name in results._fields}

    def close(self) -> None:
        """Free the graph; it is of no use afterwards."""
        if self._solution is not None:
            with quiet():
                self._solution.close()
            self._solution = None


class KeptGraph:
    """A graph of images that have nothing to do with each other: built when first needed, and kept for the process.

    Building one takes as long as several images do. Threads take turns.

    Args:
        first_output: As for `QuietGraph`.
        options: As for `QuietGraph`.
    """

    def __init__(self, first_output: str, **options: Any):
        self._build = partial(QuietGraph, first_output, **options)
        self._graph: QuietGraph | None = None
        self._turn = threading.Lock()

    def process(self, image: np.ndarray) -> Mapping[str, Any]:
        """Return what the graph gives for an image, see `QuietGraph.process`."""
        with self._turn:
            if self._graph is None:
                self._graph = self._build()
                atexit.register(self.close)  # its threads have to end before Python does
            try:
                return self._graph.process(image)
            except Exception:
                self.close()  # a graph is of no use after an error
                raise

    def close(self) -> None:
        """Free the graph; the next image builds it again."""
        if self._graph is not None:
            graph, self._graph = self._graph, None
            atexit.unregister(self.close)
            graph.close()


@contextmanager
def quiet() -> Iterator[None]:
    """Hold standard error back and drop MediaPipe's lines from it; for the moments in which it is set up."""
    global _depth
    with _lock:
        nested, _depth = _depth > 0, _depth + 1
        try:
            if nested:
                yield
            else:
                with _held_back():
                    yield
        finally:
            _depth -= 1


@contextmanager
def _held_back() -> Iterator[None]:
    real, text = os.dup(_STDERR), io.StringIO()  # in a notebook, Python's stream is not the file descriptor
    with tempfile.TemporaryFile() as held, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what MediaPipe uses of protobuf is deprecated
        os.dup2(held.fileno(), _STDERR)
        try:
            with contextlib.redirect_stderr(text):
                yield
        finally:
            os.dup2(real, _STDERR)
            os.close(real)
            held.seek(0)
            for line in held.readlines():
                if not _NOISE.match(line):
                    os.write(_STDERR, line)
            sys.stderr.writelines(line for line in text.getvalue().splitlines(True) if not _NOISE.match(line.encode()))


@contextmanager
def one_core(index: int = 0) -> Iterator[None]:
    """Keep this thread, and the threads started from it, to one core; where the system cannot, nothing happens.

    A landmark model that is spread over cores pays more for waiting than it gains.

    Args:
        index: Counts the cores that this process may use, over and over.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(cores)[index % len(cores)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
