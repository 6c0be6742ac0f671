"""Settings of a run as another person can use them: no path of the machine that trained, no token."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

# Flags of a corpus that lead to files, in the order in which a command shows them.
DATA_PATHS = (
    *("face_dir", "hand_left_dir", "hand_right_dir", "pose_dir", "metadata_csv"),
    *("train_index", "val_index", "test_index"),
    *(f"{kind}_{split}" for kind in ("keypoints", "features") for split in ("train", "val", "test")),
    *("labels_train_csv", "labels_val_csv", "labels_test_csv", "gloss_names", "cat_names"),
)
# What means nothing on another machine.
_LEFT_OUT = ("cache_dir", "logging_dir", "resume_from_checkpoint", "tensorboard")
# Where and how somebody pushes: with these, whoever repeats the run would push to the same repository.
_PUSHES = re.compile(r"(hub|push_to_hub|trackio_space)(_.*)?")
_ABSOLUTE = re.compile(r"[\\/~]|[A-Za-z]:[\\/]|file:")
_PATH_IN_TEXT = re.compile(r"(?<![\w.:/])~?(?:/[^\s/\"',;:]+){2,}")
_OWN_FOLDER = 3  # parts of the shortest folder that names no person: "/", "home", "someone"


def data_paths(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return flag -> place of its files in a folder `D`, for the flags of the corpus that were given.

    The folder that all of them lie in becomes `D`. Where that is the root or a home's parent, each is `D/<its name>`.
    """
    given = {name: str(settings[name]) for name in DATA_PATHS if settings.get(name)}
    root = _common_folder(list(given.values()))
    return {name: "/".join(("D", *_below(path, root))) for name, path in given.items()}


def _common_folder(paths: list[str]) -> str | None:
    try:
        root = os.path.commonpath([os.path.dirname(os.path.normpath(path)) for path in paths])
    except ValueError:  # no paths, or absolute ones beside relative ones
        return None
    own = os.path.isabs(root) and len(PurePath(root).parts) >= _OWN_FOLDER
    return root if own or not _is_foreign(root) else None


def _below(path: str, root: str | None) -> tuple[str, ...]:
    if root is None:
        return (base_name(path),)
    return PurePath(os.path.relpath(os.path.normpath(path), root or ".")).parts


def _is_foreign(path: str) -> bool:
    return bool(_ABSOLUTE.match(path)) or ".." in PurePath(path).parts


def base_name(path: str) -> str:
    """Return the last part of a path, of either kind of separator."""
    return re.split(r"[\\/]", path.rstrip("\\/"))[-1]


def is_hub_id(value: Any) -> bool:
    """Tell whether a value can name a repository on the hub, and is no file or folder here.

    A run records the relative path of a folder with a dot in front, so that it is none wherever this is asked.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    if not isinstance(value, str):
        return False
    try:
        validate_repo_id(value)
    except HFValidationError:
        return False
    return not os.path.exists(value)


def portable_value(value: Any) -> Any:
    """Return a value of a flag without the folders of this machine: the name alone of what lies outside of `.`."""
    if isinstance(value, Mapping):
        return {key: portable_value(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [portable_value(part) for part in value]
    if not isinstance(value, str):
        return value
    return base_name(value) if _is_foreign(value) else _PATH_IN_TEXT.sub(lambda m: base_name(m.group()), value)


def portable_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a run (`run_config.json`) that may be published.

    Args:
        settings: Flag -> effective value.

    Returns:
        The same flags but for those of pushing. Files of the corpus are in `D`, the run in `runs`; other paths are
        names; folders that only this machine has are None.
    """
    kept = {name: value for name, value in settings.items() if not _PUSHES.fullmatch(name)}
    public = {name: None if name in _LEFT_OUT else portable_value(value) for name, value in kept.items()}
    public |= data_paths(settings)
    if settings.get("output_dir"):
        public["output_dir"] = f"runs/{base_name(str(settings['output_dir'])) or 'run'}"
    return public
