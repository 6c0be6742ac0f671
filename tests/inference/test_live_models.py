"""Live models: what they read of a window, forced beginnings, and clear refusals. Exports are compared with torch."""

import warnings

import numpy as np
import pytest
import torch
from landmark_factories import signer_frame
from live_factories import NOBODY, live_frame, live_frames
from model_factories import VOCABULARY, tiny_model, tiny_processor, tiny_text_config

from hf_slt.errors import ConfigurationError
from hf_slt.extraction.keypoints import keypoints_78
from hf_slt.inference.live_models import LiveRecognizer, LiveTranslator, live_device, load_live_model
from hf_slt.inference.streaming import clip_landmarks, stream_inputs
from hf_slt.models.gloss.feature_extraction_gloss import GlossFeatureExtractor
from hf_slt.models.sign_transformer.configuration_sign_transformer import SignTransformerConfig
from hf_slt.models.sign_transformer.modeling_sign_transformer import SignTransformerForGlossClassification

STREAMS = ("face", "left_hand", "pose")
TINY = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}


def make_translator(streams=STREAMS):
    processor = tiny_processor(streams)
    model = tiny_model(
        streams, gain=30.0, num_pose_landmarks=33, text_config=tiny_text_config(vocab_size=len(processor.tokenizer))
    )
    model.generation_config.max_new_tokens = 8
    return model, processor


def make_recognizer(**extractor):
    torch.manual_seed(0)
    extractor = GlossFeatureExtractor(**extractor)
    names = dict(enumerate(["A", "B", "C"]))
    config = SignTransformerConfig(**TINY, input_size=extractor.input_size, id2label=names, num_categories=2)
    return SignTransformerForGlossClassification(config).eval(), extractor


def crops(count):
    rng = np.random.default_rng(0)
    frames = [live_frame(number, crop_size=16) for number in range(count)]
    for frame in frames:
        for stream in frame.crops:
            frame.crops[stream] = rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)
    return frames


def test_a_window_is_translated_as_the_processor_would():
    model, processor = make_translator()
    live, frames = LiveTranslator(model, processor, {"num_beams": None, "max_new_tokens": 5}), crops(6)
    inputs = processor(**stream_inputs(frames, STREAMS, processor.feature_extractor.layout()), return_tensors="pt")
    expected = processor.batch_decode(model.generate(**inputs, max_new_tokens=5), skip_special_tokens=True)[0].strip()
    assert expected
    assert live(frames) == expected
    assert live.image_streams == ["face", "left_hand"]


def test_a_translation_begins_with_what_was_said():
    live, frames = LiveTranslator(*make_translator()), crops(6)
    free = live(frames)
    said = "La casa"
    assert not free.startswith(said)
    assert live(frames, said).startswith(said)


@pytest.mark.parametrize("limit", ["option", "max_new_tokens", "max_length"])
def test_the_longest_sentence_counts_what_was_said(limit):
    model, processor = make_translator()
    said = "La casa"
    longest = len(processor.tokenizer(said, add_special_tokens=False)["input_ids"]) + 3
    model.generation_config.max_new_tokens = None
    if limit != "option":
        setattr(model.generation_config, limit, longest + (limit == "max_length"))
    options = {"max_new_tokens": longest} if limit == "option" else {}
    live, frames, asked = LiveTranslator(model, processor, options), crops(6), []
    generate = model.generate
    model.generate = lambda **inputs: asked.append(inputs.get("max_new_tokens")) or generate(**inputs)
    assert live(frames, said).startswith(said)
    assert asked == [3]
    full = "La casa La casa"
    assert live(frames, full) == full  # nothing more to say, and no error
    assert len(asked) == 1


def test_nothing_to_translate_leaves_what_was_said():
    live = LiveTranslator(*make_translator())
    assert live([live_frame(0, NOBODY)], "La casa") == "La casa"


def test_probabilities_of_a_window():
    model, extractor = make_recognizer()
    frames = live_frames("s" * 6)
    found = LiveRecognizer(model, extractor)(frames)
    clip = clip_landmarks(frames)
    values, mask = keypoints_78(clip, 5)
    with torch.no_grad():
        logits = model(**extractor(values, mask, clip.aspect_ratio, return_tensors="pt")).gloss_logits
    np.testing.assert_allclose(found, logits.softmax(-1)[0].numpy(), atol=1e-6)
    assert found.sum() == pytest.approx(1, abs=1e-5)


