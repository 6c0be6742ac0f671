"""Rows of metadata.jsonl and their journal."""

import json

import pytest

from hf_slt.data.metadata import read_metadata
from hf_slt.errors import ConfigurationError
from hf_slt.extraction.metadata_rows import Journal, read_rows, write_text
from hf_slt.extraction.run_summary import ExtractionSummary


def lines(path):
    return path.read_text(encoding="utf-8").splitlines()


def test_each_row_is_in_the_journal_at_once_and_all_in_order_in_the_end(tmp_path):
    journal_file = tmp_path / "metadata.journal.jsonl"
    with Journal(tmp_path, {"old": {"video_id": "old"}}) as journal:
        journal.add({"video_id": "b", "text": "ñandú"})
        assert lines(journal_file) == ['{"video_id": "old"}', '{"video_id": "b", "text": "ñandú"}']
        journal.add({"video_id": "a", "text": "x"})
        journal.finish(["a", "b"])
    assert [json.loads(line)["video_id"] for line in lines(tmp_path / "metadata.jsonl")] == ["a", "b", "old"]
    assert not journal_file.exists()


def test_a_line_that_was_cut_short_counts_as_not_written_and_harms_no_later_one(tmp_path):
    (tmp_path / "metadata.jsonl").write_text('{"video_id": "a", "status": "error"}\n{"video_id": "b"}\n')
    (tmp_path / "metadata.journal.jsonl").write_text('{"video_id": "a", "status": "ok"}\n[1]\n{"video_id": "c", "st')
    rows = read_rows(tmp_path)
    assert rows == {"a": {"video_id": "a", "status": "ok"}, "b": {"video_id": "b"}}
    with Journal(tmp_path, rows) as journal:
        journal.add({"video_id": "d"})
    assert set(read_rows(tmp_path)) == {"a", "b", "d"}


def test_numbers_that_json_does_not_know_are_no_rows(tmp_path):
    with Journal(tmp_path, {}) as journal, pytest.raises(ValueError, match="not JSON compliant"):
        journal.add({"video_id": "a", "fps": float("nan")})


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"expected an output folder that can be written, found .*gone"):
        Journal(tmp_path / "gone", {}).__enter__()


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "file.json"
    write_text(path, "before")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "\ud800")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_training_reads_the_rows(tmp_path):
    row = {"video_id": "a", "text": "Él", "video": "v.mp4", "n_frames": 7, "fps": 25.0, "status": "ok", "error": None}
    with Journal(tmp_path, {}) as journal:
        journal.add(row)
        journal.add({**row, "video_id": "b", "status": "error", "error": "no person"})
        journal.finish("ab")
    frame = read_metadata(tmp_path / "metadata.jsonl")
    assert frame[["video_id", "text", "frame_count", "fps"]].values.tolist() == [["a", "Él", 7, 25.0]]


def test_rates_count_frames_not_clips():
    def row(n_frames, rate):
        rates = dict.fromkeys(("person", "face", "left_hand", "right_hand"), rate)
        return {"video_id": "a", "n_frames": n_frames, "detection": rates, "status": "ok"}

    summary = ExtractionSummary([row(30, 1.0), row(10, 0.0), {"n_frames": 0, "status": "error"}], 0, 4.0)
    assert summary.detection()["person"] == 0.75
    assert len(summary.failed) == 1
    nothing = ExtractionSummary([{"video_id": "a", "video": "a.mp4", "status": "error", "error": "e"}], 0, 1.0)
    assert nothing.detection() == {}
    assert nothing.describe().splitlines()[0] == "0 of 1 clips, 0 frames, 1 s, 0.0 frames/s"
