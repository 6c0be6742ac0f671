"""Classifiers on ONNX Runtime: they take and return what the PyTorch models do."""

import pytest
import torch
from export_factories import export, tiny_classifier

from hf_slt import ORTGlossClassifier
from hf_slt.errors import ConfigurationError, DimensionMismatchError
from hf_slt.exporters.clips import GLOSS_CONDITIONS, gloss_clips
from hf_slt.exporters.registration import CLASSIFICATION_TASK

VARIANTS = {
    "sign_mean": ("sign", {}),
    "sign_max_one_head": ("sign", {"pooling": "max", "num_categories": None}),
    "sign_cls_linear": ("sign", {"pooling": "cls", "head_hidden_size": None, "hidden_act": "gelu"}),
    "conv_mean": ("conv", {}),
    "conv_max_one_head": ("conv", {"pooling": "max", "num_categories": None, "head_hidden_size": 8}),
    "gru_last": ("gru", {}),
    "gru_mean_one_head": ("gru", {"pooling": "mean", "num_categories": None}),
    "gru_max": ("gru", {"pooling": "max"}),
}


@pytest.fixture(scope="module")
def exported(classifier):
    return ORTGlossClassifier.from_pretrained(classifier.folder, num_threads=1)


def differences(model, exported, inputs, **other):
    with torch.no_grad():
        expected = model(**inputs)
    found = exported(**{**inputs, **other})
    assert type(found) is type(expected) and found.keys() == expected.keys()
    return [float((found[name] - value).abs().max()) for name, value in expected.items()]


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_family_gives_the_same_scores(variant, tmp_path):
    family, fields = VARIANTS[variant]
    model = tiny_classifier(family, **fields)
    exported = ORTGlossClassifier.from_pretrained(export(model, tmp_path, CLASSIFICATION_TASK), num_threads=1)
    for batch_size, frames in ((1, 1), (1, 9), (3, 2), (3, 40)):
        for condition in GLOSS_CONDITIONS:
            clips = gloss_clips(model.config, batch_size, frames, condition, seed=frames)
            assert max(differences(model, exported, clips)) < 1e-5, (batch_size, frames, condition)


def test_what_stands_in_masked_frames_does_not_matter(classifier, exported):
    clips = gloss_clips(classifier.model.config, 3, 9, "holes")
    garbage = clips["input_values"].masked_fill(clips["attention_mask"][..., None] == 0, float("nan"))
    assert max(differences(classifier.model, exported, clips, input_values=garbage)) < 1e-5


def test_other_types_of_numbers(classifier, exported):
    clips = gloss_clips(classifier.model.config, 3, 9, "holes")
    values, mask = clips["input_values"], clips["attention_mask"]
    assert max(differences(classifier.model, exported, clips, input_values=values.double())) < 1e-5
    assert max(differences(classifier.model, exported, clips, attention_mask=mask.bool())) < 1e-5
    assert max(differences(classifier.model, exported, clips, input_values=values.numpy())) < 1e-5
    assert max(differences(classifier.model, exported, {"input_values": values})) < 1e-5
    half = {**clips, "input_values": values.bfloat16().float()}
    assert max(differences(classifier.model, exported, half, input_values=values.bfloat16())) < 1e-5
    halves = {"input_values": values, "attention_mask": mask * 0.5}  # every number but 0 counts
    assert max(differences(classifier.model, exported, halves)) < 1e-5


def test_labels_give_the_same_loss(classifier, exported):
    clips = gloss_clips(classifier.model.config, 3, 9)
    labels = {"labels": torch.tensor([1, 2, -100]), "category_labels": torch.tensor([0, -100, 2])}
    found = differences(classifier.model, exported, {**clips, **labels})
    assert len(found) == 3 and max(found) < 1e-5
    loss, gloss_scores, category_scores = exported(**clips, **labels, return_dict=False)
    assert (loss.shape, gloss_scores.shape, category_scores.shape) == ((), (3, 5), (3, 3))


def test_wrong_shapes_are_the_errors_of_the_pytorch_model(exported):
    with pytest.raises(DimensionMismatchError, match=r"expected input_values \(B, T, 6\).*found \(2, 4, 5\)"):
        exported(torch.zeros(2, 4, 5))
    with pytest.raises(DimensionMismatchError, match=r"at least one frame, found \(2, 0, 6\)"):
        exported(torch.zeros(2, 0, 6))
    with pytest.raises(DimensionMismatchError, match=r"at least one clip, found \(0, 4, 6\)"):
        exported(torch.zeros(0, 4, 6))
    with pytest.raises(ConfigurationError, match="tensor or an array of numbers as input_values, found"):
        exported("clip")
    with pytest.raises(ConfigurationError, match=r"attention_mask \(B, T\) = \(2, 4\), found \(2, 1\)"):
        exported(torch.zeros(2, 4, 6), torch.ones(2, 1))


def test_hidden_states_are_refused(exported):
    with pytest.raises(ConfigurationError, match="no output_hidden_states of a model on ONNX Runtime.* the PyTorch"):
        exported(torch.zeros(1, 4, 6), output_hidden_states=True)
    assert exported(torch.zeros(1, 4, 6), output_hidden_states=False).hidden_states is None


def test_a_translation_model_is_no_classifier(translator):
    with pytest.raises(ConfigurationError, match="exported gloss classifier, found a model of type 'multistream_slt'"):
        ORTGlossClassifier.from_pretrained(translator.folder)


def test_it_is_in_evaluation_mode(exported):
    assert exported.eval() is exported
