"""What the ONNX files take and return, as data for optimum, and as the files themselves say it."""

import numpy as np
import onnx
import pytest
import torch
from custom_decoders import custom_decoder_config
from export_factories import export, tiny_classifier
from model_factories import tiny_config, tiny_model, tiny_text_config
from transformers import CONFIG_MAPPING

from hf_slt.errors import ConfigurationError
from hf_slt.exporters.onnx_configs import (
    CTC_HEAD,
    OPSET,
    DecoderCache,
    DecoderSizes,
    GlossOnnxConfig,
    MultiStreamOnnxConfig,
    check_exportable,
)
from hf_slt.exporters.registration import CLASSIFICATION_TASK, ENCODER_TASK

TRANSLATION = "text2text-generation-with-past"


def axes_of(path):
    """Return inputs and outputs of a file -> their axes, a name where they vary; and the opset."""
    model = onnx.load(path)
    ends = {}
    for end in (*model.graph.input, *model.graph.output):
        ends[end.name] = [axis.dim_param or axis.dim_value for axis in end.type.tensor_type.shape.dim]
    return ends, {entry.domain: entry.version for entry in model.opset_import}


@pytest.mark.parametrize("kind", ["t5", "bart", "mbart"])
def test_decoders_that_can_be_exported(kind):
    check_exportable(tiny_config(("pose",), text_config=tiny_text_config(kind)))


def test_decoders_that_cannot_be_exported_are_named():
    own = tiny_config(("pose",), text_config=custom_decoder_config("TinyDecoder"))
    with pytest.raises(ConfigurationError, match="found --decoder-class custom_decoders:TinyDecoder.*--part encoder"):
        check_exportable(own)
    with pytest.raises(ConfigurationError, match="--decoder-class"):
        MultiStreamOnnxConfig(own, TRANSLATION)
    assert MultiStreamOnnxConfig(own, "feature-extraction").is_encoder
    marian = CONFIG_MAPPING["marian"](vocab_size=40, d_model=16, pad_token_id=0, decoder_start_token_id=0)
    with pytest.raises(
        ConfigurationError, match=r"out of \['t5', 'mt5', 'bart', 'mbart'\], found 'marian'; export the"
    ):
        check_exportable(tiny_config(("pose",), text_config=marian))


def test_sizes_of_the_cache_are_those_of_the_decoder():
    t5 = DecoderSizes(tiny_config(("pose",)))
    assert (t5.decoder_num_layers, t5.heads, t5.head_size) == (2, 2, 8)
    bridged = tiny_config(("pose",), bridge=True, text_config=tiny_text_config("bart", d_model=24))
    bart = DecoderSizes(bridged)
    assert (bart.num_layers, bart.heads, bart.head_size, bart.max_tokens) == (2, 2, 12, 64)
    cache = DecoderCache(TRANSLATION, bart, batch_size=3, sequence_length=5).generate(float_dtype="fp16")
    assert [len(layer) for layer in cache] == [4, 4]
    assert {(tuple(value.shape), value.dtype) for layer in cache for value in layer} == {((3, 2, 5, 12), torch.float16)}


def test_the_encoder_reads_the_streams_of_its_model():
    config = MultiStreamOnnxConfig(tiny_config(("left_hand", "pose")), "feature-extraction")
    names = ["attention_mask", "left_hand_pixel_values", "left_hand_mask", "pose_values", "pose_mask"]
    assert config.inputs == {name: {0: "batch_size", 1: "frames"} for name in names}
    assert list(config.outputs) == ["last_hidden_state", "states_mask"]
    inputs = config.generate_dummy_inputs(framework="np", batch_size=3, sequence_length=7)
    assert all(isinstance(value, np.ndarray) for value in inputs.values())
    assert inputs["left_hand_pixel_values"].shape == (3, 7, 3, 16, 16) and set(inputs) == set(names)
    assert 0 < inputs["attention_mask"].sum() < 21 and 0 < inputs["left_hand_mask"].sum() < 21


