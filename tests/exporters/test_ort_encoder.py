"""The encoder on its own: opening it, and inputs of every type of number."""

import inspect
import re

import pytest
import torch
from export_factories import export
from model_factories import tiny_model

from hf_slt.errors import ConfigurationError, DimensionMismatchError
from hf_slt.exporters.clips import multistream_clips
from hf_slt.exporters.ort_encoder import ORTMultiStreamEncoder
from hf_slt.exporters.registration import ENCODER_TASK


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    encoder = tiny_model(("left_hand", "pose")).encoder
    folder = export(encoder, tmp_path_factory.mktemp("encoder"), ENCODER_TASK)
    return encoder, ORTMultiStreamEncoder.from_pretrained(folder, num_threads=1)


def assert_same(pair, clips, **other):
    with torch.no_grad():
        expected = pair[0](**clips)
    found = pair[1](**{**clips, **other})
    assert torch.equal(found.attention_mask, expected.attention_mask)
    assert float((found[0] - expected[0])[expected.attention_mask.bool()].abs().max()) < 2e-5


def test_it_takes_and_returns_what_pytorch_does(pair):
    assert list(inspect.signature(pair[1].forward).parameters) == list(inspect.signature(pair[0].forward).parameters)
    assert pair[1].session.get_session_options().intra_op_num_threads == 1
    clips = multistream_clips(pair[0].config, 2, 5, "padding")
    assert_same(pair, clips)
    states, mask = pair[1](**clips, return_dict=False)
    assert torch.equal(states, pair[1](**clips).last_hidden_state) and mask.shape == states.shape[:2]


def test_streams_that_are_not_read_are_ignored(pair):
    clips = multistream_clips(pair[0].config, 2, 5)
    assert_same(pair, {**clips, "face_pixel_values": torch.zeros(1, 1), "face_mask": torch.zeros(2, 5)})


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_single(pair, dtype):
    clips = multistream_clips(pair[0].config, 2, 5)
    rounded = {name: value.to(dtype).float() for name, value in clips.items()}
    assert_same(pair, rounded, **{name: value.to(dtype) for name, value in clips.items()})


@pytest.mark.parametrize("condition", ["padding", "missing_hands"])
def test_every_number_in_a_mask_but_0_counts(pair, condition):
    clips = multistream_clips(pair[0].config, 3, 7, condition)
    assert_same(pair, {name: value * 0.5 if "mask" in name else value for name, value in clips.items()})
    assert_same(pair, {name: value * -3 if "mask" in name else value for name, value in clips.items()})


@pytest.mark.parametrize("shape", [(0, 5), (2, 0)])
def test_no_clip_and_no_frame_are_errors(pair, shape):
    with pytest.raises(
        DimensionMismatchError, match=rf"at least one clip of one frame, found \(B, T\) = {re.escape(str(shape))}$"
    ):
        pair[1](pose_values=torch.zeros(*shape, 15))


def test_what_an_export_does_not_give_is_refused(pair):
    clips = multistream_clips(pair[0].config, 1, 5)
    message = (
        "expected no output_attentions, output_hidden_states of a model .*found output_attentions=True, output_hid"
    )
    with pytest.raises(ConfigurationError, match=message):
        pair[1](**clips, output_attentions=True, output_hidden_states=True)
    with pytest.raises(TypeError, match="pose_vlaues"):
        pair[1](**clips, pose_vlaues=clips["pose_values"])
    with pytest.raises(ConfigurationError, match="tensor or an array of numbers as pose_values, found"):
        pair[1](pose_values="clip")


def test_what_is_no_encoder_says_so(translator, classifier, tmp_path):
    with pytest.raises(ConfigurationError, match=r"--part encoder\), found no model.onnx in .*FOLDER\).encoder$"):
        ORTMultiStreamEncoder.from_pretrained(translator.folder)
    with pytest.raises(ConfigurationError, match="encoder of a translation model, found a model of type 'sign_transf"):
        ORTMultiStreamEncoder.from_pretrained(classifier.folder)
    (tmp_path / "model.onnx").write_bytes(b"half")
    with pytest.raises(ConfigurationError, match="for ORTMultiStreamEncoder, found .*does not load: .*config.json"):
        ORTMultiStreamEncoder.from_pretrained(tmp_path)
    translator.model.config.save_pretrained(tmp_path)
    with pytest.raises(ConfigurationError, match="for ORTMultiStreamEncoder, found .*does not load: .*model.onnx"):
        ORTMultiStreamEncoder.from_pretrained(tmp_path)
    with pytest.raises(ConfigurationError, match="for ORTMultiStreamEncoder, found .*absent"):
        ORTMultiStreamEncoder.from_pretrained(tmp_path / "absent")
    with pytest.raises(ConfigurationError, match="num_threads .* found 0"):
        ORTMultiStreamEncoder.from_pretrained(tmp_path, num_threads=0)
