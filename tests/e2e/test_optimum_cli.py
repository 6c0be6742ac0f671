"""`optimum-cli export onnx` knows our models, whichever way hf_slt was installed."""

import json
import shutil
import subprocess
import sys
import zipfile

import pytest
import torch
from model_factories import tiny_model
from onnx_stack import skip_without_onnx
from script_runs import ROOT, run_process
from transformers import BertConfig, BertModel

from hf_slt import SignTransformerConfig, SignTransformerForGlossClassification
from hf_slt.exporters.clips import gloss_clips, multistream_clips

skip_without_onnx()

PLUGIN = "optimum/commands/register/register_hf_slt.py"
# Runs optimum-cli after the folder of an installation was added as one of Python's own, with its `.pth` files.
CLI = """
import site, sys
site.addsitedir(sys.argv.pop(1))
from optimum.commands.optimum_cli import main
main()
"""
OLD_TRANSFORMERS = """
import importlib.metadata

version = importlib.metadata.version
importlib.metadata.version = lambda name: "4.56.9" if name == "transformers" else version(name)
"""


def install(folder, hook):
    """Build the package as pip does, by a hook of its build backend, and unpack it: the files that pip would copy."""
    source = folder / "source"
    source.mkdir()
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("hf_slt", "scripts", "model_cards"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    build = f"from setuptools import build_meta; build_meta.{hook}({str(folder)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "installed")
    return folder / "installed"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    return install(tmp_path_factory.mktemp("wheel"), "build_wheel")


@pytest.fixture(scope="module")
def editable(tmp_path_factory):
    return install(tmp_path_factory.mktemp("editable"), "build_editable")


def test_a_wheel_holds_every_module_and_the_plugin(installed):
    expected = {str(path.relative_to(ROOT)) for path in (ROOT / "hf_slt").rglob("*.py")}
    expected -= {"hf_slt/exporters/optimum_plugin/register_hf_slt.py"}
    expected |= {f"hf_slt/scripts/{path.name}" for path in (ROOT / "scripts").glob("*.py")}
    found = {str(path.relative_to(installed)) for path in installed.rglob("*.py")}
    assert found == expected | {PLUGIN}, "setup.cfg lists each package by name"


def test_a_translation_model_exports_after_a_plain_install(installed, tmp_path):
    from hf_slt import ORTMultiStreamForConditionalGeneration

    model = tiny_model(("pose",))
    model.save_pretrained(tmp_path / "model")
    flags = ["--model", tmp_path / "model", "--task", "text2text-generation-with-past", "--library", "transformers"]
    run_process(sys.executable, "-c", CLI, installed, "export", "onnx", *flags, tmp_path / "out")
    files = {path.name for path in (tmp_path / "out").glob("*.onnx")}
    decoders = {"decoder_model.onnx", "decoder_with_past_model.onnx", "decoder_model_merged.onnx"}
    assert files == {"encoder_model.onnx", *decoders}
    exported = ORTMultiStreamForConditionalGeneration.from_pretrained(tmp_path / "out", num_threads=1)
    clips = multistream_clips(model.config, 3, 7, "padding")
    expected = model.generate(**clips, num_beams=4, max_new_tokens=6)
    assert exported.generate(**clips, num_beams=4, max_new_tokens=6).tolist() == expected.tolist()


def test_a_classifier_exports_after_an_editable_install(editable, tmp_path):
    from hf_slt import ORTGlossClassifier

    assert not (editable / "hf_slt").exists() and not (editable / PLUGIN).exists()
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    model = SignTransformerForGlossClassification(SignTransformerConfig(**sizes)).eval()
    model.save_pretrained(tmp_path / "model")
    config = json.loads((tmp_path / "model/config.json").read_text())
    del config["pad_token_id"]  # as in checkpoints of before
    (tmp_path / "model/config.json").write_text(json.dumps(config))
    flags = ["--model", tmp_path / "model", "--task", "text-classification", "--library", "transformers"]
    run_process(sys.executable, "-c", CLI, editable, "export", "onnx", *flags, tmp_path / "out")
    exported = ORTGlossClassifier.from_pretrained(tmp_path / "out", num_threads=1)
    clips = gloss_clips(model.config, 3, 7, "padding")
    with torch.no_grad():
        expected = model(**clips).gloss_logits
    torch.testing.assert_close(exported(**clips).gloss_logits, expected, atol=1e-4, rtol=0)


def test_with_another_transformers_optimum_exports_what_it_did(installed, tmp_path):
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    BertModel(BertConfig(vocab_size=20, **sizes)).save_pretrained(tmp_path / "model")
    flags = ["--model", tmp_path / "model", "--task", "feature-extraction", "--library", "transformers"]
    program = OLD_TRANSFORMERS + CLI
    done = run_process(sys.executable, "-c", program, installed, "export", "onnx", *flags, tmp_path / "out")
    assert (tmp_path / "out/model.onnx").is_file()
    assert "models of hf_slt cannot be exported: expected transformers>=4.57,<4.58" in done.stderr


def test_optimum_cli_starts_without_torch(installed):
    seen = "print('plug-in', 'optimum.commands.register.register_hf_slt' in sys.modules, 'torch' in sys.modules)"
    program = CLI.replace("\nmain()", f"\ntry:\n    main()\nfinally:\n    {seen}")
    done = run_process(sys.executable, "-c", program, installed, "--help")
    assert done.stdout.splitlines()[-1] == "plug-in True False"
