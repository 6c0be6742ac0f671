"""The form of the encoder: what a checkpoint says, and what flags that were given say."""

import logging

import pytest
from factories import CLIPS
from model_factories import tiny_resnet, tiny_vit
from transformers import ViTModel

from hf_slt.data.tokenization import train_unigram_tokenizer
from hf_slt.errors import ConfigurationError
from hf_slt.training.arguments import ModelArguments
from hf_slt.training.build_slt import build_model, take_architecture


def arguments(**values):
    tiny = {"d_model": 16, "projector_dim": 8, "temporal_heads": 2, "temporal_layers": 1, "decoder_heads": 2}
    return ModelArguments(**{**tiny, "temporal_dim_feedforward": 16, "decoder_layers": 1, **values})


@pytest.fixture(scope="module")
def tokenizer():
    return train_unigram_tokenizer(CLIPS.values(), vocab_size=80)


def architecture(**fields):
    """Return what is known of the encoder of a checkpoint of faces and right hands."""
    return {"streams": ["face", "right_hand"], "image_size": 16, "backbone_config": tiny_vit(), **fields}


def test_the_sizes_of_a_checkpoint_go_before_defaults_and_flags_that_were_given_before_both(caplog):
    encoder = {**architecture(), "d_model": 24, "temporal_heads": 2, "projector_type": "mlp", "temporal_dropout": 0.7}
    with caplog.at_level(logging.INFO):
        args, rest = take_architecture(ModelArguments(d_model=256), encoder, {"d_model"})  # its default, but given
    assert (args.d_model, args.temporal_heads, args.temporal_dropout, args.image_size) == (256, 2, 0.1, None)
    assert rest == {"image_size": 16, "backbone_config": encoder["backbone_config"], "projector_type": "mlp"}
    assert "takes its sizes from the checkpoint: image_size 16, temporal_heads 2" in caplog.text
    args, rest = take_architecture(ModelArguments(), encoder, ())
    assert (args.d_model, rest["image_size"]) == (24, 16)
    args, rest = take_architecture(ModelArguments(), encoder, {"image_size", "backbone", "backbone_type"})  # as in a
    assert rest["image_size"] == 16 and "backbone_config" in rest  # run_config.json, where null says nothing
    assert take_architecture(ModelArguments(), {}, ()) == (ModelArguments(), {})


BACKBONES = ["backbone_config", "face_backbone_config", "hand_backbone_config"]


@pytest.mark.parametrize(
    ("flag", "own", "kept", "keeps_size"),
    [
        ({"face_backbone": "F"}, BACKBONES, ["backbone_config", "hand_backbone_config"], True),
        ({"hand_backbone": "H"}, BACKBONES, ["backbone_config", "face_backbone_config"], True),
        ({"backbone": "B"}, BACKBONES, ["face_backbone_config", "hand_backbone_config"], True),
        ({"backbone_layers": 2}, BACKBONES[:1], [], False),
        ({"backbone_type": "resnet"}, BACKBONES[:1], [], False),
        ({"face_backbone": "F", "backbone": "B"}, BACKBONES[:1], [], False),
        ({"face_backbone": "F"}, BACKBONES[:1], ["backbone_config"], True),
    ],
    ids=str,
)
def test_a_backbone_that_was_given_takes_the_place_of_its_own_only(flag, own, kept, keeps_size):
    configs = {name: tiny_vit() if name in own else None for name in BACKBONES}
    args, rest = take_architecture(ModelArguments(**flag), {**architecture(), **configs}, flag)
    assert [name for name in BACKBONES if rest.get(name)] == kept
    assert (args.image_size == 16) is keeps_size and "image_size" not in rest


def test_the_face_gets_another_backbone_and_the_hands_keep_that_of_the_checkpoint(tmp_path, tokenizer):
    ViTModel(tiny_vit(24)).save_pretrained(tmp_path / "vit")
    flags = {"face_backbone": str(tmp_path / "vit")}
    encoder = architecture(backbone_config=tiny_resnet(), face_backbone_config=None, hand_backbone_config=None)
    args, rest = take_architecture(arguments(**flags), encoder, flags)
    config = build_model(args, ("face", "right_hand"), None, tokenizer, rest).config
    assert (config.image_size, args.backbone_type) == (16, "resnet")
    assert config.backbone_config_of("face").hidden_size == 24
    assert config.backbone_config_of("right_hand").hidden_sizes == [8, 16]


def test_an_untrained_backbone_of_any_size_of_images_is_taken_from_the_checkpoint(tokenizer):
    encoder = architecture(image_size=30, backbone_config=tiny_resnet())
    args, rest = take_architecture(arguments(), encoder, ())
    assert build_model(args, ("face", "right_hand"), None, tokenizer, rest).config.image_size == 30


def test_clips_longer_than_the_learned_positions_are_refused_before_training():
    encoder = {"position_embedding_type": "learned", "max_frames": 9, "temporal_stride": 2, "temporal_kernel_size": 3}
    for given in ({}, {"temporal_stride": 4}):
        stride = given.get("temporal_stride", 2)
        longest = {**given, "sequence_length": 9 * stride}
        args, _ = take_architecture(ModelArguments(**longest), encoder, longest)
        assert args.temporal_stride == stride
        longer = {**given, "sequence_length": 9 * stride + 1}
        with pytest.raises(
            ConfigurationError,
            match=f"--sequence-length of at most {9 * stride}, .*found {9 * stride + 1}; give --sequence-length",
        ):
            take_architecture(ModelArguments(**longer), encoder, longer)
    args, _ = take_architecture(ModelArguments(), {**encoder, "position_embedding_type": "sinusoidal"}, ())
    assert args.sequence_length == 128
