"""Folders that are complete or absent: written beside their place, then renamed into it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hf_slt.errors import ConfigurationError

# What a folder that we wrote holds: a corpus of sentences, a corpus of single signs, splits.
CORPUS_MARKS = (("meta.csv", "index"), ("labels.csv", "keypoints", "splits"), ("split_report.json",))
Marks = Sequence[Sequence[str]]


def require_writable(
    target: Path, overwrite: bool = False, marks: Marks = CORPUS_MARKS, what: str = "a corpus"
) -> None:
    """Refuse a folder that holds something.

    Args:
        target: The folder to write.
        overwrite: Whether what we wrote there earlier may be replaced; anything else never is.
        marks: Files and folders, all of one of these groups, by which it is known.
        what: What it is called.

    Raises:
        ConfigurationError: There is a file of this name, or a folder with content that may not be replaced.
    """
    if target.exists() and not target.is_dir():
        raise ConfigurationError(f"expected a folder to write to, found a file: {target}; choose another output folder")
    if not target.is_dir() or not any(target.iterdir()):
        return
    if not overwrite:
        raise ConfigurationError(
            f"expected an empty or new output folder, found content in {target}; choose another one, or add "
            f"--overwrite to replace {what} in it"
        )
    if not any(all((target / mark).exists() for mark in group) for group in marks):
        known = " or ".join(" and ".join(group) for group in marks)
        raise ConfigurationError(
            f"expected {what} to overwrite ({known}), found other content in {target}; choose another output folder"
        )


@contextmanager
def staged_folder(
    target: str | Path, overwrite: bool = False, marks: Marks = CORPUS_MARKS, what: str = "a corpus"
) -> Iterator[Path]:
    """Give a fresh folder beside `target`, and rename it to `target` when the block ends without an error.

    Args:
        target: The folder to write; its parents are made.
        overwrite: Whether what we wrote there earlier is replaced.
        marks: By what that is known, see `require_writable`.
        what: What it is called.

    Raises:
        ConfigurationError: See `require_writable`; raised before anything is written.
    """
    target = Path(target).resolve()  # a link to a folder is written where it leads to
    try:
        require_writable(target, overwrite, marks, what)
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = target.with_name(f".{target.name}.{os.getpid()}.partial")
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir()
    except OSError as error:
        raise ConfigurationError(
            f"expected an output folder that can be made, found {target}: {error.strerror}; choose another one"
        ) from error
    try:
        yield staging
        if overwrite and target.exists():
            old = target.with_name(f".{target.name}.{os.getpid()}.old")
            target.rename(old)
            staging.rename(target)
            shutil.rmtree(old)
        else:
            staging.rename(target)  # fails where another process has put a folder in the meantime
    finally:
        shutil.rmtree(staging, ignore_errors=True)
