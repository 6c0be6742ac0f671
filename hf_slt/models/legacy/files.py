"""Reading of `.pt` files, weights and plain values only: nothing in a file is ever executed."""

from __future__ import annotations

import hashlib
import math
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
    from numpy._core import multiarray as _numpy
except ImportError:  # numpy 1
    from numpy.core import multiarray as _numpy

# Numbers and arrays that metrics left in a checkpoint: plain data, under the names of numpy 1 and 2. Not arrays of
# objects.
_PLAIN_DATA = [
    *(
        (getattr(_numpy, name), f"numpy.{core}.multiarray.{name}")
        for name in ("scalar", "_reconstruct")
        for core in ("core", "_core")
    ),
    np.ndarray,
    np.dtype,
    *{type(np.dtype(code)) for code in "?bhilqBHILQefdSU"},
]
# How a file of torch.save begins: as a zip archive or, before torch 1.6, as a pickle.
_BEGINNINGS = (b"PK\x03\x04", b"\x80")
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
    with path.open("rb") as file:
        beginning = file.read(40)
    if not beginning.startswith(_BEGINNINGS):  # torch would take letters for instructions of a pickle
        raise ConfigurationError(_not_torch(path, f"it begins with {beginning!r}" if beginning else "it is empty"))
    try:
        with safe_globals(_PLAIN_DATA):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ConfigurationError(_refusal(path, str(error))) from error
    except Exception as error:  # on other or damaged files torch raises a dozen types
        raise ConfigurationError(_not_torch(path, _first_line(error))) from error
    if not isinstance(content, Mapping):
        raise ConfigurationError(f"expected a dictionary in {path}, found {type(content).__name__}")
    return dict(content)


def _not_torch(path: Path, found: str) -> str:
    return f"expected a file written by torch.save, found {path}, which is none or damaged: {found}"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:200] or repr(error)


def _refusal(path: Path, message: str) -> str:
    """Say what `weights_only` refused: all of it where torch can list it, else the first class."""
    try:
        with safe_globals(_PLAIN_DATA):
            refused = sorted(get_unsafe_globals_in_checkpoint(path))
    except Exception:  # only zip files can be listed
        refused = []
    refused = refused or re.findall(r"(?:GLOBAL |but got <class ')([\w.]+)", message)
    if not refused:
        return _not_torch(path, message.rpartition("WeightsUnpickler error: ")[2][:200])
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
        ConfigurationError: There is no such key, or no dictionary of tensors of real numbers under it.
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
    require_numbers(state, path)
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


def require_numbers(weights: Mapping[str, torch.Tensor], path: str | Path) -> None:
    """Refuse weights that no model of ours can hold.

    Args:
        weights: Name -> tensor.
        path: Where they are from, for messages.

    Raises:
        ConfigurationError: Sparse, quantized or complex weights, or some without values; all are listed.
    """
    wrong = {name: kind for name, value in weights.items() if (kind := _odd_kind(value))}
    if wrong:
        shown = ", ".join(f"{name} ({kind})" for name, kind in wrong.items())
        raise ConfigurationError(f"expected weights of plain real numbers in {path}, found {shown}")


def _odd_kind(value: torch.Tensor) -> str | None:
    if value.is_meta:
        return "without values"
    if value.layout != torch.strided:
        return "sparse"
    return "complex" if value.is_complex() else "quantized" if value.is_quantized else None


def not_finite(weights: Mapping[str, torch.Tensor]) -> list[str]:
    """Return the names of weights that hold NaN or infinity: a training that diverged."""
    return [name for name, value in weights.items() if value.is_floating_point() and not value.float().isfinite().all()]


def plain_values(content: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """Return those of `keys` that a checkpoint has, as what JSON can hold.

    Numbers and words stay; NaN and infinity are words; of several numbers only their shape is told.
    """
    values = {key: _plain(content[key]) for key in keys if key in content}
    return {key: value for key, value in values.items() if value is None or isinstance(value, (bool, int, float, str))}


def _plain(value: Any) -> Any:
    if isinstance(value, (torch.Tensor, np.ndarray, np.generic)):
        if math.prod(value.shape) != 1:
            return f"numbers of shape {tuple(value.shape)}"
        value = value.item()
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def file_sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
