"""Corpora are found in the folders that the extraction and the converters write, and what is wrong is listed."""

import json

import numpy as np
import pytest
from factories import CLIPS, SPLITS, write_corpus

from hf_slt.data.corpus import CorpusPaths
from hf_slt.data.gloss.clips import write_clip
from hf_slt.errors import ConfigurationError
from hf_slt.inspection.clip_facts import read_clip_facts
from hf_slt.inspection.corpus_folder import open_corpus

PROVENANCE = {"extractor": "mediapipe_holistic", "extractor_version": "0.10.21"}


def read_all(corpus):
    return {
        video_id: read_clip_facts(video_id, corpus.rows.get(video_id, {}), corpus.index, corpus.keypoints.get(video_id))
        for video_id in corpus.clip_ids()
    }


def write_keypoints(path, frames=4, provenance=None):
    """Write a clip of 78 points in which the left hand is in the first frame alone and the right one in none."""
    values = np.full((frames, 156), 0.5, np.float32)
    mask = np.ones((frames, 78), bool)
    mask[:, 46:67] = False
    mask[1:, 25:46] = False
    path.parent.mkdir(parents=True, exist_ok=True)
    write_clip(path, values, mask, meta={"width": 640, "height": 480, "provenance": provenance} if provenance else None)


def test_a_folder_of_the_data_contract_is_found(tmp_path):
    write_corpus(tmp_path, missing={("face", "001"): [1, 2, 3]}, layout="mediapipe_pose")
    corpus = open_corpus(tmp_path, CorpusPaths())
    assert corpus.problems == [] and corpus.clip_ids() == sorted(CLIPS)
    assert corpus.splits == {video_id: [split] for split, ids in SPLITS.items() for video_id in ids}
    clips = read_all(corpus)
    assert clips["001"].text == CLIPS["001"] and clips["001"].frames == 6
    assert clips["001"].rates == {"face": 0.5, "left_hand": 1.0, "right_hand": 1.0, "person": 1.0}
    assert clips["vid1"].problems == [] and sorted(clips["vid1"].images) == ["face", "left_hand", "right_hand"]


def test_what_is_named_takes_precedence(tmp_path):
    write_corpus(tmp_path / "a", streams=("face",))
    write_corpus(tmp_path / "b", clips={"only": "uno"}, streams=("face",))
    named = CorpusPaths(face_dir=tmp_path / "b/face", metadata_csv=tmp_path / "b/meta.csv")
    corpus = open_corpus(tmp_path / "a", named)
    assert corpus.paths.face_dir == tmp_path / "b/face" and list(corpus.rows) == ["only"]


def test_the_metadata_of_an_extraction_tells_rates_errors_and_extractor(tmp_path):
    write_keypoints(tmp_path / "keypoints78" / "a.npz")
    rows = [
        {
            "video_id": "a",
            "text": "uno\u2028dos",
            "signer": "ana",
            "fps": 2.0,
            "n_frames": 4,
            "detection": {"person": 0.75, "face": None, "left_hand": 0.5},
            "status": "ok",
            "error": None,
            "provenance": PROVENANCE,
        },
        {"video_id": "b", "status": "error", "error": "not a video"},
    ]
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    (tmp_path / "metadata.jsonl").write_text(
        "\n".join([*lines, '{"video_id": "c', '{"video_id": null}', "[1]"]) + "\n", encoding="utf-8"
    )
    corpus = open_corpus(tmp_path, CorpusPaths())
    where = [f"{tmp_path / 'metadata.jsonl'}, line {number}" for number in (3, 4, 5)]
    assert [problem.where for problem in corpus.problems] == where
    clips = read_all(corpus)
    assert list(clips) == ["a", "b"]
    assert (clips["a"].text, clips["a"].signer) == ("uno\u2028dos", "ana")
    assert (clips["a"].seconds, clips["a"].error) == (2.0, None)
    assert clips["a"].rates == {"person": 0.75, "left_hand": 0.5}
    assert clips["a"].provenance == PROVENANCE
    assert (clips["b"].error, clips["b"].frames) == ("not a video", 0)


def test_an_extraction_that_has_not_ended_is_read_from_its_journal(tmp_path):
    write_keypoints(tmp_path / "keypoints78" / "a.npz")
    (tmp_path / "metadata.jsonl").write_text('{"video_id": "a", "status": "error", "error": "cut short"}\n')
    (tmp_path / "metadata.journal.jsonl").write_text(
        '{"video_id": "a", "text": "uno", "status": "ok", "error": null}\n'
    )
    clips = read_all(open_corpus(tmp_path, CorpusPaths()))
    assert (clips["a"].text, clips["a"].error) == ("uno", None)


