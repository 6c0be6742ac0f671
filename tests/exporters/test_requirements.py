"""What exporting needs, and what is said when it is not there."""

import sys

import pytest

from hf_slt.errors import MissingDependencyError
from hf_slt.exporters.requirements import check_transformers, require_onnx

try:
    onnx = require_onnx("onnx")
except MissingDependencyError as error:
    pytest.skip(f"no test of the exporters runs: {error}", allow_module_level=True)


def test_a_module_of_the_stack_is_imported():
    assert require_onnx("onnx") is onnx


@pytest.mark.parametrize("version", ["4.57", "4.57.0", "4.57.6"])
def test_the_transformers_that_optimum_onnx_takes(version):
    check_transformers(version)


@pytest.mark.parametrize("version", ["4.56.9", "4.58.0", "5.23.1"])
def test_another_transformers_names_the_pin(version):
    with pytest.raises(
        MissingDependencyError, match=rf"transformers>=4.57,<4.58, .* found transformers {version}; run"
    ):
        check_transformers(version)


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime", "optimum.exporters.onnx", "optimum.onnxruntime"])
def test_a_missing_package_names_the_extra(missing, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(
        MissingDependencyError, match=rf"expected the package '{missing}'.*pip install 'hf_slt\[onnx\]'"
    ):
        require_onnx("optimum.onnxruntime.modeling")
