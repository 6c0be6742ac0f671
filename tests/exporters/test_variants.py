"""Variants of an export are complete folders that load, generate and stay close to fp32."""

import json
import shutil

import numpy as np
import onnx
import pytest
import torch
from variant_exports import STREAMS, export_classifier, export_translation

from hf_slt import ORTGlossClassifier, ORTMultiStreamForConditionalGeneration
from hf_slt.errors import ConfigurationError
from hf_slt.exporters import onnx_files
from hf_slt.exporters.clips import random_clips
from hf_slt.exporters.onnx_files import loaded_files
from hf_slt.exporters.quantization import ClipReader, quantize_activations
from hf_slt.exporters.variants import KINDS, write_variants

ERROR = {"int8": 0.04, "int8-static": 0.1, "fp16": 1e-3, "bf16": 1e-2}  # root mean square, relative


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = export_translation(tmp_path_factory.mktemp("variants") / "out", ctc_weight=0.5)
    (folder / "export_report.json").write_text("{}")
    model = ORTMultiStreamForConditionalGeneration.from_pretrained(folder)
    clips = (random_clips(model.config, 1, 8, "missing_hands", seed=seed) for seed in range(10, 30))
    return folder, write_variants(KINDS, folder, clips)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    folder = export_classifier(tmp_path_factory.mktemp("classifier") / "out")
    model = ORTGlossClassifier.from_pretrained(folder)
    write_variants(KINDS, folder, [random_clips(model.config, 2, 8, seed=seed) for seed in range(10, 14)])
    return folder


def load(folder):
    return ORTMultiStreamForConditionalGeneration.from_pretrained(folder, num_threads=1)


def difference(found, expected):
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("kind", KINDS)
def test_a_variant_of_a_translation_model_is_close_and_generates(exported, kind):
    folder, _ = exported
    exact, variant = load(folder), load(folder / kind)
    inputs = random_clips(exact.config, 2, 11, "padding", seed=3)
    expected, found = exact.encoder(**inputs), variant.encoder(**inputs)
    seen = expected.attention_mask.bool()
    error = difference(found[0][seen], expected[0][seen])
    assert 0 < error < ERROR[kind]
    assert torch.equal(found.attention_mask, expected.attention_mask)
    assert 0 < difference(variant.compute_ctc_logits(expected[0]), exact.compute_ctc_logits(expected[0])) < ERROR[kind]
    labels = torch.randint(2, 40, (2, 5), generator=torch.Generator().manual_seed(0))
    losses = [float(model(**inputs, labels=labels).loss) for model in (variant, exact)]
    assert losses[0] == pytest.approx(losses[1], rel=ERROR[kind])
    ids = variant.generate(**inputs, num_beams=2, max_new_tokens=5)
    assert ids.shape[0] == 2 and ids.shape[1] <= 6


@pytest.mark.parametrize("kind", KINDS)
def test_both_ways_of_decoding_are_the_same(exported, kind):
    folder, _ = exported
    inputs = random_clips(load(folder).config, 2, 9, seed=4)
    kind_of = ORTMultiStreamForConditionalGeneration
    models = [kind_of.from_pretrained(folder / kind, num_threads=1, use_merged=merged) for merged in (False, True)]
    ids = [model.generate(**inputs, max_new_tokens=6) for model in models]
    assert torch.equal(*ids)


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_is_complete_and_its_files_are_smaller(exported, kind):
    folder, written = exported
    names = {path.name for path in folder.iterdir() if path.is_file()} - {"export_report.json"}
    assert {path.name for path in (folder / kind).iterdir()} == names
    assert {"config.json", "generation_config.json", "tokenizer.json", "preprocessor_config.json"} < names
    assert set(written[kind]["files"]) == {name for name in names if name.endswith(".onnx")}
    json.dumps(written)  # as it stands in the report
    for name in written[kind]["files"]:
        onnx.checker.check_model(folder / kind / name)


