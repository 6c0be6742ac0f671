"""Which scores a card takes: of these weights, of the right types, of as many clips as were used."""

import json
import logging
import os

import pytest
from card_runs import METRICS, SETTINGS, write_object

from hf_slt.errors import ConfigurationError
from hf_slt.model_card import render_model_card
from hf_slt.model_card.run_files import current_evaluations, read_run
from hf_slt.training.model_hash import hash_weights


def test_the_hash_of_the_weights_tells_whose_scores_they_are(make_run, caplog):
    folder = make_run()
    path = write_object(folder / "eval_test" / "metrics.json", {**METRICS, "model_hash": hash_weights(folder)})
    os.utime(path, (0, 0))
    os.utime(folder / "model.safetensors", (9, 9))  # a copy in another order
    assert list(current_evaluations(folder)) == [path]
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content + b"0")  # trained again
    os.utime(folder / "model.safetensors", (0, 0))
    with caplog.at_level(logging.WARNING, "hf_slt"):
        assert read_run(folder).evaluations == [] and current_evaluations(folder) == {}
    assert f"{path} is of other weights than those beside it: it is left out of the model card" in caplog.text


def test_scores_of_an_export_are_held_against_its_files(make_run):
    folder = make_run()
    (folder / "model.safetensors").rename(folder / "encoder_model.onnx")
    scores = {**METRICS, "runtime": "onnxruntime", "model_hash": hash_weights(folder, "onnxruntime")}
    write_object(folder / "eval_test" / "metrics.json", scores)
    assert len(current_evaluations(folder)) == 1
    (folder / "encoder_model.onnx").write_bytes(b"another")
    assert current_evaluations(folder) == {}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"confidence": "high"}, "expected a number in 'confidence', found 'high'"),
        ({"bleu_interval": 3}, "expected two numbers in 'bleu_interval', found 3"),
        ({"bleu_interval": [1, "x"]}, "expected two numbers in 'bleu_interval'"),
        ({"ablation": {"without pose": 3}}, "expected an object of objects in 'ablation'"),
        ({"ablation": [1]}, "expected an object of objects in 'ablation'"),
        ({"ablation": {"without pose": {"bleu": "x"}}}, "expected a number in 'ablation.without pose.bleu', found 'x'"),
        ({"seen": {"chrf_interval": 1}}, "expected two numbers in 'seen.chrf_interval'"),
        ({"per_signer": ["Ada"]}, "expected a list of objects in 'per_signer'"),
        ({"abstention": 3, "n": "two"}, "expected an object in 'abstention', found 3; expected a number in 'n', found"),
        ({"signature": 3}, "expected a text in 'signature'"),
        ({"signers_shared_with_training": "Ada"}, "expected a list or a number in 'signers_shared_with_training'"),
    ],
)
def test_scores_of_other_types_are_named(make_run, wrong, message):
    folder = make_run(metrics={**wrong, "split": "test"})
    with pytest.raises(ConfigurationError, match=rf"metrics\.json: {message}.*; evaluate the model again"):
        render_model_card(folder)


def test_an_abstention_that_lacks_a_number(make_run):
    assert "below -0.5 are not answered" in render_model_card(make_run(metrics={"abstention": {"threshold": -0.5}}))


def test_a_table_of_signers_that_is_no_text(make_run):
    folder = make_run()
    (folder / "eval_test" / "per_signer.csv").write_bytes(b"signer,bleu\n\xff,1\n")
    with pytest.raises(ConfigurationError, match=r"expected a table in CSV .*, found .*per_signer\.csv"):
        render_model_card(folder)


def test_weights_that_are_damaged(make_run):
    folder = make_run(metrics=None)
    (folder / "model.safetensors").write_bytes(b"\x09\0\0\0\0\0\0\0{broken")
    with pytest.raises(ConfigurationError, match=r"expected whole weights in .*model\.safetensors, found: "):
        render_model_card(folder)


@pytest.mark.parametrize("members", ["video_ids", "files"])
def test_clips_of_a_subset_are_counted(make_run, members):
    splits = {"validation": {members: ["a", "b", "c"], "data_hash": "sha256:77"}}
    folder = make_run(metrics=None, settings={**SETTINGS, "subset_size": 3}, splits=splits)
    write_object(folder / "eval_results.json", {"eval_bleu": 30.0, "eval_runtime": 1.5})
    (one,) = read_run(folder).evaluations
    assert one.metrics["n"] == 3 and one.metrics["data_hash"] == "sha256:77" and "runtime" not in one.metrics


def test_a_number_of_signers_in_place_of_their_names(make_run):
    for name, shared, shown in (("a", 2, "**Signers shared with training: 2**"), ("b", 0, "with training: none\n")):
        text = render_model_card(make_run(name, metrics={**METRICS, "signers_shared_with_training": shared}))
        assert f"{shown}" in text
    assert "Ada" not in render_model_card(make_run("c", metrics={**METRICS, "signers_shared_with_training": ["Ada"]}))


def test_clips_of_glosses_are_compared_by_content(make_run):
    scores = {"task": "gloss", "split": "test", "accuracy": 0.5, "overlap": {"video_ids": 0, "groups": None}}
    config = {"model_type": "sign_transformer"}
    text = render_model_card(make_run(config=config, metrics=scores))
    assert "- Clips shared with training or validation: none\n" in text
    known = {**scores, "overlap": {"video_ids": 2, "groups": None}}
    text = render_model_card(make_run("b", config=config, metrics=known))
    assert "2 clips by their content **(the guard was overridden" in text


def test_base_models_are_ids_and_no_folders(make_run):
    settings = {
        **SETTINGS,
        "init_checkpoint": "runs/pretrain",
        "decoder_model": "./models/t5",
        "backbone": "google/vit",
    }
    text = render_model_card(make_run(settings=settings))
    assert "base_model:\n- google/vit\nlibrary_name" in text
    assert "first weights of the whole model: `pretrain` |" in text and "text decoder: `t5` |" in text


def test_a_backbone_trained_from_frames_began_with_imagenet(make_run):
    config = {"model_type": "inception_gru", "train_from_frames": True, "use_pretrained_backbone": True}
    assert "InceptionV3 with ImageNet weights" in render_model_card(make_run(config=config, metrics=None))
    features = json.loads(json.dumps(config)) | {"train_from_frames": False}
    assert "ImageNet" not in render_model_card(make_run("b", config=features, metrics=None))
