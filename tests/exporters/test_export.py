"""An export is complete and equal to PyTorch, or not there."""

import hashlib
import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from custom_decoders import custom_decoder_config
from model_factories import tiny_config, tiny_extractor, tiny_model, tiny_processor, tiny_text_config

from hf_slt import (
    ConvTransformerConfig,
    ConvTransformerForGlossClassification,
    InceptionGRUConfig,
    InceptionGRUForGlossClassification,
    ORTGlossClassifier,
    ORTMultiStreamForConditionalGeneration,
    SignTransformerConfig,
    SignTransformerForGlossClassification,
)
from hf_slt.errors import ConfigurationError, ExportParityError, MissingDependencyError
from hf_slt.exporters import export as export_module
from hf_slt.exporters import requirements
from hf_slt.exporters.arguments import ExportArguments
from hf_slt.exporters.clips import random_clips
from hf_slt.exporters.export import run_export
from hf_slt.training.arguments import DataArguments

GLOSS_MODELS = {
    "sign_transformer": lambda: SignTransformerForGlossClassification(
        SignTransformerConfig(
            input_size=6, hidden_size=8, num_attention_heads=2, intermediate_size=8, num_hidden_layers=1, num_labels=3
        )
    ),
    "conv_transformer": lambda: ConvTransformerForGlossClassification(
        ConvTransformerConfig(input_size=6, hidden_size=8, num_attention_heads=2, num_blocks=1, num_labels=3)
    ),
    "inception_gru": lambda: InceptionGRUForGlossClassification(
        InceptionGRUConfig(input_size=6, gru_hidden_sizes=[5, 4], num_labels=3, num_categories=None)
    ),
}


def run(checkpoint, output, **kwargs):
    return run_export(ExportArguments(checkpoint=str(checkpoint), output=str(output), **kwargs), DataArguments())


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("translation") / "run"
    model = tiny_model(("left_hand", "right_hand", "pose"), gain=20.0)
    model.save_pretrained(folder)
    tiny_processor(("left_hand", "right_hand", "pose"), num_landmarks=5).save_pretrained(folder)
    (folder / "splits.json").write_text("{}")
    return folder


@pytest.fixture(scope="module")
def exported(checkpoint) -> tuple[Path, dict]:
    output = checkpoint.parent / "out"
    return output, run(checkpoint, output, torchscript=True, validate=2)


def test_the_report_says_what_was_written_and_compared(exported):
    output, report = exported
    assert json.loads((output / "export_report.json").read_text()) == report
    assert (report["task"], report["opset"]) == ("text2text-generation-with-past", 18)
    assert report["versions"]["onnxruntime"] and report["versions"]["optimum-onnx"]
    assert set(report["files"]) == {path.name for path in output.iterdir() if path.suffix in (".onnx", ".pt")}
    for name, file in report["files"].items():
        assert file["sha256"] == hashlib.sha256((output / name).read_bytes()).hexdigest()
        assert file["bytes"] == (output / name).stat().st_size
    encoder = report["files"]["encoder_model.onnx"]
    assert encoder["opset"] == {"ai.onnx": 18}
    assert encoder["inputs"]["pose_values"] == {"dtype": "tensor(float)", "axes": ["batch_size", "frames", 15]}
    assert encoder["outputs"]["last_hidden_state"]["axes"] == ["batch_size", "encoder_sequence_length", 16]
    for parity in report["parity"].values():
        assert len(parity["cells"]) == 26 and parity["max_abs_difference"] <= 1e-4
    tokens = [name for name in report["parity"]["onnx"]["cells"][0] if "tokens" in name]
    assert tokens == [
        f"{decoder}_tokens_of_{search}_identical"
        for decoder in ("two_decoders", "merged_decoder")
        for search in ("greedy_search", "4_beams")
    ]


def test_the_folder_holds_all_that_a_user_needs(exported):
    output, _ = exported
    for name in ("config.json", "generation_config.json", "preprocessor_config.json", "tokenizer.json", "splits.json"):
        assert (output / name).is_file(), name
    model = ORTMultiStreamForConditionalGeneration.from_pretrained(output)
    ids = model.generate(**random_clips(model.config, 2, 9), max_new_tokens=5)
    assert ids.shape[0] == 2


