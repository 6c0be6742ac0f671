"""What every script shares: logging, and errors for people with exit code 2."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable, Sequence

from hf_slt.errors import HfSltError


def run_script(main: Callable[[list[str]], None], argv: Sequence[str] | None = None) -> None:
    """Run a script's `main(argv)`; an error raised on purpose is printed without a traceback and exits with code 2."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    # Checkpoints are rotated by number then, which is right as well.
    warnings.filterwarnings("ignore", message="mtime may not be reliable")
    for name in ("httpx", "datasets", "accelerate", "fsspec"):
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        main(list(sys.argv[1:] if argv is None else argv))
    except HfSltError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        sys.exit(2)