def products(path):
    """Return the operators that multiply by a weight, those of sub-graphs too."""
    model = onnx.load(path)
    graphs = [model.graph, *(a.g for node in model.graph.node for a in node.attribute if a.HasField("g"))]
    weights = {tensor.name for graph in graphs for tensor in graph.initializer}
    return [
        node.op_type
        for graph in graphs
        for node in graph.node
        if node.op_type in ("MatMul", "Gemm", "MatMulInteger", "Conv") and set(node.input) & weights
    ]


def test_int8_leaves_no_product_in_fp32_and_each_weight_once(exported):
    folder, written = exported
    for name in ("encoder_model.onnx", "ctc_head.onnx", "decoder_model.onnx", "decoder_model_merged.onnx"):
        assert "MatMul" in products(folder / name)
        assert not {"MatMul", "Gemm"} & set(products(folder / "int8" / name)), name
        assert "MatMulInteger" in products(folder / "int8" / name)
        assert written["int8"]["files"][name]["method"] == "dynamic"
    assert "Conv" in products(folder / "int8" / "encoder_model.onnx")  # slower in 8 bits without known ranges
    merged = onnx.load(folder / "int8" / "decoder_model_merged.onnx").graph
    inside = [t for node in merged.node for a in node.attribute for t in a.g.initializer if np.prod(t.dims) > 64]
    assert inside == [] and sum(t.data_type == onnx.TensorProto.INT8 for t in merged.initializer) >= 10


def test_static_ranges_are_of_the_clips(exported):
    folder, written = exported
    files = written["int8-static"]["files"]
    assert (files["encoder_model.onnx"]["method"], files["encoder_model.onnx"]["clips"]) == ("static", 20)
    assert files["decoder_model_merged.onnx"]["method"] == files["ctc_head.onnx"]["method"] == "dynamic"
    assert products(folder / "int8-static" / "encoder_model.onnx") == []  # weights go through DequantizeLinear
    operators = [node.op_type for node in onnx.load(folder / "int8-static" / "encoder_model.onnx").graph.node]
    assert "DynamicQuantizeLinear" not in operators and operators.count("QuantizeLinear") > 5


@pytest.mark.parametrize("kind", KINDS)
def test_a_variant_of_a_classifier_is_close(classifier, kind):
    exact, variant = (ORTGlossClassifier.from_pretrained(path) for path in (classifier, classifier / kind))
    inputs = random_clips(exact.config, 3, 9, "missing_hands", seed=3)
    expected, found = exact(**inputs), variant(**inputs)
    for head in ("gloss_logits", "category_logits"):
        assert 0 < difference(found[head], expected[head]) < ERROR[kind]


def test_a_recurrent_classifier_has_variants_too(tmp_path):
    folder = export_classifier(tmp_path / "out", "inception_gru")
    inputs = random_clips(ORTGlossClassifier.from_pretrained(folder).config, 2, 7)
    write_variants(("int8", "int8-static"), folder, [inputs])
    expected = ORTGlossClassifier.from_pretrained(folder)(**inputs).gloss_logits
    for kind in ("int8", "int8-static"):
        found = ORTGlossClassifier.from_pretrained(folder / kind)(**inputs).gloss_logits
        assert difference(found, expected) < 0.05


def test_an_encoder_alone_has_variants_too(tmp_path):
    folder = export_translation(tmp_path / "out", part="encoder")
    written = write_variants(("int8", "bf16"), folder)
    assert [list(written[kind]["files"]) for kind in written] == [["model.onnx"], ["model.onnx"]]
    assert [path.name for path in loaded_files(folder / "int8")] == ["model.onnx"]


def test_files_that_a_model_reads_are_the_pair_of_decoders_or_the_merged_one(exported, tmp_path):
    folder, _ = exported
    names = [path.name for path in loaded_files(folder)]
    assert names == ["ctc_head.onnx", "decoder_model.onnx", "decoder_with_past_model.onnx", "encoder_model.onnx"]
    for name in ("encoder_model.onnx", "decoder_model_merged.onnx"):
        shutil.copyfile(folder / name, tmp_path / name)
    (tmp_path / "encoder_model.onnx_data").write_bytes(b"0")
    assert {path.name for path in loaded_files(tmp_path)} == {path.name for path in tmp_path.iterdir()}