def test_an_export_that_differs_leaves_nothing(checkpoint, tmp_path, monkeypatch):
    load, loaded = export_module.Source.load_model, []

    def load_changed(source):
        loaded.append(load(source))
        if len(loaded) == 1:  # the one that is exported
            with torch.no_grad():
                loaded[0].encoder.fusion.weight.mul_(1.5)
        return loaded[-1]

    monkeypatch.setattr(export_module.Source, "load_model", load_changed)
    with pytest.raises(ExportParityError, match=r"found \d+ differences in 24 batches; nothing was written"):
        run(checkpoint, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_torchscript_loads_where_hf_slt_is_not(exported, checkpoint, tmp_path):
    output, _ = exported
    model = tiny_model(("left_hand", "right_hand", "pose"), gain=20.0)
    inputs = random_clips(model.config, 2, 11, "padding", seed=5)
    with torch.no_grad():
        states = model.encoder(**inputs)[0]
    torch.save(inputs, tmp_path / "inputs.pt")
    code = (
        "import sys, torch; sys.modules['hf_slt'] = sys.modules['transformers'] = None\n"
        "model = torch.jit.load(sys.argv[1]); outputs = model(torch.load(sys.argv[2]))\n"
        "torch.save(dict(outputs), sys.argv[3])"
    )
    files = [str(path) for path in (output / "model.pt", tmp_path / "inputs.pt", tmp_path / "outputs.pt")]
    subprocess.run([sys.executable, "-I", "-c", code, *files], check=True)
    outputs = torch.load(tmp_path / "outputs.pt")
    real = inputs["attention_mask"].bool()
    assert torch.equal(outputs["states_mask"], inputs["attention_mask"])
    torch.testing.assert_close(outputs["last_hidden_state"][real], states[real], atol=1e-5, rtol=0)


@pytest.mark.parametrize("family", GLOSS_MODELS)
def test_gloss_classifiers(family, tmp_path):
    torch.manual_seed(0)
    model = GLOSS_MODELS[family]().eval()
    model.save_pretrained(tmp_path / "run")
    report = run(tmp_path / "run", tmp_path / "out", torchscript=True)
    assert set(report["parity"]) == {"onnx", "torchscript"} and report["task"] == "text-classification"
    heads = ["gloss_logits"] if family == "inception_gru" else ["gloss_logits", "category_logits"]
    assert list(report["files"]["model.onnx"]["outputs"]) == heads
    found = ORTGlossClassifier.from_pretrained(tmp_path / "out")(input_values=torch.ones(2, 5, 6))
    with torch.no_grad():
        expected = model(torch.ones(2, 5, 6))
    torch.testing.assert_close(found.gloss_logits, expected.gloss_logits, atol=1e-5, rtol=0)
    assert (found.category_logits is None) == (expected.category_logits is None)


def test_the_encoder_alone_of_a_model_with_a_decoder_class(tmp_path):
    text = custom_decoder_config("RecurrentDecoder")
    tiny_model(("pose",), text_config=text).save_pretrained(tmp_path / "run")
    tiny_extractor(("pose",), num_landmarks=5).save_pretrained(tmp_path / "run")
    with pytest.raises(ConfigurationError, match="RecurrentDecoder: a decoder class of your own cannot be exported"):
        run(tmp_path / "run", tmp_path / "out")
    report = run(tmp_path / "run", tmp_path / "out", part="encoder")
    assert list(report["files"]) == ["model.onnx"]


def test_a_decoder_that_nobody_tried_is_refused(tmp_path):
    from transformers import PegasusConfig

    small = tiny_text_config("bart").to_dict()
    sizes = {
        name: small[name] for name in ("d_model", "encoder_layers", "decoder_layers", "vocab_size", "pad_token_id")
    }
    text = PegasusConfig(**sizes, decoder_attention_heads=2, encoder_attention_heads=2, eos_token_id=1)
    tiny_config(("pose",), text_config=text).save_pretrained(tmp_path / "run")
    with pytest.raises(
        ConfigurationError, match=r"a text decoder out of \['t5', .*found 'pegasus'; export the encoder"
    ):
        run(tmp_path / "run", tmp_path / "out")


def test_folders_that_are_no_model(tmp_path):
    with pytest.raises(ConfigurationError, match="a trained model in --checkpoint, found no config.json in"):
        run(tmp_path / "nowhere", tmp_path / "out")
    tiny_text_config().save_pretrained(tmp_path / "t5")
    with pytest.raises(ConfigurationError, match="or a gloss classifier in --checkpoint, found a model of type 't5'"):
        run(tmp_path / "t5", tmp_path / "out")
    tiny_config(("pose",)).save_pretrained(tmp_path / "empty")
    with pytest.raises(ConfigurationError, match="a trained model in --checkpoint .*which does not load"):
        run(tmp_path / "empty", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_classifier_has_no_encoder_part(tmp_path):
    SignTransformerConfig(num_labels=2).save_pretrained(tmp_path / "run")
    with pytest.raises(ConfigurationError, match="--part full for a gloss classifier"):
        run(tmp_path / "run", tmp_path / "out", part="encoder")


def test_a_trained_image_backbone_is_not_left_out_silently(tmp_path):
    InceptionGRUConfig(train_from_frames=True, freeze_backbone=False).save_pretrained(tmp_path / "run")
    with pytest.raises(ConfigurationError, match="whose image backbone was trained with it, which is not exported"):
        run(tmp_path / "run", tmp_path / "out")


def test_an_earlier_export_is_replaced_only_when_asked(tmp_path):
    GLOSS_MODELS["inception_gru"]().save_pretrained(tmp_path / "run")
    run(tmp_path / "run", tmp_path / "out")
    with pytest.raises(ConfigurationError, match="or add --overwrite to replace an earlier export in it"):
        run(tmp_path / "run", tmp_path / "out")
    run(tmp_path / "run", tmp_path / "out", overwrite=True)
    (tmp_path / "out" / "eval_test").mkdir()
    with pytest.raises(ConfigurationError, match="which would be replaced, found eval_test; move it away"):
        run(tmp_path / "run", tmp_path / "out", overwrite=True)
    assert (tmp_path / "out" / "model.onnx").is_file()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    with pytest.raises(ConfigurationError, match="expected an earlier export to overwrite .* found other content"):
        run(tmp_path / "run", tmp_path / "mine", overwrite=True)


def test_the_checkpoint_is_never_in_what_is_replaced(tmp_path):
    GLOSS_MODELS["inception_gru"]().save_pretrained(tmp_path / "out" / "run")
    (tmp_path / "out" / "export_report.json").write_text("{}")
    for output in (tmp_path / "out", tmp_path / "out" / "run"):
        (output / "export_report.json").write_text("{}")
        with pytest.raises(ConfigurationError, match="found the checkpoint .*run in .*, which would be replaced"):
            run(tmp_path / "out" / "run", output, overwrite=True)
    assert (tmp_path / "out" / "run" / "model.safetensors").is_file()


def test_a_link_is_written_where_it_leads_to(tmp_path):
    GLOSS_MODELS["inception_gru"]().save_pretrained(tmp_path / "run")
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for overwrite in (False, True):
        run(tmp_path / "run", tmp_path / "link", overwrite=overwrite)
        assert (tmp_path / "link").is_symlink() and (tmp_path / "real" / "model.onnx").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "real", "run"]


def test_nothing_is_left_changed_in_the_process(tmp_path):
    GLOSS_MODELS["inception_gru"]().save_pretrained(tmp_path / "run")
    loggers = [logging.getLogger(name) for name in ("optimum", "transformers")]
    before = [logger.level for logger in loggers]
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        run(tmp_path / "run", tmp_path / "out")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert [logger.level for logger in loggers] == before


def test_a_run_that_has_not_ended_names_its_checkpoint(tmp_path):
    (tmp_path / "run" / "checkpoint-20").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match="the run has not ended, .* or pass .*checkpoint-20"):
        run(tmp_path / "run", tmp_path / "out")


def test_another_transformers_names_the_pin(tmp_path, monkeypatch):
    monkeypatch.setattr(requirements.importlib.metadata, "version", lambda name: "5.2.0")
    with pytest.raises(MissingDependencyError, match=r"transformers>=4.57,<4.58, .*found transformers 5.2.0"):
        run(tmp_path, tmp_path / "out")
