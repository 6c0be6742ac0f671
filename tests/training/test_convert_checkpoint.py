"""Conversions as folders: complete or absent, and ready for everything that reads a trained model."""

import hashlib
import json
import logging

import numpy as np
import pytest
import torch
from gloss_factories import write_gloss_corpus, write_names
from legacy_factories import (
    NaiveGRU,
    NaiveMultiStream,
    NaiveTransformer,
    PatchMeans,
    randomized,
    write_gloss_checkpoint,
    write_multistream_checkpoint,
)
from transformers import AutoModel, PreTrainedModel

from hf_slt.errors import ConfigurationError, DataContractError
from hf_slt.inference.gloss import GlossPredictor
from hf_slt.training.convert_checkpoint import convert_checkpoint
from hf_slt.training.evaluate_gloss import run_evaluate_gloss
from hf_slt.training.gloss_evaluation_arguments import GlossEvaluationArguments


@pytest.fixture
def transformer(tmp_path):
    old = randomized(NaiveTransformer("mean", inputs=156, glosses=4, categories=2))
    return old, write_gloss_checkpoint(tmp_path / "SignTransformer_best.pt", old)


def files_of(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_converted_transformer_predicts_and_is_evaluated(transformer, tmp_path, caplog):
    (old, path), out = transformer, tmp_path / "a" / "out"
    corpus = write_gloss_corpus(tmp_path / "corpus")
    names = {"gloss_names": str(corpus.gloss_names), "cat_names": str(corpus.category_names)}
    with caplog.at_level(logging.INFO):
        report = convert_checkpoint("fslr", path, out, num_heads=4, **names)
    assert files_of(out) == ["config.json", "conversion_report.json", "model.safetensors", "preprocessor_config.json"]
    assert files_of(out.parent) == ["out"]
    assert json.loads((out / "conversion_report.json").read_text()) == report
    assert report["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (report["tool"], report["architecture"], report["values"]["epoch"]) == ("fslr", "SignTransformer", 7)
    assert report["mapped"]["encoder_layers.1.attention.W_k.bias"] == "layers.1.attention.k_proj.bias"
    assert "left out 1 of the file (pos_encoder.pe): sinusoidal positions are computed" in caplog.text

    clip = sorted(corpus.folders["test"].glob("*.npz"))[0]
    with np.load(clip) as content:
        values, seen = torch.tensor(content["X"]), torch.tensor(content["mask"]).any(dim=1)
    with torch.no_grad():
        expected = old(values[None], seen[None])[0].softmax(-1)[0]
    best = GlossPredictor.from_pretrained(out).predict([clip], top_k=1)[0].glosses[0]
    assert best.name == f"SIGN {best.id}" and best.id == expected.argmax()
    assert abs(best.score - expected.max()) < 1e-5

    flags = {"keypoints": str(corpus.folders["test"]), "labels_csv": str(corpus.labels["test"]), "resamples": 0}
    metrics = run_evaluate_gloss(GlossEvaluationArguments(checkpoint=str(out), **flags, cache_dir=str(tmp_path / "c")))
    assert metrics["clips"] == 4 and 0 <= metrics["accuracy"] <= 1


def test_a_converted_gru_reads_features(tmp_path):
    path = write_gloss_checkpoint(tmp_path / "a.pt", randomized(NaiveGRU(inputs=2048)))
    convert_checkpoint("fslr", path, tmp_path / "out")
    predictor = GlossPredictor.from_pretrained(tmp_path / "out")
    assert predictor.kind == "features" and predictor.feature_extractor.feature_size == 2048
    assert len(predictor.predict([np.ones((3, 2048), np.float32)])[0].glosses) == 5


def test_a_converted_encoder_loads(tmp_path, caplog):
    path = write_multistream_checkpoint(tmp_path / "best.pt", randomized(NaiveMultiStream(PatchMeans)))
    report = convert_checkpoint("slt", path, tmp_path / "out", num_heads=4)
    assert files_of(tmp_path / "out") == ["config.json", "conversion_report.json", "model.safetensors"]
    model = AutoModel.from_pretrained(tmp_path / "out")
    assert (model.config.temporal_heads, model.config.temporal_norm) == (4, "post")
    assert f"{len(report['missing'])} weights of the model are random" in caplog.text
    assert report["dropped"]["decoder_state"] == "the encoder is converted, nothing else of the run"
    with pytest.raises(ConfigurationError, match="of --from slt, found --pooling, --gloss-names, which is for gloss"):
        convert_checkpoint("slt", path, tmp_path / "b", pooling="mean", gloss_names="names.csv")


def test_only_an_earlier_conversion_is_replaced_and_only_if_asked(transformer, tmp_path):
    (_, path), out = transformer, tmp_path / "out"
    convert_checkpoint("fslr", path, out, num_heads=4)
    with pytest.raises(ConfigurationError, match="an earlier conversion in .*out; .*add --overwrite"):
        convert_checkpoint("fslr", path, out, num_heads=2)
    (out / "notes.txt").write_text("old")
    convert_checkpoint("fslr", path, out, num_heads=2, overwrite=True)
    assert "notes.txt" not in files_of(out)
    assert json.loads((out / "config.json").read_text())["num_attention_heads"] == 2
    other = tmp_path / "other"
    other.mkdir()
    convert_checkpoint("fslr", path, other, num_heads=4)
    (other / "conversion_report.json").unlink()
    with pytest.raises(ConfigurationError, match="content in .*other that is no earlier conversion"):
        convert_checkpoint("fslr", path, other, num_heads=4, overwrite=True)
    with pytest.raises(ConfigurationError, match="found a file: .*best.pt"):
        convert_checkpoint("fslr", path, path, num_heads=4, overwrite=True)
    assert path.is_file()


@pytest.mark.parametrize("exists", [False, True])
def test_a_failure_leaves_what_was_there(exists, transformer, tmp_path, monkeypatch):
    (_, path), out = transformer, tmp_path / "a" / "out"
    out.parent.mkdir()
    if exists:
        convert_checkpoint("fslr", path, out, num_heads=4)
    before = [files_of(out), (out / "config.json").read_text()] if exists else []

    def full_disk(self, folder, **kwargs):
        (folder / "model.safetensors").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(PreTrainedModel, "save_pretrained", full_disk)
    with pytest.raises(ConfigurationError, match="expected to write .*out, found: No space left on device"):
        convert_checkpoint("fslr", path, out, num_heads=2, overwrite=exists)
    assert files_of(out.parent) == (["out"] if exists else [])
    assert before == ([files_of(out), (out / "config.json").read_text()] if exists else [])


def test_an_input_that_does_not_convert_writes_nothing(transformer, tmp_path):
    (_, path), out = transformer, tmp_path / "out"
    with pytest.raises(ConfigurationError, match="--num-heads to divide the hidden size 16 of the file, found 3"):
        convert_checkpoint("fslr", path, out, num_heads=3)
    with pytest.raises(DataContractError, match="0 to 1"):
        names = write_names(tmp_path / "names.csv", ["A", "B"])
        names.write_text("id,name\n0,A\n5,B\n")
        convert_checkpoint("fslr", path, out, num_heads=4, gloss_names=str(names))
    with pytest.raises(ConfigurationError, match=r"expected --from to be one of \['fslr', 'slt'\], found 'other'"):
        convert_checkpoint("other", path, out)
    assert not out.exists()
