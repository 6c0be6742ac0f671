"""Report files: exact content, and an old file survives a failure."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.reports import format_pairs, write_json, write_predictions

ROW = {"video_id": "001", "prediction": "año, nuevo", "reference": 'dijo "sí"\ny se fue'}


def test_predictions_read_back(tmp_path):
    path = tmp_path / "run" / "test_predictions.csv"
    write_predictions(path, [ROW, {**ROW, "video_id": "vid2", "prediction": ""}])
    assert path.read_bytes().startswith('video_id,prediction,reference\n001,"año, nuevo",'.encode())
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [ROW, {**ROW, "video_id": "vid2", "prediction": ""}]


def test_predictions_with_latency(tmp_path):
    write_predictions(tmp_path / "p.csv", [{**ROW, "reference": "x", "latency_ms": 12.5}])
    expected = 'video_id,prediction,reference,latency_ms\n001,"año, nuevo",x,12.5\n'
    assert (tmp_path / "p.csv").read_text(encoding="utf-8") == expected


def test_predictions_with_what_else_is_known_of_them_in_one_order(tmp_path):
    write_predictions(
        tmp_path / "p.csv", [{"signer": "Ana", "abstained": 1, "score": "-0.5000", **ROW, "reference": "x"}]
    )
    lines = (tmp_path / "p.csv").read_text(encoding="utf-8").splitlines()
    assert lines == ["video_id,prediction,reference,score,abstained,signer", '001,"año, nuevo",x,-0.5000,1,Ana']


def test_predictions_of_no_rows_have_a_header(tmp_path):
    write_predictions(tmp_path / "p.csv", [])
    assert (tmp_path / "p.csv").read_text(encoding="utf-8") == "video_id,prediction,reference\n"


@pytest.mark.parametrize("row", [{"video_id": "b", "prediction": "x"}, {**ROW, "score": 1}])
def test_predictions_with_other_keys_leave_the_old_file(tmp_path, row):
    path = tmp_path / "p.csv"
    path.write_text("old")
    with pytest.raises(ValueError, match="row 1 of the predictions: expected the keys"):
        write_predictions(path, [ROW, row])
    assert path.read_text() == "old"


def test_json_keeps_order_and_accents_and_takes_numpy(tmp_path):
    path = tmp_path / "m.json"
    write_json(path, {"b": np.float32(0.5), "a": np.arange(2), "ñ": Path("x"), "n": np.int64(3)})
    assert path.read_text(encoding="utf-8").startswith('{\n  "b": 0.5,\n  "a": [')
    assert '"ñ": "x"' in path.read_text(encoding="utf-8")
    assert json.loads(path.read_text(encoding="utf-8")) == {"b": 0.5, "a": [0, 1], "ñ": "x", "n": 3}


def test_what_is_no_finite_number_is_null(tmp_path):
    values = [math.nan, -math.inf, np.float32("inf"), (np.float64("nan"), 1.5), np.array([[1.0, np.nan]])]
    write_json(tmp_path / "m.json", {"loss": math.nan, "others": values, "on": True})
    text = (tmp_path / "m.json").read_text()
    assert json.loads(text, parse_constant=pytest.fail) == {
        "loss": None, "others": [None, None, None, [None, 1.5], [[1.0, None]]], "on": True,
    }  # fmt: skip


def test_json_that_fails_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "m.json"
    path.write_text("old")
    with pytest.raises(TypeError, match="set cannot be written as JSON"):
        write_json(path, {"a": {1}})
    assert [file.name for file in tmp_path.iterdir()] == ["m.json"]
    assert path.read_text() == "old"


def test_a_write_that_breaks_off_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "m.json"
    path.write_text("old")

    def full_disk(*_):
        raise OSError("no space left")

    monkeypatch.setattr("os.replace", full_disk)
    with pytest.raises(ConfigurationError, match="m.json, found: no space left"):
        write_json(path, {"a": 1})
    assert [file.name for file in tmp_path.iterdir()] == ["m.json"]
    assert path.read_text() == "old"


def test_format_pairs():
    assert format_pairs([" sí", ""], ["sí ", "no"]) == "1 REF  sí\n  HYP  sí\n2 REF  no\n  HYP  (empty)"
    assert format_pairs(["a"] * 12, ["b"] * 12).count("REF") == 10
    assert format_pairs(["a"] * 12, ["b"] * 12, n=11).splitlines()[0] == " 1 REF  b"


def test_format_pairs_of_other_lengths():
    with pytest.raises(ValueError, match="argument 2 is longer"):
        format_pairs(["a"], ["b", "c"])


@pytest.mark.parametrize("path", ["file/m.json", "folder"])
def test_a_place_that_cannot_be_written_is_named(tmp_path, path):
    (tmp_path / "file").write_text("old")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigurationError, match=f"expected to write {tmp_path / path}, found: "):
        write_json(tmp_path / path, {})
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "folder"]
