"""Building tokenizer, processor and model from flags, with parts loaded from folders."""

import pytest
import torch
from factories import CLIPS
from model_factories import tiny_resnet, tiny_text_config, tiny_vit
from transformers import (
    AutoModel,
    AutoModelForSeq2SeqLM,
    BertConfig,
    BertModel,
    Dinov2Config,
    Dinov2Model,
    ViTModel,
)

from hf_slt.data.tokenization import train_unigram_tokenizer
from hf_slt.errors import ConfigurationError, DimensionMismatchError, TokenizerRoundTripError
from hf_slt.training.arguments import ModelArguments
from hf_slt.training.build_backbones import image_size_of
from hf_slt.training.build_slt import (
    build_model,
    build_processor,
    build_tokenizer,
    resolve_output_dir,
    text_encoder,
    warn_of_unknown_characters,
)

SENTENCES = list(CLIPS.values())


def arguments(**values):
    tiny = {"d_model": 16, "projector_dim": 8, "temporal_heads": 2, "temporal_layers": 1, "decoder_heads": 2}
    return ModelArguments(**{**tiny, "temporal_dim_feedforward": 16, "decoder_layers": 1, **values})


@pytest.fixture(scope="module")
def tokenizer():
    return train_unigram_tokenizer(SENTENCES, vocab_size=80)


@pytest.fixture
def vit_folder(tmp_path):
    ViTModel(tiny_vit()).save_pretrained(tmp_path / "vit")
    return str(tmp_path / "vit")


def test_tokenizer_is_trained_on_the_sentences_and_holds_them(tmp_path):
    for kind in ("unigram", "word"):
        tokenizer = build_tokenizer(arguments(tokenizer_type=kind, vocab_size=70), SENTENCES)
        assert len(tokenizer) <= 70
        ids = tokenizer(SENTENCES)["input_ids"]
        assert tokenizer.batch_decode(ids, skip_special_tokens=True) == SENTENCES
    tokenizer.save_pretrained(tmp_path)
    assert len(build_tokenizer(arguments(tokenizer=str(tmp_path)), SENTENCES)) == len(tokenizer)


def test_tokenizers_that_cannot_work(tmp_path):
    train_unigram_tokenizer(["ninos y casas"]).save_pretrained(tmp_path)
    with pytest.raises(TokenizerRoundTripError, match="character 'ñ' .U.00F1 LATIN SMALL LETTER N WITH TILDE"):
        build_tokenizer(arguments(tokenizer=str(tmp_path)), ["niño"])
    with pytest.raises(ConfigurationError, match="--tokenizer-type unigram or word, found 'bpe'"):
        build_tokenizer(arguments(tokenizer_type="bpe"), SENTENCES)
    with pytest.raises(ConfigurationError, match="a tokenizer in --tokenizer .*found '.*nowhere', which does not load"):
        build_tokenizer(arguments(tokenizer=str(tmp_path / "nowhere")), SENTENCES)


