"""Reading checkpoints of older tools: weights only, and errors that say what is wrong."""

import json
import pickle
import re

import numpy as np
import pytest
import torch

from hf_slt.errors import ConfigurationError
from hf_slt.models.legacy.files import plain_values, read_torch_file, strip_wrappers, tensors_in


class Stranger:
    """A class that a pickle would import and run."""


class Outsider(Stranger):
    """Another one."""


def saved(path, content, **kwargs):
    torch.save(content, path, **kwargs)
    return path


def test_numbers_of_numpy_are_plain_values(tmp_path):
    content = {"epoch": 3, "best_metric": np.float64(0.5), "loss": torch.tensor(0.25), "steps": np.int64(9), "lr": [1]}
    read = read_torch_file(saved(tmp_path / "a.pt", content))
    values = plain_values(read, ("epoch", "best_metric", "loss", "steps", "lr", "absent"))
    assert values == {"epoch": 3, "best_metric": 0.5, "loss": 0.25, "steps": 9}
    assert {type(value) for value in values.values()} == {int, float}


def test_values_that_json_has_no_form_for_are_words(tmp_path):
    several = {"a": torch.zeros(2, 3), "b": np.arange(4), "c": torch.zeros(0)}
    content = {**several, "d": np.array([7]), "e": float("nan"), "f": torch.tensor(float("-inf")), "g": None}
    values = plain_values(read_torch_file(saved(tmp_path / "a.pt", content)), tuple("abcdefg"))
    shapes = {"a": "numbers of shape (2, 3)", "b": "numbers of shape (4,)", "c": "numbers of shape (0,)"}
    assert values == {**shapes, "d": 7, "e": "nan", "f": "-inf", "g": None}
    json.dumps(values, allow_nan=False)


@pytest.mark.parametrize("zipped", [True, False])
def test_arrays_of_numpy_are_plain_data_unless_they_hold_objects(zipped, tmp_path):
    arrays = {"counts": np.arange(6).reshape(2, 3), "names": np.array(["HOLA", "SI"]), "lr": np.ones(2, np.float32)}
    read = read_torch_file(saved(tmp_path / "a.pt", arrays, _use_new_zipfile_serialization=zipped))
    assert all(np.array_equal(read[name], array) for name, array in arrays.items())
    objects = saved(tmp_path / "b.pt", {"a": np.array([{}])}, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ConfigurationError, match=r"found pickled objects: numpy\.dtypes\.ObjectDType; "):
        read_torch_file(objects)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"config\nname\nvalue\n", r"none or damaged: it begins with b'config\nname\nvalue\n'"),
        (b"", "none or damaged: it is empty"),
        (pickle.dumps([1]), "none or damaged: "),
    ],
    ids=["text", "empty", "pickle"],
)
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_file_that_is_not_of_torch(content, found, tmp_path):
    path = tmp_path / "a.pt"
    path.write_bytes(content)
    with pytest.raises(
        ConfigurationError, match=f"expected a file written by torch.save, found .*a.pt, which is {re.escape(found)}"
    ):
        read_torch_file(path)


def test_a_truncated_file_and_a_missing_one(tmp_path):
    path = saved(tmp_path / "a.pt", {"model": {"w": torch.zeros(500)}})
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(ConfigurationError, match="none or damaged: .*zip archive"):
        read_torch_file(path)
    with pytest.raises(ConfigurationError, match="found no file .*b.pt"):
        read_torch_file(tmp_path / "b.pt")


def test_pickled_objects_are_named_and_never_made(tmp_path):
    path = saved(tmp_path / "a.pt", {"model": {}, "args": Stranger(), "more": [Outsider()], "best": np.float64(1)})
    with pytest.raises(ConfigurationError, match=r"found pickled objects: \S+\.Outsider, \S+\.Stranger; .*state dict"):
        read_torch_file(path)
    old_format = saved(tmp_path / "b.pt", {"args": Stranger()}, _use_new_zipfile_serialization=False)
    with pytest.raises(ConfigurationError, match=r"found pickled objects: \S+\.Stranger;"):
        read_torch_file(old_format)


def test_what_is_not_a_dictionary_of_tensors(tmp_path):
    with pytest.raises(ConfigurationError, match="expected a dictionary in .*, found list"):
        read_torch_file(saved(tmp_path / "a.pt", [1]))
    with pytest.raises(ConfigurationError, match="expected 'model' with the weights in F, found epoch, optimizer"):
        tensors_in({"epoch": 1, "optimizer": {}}, "model", "F")
    with pytest.raises(ConfigurationError, match="under 'model' in F, found an empty one"):
        tensors_in({"model": {}}, "model", "F")
    with pytest.raises(ConfigurationError, match="under 'model' in F, found Tensor"):
        tensors_in({"model": torch.zeros(1)}, "model", "F")
    with pytest.raises(ConfigurationError, match=r"tensors only .* found other values: \['b', '3'\]"):
        tensors_in({"model": {"a": torch.zeros(1), "b": 2, 3: torch.zeros(1)}}, "model", "F")


@pytest.mark.filterwarnings("ignore:.*quantize")
def test_tensors_that_no_model_holds_are_all_named():
    state = {"a": torch.zeros(1), "b": torch.eye(2).to_sparse(), "c": torch.zeros(1, device="meta")}
    state["d"] = torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)
    with pytest.raises(ConfigurationError, match=r"found b \(sparse\), c \(without values\), d \(quantized\)$"):
        tensors_in({"model": state}, "model", "F")


def test_prefixes_of_wrappers_are_removed_however_they_are_nested():
    names = ["module.a.w", "_orig_mod.b.w", "module._orig_mod.c.w", "_orig_mod.module.module.d.w", "e._orig_mod.0.w"]
    stripped = strip_wrappers({name: torch.zeros(1) for name in [*names, "f.module.w"]}, "F")
    assert list(stripped) == ["a.w", "b.w", "c.w", "d.w", "e.0.w", "f.module.w"]
    with pytest.raises(ConfigurationError, match=r"found again under another prefix: \['module.a'\]"):
        strip_wrappers({"a": torch.zeros(1), "module.a": torch.zeros(1)}, "F")
