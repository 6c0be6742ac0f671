"""A decoder class from a file of the user's own, and a backbone for the face: train, evaluate, and lose the file."""

import sys

import pytest
from custom_decoders import documented_decoder
from model_factories import tiny_vit
from script_runs import SPLITS, TINY, data_flags, read_csv, run_main
from transformers import ViTModel

from hf_slt import MultiStreamForConditionalGeneration


@pytest.fixture(scope="module")
def trained_with_own(corpus, tmp_path_factory):
    """A run with the documented decoder and a pretrained face backbone: its folder, and the folder of the code."""
    folder = tmp_path_factory.mktemp("own_decoder")
    (folder / "code").mkdir()
    (folder / "code" / "my_decoder.py").write_text(documented_decoder())
    ViTModel(tiny_vit()).save_pretrained(folder / "vit")
    flags = [*data_flags(corpus, SPLITS), *TINY, "--max_steps", "2", "--batch-size", "2", "--face-backbone"]
    flags += [folder / "vit", "--decoder-class", "my_decoder:MyDecoder", "--decoder-kwargs", '{"max_length": 64}']
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder / "code")
        run_main("train_slt", [*flags, "--output_dir", folder / "run"])
    return folder / "run", folder / "code"


@pytest.fixture
def own_code(trained_with_own, monkeypatch):
    monkeypatch.syspath_prepend(trained_with_own[1])


def evaluation_flags(run, corpus, output_dir):
    flags = ["--checkpoint", run, *data_flags(corpus), "--index", corpus.indexes["test"], "--num-workers", 0]
    return [*flags, "--num-beams", 2, "--max-new-tokens", 8, "--resamples", 0, "--output-dir", output_dir]


def test_the_run_saves_the_decoder_that_it_trained(trained_with_own, own_code):
    model = MultiStreamForConditionalGeneration.from_pretrained(trained_with_own[0])
    decoder = model.get_decoder()
    assert type(decoder).__name__ == "MyDecoder" and decoder.positions.weight.shape == (64, 16)
    assert (model.config.face_backbone_config.hidden_size, model.generation_config.use_cache) == (16, False)
    assert model.encoder.backbones["face"].backbone.config.num_attention_heads == tiny_vit().num_attention_heads


def test_the_run_is_scored(trained_with_own, own_code, corpus, tmp_path):
    run_main("eval_slt", evaluation_flags(trained_with_own[0], corpus, tmp_path))
    rows = read_csv(tmp_path / "predictions.csv")
    assert [row["video_id"] for row in rows] == SPLITS["test"]
    results = read_csv(trained_with_own[0] / "test_predictions.csv")
    assert [row["reference"] for row in rows] == [row["reference"] for row in results]


def test_without_its_code_the_error_says_what_is_missing(trained_with_own, corpus, tmp_path, capsys, monkeypatch):
    monkeypatch.delitem(sys.modules, "my_decoder")
    with pytest.raises(SystemExit) as exit_info:
        run_main("eval_slt", evaluation_flags(trained_with_own[0], corpus, tmp_path))
    error = capsys.readouterr().err
    assert exit_info.value.code == 2 and "No module named 'my_decoder'" in error
    assert "the decoder class my_decoder:MyDecoder" in error and "put the folder of its file on PYTHONPATH" in error