def test_a_recognizer_of_another_layout_reads_fractions_of_the_picture():
    live = LiveRecognizer(*make_recognizer(num_landmarks=33))
    frames, halved = live_frames("s" * 4), live_frames("s" * 4)
    before = live(frames)
    for frame in halved:
        frame.landmarks.pose[:, 0] *= 0.5
    assert np.abs(live(halved) - before).max() > 1e-4
    assert live.names == ["A", "B", "C"]


def test_without_a_person_no_gloss_is_likelier():
    live = LiveRecognizer(*make_recognizer())
    np.testing.assert_allclose(live(live_frames("nnn")), [1 / 3] * 3, rtol=1e-6)


def test_models_that_cannot_be_used_live():
    with pytest.raises(ConfigurationError, match="expected a classifier of landmarks, found one of image features"):
        LiveRecognizer(*make_recognizer(input_type="features", feature_size=2048))
    with pytest.raises(ConfigurationError, match="layout 'points_40' with points that it does not give"):
        LiveRecognizer(*make_recognizer(num_landmarks=40))
    model, processor = make_translator()
    processor.feature_extractor.num_pose_landmarks = 50
    with pytest.raises(ConfigurationError, match="found one of the layout 'skeleton_50'"):
        LiveTranslator(model, processor)


def test_models_are_loaded_by_what_they_are(tmp_path):
    model, processor = make_translator()
    frames = crops(5)
    expected = LiveTranslator(model, processor)(frames)
    for part in (model, processor):
        part.save_pretrained(tmp_path / "run")
    model.save_pretrained(tmp_path / "run/checkpoint-5")
    for folder in ("run", "run/checkpoint-5"):  # the processor is above
        assert load_live_model(tmp_path / folder, device="cpu")(frames) == expected
    model, extractor = make_recognizer()
    for part in (model, extractor):
        part.save_pretrained(tmp_path / "gloss")
    np.testing.assert_allclose(
        load_live_model(tmp_path / "gloss", device="cpu")(frames), LiveRecognizer(model, extractor)(frames), atol=1e-6
    )


def test_folders_without_a_model(tmp_path):
    with pytest.raises(ConfigurationError, match=r"expected a trained model in --checkpoint .*, found no config\.json"):
        load_live_model(tmp_path)
    tiny_text_config(vocab_size=VOCABULARY).save_pretrained(tmp_path)
    with pytest.raises(ConfigurationError, match="for translation or glosses, found a model of type 't5'"):
        load_live_model(tmp_path)


def test_weights_that_are_missing_are_named(tmp_path):
    model, extractor = make_recognizer()
    extractor.save_pretrained(tmp_path)
    state = {name: value for name, value in model.state_dict().items() if not name.startswith("heads")}
    left_out = set(model.state_dict()) - set(state)
    model.save_pretrained(tmp_path, state_dict=state)
    assert left_out
    with pytest.raises(ConfigurationError, match=f"found {len(left_out)} of its weights missing"):
        load_live_model(tmp_path, device="cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_gpu():
    assert live_device("auto").type == "cpu"
    with pytest.raises(ConfigurationError, match="expected a GPU for --device cuda"):
        live_device("cuda")


def test_an_export_says_the_same(tmp_path):
    from onnx_stack import skip_without_onnx

    skip_without_onnx()
    from optimum.exporters.onnx.convert import onnx_export_from_model

    from hf_slt.exporters.registration import TRANSLATION_TASK, register_onnx_configs

    register_onnx_configs()
    model, processor = make_translator()
    frames = crops(6)
    model.config.use_cache = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        onnx_export_from_model(model, tmp_path, task=TRANSLATION_TASK, do_validation=False)
    processor.save_pretrained(tmp_path)
    live, exported = LiveTranslator(model, processor), load_live_model(onnx=tmp_path, num_threads=1)
    for window, said in ((frames[:3], ""), (frames, ""), (frames, "La casa"), ([live_frame(0, signer_frame())], "")):
        assert exported(window, said) == live(window, said)
