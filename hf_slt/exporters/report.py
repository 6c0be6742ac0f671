"""What is said of an export: its files, what they take and return, and what wrote them.

Importing this module needs the extra `onnx`.
"""

from __future__ import annotations

import importlib.metadata
import platform
from pathlib import Path
from typing import Any

import hf_slt
from hf_slt.exporters.ort_loading import session_options
from hf_slt.exporters.requirements import require_onnx
from hf_slt.models.legacy.files import file_sha256

onnx = require_onnx("onnx")
onnxruntime = require_onnx("onnxruntime")

EXPORT_REPORT = "export_report.json"
_PACKAGES = ("torch", "transformers", "optimum", "optimum-onnx", "onnx", "onnxruntime")


def describe_files(folder: Path) -> dict[str, Any]:
    """Describe the models in a folder.

    Returns:
        Name of the file -> `sha256`, `bytes` and, of an ONNX file, `opset`, `inputs` and `outputs`: name -> `dtype` and
        `axes`, where an axis that varies is a name.
    """
    paths = sorted(path for path in folder.iterdir() if path.suffix in (".onnx", ".pt", ".onnx_data"))
    return {path.name: {"sha256": file_sha256(path), "bytes": path.stat().st_size, **_graph(path)} for path in paths}


def _graph(path: Path) -> dict[str, Any]:
    if path.suffix != ".onnx":
        return {}
    model = onnx.load(path, load_external_data=False)
    opsets = {opset.domain or "ai.onnx": opset.version for opset in model.opset_import}
    session = onnxruntime.InferenceSession(path, session_options(), providers=["CPUExecutionProvider"])
    sides = {"inputs": session.get_inputs(), "outputs": session.get_outputs()}
    axes = {
        side: {value.name: {"dtype": value.type, "axes": value.shape} for value in values}
        for side, values in sides.items()
    }
    return {"opset": opsets, **axes}


def versions() -> dict[str, str]:
    """Return the versions of Python, hf_slt and the packages that wrote and ran the export."""
    found = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {"python": platform.python_version(), "hf_slt": hf_slt.__version__, **found}
