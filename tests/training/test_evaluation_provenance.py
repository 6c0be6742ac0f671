"""Where scores come from: the hash of the clips, the rule of selection, the settings of decoding."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from factories import CLIPS, write_corpus

import hf_slt
from hf_slt.data.builder import build_datasets
from hf_slt.training.evaluation_provenance import (
    describe_decoding,
    describe_selection,
    hash_clips,
    hash_rows,
    versions,
)


def clips_of(paths):
    return build_datasets(paths, show_progress=False)[0]["test"]


@pytest.mark.parametrize("variant", ["flat", "npz"])
def test_the_hash_is_of_the_clips_and_not_of_their_place(tmp_path, variant):
    splits = {"test": ["vid1", "vid10"]}
    paths = write_corpus(tmp_path / "here", CLIPS, splits, variant=variant, frames=3)
    first = hash_clips(clips_of(paths))
    assert first.startswith("sha256:") and len(first) == 71
    copy = write_corpus(tmp_path / "there", CLIPS, splits, variant=variant, frames=3)
    assert hash_clips(clips_of(copy)) == first
    hashes = {first}
    for change in (
        lambda: copy.indexes["test"].write_text("vid10\nvid1\n"),
        lambda: copy.metadata_csv.write_text(copy.metadata_csv.read_text().replace("Mañana", "mañana")),
    ):
        change()
        hashes.add(hash_clips(clips_of(copy)))
    assert len(hashes) == 3
    first_file = next(copy.face_dir.glob("vid1_f0*" if variant == "flat" else "vid1.*"))
    other = write_corpus(tmp_path / "third", CLIPS, splits, variant=variant, frames=3, size=24)
    shutil.copy(next(other.face_dir.glob(first_file.name)), first_file)
    assert hash_clips(clips_of(copy)) not in hashes


def test_the_hash_of_rows_depends_on_their_order():
    assert hash_rows([["a", 1], ["b", None]]) != hash_rows([["b", None], ["a", 1]])
    assert hash_rows([]) == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


LOWER = ("loss", "wer")


@pytest.mark.parametrize(
    ("config", "metric", "mode", "best"),
    [
        ({"metric_for_best_model": "eval_loss"}, "loss", "min", "lowest loss"),
        ({"metric_for_best_model": "eval_bleu"}, "bleu", "max", "highest bleu"),
        ({"metric_for_best_model": "wer", "greater_is_better": None}, "wer", "min", "lowest wer"),
        ({"metric_for_best_model": "x", "greater_is_better": False}, "x", "min", "lowest x"),
    ],
)
def test_a_selection_names_its_split_and_its_score(config, metric, mode, best):
    found = describe_selection(Path("runs/a"), config, {"train": {}, "validation": {}}, LOWER)
    assert found == {
        "split": "validation", "metric": metric, "mode": mode,
        "rule": f"the evaluated step of training with the {best} on the validation split",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("folder", "config", "splits", "rule"),
    [
        ("runs/a", {}, {}, "unknown: no run_config.json beside the model"),
        ("runs/a", {"eval_strategy": "no"}, {}, "the last step of training; no clips chose it"),
        ("runs/a", {"load_best_model_at_end": False}, {}, "the last step of training; no clips chose it"),
        ("runs/a", {"seed": 1}, {"train": {}}, "the last step of training; no clips chose it"),
        ("runs/a/checkpoint-40", {"seed": 1}, {}, "checkpoint-40 of a run, chosen by whoever evaluates it"),
    ],
)
def test_no_clips_chose_the_model_or_it_is_not_known(folder, config, splits, rule):
    expected = {"split": None, "metric": None, "mode": None, "rule": rule}
    assert describe_selection(Path(folder), config, splits, LOWER) == expected


def test_decoding_is_that_of_the_flags_else_of_the_model_else_of_transformers():
    names = ("num_beams", "length_penalty", "no_repeat_ngram_size", "max_new_tokens", "max_length")
    empty = SimpleNamespace(generation_config=SimpleNamespace(**dict.fromkeys(names)))
    defaults = {"num_beams": 1, "length_penalty": 1.0, "no_repeat_ngram_size": 0, "max_new_tokens": 19}
    assert describe_decoding(empty, {}) == defaults
    own = SimpleNamespace(**dict(zip(names, (4, 0.6, 3, None, 33), strict=True)))
    model = SimpleNamespace(generation_config=own)
    expected = {"num_beams": 4, "length_penalty": 0.6, "no_repeat_ngram_size": 3, "max_new_tokens": 32}
    assert describe_decoding(model, {"num_beams": None}) == expected
    given = {"num_beams": 1, "no_repeat_ngram_size": 0}
    assert describe_decoding(model, given) == expected | given


def test_versions_are_those_that_are_installed():
    assert list(versions()) == ["hf_slt", "python", "torch", "transformers", "sacrebleu", "numpy"]
    assert versions()["hf_slt"] == hf_slt.__version__ and all(versions().values())


@pytest.mark.parametrize(("stream", "variant"), [("pose", "flat"), ("face", "flat"), ("face", "npz")])
def test_the_hash_sees_content_of_the_same_size(tmp_path, stream, variant):
    paths = write_corpus(tmp_path, CLIPS, {"test": ["vid1", "vid10"]}, variant=variant, frames=3)
    clips = clips_of(paths)
    first, folder = hash_clips(clips), tmp_path / stream
    assert hash_clips(clips) == first
    file = next(path for path in sorted(folder.rglob("*")) if path.is_file() and path.name.startswith("vid10"))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert hash_clips(clips) != first
