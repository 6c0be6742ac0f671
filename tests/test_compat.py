"""The one place that knows the generations of transformers."""

import ast
from pathlib import Path

import pytest
import torch
from model_factories import tiny_config, tiny_model, tiny_text_config

from hf_slt.compat import config_fields, stored_names, stored_weights, ties_embeddings

ROOT = Path(__file__).parents[1]
# What exports needs a range of transformers of its own, and says so.
COMPARES_VERSIONS = {"hf_slt/exporters/requirements.py"}


def test_versions_are_compared_nowhere_else():
    found = set()
    for path in (ROOT / "hf_slt").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        modules |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        if any(name and name.startswith("packaging") for name in modules):
            found.add(path.relative_to(ROOT).as_posix())
    assert found == COMPARES_VERSIONS


def test_stored_weights_are_those_of_the_model_in_its_order():
    model = tiny_model()
    own, stored, names = model.state_dict(), stored_weights(model), stored_names(model)
    assert list(names.values()) == list(own)
    assert [value.data_ptr() for value in stored.values()] == [value.data_ptr() for value in own.values()]
    for name, value in stored.items():
        value.fill_(2.0) if value.is_floating_point() else None
        assert torch.equal(own[names[name]], value)
    assert any(name.endswith("attention.attention.query.weight") for name in stored)


@pytest.mark.parametrize("kind", ["t5", "t5_untied", "bart"])
def test_what_a_person_said_of_the_output_layer_is_kept(kind):
    config = tiny_text_config(kind)
    assert ties_embeddings(config) is (kind != "t5_untied")
    again = tiny_config(text_config=config.to_dict()).text_config
    assert ties_embeddings(again) is (kind != "t5_untied")


def test_fields_that_transformers_5_saved_of_an_untied_t5():
    saved = {"tie_word_embeddings": True, "scale_decoder_outputs": False}
    assert config_fields(saved)["tie_word_embeddings"] is False and saved["tie_word_embeddings"] is True
    assert config_fields({"tie_word_embeddings": True}) == {"tie_word_embeddings": True}
