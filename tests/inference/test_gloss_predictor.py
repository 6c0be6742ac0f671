"""Predictions of a saved classifier: names, ranks, the right key, and errors for what it does not read."""

import numpy as np
import pytest
import torch
from gloss_factories import make_clip, write_gloss_clip

from hf_slt.data.gloss.clips import read_clip, write_clip
from hf_slt.data.gloss.dataset import GlossDataset
from hf_slt.data.gloss.labels import LabelRow
from hf_slt.data.gloss.table import build_clip_table
from hf_slt.errors import ConfigurationError, DataContractError
from hf_slt.inference.gloss import GlossPrediction, GlossPredictor, RankedClass
from hf_slt.models.gloss.feature_extraction_gloss import GlossFeatureExtractor
from hf_slt.models.inception_gru.configuration_inception_gru import InceptionGRUConfig
from hf_slt.models.inception_gru.modeling_inception_gru import InceptionGRUForGlossClassification
from hf_slt.models.sign_transformer.configuration_sign_transformer import SignTransformerConfig
from hf_slt.models.sign_transformer.modeling_sign_transformer import SignTransformerForGlossClassification

GLOSSES = ["GOOD MORNING", "THANK YOU", "NA", "नमस्ते", "HOW ARE YOU", "FINE"]
TINY = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}


def transformer(**classes):
    torch.manual_seed(0)
    return SignTransformerForGlossClassification(SignTransformerConfig(**TINY, **classes))


@pytest.fixture
def predictor():
    names = {"id2label": dict(enumerate(GLOSSES)), "category_id2label": {0: "GREETING", 1: "SURVIVAL"}}
    return GlossPredictor(transformer(**names, num_categories=2), GlossFeatureExtractor())


def write_clips(folder, count=3):
    rng = np.random.default_rng(0)
    return [write_gloss_clip(folder / f"c{i}.npz", *make_clip(rng, i, count)) for i in range(count)]


def test_a_prediction_is_one_line_for_people():
    said = GlossPrediction(
        [RankedClass(4, "HOW ARE YOU", 0.876), RankedClass(0, "GOOD MORNING", 0.1)], [RankedClass(0, "GREETING", 0.77)]
    )
    assert str(said) == "HOW ARE YOU (4) 0.88 · GREETING (0) 0.77"
    assert str(GlossPrediction(said.glosses, [])) == "HOW ARE YOU (4) 0.88"
    assert GlossPrediction(said.glosses, []).to_dict()["category"] is None
    assert said.to_dict()["category"] == {"id": 0, "name": "GREETING", "score": 0.77}


def test_probabilities_are_those_of_the_model(predictor, tmp_path):
    paths = write_clips(tmp_path)
    for path, said in zip(paths, predictor.predict(paths, top_k=3), strict=True):
        clip = read_clip(path)
        inputs = GlossFeatureExtractor()(clip.values, clip.mask, clip.aspect_ratio, return_tensors="pt")
        with torch.no_grad():
            outputs = predictor.model(**inputs)
        expected = outputs.gloss_logits[0].softmax(-1).topk(3)
        assert [ranked.id for ranked in said.glosses] == expected.indices.tolist()
        assert [ranked.score for ranked in said.glosses] == pytest.approx(expected.values.tolist(), abs=1e-5)
        assert [ranked.name for ranked in said.glosses] == [GLOSSES[ranked.id] for ranked in said.glosses]
        assert said.categories[0].score == pytest.approx(outputs.category_logits[0].softmax(-1).max().item(), abs=1e-5)
        assert len(said.categories) == 2  # there are no more


def test_frames_without_a_point_and_long_clips_are_read_as_in_training(predictor, tmp_path):
    points, mask = np.random.default_rng(2).uniform(0.2, 0.8, (2000, 156)), np.ones((2000, 78), bool)
    mask[3:9] = False
    changed = points.copy()
    changed[1500:] += 0.2  # beyond any limit of the length
    for name, values in (("clip", points), ("changed", changed)):
        write_clip(tmp_path / f"{name}.npz", values, mask)
    data = GlossDataset(
        build_clip_table(tmp_path, ["clip"], cache_dir=tmp_path), [LabelRow(2, "clip", 0)], GlossFeatureExtractor()
    )
    item = data[0]
    assert item["attention_mask"].tolist() == mask.any(axis=1).tolist()
    inputs = {name: torch.as_tensor(item[name])[None] for name in ("input_values", "attention_mask")}
    with torch.no_grad():
        expected = predictor.model(**inputs).gloss_logits[0].softmax(-1).max().item()
    said = predictor.predict([tmp_path / "clip.npz", tmp_path / "changed.npz"])
    assert said[0].glosses[0].score == pytest.approx(expected, abs=1e-6)
    assert [ranked.score for ranked in said[0].glosses] != [ranked.score for ranked in said[1].glosses]


