"""The packages that exporting and running ONNX models needs."""

from __future__ import annotations

import importlib.metadata
from types import ModuleType

from packaging.version import Version

from hf_slt.errors import MissingDependencyError, require_package

# optimum-onnx 0.1.0, the newest, binds transformers; setup.cfg says the same in the extra `onnx`.
TRANSFORMERS = (Version("4.57"), Version("4.58"))
_PACKAGES = ("onnx", "onnxruntime", "optimum.exporters.onnx", "optimum.onnxruntime")


def require_onnx(module: str) -> ModuleType:
    """Import a module of the ONNX stack, or say which package is missing or of another version than needed.

    Args:
        module: Name of the module, for example `"optimum.onnxruntime"`.

    Raises:
        MissingDependencyError: A package of the stack is missing, or transformers is one that optimum-onnx cannot use.
    """
    check_transformers(importlib.metadata.version("transformers"))
    for name in _PACKAGES:
        require_package(name, "onnx")
    return importlib.import_module(module)


def check_transformers(version: str) -> None:
    """Raise `MissingDependencyError` for a version of transformers that optimum-onnx cannot use."""
    low, high = TRANSFORMERS
    if not low <= Version(version) < high:
        raise MissingDependencyError(
            f"expected transformers>={low},<{high}, which optimum-onnx needs, found transformers {version}; run: "
            f"pip install 'hf_slt[onnx]', best in an environment of its own"
        )