def test_a_backbone_has_to_be_a_vision_model(tokenizer, tmp_path, vit_folder):
    text = BertConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, vocab_size=9)
    BertModel(text).save_pretrained(tmp_path / "bert")
    with pytest.raises(ConfigurationError, match="a vision model in --backbone, found .* of type 'bert'"):
        build_model(arguments(backbone=str(tmp_path / "bert")), ("face",), None, tokenizer)
    (tmp_path / "vit" / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(ConfigurationError, match="a vision model in --backbone .*does not load"):
        build_model(arguments(backbone=vit_folder), ("face",), None, tokenizer)


def test_no_pixel_is_cut_off_at_the_edge_of_the_patches():
    config = Dinov2Config(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14)
    backbone = Dinov2Model(config)
    assert image_size_of(arguments(image_size=42), {"backbone": backbone}) == 42
    with pytest.raises(DimensionMismatchError, match="--image-size 30 and patches of 14 pixels"):
        image_size_of(arguments(image_size=30), {"backbone": backbone})


def test_default_decoder_has_the_size_of_the_tokenizer(tokenizer):
    model = build_model(arguments(max_target_length=9), ("pose",), 33, tokenizer)
    assert model.config.vocab_size == len(tokenizer) and model.config.text_config.num_decoder_layers == 1
    ids = (model.config.pad_token_id, model.config.eos_token_id, model.config.decoder_start_token_id)
    assert ids == (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id) == (0, 1, 0)
    assert model.generation_config.max_length == 10 and model.config.backbone_config is None
    with pytest.raises(DimensionMismatchError, match="--d-model to be a multiple of --decoder-heads, found 16 and 3"):
        build_model(arguments(decoder_heads=3), ("pose",), 33, tokenizer)


@pytest.mark.parametrize("frozen", [False, True])
def test_backbone_is_loaded_with_its_weights(vit_folder, tokenizer, frozen):
    args = arguments(backbone=vit_folder, freeze_backbone=frozen, share_hand_backbone=False)
    model = build_model(args, ("face", "left_hand", "right_hand", "pose"), 33, tokenizer)
    expected = AutoModel.from_pretrained(vit_folder).state_dict()
    for name in ("face", "left_hand", "right_hand"):
        backbone = model.encoder.backbones[name].backbone
        assert all(torch.equal(value, expected[key]) for key, value in backbone.state_dict().items())
        assert all(p.requires_grad is not frozen for p in backbone.parameters())
    assert model.config.image_size == 16


def test_convolutional_backbone_is_loaded_with_its_statistics(tmp_path, tokenizer):
    backbone = AutoModel.from_config(tiny_resnet())
    for name, value in backbone.state_dict().items():
        if "running_mean" in name:
            value.fill_(0.25)
    backbone.save_pretrained(tmp_path)
    model = build_model(arguments(backbone=str(tmp_path), image_size=32), ("face",), None, tokenizer)
    loaded = model.encoder.backbones["face"].backbone.state_dict()
    assert all((value == 0.25).all() for name, value in loaded.items() if "running_mean" in name)


def test_image_size_is_the_flag_or_the_backbones_own(vit_folder):
    backbone = {"backbone": AutoModel.from_pretrained(vit_folder)}
    assert image_size_of(arguments()) == 224 and image_size_of(arguments(image_size=64)) == 64
    assert image_size_of(arguments(), backbone) == image_size_of(arguments(image_size=16), backbone) == 16
    with pytest.raises(
        DimensionMismatchError, match="--image-size 32 and a backbone for 16 .--backbone.; leave --image-size out"
    ):
        image_size_of(arguments(image_size=32), backbone)


@pytest.mark.parametrize("kind", ["t5", "bart"])
def test_pretrained_decoder_keeps_its_weights(tmp_path, tokenizer, kind):
    decoder = AutoModelForSeq2SeqLM.from_config(tiny_text_config(kind, vocab_size=len(tokenizer) + 8))
    decoder.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    args = arguments(decoder_model=str(tmp_path))
    assert build_tokenizer(args, SENTENCES).get_vocab() == tokenizer.get_vocab()
    model = build_model(args, ("pose",), 33, tokenizer)
    expected = decoder.get_decoder().state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in model.get_decoder().state_dict().items())
    assert model.config.vocab_size == len(tokenizer) + 8
    model.save_pretrained(tmp_path / "whole")
    loaded = type(model).from_pretrained(tmp_path / "whole")
    assert torch.equal(loaded.get_input_embeddings().weight, decoder.get_input_embeddings().weight)


def test_decoder_config_builds_an_untrained_decoder_of_the_tokenizers_size(tmp_path, tokenizer):
    tiny_text_config("bart", vocab_size=5).save_pretrained(tmp_path)
    for path in (tmp_path, tmp_path / "config.json"):
        model = build_model(arguments(decoder_config=str(path)), ("pose",), 33, tokenizer)
        assert (model.config.text_config.model_type, model.config.vocab_size) == ("bart", len(tokenizer))
        assert model.config.decoder_start_token_id == tokenizer.pad_token_id


