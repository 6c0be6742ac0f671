"""Translation on ONNX Runtime: the states, scores and sentences are those of the PyTorch model."""

import pytest
import torch
from export_factories import export, tiny_translator
from model_factories import VOCABULARY, tiny_config, tiny_model, tiny_resnet, tiny_text_config
from optimum.onnxruntime.modeling_seq2seq import ORTModelForConditionalGeneration
from transformers import CONFIG_MAPPING

from hf_slt import ORTMultiStreamForConditionalGeneration
from hf_slt.errors import ConfigurationError, DimensionMismatchError
from hf_slt.exporters.clips import CONDITIONS, multistream_clips
from hf_slt.exporters.onnx_configs import CTC_HEAD
from hf_slt.exporters.ort_encoder import ORTMultiStreamEncoder
from hf_slt.exporters.registration import ENCODER_TASK, TRANSLATION_TASK

POSE = ("pose",)
ENCODERS = {
    "cls_unshared_frozen": {"share_hand_backbone": False, "backbone_pooling": "cls", "freeze_backbone": True},
    "other_parts": {
        "backbone_config": tiny_resnet(),
        "pose_encoder": "none",
        "projector_type": "mlp",
        "fusion_norm": True,
        "temporal_norm": "post",
        "temporal_activation": "relu",
        "temporal_stride": 2,
        "position_embedding_type": "learned",
        "max_frames": 10,
    },
    "no_convolution": {"streams": POSE, "temporal_kernel_size": 0, "pose_motion": False},
}
VIT = {"image_size": 16, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
BACKBONES = {
    "dinov2": {**VIT, "patch_size": 8, "mlp_ratio": 2},
    "dinov2_with_registers": {**VIT, "image_size": 40, "patch_size": 8, "mlp_ratio": 2},  # larger than the crops
    "dinov3_vit": {**VIT, "patch_size": 8, "intermediate_size": 16},  # torch does not know its attention's width
    "convnext": {"image_size": 16, "patch_size": 2, "hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1]},
    "swin": {
        "image_size": 16,
        "patch_size": 4,
        "embed_dim": 8,
        "depths": [1, 1],
        "num_heads": [2, 2],
        "window_size": 2,
    },
}
MT5 = CONFIG_MAPPING["mt5"](**{k: v for k, v in tiny_text_config("t5_untied").to_dict().items() if k != "model_type"})
DECODERS = {
    "t5_untied": {"text_config": tiny_text_config("t5_untied")},
    "mt5": {"text_config": MT5},
    "bart": {"text_config": tiny_text_config("bart")},
    "mbart": {"text_config": tiny_text_config("mbart")},
    "bridge_and_stride": {"text_config": tiny_text_config("t5", d_model=24), "bridge": True, "temporal_stride": 2},
    "ctc": {"ctc_weight": 0.3},
}
GREEDY, BEAMS = {"max_new_tokens": 8}, {"max_new_tokens": 8, "num_beams": 4}
MODES = {
    "greedy": GREEDY,
    "beams": BEAMS,
    "no_cache": {**BEAMS, "use_cache": False},
    "several_sentences": {**BEAMS, "num_return_sequences": 3},
    "sampling": {**GREEDY, "do_sample": True, "top_k": 5},
    "max_length": {"max_length": 4},
    "penalties": {**BEAMS, "length_penalty": 0.5, "no_repeat_ngram_size": 2, "repetition_penalty": 1.2},
}


@pytest.fixture(scope="module", params=[False, True], ids=["two_decoders", "merged_decoder"])
def exported(translator, request):
    folder = translator.folder
    return ORTMultiStreamForConditionalGeneration.from_pretrained(folder, num_threads=1, use_merged=request.param)


def assert_same_states(encoder, exported, inputs, **other):
    with torch.no_grad():
        expected = encoder(**inputs)
    found = exported(**{**inputs, **other})
    assert torch.equal(found.attention_mask, expected.attention_mask)
    real = expected.attention_mask.bool()
    assert float((found.last_hidden_state - expected.last_hidden_state)[real].abs().max()) < 2e-5


def assert_same_encoder(encoder, exported, sizes=((1, 1), (1, 5), (3, 2), (3, 19))):
    for batch_size, frames in sizes:
        for condition in CONDITIONS:
            if (batch_size, frames, condition) != (1, 1, "padding"):  # its only frame is real
                clips = multistream_clips(encoder.config, batch_size, frames, condition, seed=frames)
                assert_same_states(encoder, exported, clips)


def generate(model, clips, **mode):
    torch.manual_seed(1)
    return model.generate(**clips, **mode).tolist()


def test_the_encoder_gives_the_same_states(translator, exported):
    assert_same_encoder(translator.model.encoder, exported.encoder)


@pytest.mark.parametrize("variant", ENCODERS)
def test_every_kind_of_encoder_exports_alone(variant, tmp_path):
    encoder = tiny_model(**ENCODERS[variant]).encoder
    export(encoder, tmp_path, ENCODER_TASK)
    assert_same_encoder(encoder, ORTMultiStreamEncoder.from_pretrained(tmp_path, 1))


@pytest.mark.parametrize("name", BACKBONES)
def test_image_backbones_of_transformers_export(name, tmp_path):
    backbone = CONFIG_MAPPING[name](**BACKBONES[name])
    encoder = tiny_model(("left_hand", "right_hand"), backbone_config=backbone, temporal_layers=1).encoder
    export(encoder, tmp_path, ENCODER_TASK)
    assert_same_encoder(encoder, ORTMultiStreamEncoder.from_pretrained(tmp_path, 1), sizes=((1, 1), (3, 7)))


@pytest.mark.parametrize("variant", DECODERS)
def test_every_decoder_writes_the_same_sentences(variant, tmp_path):
    model = tiny_translator(POSE, **DECODERS[variant])
    folder = export(model, tmp_path)
    assert (folder / CTC_HEAD).is_file() == (variant == "ctc")
    sentences = set()
    for merged in (False, True):
        exported = ORTMultiStreamForConditionalGeneration.from_pretrained(folder, num_threads=1, use_merged=merged)
        for batch_size, frames in ((1, 1), (3, 9)):
            clips = multistream_clips(model.config, batch_size, frames, "padding" if frames > 1 else "no_padding")
            for mode in (GREEDY, BEAMS):
                expected = generate(model, clips, **mode)
                assert generate(exported, clips, **mode) == expected, (merged, batch_size, mode)
                sentences |= {tuple(sentence) for sentence in expected}
    assert len(sentences) > 2, "the sentences have to depend on the clips"


@pytest.mark.parametrize("mode", MODES)
def test_every_way_to_generate_writes_the_same_sentences(mode, translator, exported):
    for condition in CONDITIONS:
        clips = multistream_clips(translator.model.config, 2, 7, condition)
        expected = generate(translator.model, clips, **MODES[mode])
        assert generate(exported, clips, **MODES[mode]) == expected, condition


def test_labels_give_the_same_scores_and_loss(translator, exported):
    clips = multistream_clips(translator.model.config, 2, 7, "padding")
    labels = torch.randint(2, VOCABULARY, (2, 5), generator=torch.Generator().manual_seed(0))
    labels[1, 3:] = -100
    with torch.no_grad():
        expected = translator.model(**clips, labels=labels)
    found = exported(**clips, labels=labels)
    assert float((found.logits - expected.logits).abs().max()) < 1e-4
    assert abs(float(found.loss - expected.loss)) < 1e-5


def test_masks_that_are_absent_hide_nothing(translator, exported):
    clips = multistream_clips(translator.model.config, 2, 7)
    streams = {name: value for name, value in clips.items() if not name.endswith("_mask")}
    assert_same_states(translator.model.encoder, exported.encoder, streams)
    assert generate(exported, streams, **BEAMS) == generate(translator.model, streams, **BEAMS)


def test_the_mask_of_a_stream_that_is_not_given_says_nothing(translator, exported):
    clips = multistream_clips(translator.model.config, 2, 7, "missing_hands")
    del clips["face_pixel_values"], clips["pose_values"]
    assert_same_states(translator.model.encoder, exported.encoder, clips)


def test_other_types_of_numbers_mean_the_same(translator, exported):
    clips = multistream_clips(translator.model.config, 2, 7, "missing_hands")
    others = {name: value.bool() if name.endswith("_mask") else value.double() for name, value in clips.items()}
    assert_same_states(translator.model.encoder, exported.encoder, clips, **others)
    arrays = {name: value.numpy() for name, value in clips.items()}
    assert_same_states(translator.model.encoder, exported.encoder, clips, **arrays)


def test_wrong_shapes_are_errors_and_not_broadcast(exported):
    clips = multistream_clips(tiny_config(), 2, 4)
    message = r"expected face_pixel_values \(B, T, 3, 16, 16\), found \(2, 4, 3, 8, 8\); pose_mask \(B, T, 5\), found"
    with pytest.raises(DimensionMismatchError, match=message):
        small = clips["face_pixel_values"][..., :8, :8]
        exported.encoder(**{**clips, "face_pixel_values": small, "pose_mask": clips["attention_mask"]})
    with pytest.raises(ConfigurationError, match=r"same number of clips and frames.*'left_hand_mask': \(2, 1\)"):
        exported.encoder(**{**clips, "left_hand_mask": clips["left_hand_mask"][:, :1]})
    with pytest.raises(ConfigurationError, match=r"at least one of the inputs \['face_pixel_values', .*, found none"):
        exported.encoder(attention_mask=clips["attention_mask"])


def test_a_clip_longer_than_the_learned_positions_is_an_error(tmp_path):
    fields = {"position_embedding_type": "learned", "max_frames": 4, "temporal_stride": 2, "temporal_layers": 1}
    encoder = tiny_model(POSE, **fields).encoder
    exported = ORTMultiStreamEncoder.from_pretrained(export(encoder, tmp_path, ENCODER_TASK), 1)
    assert_same_encoder(encoder, exported, sizes=((2, 3), (2, 8)))
    with pytest.raises(ConfigurationError, match="clips of at most 8 frames, since positions are learned, found 9"):
        exported(**multistream_clips(encoder.config, 2, 9))


def test_a_decoder_of_few_tokens_exports(tmp_path):
    text = tiny_text_config("bart")
    text.max_position_embeddings = 6
    model = tiny_translator(POSE, text_config=text)
    exported = ORTMultiStreamForConditionalGeneration.from_pretrained(export(model, tmp_path), num_threads=1)
    clips = multistream_clips(model.config, 2, 9)
    assert generate(exported, clips, max_length=6) == generate(model, clips, max_length=6)


def test_a_model_that_decodes_with_ctc_needs_its_head(translator, exported):
    assert exported.compute_ctc_logits(torch.zeros(1, 2, 16)) is None
    exported.config.ctc_weight = 0.3
    try:
        with pytest.raises(ConfigurationError, match=rf"expected {CTC_HEAD} in .*translator, since the model decodes"):
            exported.compute_ctc_logits(torch.zeros(1, 2, 16))
    finally:
        exported.config.ctc_weight = 0.0


def test_an_encoder_alone_and_a_classifier_do_not_translate(classifier, tmp_path):
    export(tiny_model(POSE).encoder, tmp_path, ENCODER_TASK)
    message = r"an encoder without its decoder in '.*'; export with --part full, or use ORTMultiStreamEncoder$"
    with pytest.raises(ConfigurationError, match=message):
        ORTMultiStreamForConditionalGeneration.from_pretrained(tmp_path)
    with pytest.raises(ConfigurationError, match="expected an exported translation model, found one of type 'sign_tr"):
        ORTMultiStreamForConditionalGeneration.from_pretrained(classifier.folder)


def test_an_export_without_a_cache_writes_the_same_sentences(tmp_path):
    model = tiny_translator(POSE)
    folder = export(model, tmp_path, TRANSLATION_TASK.removesuffix("-with-past"))
    assert {file.name for file in folder.glob("*.onnx")} == {"encoder_model.onnx", "decoder_model.onnx"}
    exported = ORTMultiStreamForConditionalGeneration.from_pretrained(folder, num_threads=1)
    assert exported.config.use_cache is False and exported.generation_config.use_cache is False
    clips = multistream_clips(model.config, 2, 9, "padding")
    for mode in (GREEDY, BEAMS):
        assert generate(exported, clips, **mode) == generate(model, clips, **mode)
    with pytest.raises(ConfigurationError, match="expected no cache, since none of the loaded decoders knows one"):
        generate(exported, clips, **GREEDY, use_cache=True)


def test_it_is_in_evaluation_mode(exported):
    assert exported.eval() is exported


def test_the_ctc_head_is_saved_and_fetched_with_the_model(tmp_path, monkeypatch):
    model = tiny_model(POSE, ctc_weight=0.3)
    exported = ORTMultiStreamForConditionalGeneration.from_pretrained(export(model, tmp_path / "out"))
    exported.save_pretrained(tmp_path / "saved")
    saved = ORTMultiStreamForConditionalGeneration.from_pretrained(tmp_path / "saved")
    clip = multistream_clips(model.config, 1, 6)
    assert torch.equal(saved.generate(**clip, **BEAMS), exported.generate(**clip, **BEAMS))
    (tmp_path / "saved" / CTC_HEAD).unlink()
    fetched = []
    monkeypatch.setattr(ORTMultiStreamForConditionalGeneration, "_cached_file", lambda *a, **k: fetched.append((a, k)))
    monkeypatch.setattr(ORTModelForConditionalGeneration, "_from_pretrained", lambda *a, **k: None)
    ORTMultiStreamForConditionalGeneration._from_pretrained("me/mine", model.config, revision="v2", use_cache=True)
    assert fetched == [(("me/mine", CTC_HEAD), {"subfolder": "", "revision": "v2"})]
    ORTMultiStreamForConditionalGeneration._from_pretrained(tmp_path / "saved", model.config)
    assert len(fetched) == 1
