"""Metadata as JSON Lines, as scripts/extract_streams.py writes it."""

import json

import pytest

from hf_slt.data.metadata import load_metadata, read_metadata
from hf_slt.errors import DataContractError

ROW = {
    "video_id": "001",
    "text": " Él dijo «sí» ",
    "signer": None,
    "video": "long.mp4",
    "start": 3.9,
    "end": 14.64,
    "n_frames": 157,
    "fps": 25.0,
    "frames": {"face": 150},
    "status": "ok",
    "error": None,
}


def write(path, *rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def test_rows_are_read_as_those_of_a_csv(tmp_path):
    frame = read_metadata(write(tmp_path / "metadata.jsonl", ROW, {**ROW, "video_id": "NA", "signer": "Ana"}))
    assert frame["video_id"].tolist() == ["001", "NA"]
    assert frame["text"].tolist() == ["Él dijo «sí»"] * 2
    assert frame["signer"].tolist() == [None, "Ana"]
    assert frame.loc[0, ["video", "start", "end", "frame_count", "fps"]].tolist() == ["long.mp4", 3.9, 14.64, 157, 25.0]
    assert "frames" not in frame


def test_clips_that_were_not_extracted_are_left_out_and_counted(tmp_path):
    failed = {"video_id": "bad", "text": "no", "status": "error", "error": "no person"}
    metadata = load_metadata(write(tmp_path / "metadata.jsonl", failed, ROW))
    assert metadata.frame["video_id"].tolist() == ["001"]
    assert len(metadata.warnings) == 1
    assert metadata.warnings[0].endswith("1 clips that were not extracted (status 'error') are left out")


def test_findings_name_the_line_of_the_file(tmp_path):
    path = write(tmp_path / "metadata.jsonl", ROW, {**ROW, "video_id": "b", "text": ""}, ROW)
    problems = [finding.problem for finding in load_metadata(path).findings]
    assert [problem.where for problem in problems] == [f"{path}, line 2, clip 'b'", f"{path}, line 3"]
    assert problems[1].found == "'001' again, first in line 1"


def test_lines_that_are_no_objects_are_all_listed(tmp_path):
    path = tmp_path / "metadata.jsonl"
    path.write_text(f'{json.dumps(ROW)}\n[1]\n\n{{"video_id": "cut', encoding="utf-8")
    with pytest.raises(DataContractError, match=r"2 problems") as raised:
        read_metadata(path)
    assert [problem.where for problem in raised.value.problems] == [f"{path}, line 2", f"{path}, line 4"]
    assert raised.value.problems[0].found == "'[1]'"


def test_rows_without_texts_and_files_without_rows_say_so(tmp_path):
    with pytest.raises(DataContractError, match="a column 'texto' or 'text' of texts"):
        read_metadata(write(tmp_path / "metadata.jsonl", {"video_id": "a", "status": "ok"}))
    with pytest.raises(DataContractError, match="a column 'video_id' or 'id'"):
        read_metadata(write(tmp_path / "metadata.jsonl"))