def test_what_cannot_be_written_is_said_before_anything_is(tmp_path):
    with pytest.raises(ConfigurationError, match="expected variants out of int8, int8-static, fp16, bf16, found int4"):
        write_variants(("int4", "int8"), tmp_path)
    with pytest.raises(ConfigurationError, match="expected training clips to calibrate int8-static on, found none"):
        write_variants(("int8-static",), tmp_path, [])
    with pytest.raises(ConfigurationError, match=f"expected the ONNX files of an export, found none in {tmp_path}"):
        write_variants(("int8",), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_clips_are_handed_over_in_the_types_of_the_file():
    clip = {"pose_values": torch.ones(1, 2, 3, dtype=torch.float64), "pose_mask": torch.ones(1, 2, dtype=torch.bool)}
    reader = ClipReader([{**clip, "labels": torch.zeros(1)}], ["pose_values", "pose_mask"])
    given = reader.get_next()
    assert {name: value.dtype for name, value in given.items()} == {"pose_values": np.float32, "pose_mask": np.int64}
    assert reader.get_next() is None


def test_ranges_beyond_those_of_the_clips_are_cut(exported, tmp_path):
    """That ranges come from the clips, and not from the clip that is read, shows on a clip of larger numbers."""
    folder, _ = exported
    config = load(folder).config
    small = random_clips(config, 1, 8)
    quantize_activations(folder / "encoder_model.onnx", tmp_path / "encoder_model.onnx", [small])
    for path in folder.iterdir():
        if path.is_file() and path.name != "encoder_model.onnx":
            shutil.copyfile(path, tmp_path / path.name)
    large = {name: value * 50 if name == "pose_values" else value for name, value in small.items()}
    exact, variant = load(folder), load(tmp_path)
    assert STREAMS[-1] == "pose"
    assert difference(variant.encoder(**small)[0], exact.encoder(**small)[0]) < 0.05
    assert difference(variant.encoder(**large)[0], exact.encoder(**large)[0]) > 0.1


@pytest.mark.parametrize("kind", ["int8", "int8-static"])
def test_weights_of_a_large_model_may_lie_beside_it(classifier, tmp_path, monkeypatch, kind):
    """What is too large for one file gives what a small one does."""
    model = ORTGlossClassifier.from_pretrained(classifier / kind)
    inputs = random_clips(model.config, 3, 9, seed=3)
    folder = tmp_path / "out"
    shutil.copytree(classifier, folder, ignore=shutil.ignore_patterns(*KINDS))
    monkeypatch.setattr(onnx_files, "PROTOBUF_LIMIT", 1000)
    onnx_files.save(onnx.load(folder / "model.onnx"), folder / "model.onnx")
    assert (folder / "model.onnx_data").stat().st_size > 1000
    write_variants([kind], folder, [random_clips(model.config, 2, 8, seed=seed) for seed in range(10, 14)])
    found = ORTGlossClassifier.from_pretrained(folder / kind)
    assert {path.name for path in loaded_files(folder / kind)} == {"model.onnx", "model.onnx_data"}
    assert torch.equal(found(**inputs).gloss_logits, model(**inputs).gloss_logits)


def test_each_output_of_a_product_has_a_scale_of_its_own(tmp_path):
    folder = export_classifier(tmp_path / "out")
    (clip,) = [random_clips(ORTGlossClassifier.from_pretrained(folder).config, 1, 6)]
    written = write_variants(("int8", "int8-static"), folder, [clip])
    for kind, done in written.items():
        assert done["files"]["model.onnx"]["per_channel"] is True
        model = onnx.load(folder / kind / "model.onnx")
        sizes = [
            tensor.dims[0] for tensor in model.graph.initializer if "scale" in tensor.name and len(tensor.dims) == 1
        ]
        assert 32 in sizes, kind  # the width of the model
