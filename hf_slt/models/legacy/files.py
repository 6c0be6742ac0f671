"""Reading of `.pt` files, weights and plain values only: nothing in a file is ever executed."""

from __future__ import annotations

import hashlib
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from hf_slt.errors import ConfigurationError

try:
    from numpy._core.multiarray import scalar as _numpy_scalar
except ImportError:  # numpy 1
    from numpy.core.multiarray import scalar as _numpy_scalar

# Numbers that a metric left in a checkpoint: plain data, under the names of numpy 1 and 2.
_PLAIN_NUMBERS = [
    (_numpy_scalar, "numpy.core.multiarray.scalar"),
    (_numpy_scalar, "numpy._core.multiarray.scalar"),
    np.dtype,
    *{type(np.dtype(name)) for name in ("float64", "float32", "float16", "int64", "int32", "bool")},
]
# What wraps a model adds to its names: data parallelism in front, `torch.compile` around any part.
_WRAPPERS = ("module.", "_orig_mod.")


def read_torch_file(path: str | Path) -> dict[str, Any]:
    """Read a dictionary that `torch.save` wrote, on the CPU, without executing anything in it.

    Args:
        path: The file.

    Raises:
        ConfigurationError: There is no such file, it is none of torch's, it holds pickled objects (the message names
            their classes), or no dictionary.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigurationError(f"expected a checkpoint file (.pt), found no file {path}")
    try:
        with safe_globals(_PLAIN_NUMBERS):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ConfigurationError(_refusal(path, str(error))) from error
    except Exception as error:  # on other or damaged files torch raises a dozen types
        raise ConfigurationError(_not_torch(path, error)) from error
    if not isinstance(content, Mapping):
        raise ConfigurationError(f"expected a dictionary in {path}, found {type(content).__name__}")
    return dict(content)


def _not_torch(path: Path, error: Exception) -> str:
    shown = (str(error).splitlines() or [""])[0][:200]
    return f"expected a file written by torch.save, found {path}, which is none or damaged: {shown or repr(error)}"


def _refusal(path: Path, message: str) -> str:
    """Say what `weights_only` refused: all of it where torch can list it, else the first class."""
    try:
        with safe_globals(_PLAIN_NUMBERS):
            refused = sorted(get_unsafe_globals_in_checkpoint(path))
    except Exception:  # only zip files can be listed
        refused = re.findall(r"GLOBAL (\S+)", message)
    if not refused:
        return _not_torch(path, ValueError(message.rpartition("WeightsUnpickler error: ")[2]))
    return (
        f"expected weights and plain values in {path}, found pickled objects: {', '.join(refused)}; such a file can "
        f"execute code when it is read, so it is not. Where you trust it, load it with the tool that wrote it and save "
        f"its state dictionaries alone"
    )


def tensors_in(content: Mapping[str, Any], key: str, path: str | Path) -> dict[str, torch.Tensor]:
    """Return the state dictionary under a key of a checkpoint, its names without the prefixes of wrappers.

    Args:
        content: What [`read_torch_file`] returned.
        key: Such as `"model"`.
        path: The file, for messages.

    Raises:
        ConfigurationError: There is no such key, or no dictionary of tensors under it.
    """
    if key not in content:
        found = ", ".join(map(str, list(content)[:10])) or "nothing"
        raise ConfigurationError(f"expected '{key}' with the weights in {path}, found {found}")
    state = content[key]
    if not isinstance(state, Mapping) or not state:
        raise ConfigurationError(
            f"expected a dictionary of tensors under '{key}' in {path}, found "
            f"{'an empty one' if isinstance(state, Mapping) else type(state).__name__}"
        )
    wrong = [str(name) for name, value in state.items() if not (isinstance(name, str) and torch.is_tensor(value))]
    if wrong:
        raise ConfigurationError(f"expected tensors only under '{key}' in {path}, found other values: {wrong}")
    return strip_wrappers(state, path)


def strip_wrappers(state: Mapping[str, torch.Tensor], path: str | Path) -> dict[str, torch.Tensor]:
    """Remove `module.` and `_orig_mod.` in front of names, however they are nested, and `_orig_mod.` inside of them.

    Raises:
        ConfigurationError: Two names become the same; the message lists them.
    """
    stripped: dict[str, torch.Tensor] = {}
    twice = []
    for name, value in state.items():
        short = name
        while short.startswith(_WRAPPERS):
            short = short.partition(".")[2]
        short = short.replace("._orig_mod.", ".")
        if short in stripped:
            twice.append(name)
        stripped[short] = value
    if twice:
        raise ConfigurationError(f"expected each weight of {path} once, found again under another prefix: {twice}")
    return stripped


def plain_values(content: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """Return those of `keys` that a checkpoint has, as plain numbers and words."""
    values = {key: content[key] for key in keys if key in content}
    values = {key: value.item() if hasattr(value, "item") else value for key, value in values.items()}
    return {key: value for key, value in values.items() if value is None or isinstance(value, (bool, int, float, str))}


def file_sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
