"""Pretrained image backbones for all streams, for the face and for the hands."""

import pytest
import torch
from factories import CLIPS
from model_factories import tiny_resnet, tiny_vit
from transformers import AutoModel, Dinov2Config, Dinov2Model, ViTConfig, ViTModel

from hf_slt.data.tokenization import train_unigram_tokenizer
from hf_slt.errors import ConfigurationError, DimensionMismatchError
from hf_slt.models.multistream.configuration_multistream import MultiStreamConfig
from hf_slt.training.arguments import ModelArguments
from hf_slt.training.build_backbones import image_size_of, load_backbones
from hf_slt.training.build_slt import build_model

ALL = ("face", "left_hand", "right_hand", "pose")


def arguments(**values):
    tiny = {"d_model": 16, "projector_dim": 8, "temporal_heads": 2, "temporal_layers": 1, "decoder_heads": 2}
    tiny |= {"backbone_hidden_size": 16, "backbone_layers": 1}
    return ModelArguments(**{**tiny, "temporal_dim_feedforward": 16, "decoder_layers": 1, **values})


@pytest.fixture(scope="module")
def tokenizer():
    return train_unigram_tokenizer(list(CLIPS.values()), vocab_size=80)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Saved vision models: name -> folder."""
    root = tmp_path_factory.mktemp("backbones")
    large = ViTConfig(**{**tiny_vit().to_dict(), "image_size": 32})
    dino = Dinov2Config(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14)
    models = {"vit": ViTModel(tiny_vit()), "wide": ViTModel(tiny_vit(24)), "large": ViTModel(large)}
    models |= {"resnet": AutoModel.from_config(tiny_resnet()), "dino": Dinov2Model(dino)}
    for name, model in models.items():
        model.save_pretrained(root / name)
    return {name: str(root / name) for name in models}


def holds(model, stream, folder):
    """Whether a stream's backbone has the weights in a folder."""
    expected = AutoModel.from_pretrained(folder).state_dict()
    own = model.encoder.backbones[model.encoder.backbone_name(stream)].backbone.state_dict()
    return own.keys() <= expected.keys() and all(torch.equal(value, expected[key]) for key, value in own.items())


@pytest.mark.parametrize("shared", [True, False])
def test_face_and_hands_have_backbones_of_their_own(folders, tokenizer, shared, tmp_path):
    args = arguments(face_backbone=folders["wide"], hand_backbone=folders["vit"], share_hand_backbone=shared)
    model = build_model(args, ALL, 33, tokenizer)
    assert holds(model, "face", folders["wide"]) and holds(model, "left_hand", folders["vit"])
    assert holds(model, "right_hand", folders["vit"]) and model.config.image_size == 16
    assert ("hand" in model.encoder.backbones) is shared
    model.save_pretrained(tmp_path)
    loaded = type(model).from_pretrained(tmp_path)
    assert holds(loaded, "face", folders["wide"]) and holds(loaded, "right_hand", folders["vit"])
    assert MultiStreamConfig.from_pretrained(tmp_path).face_backbone_config.hidden_size == 24


def test_backbone_is_that_of_the_streams_without_their_own(folders, tokenizer):
    model = build_model(arguments(backbone=folders["vit"], face_backbone=folders["wide"]), ALL, 33, tokenizer)
    assert holds(model, "face", folders["wide"]) and holds(model, "right_hand", folders["vit"])
    model = build_model(arguments(backbone=folders["vit"], hand_backbone=folders["resnet"]), ALL, 33, tokenizer)
    assert holds(model, "face", folders["vit"]) and holds(model, "right_hand", folders["resnet"])


def test_a_stream_without_a_pretrained_backbone_starts_from_scratch(folders, tokenizer):
    model = build_model(arguments(face_backbone=folders["large"]), ALL, 33, tokenizer)
    hand = model.encoder.backbones["hand"].backbone.config
    assert holds(model, "face", folders["large"])
    assert (hand.model_type, hand.image_size, hand.hidden_size) == ("vit", 32, 16)
    resnet = build_model(arguments(face_backbone=folders["large"], backbone_type="resnet"), ALL, 33, tokenizer)
    assert resnet.encoder.backbones["hand"].backbone.config.model_type == "resnet"


def test_freezing_is_for_all_backbones(folders, tokenizer, caplog):
    args = arguments(face_backbone=folders["wide"], hand_backbone=folders["vit"], freeze_backbone=True)
    model = build_model(args, ALL, 33, tokenizer)
    frozen = {n.split(".")[2] for n, p in model.named_parameters() if "backbones" in n and not p.requires_grad}
    assert frozen == {"face", "hand"} and "random weights" not in caplog.text
    build_model(arguments(face_backbone=folders["wide"], freeze_backbone=True), ALL, 33, tokenizer)
    assert "--freeze-backbone also freezes an image backbone that starts from random weights" in caplog.text


def test_a_size_of_images_that_only_the_loaded_backbones_can_take(folders, tokenizer):
    model = build_model(arguments(face_backbone=folders["dino"]), ("face", "pose"), 33, tokenizer)
    assert model.config.image_size == 28  # no multiple of the patches of the backbone from scratch, which nobody uses
    with pytest.raises(ConfigurationError, match="an image size that is a multiple of 8, found 28"):
        build_model(arguments(face_backbone=folders["dino"]), ALL, 33, tokenizer)


@pytest.mark.parametrize(
    ("flag", "streams", "message"),
    [
        ("face_backbone", ("left_hand", "pose"), "expected --face-dir with --face-backbone, found none"),
        ("hand_backbone", ("face",), "expected --hand-left-dir or --hand-right-dir with --hand-backbone, found none"),
    ],
)
def test_a_backbone_of_a_stream_that_is_not_there(folders, flag, streams, message):
    with pytest.raises(ConfigurationError, match=message):
        load_backbones(arguments(**{flag: folders["vit"]}), streams)


def test_a_backbone_that_no_stream_uses_is_a_warning(folders, caplog):
    args = arguments(backbone="nowhere", face_backbone=folders["vit"])
    assert list(load_backbones(args, ("face", "pose"))) == ["face_backbone"]
    assert "no stream uses --backbone: it is not loaded" in caplog.text
    assert load_backbones(arguments(backbone="nowhere"), ("pose",)) == {}


def test_what_does_not_load_is_named_by_its_flag(tmp_path):
    for flag in ("face_backbone", "hand_backbone"):
        with pytest.raises(ConfigurationError, match=f"a vision model in --{flag.replace('_', '-')} .*nowhere"):
            load_backbones(arguments(**{flag: str(tmp_path / "nowhere")}), ALL)


def test_images_have_one_size(folders):
    args = arguments(face_backbone=folders["vit"], hand_backbone=folders["large"])
    loaded = load_backbones(args, ALL)
    with pytest.raises(DimensionMismatchError, match="found --face-backbone for 16 and --hand-backbone for 32; choose"):
        image_size_of(args, loaded)
    args.image_size = 16
    with pytest.raises(DimensionMismatchError, match="--image-size 16 and a backbone for 32 .--hand-backbone."):
        image_size_of(args, loaded)


def test_backbones_that_take_any_size_follow_the_others(folders):
    args = arguments(face_backbone=folders["dino"], hand_backbone=folders["resnet"])
    assert image_size_of(args, load_backbones(args, ALL)) == 28
    args = arguments(face_backbone=folders["dino"], hand_backbone=folders["vit"])
    with pytest.raises(DimensionMismatchError, match="--image-size 16 and patches of 14 pixels .--face-backbone."):
        image_size_of(args, load_backbones(args, ALL))
