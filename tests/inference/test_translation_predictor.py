"""Sentences of a saved model: their scores are those of an evaluation, however clips are batched and given."""

import math

import numpy as np
import pytest
import torch
from factories import write_corpus
from model_factories import tiny_model, tiny_processor, tiny_text_config

from hf_slt.errors import ConfigurationError, DataContractError
from hf_slt.inference.translation import RankedSentence, TranslationPrediction, TranslationPredictor
from hf_slt.models.multistream.decoding import generated_targets, translate
from hf_slt.models.sign_transformer.configuration_sign_transformer import SignTransformerConfig
from hf_slt.training.evaluation_arguments import EvaluationArguments
from hf_slt.training.evaluation_loop import Evaluation


@pytest.fixture(scope="module")
def predictor():
    processor = tiny_processor(("face", "pose"))
    text_config = tiny_text_config(vocab_size=len(processor.tokenizer))
    model = tiny_model(("face", "pose"), gain=20.0, num_pose_landmarks=33, text_config=text_config, ctc_weight=0.3)
    model.generation_config.max_length = 10
    return TranslationPredictor(model, processor)


def clips(count=3):
    rng = np.random.default_rng(0)
    return [
        {
            "face": rng.integers(0, 256, (4 + i, 16, 16, 3), dtype=np.uint8),
            "pose": rng.uniform(0.1, 0.9, (4 + i, 33, 3)).astype(np.float32),
        }
        for i in range(count)
    ]


def test_a_prediction_is_one_line_for_people():
    best = RankedSentence("La casa es grande.", math.log(0.83))
    said = TranslationPrediction(best.text, best.score, [best])
    assert str(said) == "La casa es grande. 0.83" and said.ranked == []
    assert said.to_dict() == {**best.to_dict(), "alternatives": [best.to_dict()]}
    assert best.to_dict() == {"text": best.text, "score": best.score, "probability": 0.83}


@pytest.mark.parametrize("beams", [1, 3])
def test_sentences_and_scores_are_those_of_an_evaluation(predictor, beams):
    batch = predictor.processor(**{name: [clip[name] for clip in clips()] for name in ("face", "pose")})
    batch = {name: torch.as_tensor(values) for name, values in batch.items()}
    ids = predictor.model.generate(**batch, num_beams=beams)
    found = translate(predictor.model, batch, num_beams=beams)
    assert found.ids[:, 0].tolist() == ids.tolist() and found.ids.shape[1] == 1
    evaluation = Evaluation(predictor.model, predictor.processor, None, "pose", EvaluationArguments(), "13a")
    targets = generated_targets(ids, 1)
    labels = {"labels": torch.ones(3, 2, dtype=torch.long)}
    _, expected = evaluation.judge({**batch, **labels}, targets)
    assert found.scores[:, 0].tolist() == pytest.approx(expected, abs=1e-5)
    said = predictor.predict(clips(), num_beams=beams)
    assert [one.text for one in said] == predictor.processor.batch_decode(ids, skip_special_tokens=True)
    assert [one.score for one in said] == [round(score, 4) for score in found.scores[:, 0].tolist()]


def test_alternatives_are_as_many_as_there_are_beams(predictor):
    said = predictor.predict(clips(), num_beams=4, top_k=3)
    for one in said:
        assert len(one.alternatives) == 3 and one.alternatives[0].text == one.text and one.ranked == one.alternatives
    assert any(len({other.text for other in one.alternatives}) == 3 for one in said)
    assert [one.text for one in said] == [one.text for one in predictor.predict(clips(), num_beams=4, top_k=1)]
    assert [len(one.alternatives) for one in predictor.predict(clips())] == [1, 1, 1]


def test_batches_give_the_same_and_nothing_gives_nothing(predictor):
    together, apart = predictor.predict(clips(), num_beams=2), predictor.predict(clips(), batch_size=1, num_beams=2)
    assert [one.text for one in together] == [one.text for one in apart]
    assert [one.score for one in together] == pytest.approx([one.score for one in apart], abs=2e-4)
    assert predictor.predict([]) == []


def test_a_saved_folder_and_its_checkpoint_predict_the_same_from_files(predictor, tmp_path):
    write_corpus(tmp_path / "D", {"a": "x"})
    run = tmp_path / "run"
    for folder in (run, run / "checkpoint-4"):
        predictor.model.save_pretrained(folder)
    predictor.processor.save_pretrained(run)
    sources = [tmp_path / "D", tmp_path / "D" / "pose" / "a.npz"]
    expected = predictor.predict(sources)
    assert expected[0] != expected[1]
    for folder in (run, run / "checkpoint-4"):
        assert TranslationPredictor.from_pretrained(folder).predict(sources) == expected


def test_folders_without_a_translation_model(tmp_path):
    with pytest.raises(ConfigurationError, match="a trained translation model, found no config.json in"):
        TranslationPredictor.from_pretrained(tmp_path)
    SignTransformerConfig().save_pretrained(tmp_path)
    with pytest.raises(ConfigurationError, match="for translation, found one of type 'sign_transformer'"):
        TranslationPredictor.from_pretrained(tmp_path)


def test_what_cannot_be(predictor, tmp_path):
    with pytest.raises(ConfigurationError, match="num_beams of 1 or more, found 5, 8 and 0"):
        predictor.predict([], num_beams=0)
    with pytest.raises(DataContractError, match="2 problems"):
        predictor.predict([tmp_path / "a.mp4", tmp_path / "b.npz"])
