"""The demo corpus as files: the same bytes each time, sound splits, the cache."""

import csv
import hashlib

import numpy as np
import pytest

from hf_slt.data.contract import check_corpus
from hf_slt.data.corpus import CorpusPaths
from hf_slt.data.demo import cached_demo_corpus, default_cache_dir, write_demo_corpus
from hf_slt.data.demo.clip import film_clip
from hf_slt.data.demo.corpus import film_entry, plan_corpus
from hf_slt.data.demo.grammar import Sentence
from hf_slt.errors import ConfigurationError

SIZES = {"num_train": 6, "num_validation": 3, "num_test": 4}


def digests(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_demo_corpus(tmp_path_factory.mktemp("demo") / "corpus", **SIZES, show_progress=False)


def rows_of(corpus):
    with open(corpus / "meta.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_bytes_are_the_same_each_time_and_depend_on_the_seed(corpus, tmp_path):
    again = write_demo_corpus(tmp_path / "again", **SIZES, show_progress=False)
    other = write_demo_corpus(tmp_path / "other", **SIZES, seed=1, show_progress=False)
    assert digests(again) == digests(corpus)
    assert len(digests(corpus)) == 4 * 13 + 4
    assert digests(other).keys() == digests(corpus).keys()
    assert digests(other)["pose/demo_00000.npz"] != digests(corpus)["pose/demo_00000.npz"]


def test_no_draw_touches_the_global_generator(tmp_path):
    before = np.random.get_state()[1].copy()
    write_demo_corpus(tmp_path / "demo", num_train=1, num_validation=1, num_test=1, show_progress=False)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_corpus_keeps_the_data_contract(corpus):
    streams = {f"{name}_dir": corpus / folder for name, folder in (("face", "face"), ("pose", "pose"))}
    streams |= {"left_hand_dir": corpus / "hand_l", "right_hand_dir": corpus / "hand_r"}
    index = {"train": "train", "validation": "val", "test": "test"}
    indexes = {split: corpus / "index" / f"{name}.csv" for split, name in index.items()}
    clips, report = check_corpus(CorpusPaths(**streams, metadata_csv=corpus / "meta.csv", indexes=indexes))
    assert report.problems == []
    assert {split: len(found) for split, found in clips.items()} == {"train": 6, "validation": 3, "test": 4}


def test_metadata_tells_text_signer_rate_length_and_glosses(corpus):
    row = rows_of(corpus)[0]
    assert list(row) == ["video_id", "text", "signer", "fps", "frame_count", "gloss"]
    with np.load(corpus / "pose" / f"{row['video_id']}.npz") as arrays:
        assert arrays["pose"].shape == (int(row["frame_count"]), 33, 3)
        assert str(arrays["pose_layout"]) == "mediapipe_pose"
        assert "pose_norm" not in arrays  # the library's own normalisation is part of the demo
    assert float(row["fps"]) == 12.5
    assert Sentence(tuple(row["gloss"].split())).text == row["text"]


def test_test_sentences_and_one_signer_are_in_no_other_split():
    entries = plan_corpus(600, 80, 80)
    texts = {split: {e.sentence.text for e in entries if e.split == split} for split in ("train", "val", "test")}
    assert [len(texts[split]) for split in texts] == [600, 80, 80]
    assert not texts["test"] & (texts["train"] | texts["val"])
    signers = {split: [e.signer for e in entries if e.split == split] for split in texts}
    assert set(signers["train"]) == set(signers["val"]) == {0, 1}
    assert [signers["test"].count(signer) for signer in range(3)] == [20, 20, 40]


def test_a_clip_does_not_depend_on_the_clips_before_it():
    entries = plan_corpus(3, 1, 1)
    alone = film_entry(entries[2])
    after = [film_entry(entry) for entry in entries][2]
    np.testing.assert_array_equal(alone.frames["face"], after.frames["face"])
    np.testing.assert_array_equal(alone.points, after.points)


def test_clip_lengths_and_missing_frames_are_as_in_life():
    clips = [film_entry(entry) for entry in plan_corpus(300, 1, 1)]
    lengths = [clip.num_frames for clip in clips]
    assert 22 <= np.mean(lengths) <= 28
    lost = {s: [c.num_frames - len(c.frame_numbers[s]) for c in clips] for s in ("face", "left_hand", "right_hand")}
    assert set(lost["face"]) == {0, 1, 2}
    assert set(lost["left_hand"] + lost["right_hand"]) == {0, 2, 3, 4}
    for clip in clips:
        assert all(len(clip.frames[s]) == len(clip.frame_numbers[s]) for s in lost)


def test_signers_differ_in_speed_and_size():
    sentence = Sentence(("AYER", "PAN", "MAMÁ", "BUSCAR", "NO"))
    clips = {s: [film_clip(sentence, s, np.random.default_rng([s, i])) for i in range(15)] for s in (0, 1, 2)}
    frames = {s: np.mean([clip.num_frames for clip in clips[s]]) for s in clips}
    assert frames[2] < frames[0] < frames[1]
    shoulders = {s: np.mean([c.points[:, 11, 0] - c.points[:, 12, 0] for c in clips[s][:1]]) for s in clips}
    assert [round(float(shoulders[s]), 2) for s in (0, 1, 2)] == [0.21, 0.25, 0.19]


def test_cache_is_written_once_and_named_by_its_parameters(tmp_path, monkeypatch):
    first = cached_demo_corpus(tmp_path, **SIZES, show_progress=False)
    monkeypatch.setattr("hf_slt.data.demo.corpus.film_entry", None)  # a second drawing would fail
    assert cached_demo_corpus(tmp_path, **SIZES, show_progress=False) == first
    assert [path.name for path in tmp_path.iterdir()] == [first.name]
    with pytest.raises(TypeError):
        cached_demo_corpus(tmp_path, **SIZES, seed=1, show_progress=False)
    assert [path.name for path in tmp_path.iterdir()] == [first.name]  # what failed left nothing


def test_another_process_may_fill_the_cache_first(tmp_path, monkeypatch):
    def slower(folder, **parameters):
        write_demo_corpus(folder, **parameters)
        return write_demo_corpus(folder, **parameters)  # refuses: the folder is filled

    monkeypatch.setattr("hf_slt.data.demo.corpus.write_demo_corpus", slower)
    folder = cached_demo_corpus(tmp_path, **SIZES, show_progress=False)
    assert len(rows_of(folder)) == 13


@pytest.mark.parametrize(
    "environment, expected",
    [
        ({"HF_SLT_CACHE": "/a", "HF_HOME": "/b"}, "/a"),
        ({"HF_HOME": "/b"}, "/b/hf_slt"),
        ({"HOME": "/c"}, "/c/.cache/hf_slt"),
    ],
)
def test_cache_folder_follows_the_environment(environment, expected, monkeypatch):
    for name in ("HF_SLT_CACHE", "HF_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert str(default_cache_dir()) == expected


def test_empty_split_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match=r"at least one demo clip in each split, found .*'test': 0"):
        write_demo_corpus(tmp_path / "demo", num_train=2, num_validation=1, num_test=0, show_progress=False)
    assert list(tmp_path.iterdir()) == []
