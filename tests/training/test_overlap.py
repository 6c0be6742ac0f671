"""Clips in two splits: found by name and by recording, refused, counted, warned of."""

import json
from types import SimpleNamespace

import pytest
from factories import write_corpus

from hf_slt.data.builder import build_datasets
from hf_slt.errors import DataContractError
from hf_slt.training.evaluation_provenance import hash_clips
from hf_slt.training.overlap import (
    check_overlap,
    check_run_overlap,
    clip_groups,
    count_overlap,
    fingerprint,
    split_members,
)
from hf_slt.training.results import write_run_files

CLIPS = ["a", "b", "c", "d"]


def corpus_of(folder, rows, **splits):
    """A corpus of poses; rows are (text, signer, video) of the clips a, b, ..."""
    clips = dict(zip(CLIPS, rows, strict=False))
    paths = write_corpus(folder, {name: row[0] for name, row in clips.items()}, splits, streams=("pose",), frames=2)
    lines = [",".join([name, *row]) for name, row in clips.items()]
    paths.metadata_csv.write_text("\n".join(["video_id,text,signer,video", *lines]) + "\n", encoding="utf-8")
    return paths


def build(paths, **options):
    return build_datasets(paths, show_progress=False, **options)[0]


@pytest.fixture
def recordings(tmp_path):
    """Train a and b, validation c, test d; a and d are cuts of one recording."""
    rows = [("Él come.", "Ana", "v1"), ("Él come.", "Eva", "v1"), ("Hola.", "Ana", "v2"), (" Él  come.", "Ana", "v1")]
    return corpus_of(tmp_path, rows, train=["a", "b"], validation=["c"], test=["d"])


def test_a_group_is_signer_sentence_and_video(recordings, tmp_path):
    corpus = build(recordings)
    (a, b), (d,) = clip_groups(corpus["train"]), clip_groups(corpus["test"])
    assert a == d != b and len(a) == 16
    without = corpus_of(tmp_path / "other", [("x", "Ana", "")], train=["a"])
    assert clip_groups(build(without)["train"]) == [None]


def test_a_fingerprint_knows_no_white_space_and_one_form_of_accents():
    assert fingerprint(" E\u0301l \n come.") == fingerprint("\u00c9l come.") != fingerprint("\u00e9l come.")


def test_the_record_of_a_run(recordings, tmp_path):
    corpus = build(recordings)
    write_run_files(tmp_path / "run", {}, corpus)
    written = json.loads((tmp_path / "run" / "splits.json").read_text())
    assert all(members.pop("data_hash") == hash_clips(corpus[split]) for split, members in written.items())
    assert written == split_members(corpus) and len(written["train"]["groups"]) == 2
    assert written["validation"] == {
        "video_ids": ["c"], "sentences": [fingerprint("Hola.")], "groups": clip_groups(corpus["validation"]),
    }  # fmt: skip


def test_what_is_known_is_counted(recordings):
    corpus = build(recordings)
    members = split_members(corpus)
    assert count_overlap(corpus["test"], members) == {"video_ids": 0, "groups": 1}
    assert count_overlap(corpus["train"], members) == {"video_ids": 2, "groups": 2}
    assert count_overlap(corpus["test"], {}) is None
    for member in members.values():
        del member["groups"]
    assert count_overlap(corpus["test"], members) == {"video_ids": 0, "groups": None}


def test_clips_that_a_model_knows_are_named_with_the_split(recordings, caplog):
    corpus = build(recordings)
    models = [SimpleNamespace(name=name, path=name, splits=split_members(corpus)) for name in ("m1", "m2")]
    with pytest.raises(DataContractError) as error:
        check_overlap(models, [corpus["test"], corpus["validation"]])
    assert [(problem.where, problem.found) for problem in error.value.problems] == [
        ("d", "a clip of the same signer, sentence and video is in the train split of m1"),
        ("c", "it is in the validation split of m2"),
    ]
    assert "scores on known clips mean nothing (--allow-overlap to see them)" in str(error.value)
    models[0].splits = {}
    check_overlap(models[:1], [corpus["test"]])
    assert "no splits.json beside m1" in caplog.text


def test_a_run_refuses_a_recording_in_test_and_train_unless_told(recordings, caplog):
    corpus = build(recordings)
    with pytest.raises(DataContractError, match="same signer, sentence and video is in the train split"):
        check_run_overlap(corpus)
    check_run_overlap(corpus, allow_overlap=True)
    assert "test: 1 of 1 clips are known from training or selection" in caplog.text


def test_a_recording_in_train_and_validation_is_a_warning(tmp_path, caplog):
    rows = [("x", "Ana", "v1"), ("x", "Ana", "v1"), ("y", "Ana", "v1")]
    corpus = build(corpus_of(tmp_path, rows, train=["a"], validation=["b"], test=["c"]))
    check_run_overlap(corpus)
    assert "1 of 1 validation clips are of the signer, sentence and video of a training clip" in caplog.text


def test_one_name_in_two_splits_is_refused_unless_told_and_only_for_test(tmp_path, caplog):
    rows = [("x", "Ana", "v1"), ("y", "Eva", "v2"), ("z", "Eva", "v3")]
    shared = corpus_of(tmp_path, rows, train=["a", "b"], validation=["c"], test=["b"])
    with pytest.raises(DataContractError, match="clip 'b'"):
        build(shared)
    assert build(shared, allow_overlap=True)["test"]["video_id"][:] == ["b"]
    assert "1 test clips are in another split too" in caplog.text
    twice = corpus_of(tmp_path / "2", rows, train=["a", "b"], validation=["b", "c"], test=["b"])
    with pytest.raises(DataContractError, match=r"clip 'b'[^$]*found: +train \(.*\), validation \([^,]*$") as error:
        build(twice, allow_overlap=True)
    assert len(error.value.problems) == 1


def test_recordings_are_not_counted_where_a_side_names_none(recordings, tmp_path):
    members = split_members(build(recordings))
    rows = [("x", "Ana", ""), ("y", "Ana", ""), ("z", "Ana", "")]
    without = build(corpus_of(tmp_path / "other", rows, train=["a"], validation=["b"], test=["c"]))
    assert count_overlap(without["test"], members) == {"video_ids": 1, "groups": None}
    assert count_overlap(build(recordings)["test"], split_members(without)) == {"video_ids": 0, "groups": None}


def test_allowed_overlap_is_told_of_and_so_is_a_model_without_a_record(recordings, caplog):
    corpus = build(recordings)
    known = SimpleNamespace(name="m1", path="runs/m1", splits=split_members(corpus))
    unknown = SimpleNamespace(name="m2", path="runs/m2", splits={})
    check_overlap([known, unknown], [corpus["test"]] * 2, allow_overlap=True)
    assert "m1: 1 of 1 clips are known from training or selection" in caplog.text
    assert "no splits.json beside runs/m2: clips that it was trained on are not recognised" in caplog.text
