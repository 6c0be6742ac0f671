"""Checkpoints that cannot be written, the best one, and how many are kept."""

import errno
import json
import shutil

import pytest
import torch
from run_factories import gloss_model, gloss_report, gloss_trainer, largest_difference, weights_of
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import TrainerCallback

from hf_slt.training.checkpoints import EARLIER, SAVING, checkpoints_of, damage_of
from hf_slt.training.saving import CheckpointError

STEPS = {"save_strategy": "steps", "eval_strategy": "steps", "save_steps": 2, "eval_steps": 2, "num_train_epochs": 3}


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return gloss_report(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def expected(report, tmp_path_factory):
    """A run that was never in trouble: its trainer."""
    trainer = gloss_trainer(report, tmp_path_factory.mktemp("expected"), gloss_model(0.2), **STEPS)
    trainer.train()
    trainer.save_model()
    return trainer


def names_in(folder):
    return sorted(path.name for path in folder.iterdir() if path.name.startswith(("checkpoint", "_", "earlier")))


def steps_in(folder):
    return sorted(int(path.name[11:]) for path in checkpoints_of(folder))


class FullDisk:
    """A writer of files that fails from the count-th call on, in the middle of the file."""

    def __init__(self, function, count, error):
        self.function, self.count, self.error, self.calls = function, count, error, 0

    def __call__(self, content, path, *args, **kwargs):
        self.calls += 1
        if self.calls >= self.count:
            with open(path, "wb") as file:
                file.write(b"half")
            raise self.error
        return self.function(content, path, *args, **kwargs)


FAILURES = [
    ("torch.save", 6, OSError(errno.ENOSPC, "No space left on device")),  # a checkpoint has four files of it
    ("torch.save", 8, RuntimeError("[enforce fail at inline_container.cc:858] . PytorchStreamWriter failed writing")),
    ("safetensors.torch.save_file", 2, SafetensorError("Error while serializing: I/O error: No space left")),
]


@pytest.mark.parametrize(("function", "count", "error"), FAILURES)
def test_a_checkpoint_that_cannot_be_written(report, expected, tmp_path, monkeypatch, function, count, error):
    trainer = gloss_trainer(report, tmp_path, gloss_model(0.2), **STEPS)
    with monkeypatch.context() as patch:
        target = "transformers.modeling_utils.safe_save_file" if "safe" in function else function
        original = torch.save if function == "torch.save" else __import__("safetensors.torch").torch.save_file
        patch.setattr(target, FullDisk(original, count, error))
        with pytest.raises(CheckpointError) as raised:
            trainer.train()
    message = str(raised.value)
    assert message.startswith(f"expected to save {tmp_path / 'checkpoint-4'}, found: ") and str(error) in message
    assert message.endswith("checkpoint-2 is whole: make room, or the folder writable, and go on with --resume")
    assert names_in(tmp_path) == ["checkpoint-2"] and damage_of(tmp_path / "checkpoint-2") is None
    resumed = gloss_trainer(report, tmp_path, gloss_model(0.2), **STEPS)
    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))
    assert largest_difference(weights_of(resumed.model), weights_of(expected.model)) == 0
    assert (tmp_path / "train_log.csv").read_text() == expected.args.log_file.read_text()
    assert steps_in(tmp_path) == steps_in(expected.args.log_file.parent)


def test_the_first_checkpoint_cannot_be_written(report, tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "save", FullDisk(torch.save, 1, OSError(errno.EROFS, "Read-only file system")))
    with pytest.raises(CheckpointError, match="Read-only file system; there is no checkpoint yet: make room"):
        gloss_trainer(report, tmp_path, **STEPS).train()
    assert names_in(tmp_path) == []


def test_a_checkpoint_below_a_file(report, tmp_path):
    """Root may write everywhere, but not below a file."""
    trainer = gloss_trainer(report, tmp_path, **STEPS)
    trainer.add_callback(Blocking(tmp_path / SAVING))
    with pytest.raises(
        CheckpointError, match=rf"expected to save {tmp_path / 'checkpoint-2'}, found: .*Not a directory"
    ):
        trainer.train()


class Blocking(TrainerCallback):
    """Puts a file in the place of a folder when training begins."""

    def __init__(self, path):
        self.path = path

    def on_train_begin(self, *args, **kwargs):
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.write_text("")


