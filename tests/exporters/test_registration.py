"""What optimum knows of our models, and that it knows of others what it did."""

import importlib.util
import logging
from pathlib import Path

import pytest
import torch
from custom_decoders import custom_decoder_config
from export_factories import tiny_classifier
from model_factories import tiny_model
from optimum.exporters.onnx import main_export
from optimum.exporters.tasks import TasksManager
from transformers import BertConfig, BertModel

import hf_slt.exporters
from hf_slt.errors import ConfigurationError, MissingDependencyError
from hf_slt.exporters import registration
from hf_slt.exporters.onnx_configs import GlossOnnxConfig, MultiStreamOnnxConfig
from hf_slt.exporters.registration import register_onnx_configs
from hf_slt.models.auto import GLOSS_FAMILIES, REGISTRATIONS

register_onnx_configs()


@pytest.fixture
def plugin(monkeypatch):
    """The module that optimum-cli imports."""
    monkeypatch.setattr("hf_slt.models.auto.REGISTRATIONS", dict(REGISTRATIONS))
    path = Path(hf_slt.exporters.__path__[0]) / "optimum_plugin/register_hf_slt.py"
    spec = importlib.util.spec_from_file_location("register_hf_slt", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_optimum_knows_the_tasks_of_translation():
    tasks = TasksManager.get_supported_tasks_for_model_type("multistream_slt", "onnx", library_name="transformers")
    assert set(tasks) == {"feature-extraction", "text2text-generation", "text2text-generation-with-past"}
    assert {task.func for task in tasks.values()} == {MultiStreamOnnxConfig}


@pytest.mark.parametrize("family", GLOSS_FAMILIES)
def test_optimum_knows_the_task_of_a_classifier(family):
    tasks = TasksManager.get_supported_tasks_for_model_type(family, "onnx", library_name="transformers")
    assert {name: task.func for name, task in tasks.items()} == {"text-classification": GlossOnnxConfig}


def test_our_models_count_as_models_of_transformers():
    infer = TasksManager._infer_library_from_model_or_model_class
    for model in (tiny_model(("pose",)), tiny_classifier("gru")):
        assert infer(model=model) == infer(model_class=type(model)) == "transformers"
    assert infer(model_class=BertModel) == "transformers"
    with pytest.raises(ValueError, match="library name could not be automatically inferred"):
        infer(model_class=torch.nn.Linear)


def test_registering_twice_changes_nothing():
    before = TasksManager._infer_library_from_model_or_model_class
    register_onnx_configs()
    assert TasksManager._infer_library_from_model_or_model_class is before


@pytest.mark.parametrize("task", ["text2text-generation-with-past", "text2text-generation"])
def test_a_decoder_class_of_ones_own_is_refused_with_its_name(task, tmp_path):
    tiny_model(("pose",), text_config=custom_decoder_config("TinyDecoder")).save_pretrained(tmp_path / "model")
    with pytest.raises(
        ConfigurationError, match="found --decoder-class custom_decoders:TinyDecoder: .*export the encoder alone"
    ):
        main_export(str(tmp_path / "model"), tmp_path / "out", task=task, library_name="transformers")
    assert not list(tmp_path.rglob("*.onnx"))


def test_the_plugin_adds_no_command_and_registers_with_the_exporter(plugin):
    from hf_slt.models import auto

    assert plugin.REGISTER_COMMANDS == []
    assert auto.REGISTRATIONS["optimum.exporters.onnx.__main__"] is plugin.register


def test_the_plugin_leaves_optimum_alone_where_it_cannot_export(plugin, monkeypatch, caplog):
    def fail():
        raise MissingDependencyError("expected transformers>=4.57,<4.58, found 5.23.1")

    monkeypatch.setattr(registration, "register_onnx_configs", fail)
    with caplog.at_level(logging.WARNING, logger="register_hf_slt"):
        plugin.register()
    assert caplog.messages == ["models of hf_slt cannot be exported: expected transformers>=4.57,<4.58, found 5.23.1"]


def test_a_classifier_names_the_id_that_optimum_asks_for(tmp_path):
    config = tiny_classifier("sign").config
    assert config.pad_token_id == 0 and type(config)(pad_token_id=7).pad_token_id == 7
    old = {name: value for name, value in config.to_dict().items() if name != "pad_token_id"}
    assert (
        type(config).from_dict(old).pad_token_id == type(config).from_dict({**old, "pad_token_id": None}).pad_token_id
    )
    config.save_pretrained(tmp_path)
    assert type(config).from_pretrained(tmp_path).pad_token_id == 0


def test_another_model_exports_after_ours_were_registered(tmp_path):
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    BertModel(BertConfig(vocab_size=20, **sizes)).save_pretrained(tmp_path / "model")
    main_export(str(tmp_path / "model"), tmp_path / "out", task="feature-extraction", do_validation=False)
    assert (tmp_path / "out/model.onnx").is_file()