def test_batches_files_arrays_and_clips_give_the_same(predictor, tmp_path):
    paths = write_clips(tmp_path)
    one, all_at_once = predictor.predict(paths, batch_size=1), predictor.predict(paths)
    clips = [read_clip(path) for path in paths]
    mixed = predictor.predict([clips[0], paths[1], clips[2]])
    for other in (all_at_once, mixed):
        for left, right in zip(one, other, strict=True):
            assert [ranked.id for ranked in left.glosses] == [ranked.id for ranked in right.glosses]
            assert left.glosses[0].score == pytest.approx(right.glosses[0].score, abs=1e-5)
    assert predictor.predict([]) == []
    square = [clip.values for clip in clips]  # an array does not tell its aspect ratio, nor its mask: (0, 0) is missing
    assert [len(said.glosses) for said in predictor.predict(square)] == [5, 5, 5]


def test_classes_without_names_are_called_by_their_number(tmp_path):
    predictor = GlossPredictor(transformer(num_labels=105, num_categories=None), GlossFeatureExtractor())
    said = predictor.predict(write_clips(tmp_path))[0]
    assert said.glosses[0].name == f"gloss {said.glosses[0].id}" and said.categories == []


def test_the_models_own_key_is_read_whatever_else_is_in_the_file(predictor, tmp_path):
    values, mask = make_clip(np.random.default_rng(0), 0, 2)
    other = np.random.default_rng(1).normal(size=(9, 2048)).astype(np.float32)
    path = tmp_path / "both.npz"
    np.savez(path, X=values, mask=mask, X2048=other)
    assert predictor.read([path])[0].values.shape == values.shape
    features = GlossPredictor(
        InceptionGRUForGlossClassification(InceptionGRUConfig(num_labels=3, num_categories=None)),
        GlossFeatureExtractor(input_type="features"),
    )
    assert (predictor.kind, features.kind) == ("keypoints", "features")
    assert features.read([path])[0].values.shape == (9, 2048)
    assert len(features.predict([path])[0].glosses) == 3


def test_clips_of_another_width_name_both_numbers_and_all_are_listed(predictor, tmp_path):
    wide, missing = tmp_path / "wide.npz", tmp_path / "missing.npz"
    write_clip(wide, np.ones((5, 2048), np.float32), key="X")
    with pytest.raises(DataContractError, match="what the model reads: 2 problems") as error:
        predictor.predict([*write_clips(tmp_path), wide, missing])
    text = str(error.value)
    assert "(T, 156)" in text and "(5, 2048)" in text and "missing.npz" in text
    with pytest.raises(ConfigurationError, match=r"shape \(T, 156\).* found \(5, 2048\)"):
        predictor.predict([np.ones((5, 2048))])


def test_another_key(predictor, tmp_path):
    values, mask = make_clip(np.random.default_rng(0), 0, 2)
    write_clip(tmp_path / "k.npz", values, mask, key="K")
    assert len(predictor.predict([tmp_path / "k.npz"], key="K")) == 1
    with pytest.raises(DataContractError, match=r"an array under the key 'X'(.|\n)*the keys \['K', 'mask'\]"):
        predictor.predict([tmp_path / "k.npz"])


def test_numbers_that_cannot_work(predictor):
    with pytest.raises(ConfigurationError, match="top_k and batch_size of 1 or more, found 0 and 32"):
        predictor.predict([], top_k=0)


def test_a_saved_folder_predicts_the_same(predictor, tmp_path):
    paths = write_clips(tmp_path)
    predictor.model.save_pretrained(tmp_path / "run")
    predictor.feature_extractor.save_pretrained(tmp_path / "run")
    again = GlossPredictor.from_pretrained(tmp_path / "run")
    assert [str(said) for said in again.predict(paths)] == [str(said) for said in predictor.predict(paths)]
