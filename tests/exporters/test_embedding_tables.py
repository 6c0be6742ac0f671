"""Embedding tables in 8 bits: each row to within half a step of its own scale."""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from hf_slt.exporters.embedding_tables import quantize_tables

RNG = np.random.default_rng(0)
TABLE = (RNG.normal(size=(1024, 16)) * np.logspace(-3, 3, 1024)[:, None]).astype(np.float32)
TABLE[5] = 0
IDS = np.array([[0, 5, 1023], [512, 5, 2]])


def make(table, also_multiplied=False):
    value = helper.make_tensor_value_info
    nodes = [helper.make_node("Gather", ["table", "ids"], ["rows"])]
    outputs = [value("rows", TensorProto.FLOAT, ["b", "n", 16])]
    if also_multiplied:
        nodes.append(helper.make_node("ReduceSum", ["table"], ["sum"], keepdims=0))
        outputs.append(value("sum", TensorProto.FLOAT, []))
    inputs = [value("ids", TensorProto.INT64, ["b", "n"])]
    graph = helper.make_graph(nodes, "g", inputs, outputs, [numpy_helper.from_array(table, "table")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def compute(model):
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"ids": IDS})


def test_rows_are_exact_to_their_own_scale():
    model = make(TABLE)
    size = model.ByteSize()
    assert quantize_tables(model) == 1
    found = compute(model)[0]
    steps = np.abs(TABLE).max(axis=1) / 127
    assert (np.abs(found - TABLE[IDS]) <= 0.5001 * steps[IDS][..., None]).all()
    assert np.abs(found - TABLE[IDS]).max() > 0 and (found[0, 1] == 0).all()
    assert model.ByteSize() < 0.4 * size


def test_a_table_that_is_also_used_otherwise_stays():
    model = make(TABLE, also_multiplied=True)
    assert quantize_tables(model) == 1
    assert {tensor.name for tensor in model.graph.initializer} == {"table", "table::rows", "table::scales"}
    np.testing.assert_allclose(compute(model)[1], TABLE.sum(), rtol=1e-3)


def test_small_tables_stay_as_they_are():
    model = make(TABLE[:1023])
    assert quantize_tables(model) == 0
    assert (compute(make(TABLE))[0] == TABLE[IDS]).all()
    assert [tensor.name for tensor in model.graph.initializer] == ["table"]