def test_decoders_that_cannot_work(tmp_path, tokenizer):
    tiny_text_config(d_model=24).save_pretrained(tmp_path / "wide")
    wide = arguments(decoder_config=str(tmp_path / "wide"))
    with pytest.raises(
        DimensionMismatchError, match="d_model 16 and decoder width 24; set d_model to 24 or use --bridge"
    ):
        build_model(wide, ("pose",), 33, tokenizer)
    wide.bridge = True
    assert build_model(wide, ("pose",), 33, tokenizer).bridge.weight.shape == (24, 16)
    tiny_vit().save_pretrained(tmp_path / "vit")
    with pytest.raises(
        ConfigurationError, match="expected a seq2seq language model, found 'vit', which has no encoder"
    ):
        build_model(arguments(decoder_config=str(tmp_path / "vit")), ("pose",), 33, tokenizer)
    with pytest.raises(
        ConfigurationError,
        match="one of --decoder-model, .* found --decoder-model and --decoder-config; leave all but one out",
    ):
        small = AutoModelForSeq2SeqLM.from_config(tiny_text_config(vocab_size=4))
        small.save_pretrained(tmp_path / "small")
        both = {"decoder_model": str(tmp_path / "small"), "decoder_config": str(tmp_path / "wide")}
        build_model(arguments(**both), ("pose",), 33, tokenizer)
    with pytest.raises(DimensionMismatchError, match=f"found {len(tokenizer)} tokens and a vocabulary of 4"):
        build_model(arguments(decoder_model=str(tmp_path / "small")), ("pose",), 33, tokenizer)


@pytest.mark.parametrize(
    ("flag", "what"),
    [
        ("decoder_model", "a seq2seq language model"),
        ("decoder_config", "a configuration"),
        ("backbone", "a vision model"),
    ],
)
def test_parts_that_do_not_load(tmp_path, tokenizer, flag, what):
    with pytest.raises(ConfigurationError, match=rf"expected {what} in --{flag.replace('_', '-')} .*nowhere"):
        build_model(arguments(**{flag: str(tmp_path / "nowhere")}), ("face",), None, tokenizer)


def test_processor_says_what_the_model_reads(tokenizer):
    args = arguments(sequence_length=7)
    extractor = build_processor(args, ("face", "pose"), 75, 32, tokenizer).feature_extractor
    assert (extractor.streams, extractor.image_size, extractor.sequence_length) == (["face", "pose"], 32, 7)
    assert (extractor.num_pose_landmarks, extractor.pose_layout) == (75, "mediapipe_pose_hands")
    assert build_processor(args, ("face",), None, 32, tokenizer).feature_extractor.pose_layout is None
    assert (extractor.extractor, extractor.pose_norm) == (None, "signing_space_v1")
    other = build_processor(args, ("face",), None, 32, tokenizer, "holistic 0.10").feature_extractor
    assert (other.extractor, other.pose_norm) == ("holistic 0.10", None)
    with pytest.raises(
        ConfigurationError, match="expected 33 landmarks for the pose layout 'mediapipe_pose', found 75"
    ):
        build_processor(arguments(pose_layout="mediapipe_pose"), ("pose",), 75, 32, tokenizer)


def test_text_is_encoded_with_its_end_and_cut(tokenizer):
    ids = text_encoder(tokenizer, 32)(SENTENCES)
    assert [sentence[-1] for sentence in ids] == [tokenizer.eos_token_id] * 4
    assert [len(sentence) for sentence in text_encoder(tokenizer, 3)(SENTENCES)] == [3] * 4
    assert tokenizer.backend_tokenizer.truncation is None  # as it will be saved


def test_output_dir(tmp_path):
    assert resolve_output_dir(str(tmp_path / "new")) == tmp_path / "new" and not (tmp_path / "new").exists()
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="found the file .*file"):
        resolve_output_dir(str(tmp_path / "file"))
    with pytest.raises(ConfigurationError, match="expected --output_dir FOLDER for the run, found none"):
        resolve_output_dir(None)


def test_sentences_that_are_too_long_are_counted(caplog):
    args = ModelArguments(tokenizer_type="word", max_target_length=4)
    build_tokenizer(args, ["a b c", "a b c d", "a"])  # and one token for the end
    assert "1 of 3 training sentences are cut to 4 tokens; the longest has 5" in caplog.text


def test_validation_text_that_the_tokenizer_lacks_is_a_warning(caplog):
    tokenizer = build_tokenizer(ModelArguments(), ["la casa es grande", "el pan"])
    warn_of_unknown_characters(tokenizer, {"validation": ["la casa"], "test": ["el niño"]})
    assert "the test split holds text that the model cannot write" in caplog.text and "ñ" in caplog.text
    assert "validation" not in caplog.text
