"""Tests that need the extra `onnx`."""

import pytest

from hf_slt.errors import MissingDependencyError
from hf_slt.exporters.requirements import require_onnx


def skip_without_onnx() -> None:
    """Skip the test, or the module that calls it, where exports neither are written nor run."""
    try:
        require_onnx("optimum.onnxruntime")
    except MissingDependencyError as error:
        pytest.skip(str(error), allow_module_level=True)
