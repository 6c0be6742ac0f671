"""What the models on ONNX Runtime share. Importing this module needs the extra `onnx`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hf_slt.errors import ConfigurationError, HfSltError
from hf_slt.exporters.requirements import require_onnx
from hf_slt.models.auto import register_models

onnxruntime = require_onnx("onnxruntime")
_modeling = require_onnx("optimum.onnxruntime.modeling")


def session_options(num_threads: int | None = None) -> Any:
    """Return options of a session.

    Args:
        num_threads: Threads of one operator; all cores by default.
    """
    options = onnxruntime.SessionOptions()
    if num_threads is not None:
        options.intra_op_num_threads = num_threads
    # Threads that wait for work in a loop are fast within a run; after it they would take the cores from torch.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    options.log_severity_level = 3  # errors; warnings are about how the graph could be optimized
    return options


class ExportedModelMixin:
    """Loading of a folder that `export_onnx.py` or `optimum-cli` wrote; comes first in the bases of a class."""

    @classmethod
    def from_pretrained(cls, model_id: str | Path, *, num_threads: int | None = None, **kwargs: Any) -> Any:
        """Load a model by folder or hub name.

        Args:
            model_id: The folder of the export, or its name on the hub.
            num_threads: Threads of one operator, all cores by default; `session_options`, if given, say it themselves.
            kwargs: What optimum's `ORTModel.from_pretrained` takes: `provider`, `session_options`, `revision`, ...

        Raises:
            ConfigurationError: It holds no exported model of this kind.
        """
        register_models()
        # optimum would trace it now, and nobody would have compared the result with PyTorch.
        if Path(model_id).is_dir() and not any(Path(model_id).rglob("*.onnx")):
            raise ConfigurationError(
                f"expected the folder of an export for {cls.__name__}, found no .onnx file in '{model_id}'; export the "
                f"model first: scripts/export_onnx.py --checkpoint RUN --output FOLDER"
            )
        kwargs["session_options"] = kwargs.get("session_options") or session_options(num_threads)
        try:
            return super().from_pretrained(model_id, **kwargs)
        except HfSltError:
            raise
        except Exception as error:  # on damaged files ONNX Runtime raises types of its own, which are bare exceptions
            message = re.sub(r"\s+", " ", str(error))[:300]
            raise ConfigurationError(
                f"expected the folder of an export (scripts/export_onnx.py) for {cls.__name__}, found '{model_id}', "
                f"which does not load: {message}"
            ) from error

    @staticmethod
    def _infer_file_path(
        pattern: str, onnx_files: Sequence[Path], standard_file_name: str, target_file_name: str | None = None
    ) -> Path:
        # Folders inside the model's own hold its variants, int8 for example: they are not looked at.
        depth = min(len(file.parts) for file in onnx_files)
        own = [file for file in onnx_files if len(file.parts) == depth]
        return _modeling.ORTModel._infer_file_path(pattern, own, standard_file_name, target_file_name)
