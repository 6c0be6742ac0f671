"""Directories that one generation of transformers saved are opened here, be it this one or the other."""

import json
import os
from pathlib import Path

import pytest
import torch
from model_factories import DECODERS, tiny_model, tiny_text_config
from safetensors.torch import load_file
from specimens import CLASSIFIERS, OUTPUTS, TRANSLATORS, VERSION, WORDS, open_specimen, write_specimens

NAMES = (*TRANSLATORS, *CLASSIFIERS)


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    folder = tmp_path_factory.mktemp("specimens")
    write_specimens(folder)
    return folder


@pytest.fixture(scope="module")
def others():
    """Folders that other environments wrote."""
    place = os.environ.get("HF_SLT_SPECIMENS")
    if not place:
        pytest.skip("no saved models of another environment (HF_SLT_SPECIMENS; see tests/specimens.py)")
    folders = sorted(path.parent for path in Path(place).glob(f"*/{VERSION}"))
    assert folders, f"no specimens in {place}"
    return folders


def check(folder):
    outputs, words = open_specimen(folder)
    expected = load_file(folder / OUTPUTS)
    assert expected.keys() == outputs.keys()
    for name, value in expected.items():
        torch.testing.assert_close(outputs[name], value, rtol=1e-4, atol=1e-5, msg=lambda text, n=name: f"{n}: {text}")
    assert words == json.loads((folder / WORDS).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", NAMES)
def test_what_this_environment_saved(own, name):
    check(own / name)


@pytest.mark.parametrize("name", NAMES)
def test_what_another_environment_saved(others, name):
    for folder in others:
        check(folder / name)


@pytest.mark.parametrize("name", TRANSLATORS)
def test_files_are_those_that_every_generation_reads(own, name):
    found = {path.name for path in (own / name).iterdir()}
    assert "preprocessor_config.json" in found and "processor_config.json" not in found
    fields = json.loads((own / name / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert fields["tokenizer_class"] == "PreTrainedTokenizerFast"
    weights = load_file(own / name / "model.safetensors")
    if name != "resnet":  # the names of a ViT's layers in files, since 4.0
        assert "encoder.backbones.face.backbone.encoder.layer.0.attention.attention.query.weight" in weights


@pytest.mark.parametrize("name", TRANSLATORS)
def test_a_state_dict_of_a_file_is_loaded_whole(own, name):
    model = TRANSLATORS[name]()
    expected = {key: value.clone() for key, value in model.state_dict().items()}
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    result = model.load_state_dict(load_file(own / name / "model.safetensors"), strict=False)
    assert not result.unexpected_keys
    assert all(torch.equal(value, expected[key]) for key, value in model.state_dict().items())


def test_the_file_has_one_table_of_embeddings_and_the_output_where_it_is_untied(own):
    files = {name: load_file(own / name / "model.safetensors") for name in DECODERS}
    tables = {name: sum("embed_tokens" in key or "shared" in key for key in file) for name, file in files.items()}
    assert tables == dict.fromkeys(DECODERS, 1)
    assert [name for name, file in files.items() if "text_model.lm_head.weight" in file] == ["t5_untied"]


@pytest.mark.parametrize("decoder", ["t5", "bart"])
def test_a_decoder_that_is_not_tied_reads_the_one_table_and_has_an_output_of_its_own(decoder):
    config = tiny_text_config("t5_untied" if decoder == "t5" else decoder)
    config.tie_word_embeddings = config.tie_word_embeddings and decoder == "t5"
    model = tiny_model(("pose",), text_config=config)
    table = model.get_input_embeddings().weight
    assert not model.config.tie_word_embeddings and model.get_decoder().embed_tokens.weight is table
    assert model.get_output_embeddings().weight is not table
