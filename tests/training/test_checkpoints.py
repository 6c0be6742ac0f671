"""Which checkpoints are whole, which one a run goes on from, and which are deleted."""

import json
import shutil

import pytest
import torch
from run_factories import CHECKPOINT_FILES as FILES
from run_factories import write_checkpoint
from safetensors.torch import save_file

from hf_slt.errors import ConfigurationError
from hf_slt.training.checkpoints import (
    REMOVED,
    REPLACED,
    SAVING,
    checkpoint_to_resume,
    checkpoints_of,
    damage_of,
    repair,
    replace_folder,
    rotate,
)


@pytest.fixture
def run(tmp_path):
    for step in (9, 10, 100):
        write_checkpoint(tmp_path / f"checkpoint-{step}")
    for name in ("checkpoint-old", "eval", SAVING):
        (tmp_path / name).mkdir()
    (tmp_path / "checkpoint-999").touch()
    return tmp_path


def cut(path, keep=0.7):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])


def test_checkpoints_are_sorted_by_number_newest_first(run):
    assert [path.name for path in checkpoints_of(run)] == ["checkpoint-100", "checkpoint-10", "checkpoint-9"]
    assert checkpoint_to_resume("true", run) == checkpoint_to_resume("True", run) == str(run / "checkpoint-100")
    assert checkpoint_to_resume(str(run), run.parent) == str(run / "checkpoint-100")
    assert checkpoint_to_resume(str(run / "checkpoint-9"), run.parent) == str(run / "checkpoint-9")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("keep", [0.0, 0.1, 0.9, 0.999])
def test_a_file_that_was_cut_off_is_seen_wherever_it_was_cut(run, name, keep):
    checkpoint = run / "checkpoint-100"
    assert damage_of(checkpoint) is None
    cut(checkpoint / name, keep)
    assert damage_of(checkpoint) == f"{name} is damaged"


def test_bytes_that_changed_in_torchs_files_are_seen(run):
    path = run / "checkpoint-9" / "optimizer.pt"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(bytes(content))
    assert damage_of(run / "checkpoint-9") == "optimizer.pt is damaged"


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("trainer_state.json", "no trainer_state.json"),
        ("model.safetensors", "no weights"),  # training_args.bin and the weights beside an average are none
        ("optimizer.pt", "no optimizer"),
        ("scheduler.pt", "no scheduler"),
        ("rng_state.pth", "no random states"),
    ],
)
def test_a_file_that_is_missing(run, name, damage):
    save_file({"weight": torch.zeros(1)}, run / "checkpoint-9" / "training_weights.safetensors")
    assert damage_of(run / "checkpoint-9") is None
    (run / "checkpoint-9" / name).unlink()
    assert damage_of(run / "checkpoint-9") == damage


def test_a_checkpoint_knows_its_files_and_its_step(run):
    (run / "checkpoint-9" / "run_state.json").write_text(json.dumps({"files": ["optimizer.pt", "tokenizer.json"]}))
    assert damage_of(run / "checkpoint-9") == "no tokenizer.json"
    (run / "checkpoint-55").symlink_to(run / "checkpoint-10")
    assert damage_of(run / "checkpoint-55") == "its state is of step 10"
    assert checkpoint_to_resume("true", run) == str(run / "checkpoint-100")


def test_a_damaged_newest_checkpoint_is_skipped_with_a_warning(run, caplog):
    cut(run / "checkpoint-100" / "model.safetensors")
    assert checkpoint_to_resume("true", run) == str(run / "checkpoint-10")
    message = "checkpoint-100 is not whole (model.safetensors is damaged): the one before it is used"
    assert message in caplog.text
    with pytest.raises(
        ConfigurationError, match=rf"checkpoint-100': model.safetensors is damaged; --resume {run} takes"
    ):
        checkpoint_to_resume(str(run / "checkpoint-100"), run)
    for step in (9, 10):
        cut(run / f"checkpoint-{step}" / "optimizer.pt")
    with pytest.raises(ConfigurationError, match="to --resume from, found damaged ones only"):
        checkpoint_to_resume("true", run)


def test_a_run_without_a_checkpoint(tmp_path, caplog):
    with pytest.raises(ConfigurationError, match=rf"checkpoint-N folder in {tmp_path} to --resume from, found none"):
        checkpoint_to_resume("true", tmp_path)
    with pytest.raises(ConfigurationError, match="to --resume from, found none in 'nowhere'"):
        checkpoint_to_resume("nowhere", tmp_path)
    (tmp_path / "run_config.json").write_text("{}")
    assert checkpoint_to_resume("true", tmp_path) is None
    assert "was cut off before its first checkpoint: the run starts over" in caplog.text
    (tmp_path / "run_config.json").write_text('{"init_checkpoint": "W"}')
    with pytest.raises(ConfigurationError, match="start it again, without --resume and with --init-checkpoint W"):
        checkpoint_to_resume("true", tmp_path)


def test_a_folder_is_replaced_as_a_whole(run):
    new = write_checkpoint(run / SAVING / "checkpoint-10")
    (new / "new.json").write_text("{}")
    replace_folder(new, run / "checkpoint-10")
    assert (run / "checkpoint-10" / "new.json").is_file() and damage_of(run / "checkpoint-10") is None
    assert not new.exists() and not (run / REPLACED).exists()


def test_what_was_half_written_is_removed_and_what_was_being_replaced_comes_back(run):
    write_checkpoint(run / SAVING / "checkpoint-101")
    (run / REPLACED).mkdir()
    (run / "checkpoint-100").rename(run / REPLACED / "checkpoint-100")  # cut off between the two renames
    shutil.copytree(run / "checkpoint-9", run / REPLACED / "checkpoint-9")
    write_checkpoint(run / REMOVED / "checkpoint-8")
    repair(run)
    assert not (run / REMOVED).exists()
    assert [path.name for path in checkpoints_of(run)] == ["checkpoint-100", "checkpoint-10", "checkpoint-9"]
    assert not (run / SAVING).exists() and not (run / REPLACED).exists()


@pytest.mark.parametrize(
    ("limit", "best", "left"),
    [
        (None, [], [100, 10, 9]),
        (0, [], [100, 10, 9]),
        (2, [], [100, 10]),
        (2, [9], [100, 9]),
        (1, [9], [100, 9]),  # to go on from, and to end with
        (1, [100], [100]),
        (3, [9], [100, 10, 9]),
    ],
)
def test_the_best_and_the_newest_are_never_deleted(run, monkeypatch, limit, best, left):
    monkeypatch.chdir(run.parent)
    # However the folder is spelled: transformers compares the spellings, and deletes the best one if they differ.
    rotate(run, limit, [run.parent / run.name / ".." / run.name / f"checkpoint-{step}" for step in best])
    assert [path.name for path in checkpoints_of(run)] == [f"checkpoint-{step}" for step in left]
