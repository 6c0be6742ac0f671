"""The configuration: defaults, checks, round trip."""

import pytest
from model_factories import tiny_config, tiny_resnet, tiny_text_config, tiny_vit
from transformers import Dinov2Config

from hf_slt.errors import ConfigurationError, DimensionMismatchError
from hf_slt.models.multistream.configuration_multistream import MultiStreamConfig, small_t5_config, small_vit_config


def test_round_trip_with_nested_configurations(tmp_path):
    config = tiny_config(
        ("pose", "face", "right_hand"),
        face_backbone_config=tiny_vit(24),
        hand_backbone_config=tiny_resnet(),
        text_config=tiny_text_config("bart"),
        temporal_stride=2,
    )
    config.save_pretrained(tmp_path)
    loaded = MultiStreamConfig.from_pretrained(tmp_path)
    # A loaded configuration also knows where it came from.
    assert {**loaded.to_dict(), "_name_or_path": ""} == {**config.to_dict(), "_name_or_path": ""}
    assert loaded.streams == ["face", "right_hand", "pose"]  # always in one order
    assert type(loaded.face_backbone_config) is type(config.face_backbone_config)
    assert loaded.backbone_config_of("face").hidden_size == 24
    assert loaded.backbone_config_of("right_hand").model_type == "resnet"
    assert (loaded.text_config.model_type, loaded.text_config.decoder_layers) == ("bart", 2)
    assert loaded.to_diff_dict()["model_type"] == "multistream_slt"


def test_dictionaries_are_taken_for_nested_configurations():
    vit = {**tiny_vit().to_dict(), "hidden_size": 32}
    config = MultiStreamConfig(streams=["face"], backbone_config=vit, text_config=tiny_text_config().to_dict())
    assert config.backbone_config.hidden_size == 32 and config.backbone_config.model_type == "vit"
    assert config.text_config.vocab_size == config.vocab_size == 40
    assert vit["model_type"] == "vit"


def test_special_tokens_and_width_come_from_the_decoder():
    text_config = tiny_text_config("t5_untied")
    text_config.eos_token_id, text_config.decoder_start_token_id = 7, 9
    config = tiny_config(text_config=text_config)
    assert (config.pad_token_id, config.eos_token_id, config.decoder_start_token_id) == (0, 7, 9)
    assert config.is_encoder_decoder is True and config.tie_word_embeddings is False
    assert (config.hidden_size, config.decoder_hidden_size) == (16, 16)


@pytest.mark.parametrize("kind", ["t5", "bart"])
def test_text_configuration_counts_decoder_layers(kind):
    config = tiny_config(text_config=tiny_text_config(kind))
    assert config.get_text_config(decoder=True).num_hidden_layers == 2
    assert config.text_config.num_hidden_layers == 1  # the cache needs the copy, the decoder its own


def test_the_size_of_images_is_one_that_every_backbone_takes():
    assert MultiStreamConfig(streams=["face"]).image_size == 224
    config = MultiStreamConfig(streams=["face", "right_hand"], hand_backbone_config=tiny_vit())
    assert config.image_size == config.backbone_config.image_size == 16
    vit = {"backbone_config": tiny_resnet(), "face_backbone_config": tiny_vit(), "image_size": 24}
    with pytest.raises(
        ConfigurationError,
        match="that the face backbone takes, found 24 and a 'vit' for images of 16; set image_size to 16",
    ):
        MultiStreamConfig(streams=["face", "left_hand"], **vit)
    assert MultiStreamConfig(streams=["left_hand"], **vit).image_size == 24  # the face's backbone is not used
    dinov2 = Dinov2Config(hidden_size=16, num_attention_heads=2, image_size=28, patch_size=14)
    assert MultiStreamConfig(streams=["face"], backbone_config=dinov2, image_size=42).image_size == 42


def test_a_model_of_poses_has_no_image_backbone():
    assert MultiStreamConfig(streams=["pose"]).backbone_config is None


@pytest.mark.parametrize(
    ("image_size", "patch", "width", "layers"), [(32, 8, 96, 3), (88, 8, 96, 3), (96, 16, 192, 6), (224, 16, 192, 6)]
)
def test_default_backbone_fits_the_image_size(image_size, patch, width, layers):
    config = small_vit_config(image_size)
    assert (config.patch_size, config.hidden_size, config.num_hidden_layers) == (patch, width, layers)
    assert config.intermediate_size == 4 * width and config.image_size == image_size
    small = small_vit_config(image_size, hidden_size=64, num_layers=2)
    assert (small.hidden_size, small.num_attention_heads, small.num_hidden_layers) == (64, 2, 2)


@pytest.mark.parametrize(("size", "message"), [(30, "multiple of 8, found 30; choose e.g. 32"), (100, "16, found 100")])
def test_image_size_that_patches_do_not_tile(size, message):
    with pytest.raises(ConfigurationError, match=message):
        small_vit_config(size)


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"streams": []}, ConfigurationError, r"at least one stream out of \['face', .*found \[\]"),
        ({"streams": ["pose", "foot"]}, ConfigurationError, r"found \['pose', 'foot'\]"),
        ({"d_model": 32, "temporal_heads": 5}, DimensionMismatchError, "d_model .* temporal heads, found 32 and 5"),
        ({"temporal_kernel_size": 4}, ConfigurationError, r"odd temporal_kernel_size \(or 0\), found 4"),
        ({"temporal_stride": 0}, ConfigurationError, "found stride 0 and kernel 5"),
        ({"temporal_stride": 2, "temporal_kernel_size": 0}, ConfigurationError, "found stride 2 and kernel 0"),
        ({"backbone_pooling": "max"}, ConfigurationError, "'mean' or 'cls', found 'max'"),
    ],
)
def test_values_that_cannot_work(values, error, message):
    with pytest.raises(error, match=message):
        MultiStreamConfig(**{"streams": ["pose"], **values})


def test_decoder_heads_must_divide_its_width():
    with pytest.raises(DimensionMismatchError, match="d_model to be a multiple of decoder heads, found 64 and 5"):
        small_t5_config(vocab_size=100, d_model=64, num_heads=5)
