"""A real video: what a model says of it is exactly what it says of the files that are extracted from it."""

import numpy as np
import pytest
import torch
from model_factories import tiny_model, tiny_processor, tiny_text_config
from transformers import pipeline

from hf_slt.extraction.clip import extract_clip
from hf_slt.extraction.options import ExtractionOptions
from hf_slt.inference.clip_inputs import Reading, read_stream_clip
from hf_slt.inference.gloss import GlossPredictor
from hf_slt.inference.translation import TranslationPredictor
from hf_slt.models.gloss.feature_extraction_gloss import GlossFeatureExtractor
from hf_slt.models.sign_transformer.configuration_sign_transformer import SignTransformerConfig
from hf_slt.models.sign_transformer.modeling_sign_transformer import SignTransformerForGlossClassification

pytestmark = pytest.mark.real_data
FPS = 5


@pytest.fixture(scope="module")
def clip(real_data_dir, tmp_path_factory):
    """The video, and the folder of its streams."""
    pytest.importorskip("mediapipe", reason="landmarks of a video need MediaPipe")
    video, folder = real_data_dir / "video" / "isl" / "you.mp4", tmp_path_factory.mktemp("streams")
    extract_clip(video, folder, "you", ExtractionOptions(fps=FPS))
    return video, folder


def translator():
    processor = tiny_processor()
    text_config = tiny_text_config(vocab_size=len(processor.tokenizer))
    model = tiny_model(gain=20.0, num_pose_landmarks=33, text_config=text_config)
    model.generation_config.max_length = 10
    return TranslationPredictor(model, processor)


def test_a_sentence_of_the_video_is_that_of_its_files(clip):
    video, folder = clip
    predictor = translator()
    inputs = [read_stream_clip(source, predictor.feature_extractor, Reading(fps=FPS)) for source in (video, folder)]
    assert inputs[0].provenance == inputs[1].provenance and inputs[0].provenance["extractor"] == "mediapipe_holistic"
    assert inputs[0].encoded["right_hand_mask"].any() and inputs[0].encoded["pose_mask"].any()
    assert all(np.array_equal(inputs[0].encoded[name], value) for name, value in inputs[1].encoded.items())
    assert predictor.predict([video], num_beams=2, fps=FPS) == predictor.predict([folder], num_beams=2)


def test_a_gloss_of_the_video_is_that_of_its_files_in_the_pipeline_too(clip):
    video, folder = clip
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    model = SignTransformerForGlossClassification(SignTransformerConfig(**sizes))
    extractor = GlossFeatureExtractor()
    sources = [video, folder, folder / "keypoints78" / "you.npz"]
    of_video, of_folder, of_file = GlossPredictor(model, extractor).predict(sources, batch_size=1, fps=FPS)
    assert of_video == of_folder == of_file
    answers = pipeline("sign-recognition", model=model, feature_extractor=extractor, fps=FPS, device="cpu")(str(video))
    assert [one["label"] for one in answers] == [one.name for one in of_video.glosses]
