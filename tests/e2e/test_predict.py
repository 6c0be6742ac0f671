"""`predict.py` for sentences: lines for people, JSON for programs, exports, and everything that is wrong at once."""

import json
import re

import pytest
from factories import write_corpus
from model_factories import tiny_model, tiny_processor, tiny_text_config
from onnx_stack import skip_without_onnx
from script_runs import run_main


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A folder with a translation model, `run`, and clips, `D`."""
    folder = tmp_path_factory.mktemp("predict")
    processor = tiny_processor()
    text_config = tiny_text_config(vocab_size=len(processor.tokenizer))
    model = tiny_model(gain=20.0, num_pose_landmarks=33, text_config=text_config)
    model.generation_config.max_length = 10
    model.save_pretrained(folder / "run")
    processor.save_pretrained(folder / "run")
    write_corpus(folder / "D", {"a": "x", "b": "y"}, variant="folders")
    return folder


def refused(capsys, *argv):
    with pytest.raises(SystemExit) as exit_info:
        run_main("predict", argv)
    assert exit_info.value.code == 2
    return capsys.readouterr().err


def test_a_sentence_is_a_line_and_beams_are_its_alternatives(run, capsys):
    asked = ["--checkpoint", run / "run", run / "D", "--clip", "b"]
    run_main("predict", asked)
    alone = capsys.readouterr().out.splitlines()
    assert len(alone) == 1 and re.fullmatch(r".* [01]\.\d\d", alone[0])
    run_main("predict", [*asked, "--num-beams", "4", "--top-k", "3"])
    lines = capsys.readouterr().out.splitlines()
    assert [line[:5] for line in lines[1:]] == ["  1. ", "  2. ", "  3. "] and lines[1] == f"  1. {lines[0]}"


def test_json_holds_scores_and_their_source(run, capsys):
    clips = [run / "D" / "pose" / f"{name}.npz" for name in "ab"]
    run_main("predict", ["--checkpoint", run / "run", "--json", "--num_beams", "2", *clips])
    rows = json.loads(capsys.readouterr().out)
    assert [row["clip"] for row in rows] == [str(clip) for clip in clips]
    for row in rows:
        assert row.keys() == {"clip", "text", "score", "probability", "alternatives"} and row["score"] < 0
        assert [one["text"] for one in row["alternatives"]][0] == row["text"] and len(row["alternatives"]) == 2
    run_main("predict", ["--checkpoint", run / "run", "--json", "--clip", "b", run / "D"])
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["clip"], row["id"]) == (str(run / "D"), "b") and row.keys() - {"id"} == rows[1].keys()
    run_main("predict", ["--checkpoint", run / "run", *clips])
    assert capsys.readouterr().out.startswith(f"{clips[0]}: ")


def test_everything_that_is_wrong_is_listed(run, tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("x")
    error = refused(capsys, "--checkpoint", run / "run", tmp_path / "gone.mp4", tmp_path / "notes.txt", run / "D")
    assert "DataContractError: the clips are not what the model reads: 3 problems" in error
    assert (
        "gone.mp4" in error and "the ending '.txt'" in error and "2 clips: a, b" in error and "Traceback" not in error
    )
    error = refused(capsys, "--checkpoint", tmp_path, run / "D")
    assert f"found no config.json in {tmp_path}" in error
    error = refused(capsys, "--checkpoint", run / "run", run / "D", "--overlay", tmp_path / "o.mp4")
    assert "expected one video with --overlay, to draw on" in error
    error = refused(capsys, "--checkpoint", run / "run", run / "D", "--clip", "a", "--strict")
    assert "expected a model that names the extractor of its training clips" in error


def test_an_export_says_the_same(run, tmp_path, capsys):
    skip_without_onnx()
    run_main("export_onnx", ["--checkpoint", run / "run", "--output", tmp_path / "out"])
    asked = [run / "D", "--clip", "a", "--num-beams", "3"]
    run_main("predict", ["--checkpoint", run / "run", *asked])
    expected = capsys.readouterr().out
    run_main("predict", ["--onnx", tmp_path / "out", *asked])
    assert capsys.readouterr().out == expected
    error = refused(capsys, "--checkpoint", tmp_path / "out", *asked)
    assert f"found an export in {tmp_path / 'out'}; pass it as --onnx" in error