def test_a_model_that_cannot_be_saved_leaves_the_old_one(report, tmp_path, monkeypatch):
    trainer = gloss_trainer(report, tmp_path)
    trainer.save_model()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert "model.safetensors" in before and SAVING not in before
    for parameter in trainer.model.parameters():
        parameter.data.add_(1)
    failing = FullDisk(None, 1, OSError(errno.ENOSPC, "No space left on device"))
    with monkeypatch.context() as patch:
        patch.setattr("transformers.modeling_utils.safe_save_file", failing)
        with pytest.raises(CheckpointError, match=rf"expected to save the model in {tmp_path}, found: .*No space left"):
            trainer.save_model()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    trainer.save_model()
    assert largest_difference(load_file(tmp_path / "model.safetensors"), weights_of(trainer.model)) == 0


# --- which ones are kept ---


class Scores(TrainerCallback):
    """Puts given accuracies in the place of those of the evaluations, one after the other by step."""

    def __init__(self, trainer, scores):
        evaluate = trainer.evaluate

        def scored(*args, **kwargs):
            metrics = evaluate(*args, **kwargs)
            if trainer.is_in_train:
                metrics["eval_accuracy"] = scores[trainer.state.global_step]
                trainer.state.log_history[-1]["eval_accuracy"] = metrics["eval_accuracy"]
            return metrics

        trainer.evaluate = scored


def scored_run(report, folder, scores, **options):
    trainer = gloss_trainer(report, folder, **{**STEPS, **options})
    Scores(trainer, scores)
    return trainer


BEST_FOURTH = {2: 0.1, 4: 0.9, 6: 0.2, 8: 0.3, 10: 0.4, 12: 0.5}


@pytest.mark.parametrize(
    ("limit", "left"), [(1, [4, 12]), (2, [4, 12]), (3, [4, 10, 12]), (None, [2, 4, 6, 8, 10, 12])]
)
def test_the_best_stays_whatever_the_limit(report, tmp_path, limit, left):
    trainer = scored_run(report, tmp_path, BEST_FOURTH, save_total_limit=limit)
    trainer.train()
    assert steps_in(tmp_path) == list(left)
    assert trainer.state.best_model_checkpoint == str(tmp_path / "checkpoint-4") and trainer.state.best_metric == 0.9
    stored = load_file(tmp_path / "checkpoint-4" / "model.safetensors")
    assert largest_difference(stored, weights_of(trainer.model)) == 0


@pytest.mark.parametrize("limit", [1, 2])
@pytest.mark.parametrize("spelling", ["relative", "dots", "moved"])
def test_the_best_stays_where_the_run_is_resumed_by_another_name(report, tmp_path, monkeypatch, limit, spelling):
    folder = tmp_path / "run"
    stopped = scored_run(report, folder, BEST_FOURTH, save_total_limit=limit)
    stopped.add_callback(StopAt(8))
    with pytest.raises(KeyboardInterrupt):
        stopped.train()
    assert steps_in(folder) == [4, 8]
    monkeypatch.chdir(tmp_path)
    given = {"relative": "run", "dots": str(folder / ".." / "run"), "moved": str(tmp_path / "other")}[spelling]
    if spelling == "moved":
        folder = folder.rename(given)
    resumed = scored_run(report, given, BEST_FOURTH, save_total_limit=limit)
    resumed.train(resume_from_checkpoint=f"{given}/checkpoint-8")
    assert resumed.state.best_model_checkpoint == str(type(folder)(given) / "checkpoint-4")
    assert steps_in(folder) == [4, 12]
    stored = load_file(folder / "checkpoint-4" / "model.safetensors")
    assert largest_difference(stored, weights_of(resumed.model)) == 0


class StopAt(TrainerCallback):
    """Ends a run as if it was killed, behind what belongs to a step."""

    def __init__(self, step):
        self.step = step

    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step == self.step:
            raise KeyboardInterrupt


def test_a_best_checkpoint_that_is_gone_when_a_run_is_resumed(report, tmp_path, caplog):
    stopped = scored_run(report, tmp_path, BEST_FOURTH)
    stopped.add_callback(StopAt(8))
    with pytest.raises(KeyboardInterrupt):
        stopped.train()
    shutil.rmtree(tmp_path / "checkpoint-4")
    resumed = scored_run(report, tmp_path, BEST_FOURTH)
    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-8"))
    assert "the best checkpoint so far, of step 4, is gone: the best of the others is kept" in caplog.text
    assert resumed.state.best_metric == 0.5 and resumed.state.best_global_step == 12


