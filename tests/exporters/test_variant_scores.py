"""What variants cost and save, measured beside fp32."""

import time

import pytest
from factories import write_corpus
from gloss_factories import write_gloss_corpus
from model_factories import tiny_processor, tiny_text_config
from transformers import AutoConfig
from variant_exports import export_classifier, export_translation

from hf_slt import GlossFeatureExtractor, ORTGlossClassifier, ORTMultiStreamForConditionalGeneration
from hf_slt.data.builder import build_datasets
from hf_slt.data.gloss.contract import GlossSplit, check_splits
from hf_slt.exporters import variant_scores
from hf_slt.exporters.onnx_files import loaded_files
from hf_slt.exporters.variant_scores import (
    gloss_scorer,
    lost_points,
    measure_variants,
    open_export,
    take_turns,
    translation_scorer,
    works_of_all,
)
from hf_slt.exporters.variants import write_variants
from hf_slt.training.build_gloss import build_gloss_datasets


@pytest.fixture(autouse=True)
def short_turns(monkeypatch):
    monkeypatch.setattr(variant_scores, "TURN_SECONDS", 0.001)
    monkeypatch.setattr(variant_scores, "NEW_TOKENS", 4)


def test_a_translation_model_is_measured(tmp_path):
    folder = export_translation(tmp_path / "out", num_pose_landmarks=33)
    write_variants(["int8"], folder)
    corpus = write_corpus(tmp_path / "corpus")
    dataset = build_datasets(corpus, show_progress=False)[0]["test"]
    scorer = translation_scorer(dataset, tiny_processor(("face", "pose")))
    measured = measure_variants(folder, ["int8"], scorer, rounds=3, frames=7)
    assert list(measured) == ["fp32", "int8"]
    for name, path in (("fp32", folder), ("int8", folder / "int8")):
        figures = measured[name]
        assert figures["files"] == {file.name: file.stat().st_size for file in loaded_files(path)}
        assert figures["bytes"] == sum(figures["files"].values())
        assert list(figures["latency_ms"]) == list(figures["ratio"]) == ["encoder", "generate"]
        for latency in figures["latency_ms"].values():
            assert 0 < latency["low"] <= latency["median"] <= latency["high"]
        assert {"clips", "loss", "bleu", "chrf", "cer", "wer"} <= set(figures["metrics"])
        assert set(figures["points_lost"]) == {"bleu", "chrf", "cer", "wer"}
    assert measured["fp32"]["ratio"] == {"encoder": 1.0, "generate": 1.0}
    assert measured["int8"]["bytes"] < measured["fp32"]["bytes"]
    assert measured["int8"]["metrics"]["loss"] != measured["fp32"]["metrics"]["loss"]
    model = ORTMultiStreamForConditionalGeneration.from_pretrained(folder)
    assert scorer(model) == measured["fp32"]["metrics"] and scorer(model)["clips"] == 1


def test_a_classifier_is_measured(tmp_path):
    extractor = GlossFeatureExtractor()
    folder = export_classifier(tmp_path / "out", input_size=156)
    write_variants(["fp16"], folder)
    corpus = write_gloss_corpus(tmp_path / "corpus", clips_per_gloss=3)
    split = GlossSplit("test", corpus.folders["test"], corpus.labels["test"])
    report = check_splits([split], cache_dir=tmp_path / "cache")
    dataset = build_gloss_datasets(report, extractor, 2)["test"]
    scorer = gloss_scorer(dataset, extractor)
    measured = measure_variants(folder, ["fp16"], scorer, rounds=2, frames=7)
    assert list(measured["fp16"]["ratio"]) == ["classifier"]
    scores = ("accuracy", "top5_accuracy", "macro_f1", "category_accuracy")
    assert set(measured["fp16"]["points_lost"]) == set(scores)
    found = scorer(ORTGlossClassifier.from_pretrained(folder))
    assert found == measured["fp32"]["metrics"]
    assert found["clips"] == 4 and found["top5_accuracy"] == 1.0 and found["accuracy"] in (0, 0.25, 0.5, 0.75, 1)


def test_an_encoder_alone_is_measured_without_scores(tmp_path):
    folder = export_translation(tmp_path / "out", part="encoder")
    measured = measure_variants(folder, [], rounds=1, frames=5)
    assert list(measured["fp32"]["latency_ms"]) == ["encoder"]
    assert "metrics" not in measured["fp32"] and list(measured["fp32"]["files"]) == ["model.onnx"]


def test_turns_change_their_order_and_a_first_call_is_not_timed():
    calls = []

    def work(name, seconds):
        def run():
            first = not calls or calls[-1] != name
            calls.append(name)
            time.sleep(0.02 if first else seconds)

        return run

    milliseconds = take_turns({"slow": work("slow", 0.004), "fast": work("fast", 0.001)}, rounds=2)
    order = [name for i, name in enumerate(calls) if i == 0 or calls[i - 1] != name]
    assert order == ["slow", "fast", "slow"]
    assert all(len(values) == 2 for values in milliseconds.values())
    assert all(4 <= value < 20 for value in milliseconds["slow"])
    assert all(1 <= value < min(milliseconds["slow"]) for value in milliseconds["fast"][:1])


def test_a_loss_is_in_points_of_100_and_errors_grow():
    baseline = {"bleu": 40.0, "wer": 50.0, "accuracy": 0.9, "loss": 1.0}
    metrics = {"bleu": 39.5, "wer": 51.0, "accuracy": 0.93, "loss": 2.0}
    assert lost_points(baseline, metrics) == {"bleu": 0.5, "wer": 1.0, "accuracy": -3.0}
    assert str(lost_points(baseline, baseline)) == "{'bleu': 0.0, 'wer': 0.0, 'accuracy': 0.0}"


def test_clip_and_sentence_are_no_longer_than_positions(tmp_path, monkeypatch):
    monkeypatch.setattr(variant_scores, "NEW_TOKENS", 24)
    text = tiny_text_config("bart")
    text.max_position_embeddings = 12
    positions = {"position_embedding_type": "learned", "max_frames": 5, "temporal_stride": 2}
    folder = export_translation(tmp_path / "out", text_config=text, **positions)
    config = AutoConfig.from_pretrained(folder)
    model = open_export(folder, config)
    given = {}
    monkeypatch.setattr(model, "generate", lambda **kwargs: given.update(kwargs))
    works_of_all({"fp32": model}, config, 64)["fp32"]["generate"]()
    assert given["attention_mask"].shape == (1, 10)
    assert given["min_new_tokens"] == given["max_new_tokens"] == 11
    assert list(measure_variants(folder, [], rounds=1)) == ["fp32"]  # which runs both