def test_a_folder_of_single_signs_is_found(tmp_path):
    write_keypoints(tmp_path / "keypoints" / "S1" / "x.npz", provenance=PROVENANCE)
    write_keypoints(tmp_path / "keypoints" / "y.npz")
    (tmp_path / "labels.csv").write_text("file,gloss,signer\nS1/x,1,S1\ny,0,S2\n", encoding="utf-8")
    (tmp_path / "glosses.csv").write_text("id,name\n0,NO\n1,YES\n", encoding="utf-8")
    (tmp_path / "splits" / "standard").mkdir(parents=True)
    (tmp_path / "splits" / "standard" / "train.csv").write_text("file,gloss\nS1/x,1\n", encoding="utf-8")
    corpus = open_corpus(tmp_path, CorpusPaths())
    assert corpus.of_glosses and corpus.problems == [] and corpus.splits == {"S1/x": ["train"]}
    clips = read_all(corpus)
    assert {name: clip.text for name, clip in clips.items()} == {"S1/x": "YES", "y": "NO"}
    assert clips["S1/x"].rates == {"person": 1.0, "left_hand": 0.25, "right_hand": 0.0}
    assert clips["S1/x"].provenance == PROVENANCE and clips["y"].provenance is None


def test_streams_alone_are_enough(tmp_path):
    paths = write_corpus(tmp_path, streams=("face", "pose"))
    corpus = open_corpus(None, CorpusPaths(face_dir=paths.face_dir, pose_dir=paths.pose_dir))
    assert corpus.clip_ids() == sorted(CLIPS) and corpus.name == "face"
    assert read_all(corpus)["vid1"].text is None


def test_damaged_files_and_tables_are_problems_and_not_the_end(tmp_path):
    write_corpus(tmp_path, streams=("face", "pose"))
    (tmp_path / "pose" / "vid1.npz").write_bytes(b"no archive")
    (tmp_path / "meta.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    corpus = open_corpus(tmp_path, CorpusPaths())
    assert {problem.where for problem in corpus.problems} == {str(tmp_path / "meta.csv")}
    clips = read_all(corpus)
    assert [problem.where for problem in clips["vid1"].problems] == [str(tmp_path / "pose" / "vid1.npz")]
    assert clips["vid10"].problems == []


def test_rows_without_files_are_counted_and_clips_of_a_split_without_files_are_problems(tmp_path):
    write_corpus(tmp_path, streams=("face",))
    for file in (tmp_path / "face").glob("vid1*_f*.jpg"):
        file.unlink()
    (tmp_path / "index" / "train.csv").write_text("video_id\n001\n", encoding="utf-8")
    corpus = open_corpus(tmp_path, CorpusPaths())
    assert corpus.warnings == ["1 rows of the metadata have no file and are in no split: vid1_foo"]
    clips = read_all(corpus)
    assert sorted(clips) == ["001", "vid1", "vid10"]
    assert [problem.found for problem in clips["vid1"].problems] == ["none in any folder"]


def test_a_column_split_of_other_things_is_no_split(tmp_path):
    rows = "".join(f"{number},uno,[part {number}]\n" for number in range(21))
    (tmp_path / "meta.csv").write_text(f"id,text,split\n{rows}", encoding="utf-8")
    corpus = open_corpus(tmp_path, CorpusPaths())
    assert {clip.split for clip in read_all(corpus).values()} == {None}
    assert corpus.warnings == ["the column 'split' holds 21 different values: they are not taken for names of splits"]


def test_a_table_alone_is_a_corpus_of_texts(tmp_path):
    paths = write_corpus(tmp_path, streams=("face",))
    corpus = open_corpus(None, CorpusPaths(metadata_csv=paths.metadata_csv))
    clips = read_all(corpus)
    assert {video_id: clip.text for video_id, clip in clips.items()} == CLIPS
    assert [clip.problems for clip in clips.values()] == [[]] * len(CLIPS)


@pytest.mark.parametrize(
    ("make", "message"),
    [(False, "expected a folder of a corpus in --data, found .*D"), (True, "expected a corpus: one of face, hand_l")],
)
def test_no_corpus_is_an_error_for_people(tmp_path, make, message):
    if make:
        (tmp_path / "D").mkdir()
    with pytest.raises(ConfigurationError, match=message):
        open_corpus(tmp_path / "D", CorpusPaths())
