"""What the models on ONNX Runtime share. Importing this module needs the extra `onnx`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import torch

from hf_slt.errors import ConfigurationError, HfSltError
from hf_slt.exporters.requirements import require_onnx
from hf_slt.models.auto import register_models

onnxruntime = require_onnx("onnxruntime")
_modeling = require_onnx("optimum.onnxruntime.modeling")

# The folder inside the model's that is being loaded: optimum does not hand it to `_infer_file_path`.
_SUBFOLDER: ContextVar[str] = ContextVar("subfolder", default="")
_EXPORT_FIRST = "export the model first: scripts/export_onnx.py --checkpoint RUN --output FOLDER"


def session_options(num_threads: int | None = None) -> Any:
    """Return options of a session.

    Args:
        num_threads: Threads of one operator, 1 or more; all cores by default.

    Raises:
        ConfigurationError: `num_threads` is no such number.
    """
    options = onnxruntime.SessionOptions()
    if num_threads is not None:
        if not isinstance(num_threads, int) or isinstance(num_threads, bool) or num_threads < 1:
            raise ConfigurationError(
                f"expected num_threads to be a whole number of 1 or more, or None for all cores, found {num_threads!r}"
            )
        options.intra_op_num_threads = num_threads
    # Threads that wait for work in a loop are fast within a run; after it they would take the cores from torch.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    options.log_severity_level = 3  # errors; warnings are about how the graph could be optimized
    return options


def as_values(name: str, value: Any) -> torch.Tensor:
    """Return an input of the graph, whatever its type of number, as what the graph computes with: float32.

    Raises:
        ConfigurationError: It holds no numbers.
    """
    return _as_tensor(name, value).float()


def as_mask(name: str, value: Any) -> torch.Tensor:
    """Return a mask as the graph reads it, 0 or 1; as in PyTorch every value but 0 counts as 1.

    Raises:
        ConfigurationError: It holds no numbers.
    """
    return (_as_tensor(name, value) != 0).long()


def _as_tensor(name: str, value: Any) -> torch.Tensor:
    try:
        return torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ConfigurationError(f"expected a tensor or an array of numbers as {name}, found {error}") from error


def check_asked_outputs(**asked: bool | None) -> None:
    """Check that nothing is asked for that the files of an export do not compute.

    Raises:
        ConfigurationError: Something is.
    """
    wrong = [name for name, is_asked in asked.items() if is_asked]
    if wrong:
        raise ConfigurationError(
            f"expected no {', '.join(wrong)} of a model on ONNX Runtime, whose files do not return them, found "
            f"{', '.join(f'{name}=True' for name in wrong)}; take the PyTorch model for them"
        )


def check_location(model_id: Any, subfolder: str, kind: str) -> None:
    """Check what is to be loaded: a name, and if it is that of a folder, one with ONNX files of its own.

    Args:
        model_id: A folder, or a name on the hub.
        subfolder: The folder inside it that is to be loaded; empty: itself.
        kind: Name of the class that loads it, for the message.

    Raises:
        ConfigurationError: It is neither, or there are no ONNX files.
    """
    if not isinstance(model_id, (str, Path)) or not str(model_id):
        raise ConfigurationError(f"expected the folder of an export for {kind}, found {model_id!r}")
    folder = Path(model_id, subfolder)
    if Path(model_id).is_dir() and not any(folder.glob("*.onnx")):
        raise _no_files(kind, folder, {file.parent.relative_to(folder) for file in folder.rglob("*.onnx")})


def _no_files(kind: str, folder: Any, others: set[Path]) -> ConfigurationError:
    hint = _EXPORT_FIRST
    if others:
        hint = f"there are some in its folders {sorted(map(str, others))}: load one of these"
    return ConfigurationError(f"expected the folder of an export for {kind}, found no .onnx file in '{folder}'; {hint}")


def load_error(kind: str, model_id: Any, error: Exception) -> ConfigurationError:
    """Return the error for files that ONNX Runtime or optimum do not load."""
    message = re.sub(r"\s+", " ", str(error))[:300]
    return ConfigurationError(
        f"expected the folder of an export (scripts/export_onnx.py) for {kind}, found '{model_id}', which does not "
        f"load: {message}"
    )


class ExportedModelMixin:
    """Loading of a folder that `export_onnx.py` or `optimum-cli` wrote; comes first in the bases of a class."""

    @classmethod
    def from_pretrained(cls, model_id: str | Path, *, num_threads: int | None = None, **kwargs: Any) -> Any:
        """Load a model by folder or hub name.

        Args:
            model_id: The folder of the export, or its name on the hub. Folders inside it, which may hold variants, are
                not looked at; `subfolder` names one to load.
            num_threads: Threads of one operator, all cores by default; `session_options`, if given, say it themselves.
            kwargs: What optimum's `ORTModel.from_pretrained` takes: `provider`, `session_options`, `subfolder`, ...

        Raises:
            ConfigurationError: It holds no exported model of this kind, or `num_threads` is not 1 or more.
        """
        register_models()
        check_location(model_id, kwargs.get("subfolder") or "", cls.__name__)
        kwargs["session_options"] = kwargs.get("session_options") or session_options(num_threads)
        try:
            return super().from_pretrained(model_id, **kwargs)
        except HfSltError:
            raise
        except Exception as error:  # on damaged files ONNX Runtime raises types of its own, which are bare exceptions
            raise load_error(cls.__name__, model_id, error) from error

    @classmethod
    def _from_pretrained(cls, model_id: str | Path, config: Any, subfolder: str = "", **kwargs: Any) -> Any:
        before = _SUBFOLDER.set(subfolder)
        try:
            return super()._from_pretrained(model_id, config, subfolder=subfolder, **kwargs)
        finally:
            _SUBFOLDER.reset(before)

    @classmethod
    def _export(cls, model_id: str | Path, *args: Any, **kwargs: Any) -> Any:
        # Where there are no files, or on demand, optimum would trace the model now, and nobody would have compared the
        # result with PyTorch.
        raise ConfigurationError(
            f"expected a model that is exported already for {cls.__name__}, found export=True or no .onnx file in "
            f"'{model_id}'; {_EXPORT_FIRST}"
        )

    @classmethod
    def _infer_file_path(
        cls, pattern: str, onnx_files: Sequence[Path], standard_file_name: str, target_file_name: str | None = None
    ) -> Path:
        # Folders inside the model's own hold its variants, int8 for example: they are not looked at.
        folder = Path(_SUBFOLDER.get())
        own = [file for file in onnx_files if file.parent == folder]
        if not own:
            raise _no_files(
                cls.__name__, _SUBFOLDER.get() or "the model's own folder", {file.parent for file in onnx_files}
            )
        return _modeling.ORTModel._infer_file_path(pattern, own, standard_file_name, target_file_name)