@pytest.mark.parametrize("limit", [1, 2])
def test_a_best_checkpoint_that_is_gone_at_the_end(report, tmp_path, caplog, limit):
    trainer = scored_run(report, tmp_path, BEST_FOURTH, save_total_limit=limit)

    class Removing(TrainerCallback):
        def on_epoch_end(self, args, state, control, **kwargs):
            if state.global_step == 12:
                shutil.rmtree(tmp_path / "checkpoint-4")

    trainer.add_callback(Removing())
    trainer.train()
    assert f"{tmp_path / 'checkpoint-4'}, the best checkpoint, is gone: the run ends with the last" in caplog.text
    stored = load_file(tmp_path / "checkpoint-12" / "model.safetensors")
    assert largest_difference(stored, weights_of(trainer.model)) == 0


def test_only_the_best_are_saved(report, tmp_path):
    scores = {2: 0.1, 4: 0.5, 6: 0.2, 8: 0.6, 10: 0.4, 12: 0.5}
    trainer = scored_run(report, tmp_path, scores, save_strategy="best", save_total_limit=None)
    trainer.train()
    assert steps_in(tmp_path) == [2, 4, 8] and trainer.state.best_metric == 0.6
    stored = load_file(tmp_path / "checkpoint-8" / "model.safetensors")
    assert largest_difference(stored, weights_of(trainer.model)) == 0
    state = json.loads((tmp_path / "checkpoint-8" / "trainer_state.json").read_text())
    assert state["best_model_checkpoint"] == str(tmp_path / "checkpoint-8") and state["best_metric"] == 0.6


def test_each_new_best_is_saved_where_evaluations_are_more_often(report, tmp_path):
    trainer = scored_run(report, tmp_path, BEST_FOURTH, save_steps=6, save_total_limit=None)
    trainer.train()
    assert steps_in(tmp_path) == [2, 4, 6, 12]  # 2 and 4 were the best so far
    stored = load_file(tmp_path / "checkpoint-4" / "model.safetensors")
    assert largest_difference(stored, weights_of(trainer.model)) == 0
    assert trainer.state.best_metric == max(e["eval_accuracy"] for e in trainer.state.log_history if "eval_loss" in e)


# --- a folder with the checkpoints of an earlier run ---


def test_a_new_run_does_not_take_the_checkpoints_of_an_earlier_one_for_its_own(report, tmp_path, caplog):
    scored_run(report, tmp_path, BEST_FOURTH, num_train_epochs=3).train()
    assert steps_in(tmp_path) == [4, 12]
    (tmp_path / "checkpoint-30").mkdir()  # damaged
    scored_run(report, tmp_path, BEST_FOURTH, num_train_epochs=2).train()
    assert steps_in(tmp_path) == [4, 8]
    aside = tmp_path / f"{EARLIER}_1"
    assert steps_in(aside) == [4, 12] and "checkpoint-30" not in names_in(tmp_path)
    assert f"what is later than step 0 is in {aside} now" in caplog.text
    for folder in (aside / "checkpoint-12", tmp_path / "checkpoint-8"):
        assert damage_of(folder) is None


def test_a_run_that_goes_on_from_an_earlier_checkpoint_replaces_the_later_ones(report, tmp_path):
    scored_run(report, tmp_path, BEST_FOURTH, save_total_limit=None).train()
    trainer = scored_run(report, tmp_path, {**BEST_FOURTH, 10: 0.95}, num_train_epochs=2.5, save_total_limit=2)
    trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-8"))
    assert steps_in(tmp_path) == [8, 10] and steps_in(tmp_path / f"{EARLIER}_1") == [10, 12]


def test_a_best_step_that_was_saved_before_its_evaluation_stays(report, tmp_path):
    """Saved at every step, evaluated behind every epoch: the best step is saved before it is known to be the best."""
    often = {"save_steps": 1, "eval_strategy": "epoch", "load_best_model_at_end": False, "num_train_epochs": 3}
    trainer = scored_run(report, tmp_path, {4: 0.1, 8: 0.9, 12: 0.3}, save_total_limit=1, **often)
    trainer.train()
    assert trainer.state.best_global_step == 8 and steps_in(tmp_path) == [8, 12]
