"""The folder that an extraction writes: new, gone on with, or begun again."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hf_slt.data.staging import require_writable
from hf_slt.errors import ConfigurationError
from hf_slt.extraction.metadata_rows import JOURNAL_FILE, METADATA_FILE, Row, read_rows, write_text
from hf_slt.extraction.stream_files import IMAGE_FOLDERS, KEYPOINTS_FOLDER, POSE_FOLDER
from hf_slt.provenance import extractor_name

SETTINGS_FILE = "extraction.json"
_STAGING = re.compile(r"\.(?P<id>.+)\.[0-9]+\.partial", re.DOTALL)  # of `stream_files.staged_clip`


def prepare_output(
    folder: Path, settings: Mapping[str, Any], *, resume: bool = False, overwrite: bool = False
) -> dict[str, Row]:
    """Make an output folder ready.

    Args:
        folder: The folder.
        settings: Extractor (`extractor`, `extractor_version`) and `options` of the clips that will be written; they
            are kept in `extraction.json`.
        resume: Go on with the extraction in it, which has to be of the same settings.
        overwrite: Delete the extraction in it.

    Returns:
        Clip id -> row of what is there and stays.

    Raises:
        ConfigurationError: The folder holds something that may not be touched, or was written with other settings.
    """
    if resume and overwrite:
        raise ConfigurationError(
            "expected --resume (finished clips stay) or --overwrite (all clips are made again), found both"
        )
    if resume and folder.is_dir() and any(folder.iterdir()):
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
        folder.mkdir(parents=True, exist_ok=True)
        if overwrite:
            _remove_extraction(folder)
        write_text(folder / SETTINGS_FILE, json.dumps(settings, indent=2, sort_keys=True) + "\n")
    except OSError as error:
        raise ConfigurationError(
            f"expected an output folder that can be written, found {folder}: {error.strerror}; choose another one"
        ) from error
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
