"""The folder that an extraction writes: new, gone on with, or begun again."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hf_slt.data.staging import require_writable
from hf_slt.errors import ConfigurationError
from hf_slt.extraction.metadata_rows import JOURNAL_FILE, METADATA_FILE, Row, read_rows, write_text
from hf_slt.extraction.stream_files import IMAGE_FOLDERS, KEYPOINTS_FOLDER, POSE_FOLDER
from hf_slt.provenance import extractor_name

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)

SETTINGS_FILE = "extraction.json"
_STAGING = re.compile(r"\.(?P<id>.+)\.[0-9]+\.partial", re.DOTALL)  # of `stream_files.staged_clip`


@contextmanager
def prepared_output(
    folder: Path, settings: Mapping[str, Any], *, resume: bool = False, overwrite: bool = False
) -> Iterator[dict[str, Row]]:
    """Make an output folder ready, and keep other runs out of it while the block lasts.

    Args:
        folder: The folder.
        settings: Extractor (`extractor`, `extractor_version`) and `options` of the clips that will be written; they
            are kept in `extraction.json`.
        resume: Go on with the extraction in it, which has to be of the same settings.
        overwrite: Delete the extraction in it.

    Yields:
        Clip id -> row of what is there and stays.

    Raises:
        ConfigurationError: The folder holds something that may not be touched, was written with other settings, or
            another run writes to it.
    """
    if resume and overwrite:
        raise ConfigurationError(
            "expected --resume (finished clips stay) or --overwrite (all clips are made again), found both"
        )
    if folder.exists() and not folder.is_dir():
        require_writable(folder)
    with _sole_writer(folder):
        yield _prepare(folder, settings, resume, overwrite)


@contextmanager
def _sole_writer(folder: Path) -> Iterator[None]:
    """Lock a folder, which is made if it is not there, for the block.

    The folder itself is locked (`flock`): no file is left in it, and the lock goes with the process, however that ends.
    Systems and file systems without such locks do without.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY) if fcntl else None
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        if fcntl and descriptor is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise ConfigurationError(
            f"expected to be the only run that writes to {folder}, found another one at work there; wait for its end, "
            "or choose another output folder"
        ) from error
    except OSError:
        logger.debug("%s cannot be locked", folder)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _unwritable(folder: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"expected an output folder that can be written, found {folder}: {error.strerror}; choose another one"
    )


def _prepare(folder: Path, settings: Mapping[str, Any], resume: bool, overwrite: bool) -> dict[str, Row]:
    """Check what is in a folder, take away what may not stay, and return the rows of what does."""
    if resume and any(folder.iterdir()):
        _check_settings(folder, settings)
        remove_partial(folder)
        return read_rows(folder)
    if not overwrite and (folder / SETTINGS_FILE).is_file():
        raise ConfigurationError(
            f"expected an empty or new output folder, found an extraction in {folder}; add --resume to go on with it, "
            "--overwrite to make all clips again, or choose another one"
        )
    require_writable(folder, overwrite, marks=((SETTINGS_FILE,),), what="an extraction")
    try:
        if overwrite:
            _remove_extraction(folder)
        write_text(folder / SETTINGS_FILE, json.dumps(settings, indent=2, sort_keys=True) + "\n")
    except OSError as error:
        raise _unwritable(folder, error) from error
    return {}


def _remove_extraction(folder: Path) -> None:
    remove_partial(folder)
    for name in (*IMAGE_FOLDERS.values(), POSE_FOLDER, KEYPOINTS_FOLDER):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in (METADATA_FILE, JOURNAL_FILE):
        (folder / name).unlink(missing_ok=True)


def remove_partial(folder: Path, video_id: str | None = None) -> None:
    """Take away what clips left whose process was ended without a chance to clean up.

    Args:
        folder: Folder of the extraction.
        video_id: The clip; None: all of them.
    """
    for path in folder.iterdir():
        if (match := _STAGING.fullmatch(path.name)) and video_id in (None, match["id"]) and path.is_dir():
            shutil.rmtree(path, ignore_errors=True)


def _check_settings(folder: Path, settings: Mapping[str, Any]) -> None:
    """Refuse to go on with an extraction of other settings: a folder holds clips that were made alike."""
    path = folder / SETTINGS_FILE
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
        earlier, wanted = (_flat_settings(record) for record in (before, settings))
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise ConfigurationError(
            f"expected an extraction to go on with (--resume) in {folder}, found no readable {SETTINGS_FILE} in it; "
            "choose another output folder"
        ) from error
    other = [
        f"{name} {earlier.get(name)!r} there, {wanted.get(name)!r} now"
        for name in sorted({*earlier, *wanted})
        if earlier.get(name) != wanted.get(name)
    ]
    if other:
        raise ConfigurationError(
            f"expected the settings that {folder} was extracted with, found others: {'; '.join(other)}; use the same "
            "ones, another --output, or --overwrite in place of --resume to make all clips again"
        )


def _flat_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of `extraction.json` as one level: extractor and its version beside the options."""
    return {"extractor": extractor_name(settings), **settings["options"]}
