"""scripts/convert_checkpoint.py, as a person runs it."""

import re
import sys

import numpy as np
import pytest
import torch
from gloss_factories import make_clip, write_gloss_clip
from legacy_factories import NaiveTransformer, randomized, write_gloss_checkpoint
from script_runs import ROOT, read_json, run_main, run_process


@pytest.fixture
def checkpoint(tmp_path):
    return write_gloss_checkpoint(tmp_path / "in.pt", randomized(NaiveTransformer("max", inputs=156)))


def test_convert_and_predict(checkpoint, tmp_path, capsys):
    convert = [ROOT / "scripts/convert_checkpoint.py", "--from", "fslr", checkpoint, tmp_path / "out"]
    done = run_process(sys.executable, *convert, "--pooling", "max", "--num-heads", "4")
    assert "44 weights converted to SignTransformerForGlossClassification" in done.stderr and done.stdout == ""
    assert read_json(tmp_path / "out" / "config.json")["pooling"] == "max"
    clip, _ = make_clip(np.random.default_rng(0), gloss=1, num_glosses=5)
    run_main(
        "predict", ["--checkpoint", tmp_path / "out", write_gloss_clip(tmp_path / "clip.npz", clip, clip[:, ::2] != 0)]
    )
    assert re.match(r"gloss \d \(\d\) [01]\.\d\d · category \d \(\d\) [01]\.\d\d\n", capsys.readouterr().out)


def test_flags_are_spelled_with_dashes_or_underscores(checkpoint, tmp_path):
    (tmp_path / "names.txt").write_text("\n".join("ABCDE"))
    (tmp_path / "categories.txt").write_text("\n".join("XYZ"))
    names = [tmp_path / "names.txt", "--cat_names", tmp_path / "categories.txt"]
    run_main(
        "convert_checkpoint", ["--from", "fslr", "--num_heads", 4, "--gloss_names", *names, checkpoint, tmp_path / "a"]
    )
    config = read_json(tmp_path / "a" / "config.json")
    assert config["id2label"]["3"] == "D" and config["category_id2label"]["2"] == "Z"
    run_main("convert_checkpoint", ["--from", "fslr", checkpoint, tmp_path / "a", "--num-heads", 8, "--overwrite"])
    assert read_json(tmp_path / "a" / "config.json")["num_attention_heads"] == 8


@pytest.mark.parametrize(
    ("content", "flags", "message"),
    [
        ({"epoch": 3}, [], "expected 'model' with the weights in"),
        ({"model": {"a": torch.zeros(1)}}, ["--pooling", "cls"], "a SignTransformer (encoder_layers.*)"),
        (None, ["--num-heads", "0"], "expected --num-heads to divide the hidden size 16 of the file, found 0"),
        (None, ["--with_backbone"], "expected no --with-backbone, a SignTransformer has none"),
    ],
)
def test_an_error_is_a_message_and_exit_code_2(content, flags, message, checkpoint, tmp_path, capsys):
    if content is not None:
        torch.save(content, checkpoint)
    with pytest.raises(SystemExit) as exit_info:
        run_main("convert_checkpoint", ["--from", "fslr", checkpoint, tmp_path / "out", *flags])
    assert exit_info.value.code == 2
    assert message in capsys.readouterr().err and not (tmp_path / "out").exists()
