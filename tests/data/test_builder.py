"""From files to a `DatasetDict`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from factories import CLIPS, VARIANTS, frame_colour, write_corpus, write_index

from hf_slt.data.builder import build_datasets, row_features
from hf_slt.data.readers import read_frames, read_pose
from hf_slt.errors import DataContractError


def build(paths, **options):
    return build_datasets(paths, show_progress=False, **options)


@pytest.mark.parametrize("variant", VARIANTS)
def test_rows_lead_to_the_frames(tmp_path, variant):
    data, _ = build(write_corpus(tmp_path, variant=variant))
    assert {split: data[split].num_rows for split in data} == {"train": 2, "validation": 1, "test": 1}
    row = data["train"][1]
    assert (row["video_id"], row["text"], row["n_frames"]) == ("vid1_foo", CLIPS["vid1_foo"], 6)
    assert (row["signer"], row["duration"], row["fps"]) == (None, None, None)
    assert row["right_hand"]["kind"] == {"flat": "images", "folders": "images", "video": "video"}.get(variant, "array")
    frame = read_frames(row["right_hand"], np.array([4]))[0]
    assert abs(int(frame[8, 8, 0]) - frame_colour("right_hand", 4)) <= 2
    assert read_pose(row["pose"]["path"]).points.shape == (6, 33, 2)


def test_columns_are_the_same_whatever_streams_are_used(tmp_path):
    data, _ = build(write_corpus(tmp_path, streams=("pose",)))
    assert data["train"].features == row_features()
    row = data["train"][0]
    assert [row[stream] for stream in ("face", "left_hand", "right_hand")] == [None, None, None]
    data, _ = build(write_corpus(tmp_path / "faces", streams=("face",)))
    assert data["train"][0]["pose"] is None


def test_metadata_goes_into_the_rows(tmp_path):
    paths = write_corpus(tmp_path, {"a": "x", "b": "y"})
    paths.metadata_csv.write_text('id,text,signer,duration,fps\na,x,Ana,"6,29",25\nb,y,,,\n')
    rows = build(paths)[0]["train"].to_list()
    assert [(row["signer"], row["duration"], row["fps"]) for row in rows] == [("Ana", 6.29, 25.0), (None, None, None)]


def test_paths_hold_after_a_change_of_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    row = build(write_corpus(Path("here")))[0]["test"][0]
    monkeypatch.chdir("/")
    assert read_frames(row["face"], np.array([0]))[0].shape == (16, 16, 3)
    assert read_pose(row["pose"]["path"]).points.shape == (6, 33, 2)


def test_a_broken_corpus_raises_after_writing_nothing_but_the_report(tmp_path):
    paths = write_corpus(tmp_path / "corpus")
    write_index(paths.indexes["test"], ["vid1", "nowhere"])
    before = sorted(tmp_path.rglob("*"))
    report_path = tmp_path / "run" / "contract_report.json"
    with pytest.raises(DataContractError) as error:
        build(paths, report_path=report_path)
    assert len(error.value.problems) == 2
    assert f"All of them are in {report_path}" in str(error.value)
    assert sorted(set(tmp_path.rglob("*")) - set(before)) == [tmp_path / "run", report_path]
    assert json.loads(report_path.read_text())["problems"] == [problem.to_dict() for problem in error.value.problems]


def test_skipped_clips_are_not_rows(tmp_path):
    paths = write_corpus(tmp_path)
    (paths.pose_dir / "001.npz").write_bytes(b"")
    data, report = build(paths, skip_invalid=True, report_path=tmp_path / "report.json")
    assert data["train"]["video_id"][:] == ["vid1_foo"]
    assert report.skipped["train"] == ["001"]
    assert json.loads((tmp_path / "report.json").read_text())["num_skipped"] == 1


def test_the_same_files_give_the_same_rows(tmp_path):
    paths = write_corpus(tmp_path)
    assert build(paths)[0]["train"].to_list() == build(paths)[0]["train"].to_list()


def test_nothing_is_written_into_the_home_folder(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    code = (
        "import sys; from pathlib import Path; from factories import write_corpus\n"
        "from hf_slt.data.builder import build_datasets\n"
        "build_datasets(write_corpus(Path(sys.argv[1])), show_progress=False)"
    )
    here = Path(__file__).parents[1]
    environment = {"HOME": str(home), "PYTHONPATH": os.pathsep.join([str(here), str(here.parent)]), "PATH": ""}
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "corpus")], env=environment, check=True)
    assert [path for path in home.rglob("*") if path.is_file()] == []
