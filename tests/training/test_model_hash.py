"""The hash of weights: of their content, wherever they lie."""

import os
import shutil

from hf_slt.training.model_hash import hash_weights, weight_files


def test_the_hash_is_of_the_content_and_follows_it(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.mkdir()
    (first / "model.safetensors").write_bytes(b"1234")
    (first / "model.onnx").write_bytes(b"onnx")
    (first / "notes.txt").write_bytes(b"x")
    shutil.copytree(first, second)
    (second / "notes.txt").write_bytes(b"y")
    os.utime(second / "model.safetensors", (5, 5))
    assert hash_weights(first) == hash_weights(second) and hash_weights(first).startswith("sha256:")
    onnx = hash_weights(first, "onnxruntime")
    assert onnx != hash_weights(first)
    (second / "model.safetensors").write_bytes(b"1235")  # of the same size
    assert hash_weights(first) != hash_weights(second) and hash_weights(second, "onnxruntime") == onnx


def test_nothing_to_hash(tmp_path):
    assert hash_weights(tmp_path) is None and hash_weights(tmp_path / "none") is None
    (tmp_path / "model.onnx").touch()
    assert weight_files(tmp_path) == [] and weight_files(tmp_path, "other") == []
