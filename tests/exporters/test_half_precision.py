"""Weights in half precision: half the file, the values that half precision has, computed with in fp32."""

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from hf_slt.errors import ConfigurationError
from hf_slt.exporters import onnx_files
from hf_slt.exporters.half_precision import store_in_half_precision

DTYPES = {"fp16": np.float16, "bf16": ml_dtypes.bfloat16}
WEIGHT = np.random.default_rng(0).normal(size=(32, 24)).astype(np.float32)
BIAS = np.random.default_rng(1).normal(size=24).astype(np.float32)
FRAMES = np.random.default_rng(2).normal(size=(3, 32)).astype(np.float32)


def write_model(path, weight=WEIGHT):
    """Write y = x @ w + b, where the product is inside of an If, as in a merged decoder."""
    value = helper.make_tensor_value_info
    branches = [
        helper.make_graph(nodes, name, [], [value("product", TensorProto.FLOAT, ["n", 24])])
        for name, nodes in (
            ("then", [helper.make_node("MatMul", ["x", "w"], ["product"])]),
            ("else", [helper.make_node("Neg", ["x2"], ["n"]), helper.make_node("MatMul", ["n", "w2"], ["product"])]),
        )
    ]
    branches[1].node[0].input[0] = "x"
    branches[1].initializer.append(numpy_helper.from_array(weight, "w2"))
    graph = helper.make_graph(
        [
            helper.make_node("If", ["flag"], ["product"], then_branch=branches[0], else_branch=branches[1]),
            helper.make_node("Add", ["product", "b"], ["y"]),
        ],
        "g",
        [value("flag", TensorProto.BOOL, [1]), value("x", TensorProto.FLOAT, ["n", 32])],
        [value("y", TensorProto.FLOAT, ["n", 24])],
        [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(BIAS, "b")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


def compute(path, flag=True):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {"flag": np.array([flag]), "x": FRAMES})[0]


@pytest.mark.parametrize("kind", DTYPES)
def test_large_weights_are_rounded_and_the_rest_is_as_it_was(tmp_path, kind):
    source, target = write_model(tmp_path / "model.onnx"), tmp_path / "half.onnx"
    done = store_in_half_precision(source, target, kind)
    assert done == {"weights": kind, "computes_in": "fp32", "smallest": 256}
    rounded = WEIGHT.astype(DTYPES[kind]).astype(np.float32)
    assert np.abs(rounded - WEIGHT).max() > 1e-5
    for flag, sign in ((True, 1), (False, -1)):
        np.testing.assert_allclose(compute(target, flag), sign * FRAMES @ rounded + BIAS, atol=1e-5)
    assert target.stat().st_size < 0.7 * source.stat().st_size
    onnx.checker.check_model(target, full_check=True)
    kinds = {tensor.data_type for tensor in onnx.load(target).graph.initializer}
    half = {"fp16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16}[kind]
    assert kinds == {half, TensorProto.FLOAT}  # the bias has fewer numbers than is worth it


def test_a_weight_that_fp16_cannot_hold_is_named_and_bf16_holds_it(tmp_path):
    weight = WEIGHT.copy()
    weight[3, 4] = -7e4
    source = write_model(tmp_path / "model.onnx", weight)
    with pytest.raises(ConfigurationError, match=r"at most 65504 for fp16, found w with 7e\+04, w2 with 7e\+04 in mod"):
        store_in_half_precision(source, tmp_path / "half.onnx", "fp16")
    assert not (tmp_path / "half.onnx").exists()
    store_in_half_precision(source, tmp_path / "half.onnx", "bf16")
    expected = FRAMES @ weight.astype(ml_dtypes.bfloat16).astype(np.float32) + BIAS
    np.testing.assert_allclose(compute(tmp_path / "half.onnx"), expected, rtol=1e-5, atol=1e-3)


def test_weights_of_a_large_model_lie_beside_it(tmp_path, monkeypatch):
    source, target = write_model(tmp_path / "model.onnx"), tmp_path / "half.onnx"
    monkeypatch.setattr(onnx_files, "PROTOBUF_LIMIT", 1000)
    store_in_half_precision(source, target, "fp16")
    assert target.with_name("half.onnx_data").stat().st_size > 1000
    np.testing.assert_allclose(compute(target), FRAMES @ WEIGHT.astype(np.float16).astype(np.float32) + BIAS, atol=1e-5)