def test_one_file_of_encoder_and_decoder_is_refused():
    config = MultiStreamOnnxConfig(tiny_config(("pose",)), TRANSLATION)
    with pytest.raises(ConfigurationError, match="in files of their own, found --monolith"):
        _ = config.inputs


def test_a_classifier_returns_a_score_for_each_head():
    one, two = (
        GlossOnnxConfig(tiny_classifier("gru", num_categories=n).config, "text-classification") for n in (None, 3)
    )
    assert list(one.outputs) == ["gloss_logits"] and list(two.outputs) == ["gloss_logits", "category_logits"]
    inputs = two.generate_dummy_inputs(batch_size=2, sequence_length=4)
    assert inputs["input_values"].shape == (2, 4, 6) and inputs["attention_mask"].shape == (2, 4)


def test_the_files_say_which_axes_vary(translator, classifier):
    encoder, opsets = axes_of(translator.folder / "encoder_model.onnx")
    assert encoder["face_pixel_values"] == ["batch_size", "frames", 3, 16, 16]
    assert encoder["pose_mask"] == ["batch_size", "frames", 5] and encoder["attention_mask"] == ["batch_size", "frames"]
    assert encoder["states_mask"] == ["batch_size", "encoder_sequence_length"]
    assert encoder["last_hidden_state"][:2] == ["batch_size", "encoder_sequence_length"]
    assert opsets == {"": OPSET}, "operators of the standard alone"
    decoder, opsets = axes_of(translator.folder / "decoder_with_past_model.onnx")
    assert decoder["past_key_values.1.decoder.key"][:2] == ["batch_size", 2] and opsets == {"": OPSET}
    merged, opsets = axes_of(translator.folder / "decoder_model_merged.onnx")
    assert "use_cache_branch" in merged and opsets[""] == OPSET
    ends, opsets = axes_of(classifier.folder / "model.onnx")
    assert ends["input_values"] == ["batch_size", "frames", 6] and ends["attention_mask"] == ["batch_size", "frames"]
    assert (ends["gloss_logits"], ends["category_logits"]) == (["batch_size", 5], ["batch_size", 3])
    assert opsets == {"": OPSET}


def test_the_ctc_head_is_a_file_of_its_own(tmp_path):
    model = tiny_model(("pose",), ctc_weight=0.3, text_config=tiny_text_config("bart"))
    ends, opsets = axes_of(export(model, tmp_path) / CTC_HEAD)
    axes = ["batch_size", "encoder_sequence_length"]
    assert ends["last_hidden_state"] == [*axes, 16] and ends["ctc_logits"][:2] == axes and opsets == {"": OPSET}


@pytest.mark.parametrize("name", ["run", "run/checkpoint-3"])
def test_the_record_of_the_training_goes_with_the_files(tmp_path, name):
    (tmp_path / "run" / "checkpoint-3").mkdir(parents=True)
    for file in ("splits.json", "run_config.json"):
        (tmp_path / "run" / file).write_text(file)
    for model, task in ((tiny_classifier("sign"), CLASSIFICATION_TASK), (tiny_model(("pose",)).encoder, ENCODER_TASK)):
        model.config._name_or_path = str(tmp_path / name)
        export(model, tmp_path / task, task)
        assert (tmp_path / task / "splits.json").read_text() == "splits.json"
        assert (tmp_path / task / "run_config.json").read_text() == "run_config.json"


def test_axes_that_do_not_vary_are_numbers_in_the_file(tmp_path):
    folder = export(tiny_model(("pose",)).encoder, tmp_path, ENCODER_TASK)
    outputs = {value.name: value.type.tensor_type.shape.dim for value in onnx.load(folder / "model.onnx").graph.output}
    axes = [axis.dim_param or axis.dim_value for axis in outputs["last_hidden_state"]]
    assert axes == ["batch_size", "encoder_sequence_length", 16]
