"""Settings that may be published: no folder of a machine, no token."""

import pytest

from hf_slt.model_card.portable import data_paths, is_hub_id, portable_settings, portable_value


def test_the_common_folder_of_the_corpus_is_d():
    settings = {"pose_dir": "/data/someone/b/pose", "train_index": "/data/someone/b/index/train.csv", "face_dir": None}
    assert data_paths(settings) == {"pose_dir": "D/pose", "train_index": "D/index/train.csv"}
    assert data_paths({"keypoints_train": "/data/someone/b/clips"}) == {"keypoints_train": "D/clips"}
    assert data_paths({"pose_dir": "D/pose", "metadata_csv": "D/meta.csv"}) == {
        "pose_dir": "D/pose",
        "metadata_csv": "D/meta.csv",
    }
    assert data_paths({}) == {}


@pytest.mark.parametrize("index", ["/home/bob/train.csv", "lists/train.csv", "/train.csv"])
def test_no_folder_of_a_person_is_below_d(index):
    paths = data_paths({"pose_dir": "/home/alice/pose/", "train_index": index})
    assert paths == {"pose_dir": "D/pose", "train_index": "D/train.csv"}


def test_relative_folders_above_are_names_alone():
    assert data_paths({"pose_dir": "../alice/pose"}) == {"pose_dir": "D/pose"}


def test_settings_of_a_run():
    settings = {
        "pose_dir": "/home/alice/c/pose",
        "output_dir": "/home/alice/runs/best/",
        "tokenizer": "/home/alice/tokenizer",
        "decoder_model": "google-t5/t5-small",
        "hub_token": "hf_secret",
        "push_to_hub": True,
        "hub_model_id": "alice/secret",
        "hub_private_repo": True,
        "push_to_hub_organization": "alice",
        "cache_dir": "/tmp/alice",
        "deepspeed": {"path": "~/alice/zero.json", "stage": 2},
        "decoder_kwargs": '{"file": "/home/alice/weights.bin", "n": 2}',
        "init_checkpoint": "C:\\Users\\alice\\old.pt",
        "learning_rate": 0.1,
        "mix_stream": ["face=0.1"],
    }
    public = portable_settings(settings)
    assert public["pose_dir"] == "D/pose" and public["output_dir"] == "runs/best" and public["tokenizer"] == "tokenizer"
    assert public["decoder_model"] == "google-t5/t5-small" and public["init_checkpoint"] == "old.pt"
    assert public["deepspeed"] == {"path": "zero.json", "stage": 2}
    assert public["decoder_kwargs"] == '{"file": "weights.bin", "n": 2}'
    assert public["cache_dir"] is None
    assert public["learning_rate"] == 0.1 and public["mix_stream"] == ["face=0.1"]
    assert "alice" not in str(public) and list(public) == [name for name in settings if "hub" not in name]


def test_urls_and_fractions_are_no_paths():
    assert portable_value("https://example.org/a/b") == "https://example.org/a/b"
    assert portable_value("module:Class") == "module:Class" and portable_value("1/2") == "1/2"


def test_ids_on_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models" / "t5").mkdir(parents=True)
    assert is_hub_id("t5-small") and is_hub_id("google-t5/t5-small")
    assert not any(map(is_hub_id, ("models/t5", "a--b", "a/b.git", "./t5", "/t5", "a/b/c", "~/t5", "", None)))
