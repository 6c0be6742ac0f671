"""What every script shares: logging, and errors for people with exit code 2."""

from __future__ import annotations

import ctypes
import errno
import logging
import os
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from hf_slt.errors import HfSltError

# A disk that is full, over a quota or read-only is nobody's mistake in the code.
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}

_NO_READER = 128 + 13  # of SIGPIPE, which not every system has


def run_script(main: Callable[[list[str]], None], argv: Sequence[str] | None = None) -> None:
    """Run a script's `main(argv)` and exit as people and schedulers expect.

    An error raised on purpose, or a full disk, is printed without a traceback and exits with code 2; SIGTERM exits with
    143, Ctrl-C with 130, and output that nobody reads any more (`| head`) with 141 (128 + the signal's number).
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    # Checkpoints are rotated by number then, which is right as well.
    warnings.filterwarnings("ignore", message="mtime may not be reliable")
    for name in ("httpx", "datasets", "accelerate", "fsspec"):
        logging.getLogger(name).setLevel(logging.WARNING)
    before = signal.signal(signal.SIGTERM, _terminate)
    _stop_with_the_launcher()
    try:
        _run_and_flush(main, list(sys.argv[1:] if argv is None else argv))
    except HfSltError as error:
        _leave(f"{type(error).__name__}: {error}", 2)
    except KeyboardInterrupt:
        _leave("interrupted", 128 + signal.SIGINT)
    except SystemExit as leaving:  # a run that was stopped says how to go on
        if message := getattr(leaving, "message", None):
            sys.stderr.write(f"\n{message}\n")  # a progress bar may stand on the line
        raise
    except OSError as error:
        if isinstance(error, BrokenPipeError) and _is_output_closed():
            sys.exit(_NO_READER)
        if error.errno not in _DISK:
            raise
        _leave(f"expected to write {error.filename or 'a file'}, found: {error.strerror}; make room and try again", 2)
    finally:
        signal.signal(signal.SIGTERM, before)


def _run_and_flush(main: Callable[[list[str]], None], argv: list[str]) -> None:
    """Run `main` and write out what it printed: at the exit of the interpreter an error could not be handled."""
    try:
        main(argv)
    except SystemExit:  # help, for example
        sys.stdout.flush()
        raise
    sys.stdout.flush()


def _is_output_closed() -> bool:
    """Tell whether it was the standard output that broke, not a pipe to a process; if so, the rest is thrown away."""
    try:
        sys.stdout.write("\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False


def hf_slt_command() -> None:
    """Run the console command `hf-slt`: a command of `hf_slt.commands`, as its script runs, or the list of them."""
    run_script(_run_command)


def _run_command(argv: list[str]) -> None:
    import hf_slt
    from hf_slt import commands

    if not argv or argv[0] in ("-h", "--help", "help"):
        sys.stdout.write(f"{commands.describe_commands()}\n")
    elif argv[0] == "--version":
        sys.stdout.write(f"{commands.PROGRAM} {hf_slt.__version__}\n")
    else:
        module = commands.load_command(argv[0])
        sys.argv = [f"{commands.PROGRAM} {argv[0]}", *argv[1:]]  # the name that argparse shows
        module.main(argv[1:])


def _stop_with_the_launcher() -> None:
    """Ask Linux for a SIGTERM when the launcher is gone.

    `accelerate launch` with one process hands no signal on: without this, the run would train on beside the one that is
    started in its place. With several processes the launcher stops them itself.
    """
    is_launched = "ACCELERATE_MIXED_PRECISION" in os.environ and "LOCAL_RANK" not in os.environ
    if is_launched and sys.platform == "linux":
        set_parent_death_signal = 1  # PR_SET_PDEATHSIG of <sys/prctl.h>
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)


def _terminate(number: int, frame: Any) -> None:
    sys.exit(128 + number)


def _leave(message: str, code: int) -> None:
    sys.stderr.write(f"{message}\n")
    sys.exit(code)
