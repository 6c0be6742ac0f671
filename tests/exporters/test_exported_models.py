"""Folders in `--onnx` and `--checkpoint`: which of them hold an export, and what is said of the others."""

import sys

import pytest
from onnx_stack import skip_without_onnx

from hf_slt.errors import ConfigurationError, MissingDependencyError
from hf_slt.exporters.exported_models import check_exported, check_not_exported, load_exported_classifier, onnx_files
from hf_slt.models.gloss.feature_extraction_gloss import GlossFeatureExtractor
from hf_slt.models.sign_transformer.configuration_sign_transformer import SignTransformerConfig


def folder_with(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_files_of_a_variant_are_not_those_of_the_export(tmp_path):
    folder_with(tmp_path, "b.onnx", "a.onnx", "config.json", "int8/c.onnx")
    assert onnx_files(tmp_path) == ["a.onnx", "b.onnx"] and onnx_files(tmp_path / "gone") == []


def test_a_checkpoint_may_hold_its_export_beside_its_weights(tmp_path):
    check_not_exported(folder_with(tmp_path, "config.json"))
    folder_with(tmp_path, "model.onnx")
    with pytest.raises(ConfigurationError, match=f"in --checkpoint, found an export in {tmp_path}; pass it as --onnx"):
        check_not_exported(tmp_path)
    check_not_exported(folder_with(tmp_path, "model.safetensors"))


def test_an_export_is_complete(tmp_path):
    skip_without_onnx()
    with pytest.raises(ConfigurationError, match=rf"found no \.onnx file in {tmp_path}; scripts/export_onnx.py --chec"):
        check_exported(folder_with(tmp_path, "int8/model.onnx"), translates=False)
    folder_with(tmp_path, "model.onnx")
    check_exported(tmp_path, translates=False)
    message = (
        r"an encoder without its decoder in .* \(model\.onnx\); export the whole model: .*export_onnx.py --part full"
    )
    with pytest.raises(ConfigurationError, match=message):
        check_exported(tmp_path, translates=True)
    check_exported(folder_with(tmp_path, "decoder_model_merged.onnx"), translates=True)


def test_an_export_without_the_packages_that_open_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'hf_slt\[onnx\]'"):
        check_exported(folder_with(tmp_path, "model.onnx"), translates=False)


def test_a_damaged_classifier(tmp_path):
    skip_without_onnx()
    with pytest.raises(ConfigurationError, match="exported gloss classifier in --onnx, found no config.json in"):
        load_exported_classifier(tmp_path)
    SignTransformerConfig().save_pretrained(tmp_path)
    GlossFeatureExtractor().save_pretrained(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(ConfigurationError, match=f"found '{tmp_path}', which does not load: .*model.onnx"):
        load_exported_classifier(tmp_path)
