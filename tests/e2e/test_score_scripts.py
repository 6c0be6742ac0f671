"""score.py and compare_runs.py as people run them: what is on which output, and exit codes."""

import io
import json
import sys

import pytest
from script_runs import run_main

TABLE = "video_id\treference\tprediction\n1\tLa casa.\tLa casa.\n2\tSí.\tno\n3\tHoy llueve.\tHoy llueve mucho.\n"


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "outputs.tsv"
    path.write_text(TABLE, encoding="utf-8")
    return path


def test_score_prints_json_and_nothing_else(table, capsys):
    run_main("score", [table, "--resamples", "20", "--seed", "1", "--phoenix-legacy"])
    scores = json.loads(capsys.readouterr().out)
    assert (scores["n"], scores["exact_match"], scores["looping_predictions"]) == (3, 33.3333, 0)
    assert scores["bleu_interval"][0] <= scores["bleu"] <= scores["bleu_interval"][1]
    assert scores["phoenix_legacy"]["bleu1"] > 0 and "tok:13a" in scores["signature"]


@pytest.mark.parametrize(
    ("flags", "tokenize"),
    [([], "13a"), (["--language", "gloss"], "none"), (["--language", "zh", "--tokenize", "char"], "char")],
)
def test_score_takes_the_tokenizer_of_the_language_unless_told(table, capsys, flags, tokenize):
    run_main("score", [table, "--resamples", "0", "--lowercase", *flags])
    scores = json.loads(capsys.readouterr().out)
    assert scores["tokenize"] == tokenize and f"tok:{tokenize}|" in scores["signature"] and scores["lowercase"] is True


def test_score_reads_the_standard_input(capsys, monkeypatch):
    class Input:
        buffer = io.BytesIO(TABLE.encode())

    monkeypatch.setattr(sys, "stdin", Input)
    run_main("score", ["-", "--resamples", "0"])
    assert json.loads(capsys.readouterr().out)["n"] == 3


def test_score_says_what_is_wrong(table, capsys):
    with pytest.raises(SystemExit) as leaving:
        run_main("score", [table, "--prediction-column", "hyp"])
    printed = capsys.readouterr()
    assert leaving.value.code == 2 and printed.out == ""
    assert printed.err.startswith("ScoreFileError: the predictions cannot be read: 1 problem")
    assert "found:    ['video_id', 'reference', 'prediction']" in printed.err


def test_compare_runs_prints_a_table_and_writes_json(table, tmp_path, capsys):
    folder = tmp_path / "eval"
    folder.mkdir()
    rows = "video_id,prediction,reference,signer\n3,Hoy llueve.,Hoy llueve.,b\n2,Sí.,Sí.,a\n1,La casa.,La casa.,a\n"
    (folder / "predictions.csv").write_text(rows, encoding="utf-8")
    json_file = tmp_path / "new" / "comparison.json"
    run_main("compare_runs", [table, folder, "--metric", "wer", "--resamples", "50", "--json", json_file])
    text = capsys.readouterr().out
    comparison = json.loads(json_file.read_text(encoding="utf-8"))
    assert comparison["scores"]["wer"]["b"] == 0 and comparison["scores"]["wer"]["a"] == 60
    assert "wer    60.00  0.00  -60.00" in text and [row["n"] for row in comparison["per_signer"]] == [2, 1]
    run_main("compare_runs", [table, folder, "--metric", "wer", "--resamples", "50", "--json", "-"])
    assert json.loads(capsys.readouterr().out) == comparison


def test_compare_runs_takes_the_settings_of_the_folders(table, tmp_path, capsys):
    folders = []
    for name, settings in (("a", {"tokenize": "none"}), ("b", {"tokenize": "none", "lowercase": True})):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "predictions.csv").write_text(TABLE.replace("\t", ","), encoding="utf-8")
        (folder / "metrics.json").write_text(json.dumps(settings), encoding="utf-8")
        folders.append(folder)
    flags = ["--metric", "bleu", "--resamples", "5", "--json", "-"]
    found = []
    for more in ([], ["--no-lowercase", "--language", "zh"], ["--tokenize", "intl"]):
        run_main("compare_runs", [*folders, *flags, *more])
        comparison = json.loads(capsys.readouterr().out)
        found.append((comparison["tokenize"], comparison["lowercase"]))
    assert found == [("none", True), ("zh", False), ("intl", True)]


def test_compare_runs_reads_any_table(tmp_path, capsys):
    table, metadata = tmp_path / "system.txt", tmp_path / "meta.csv"
    table.write_text("clip#hyp#ref\n1#a, b#c\n", encoding="utf-8")
    metadata.write_text("id,clip,who\n9,1,ana\n", encoding="utf-8")
    columns = [
        "--id-column",
        "clip",
        "--prediction-column",
        "hyp",
        "--reference-column",
        "ref",
        "--signer-column",
        "who",
    ]
    more = ["--delimiter", "#", "--metadata-csv", metadata, "--resamples", "5", "--json", "-"]
    run_main("compare_runs", [table, table, *columns, *more])
    assert [row["group"] for row in json.loads(capsys.readouterr().out)["per_signer"]] == ["ana"]


def test_compare_runs_refuses_other_clips(table, tmp_path, capsys):
    other = tmp_path / "other.tsv"
    other.write_text(TABLE.replace("\n2\t", "\n9\t"), encoding="utf-8")
    with pytest.raises(SystemExit) as leaving:
        run_main("compare_runs", [table, other])
    printed = capsys.readouterr()
    assert leaving.value.code == 2 and printed.out == ""
    assert "RunMismatchError: the two runs cannot be compared: 2 problems\n1. 2\n" in printed.err
    run_main("compare_runs", [table, other, "--intersect", "--resamples", "5", "--metric", "cer"])
    assert "left out: 1 of A alone, 1 of B alone" in capsys.readouterr().out
