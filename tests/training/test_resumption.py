"""A run that is resumed: logs, losses, evaluations and counts are those of one that never was stopped."""

import json
import os
import random
import signal

import numpy as np
import pytest
import torch
from run_factories import (
    Changed,
    gloss_model,
    gloss_report,
    gloss_trainer,
    largest_difference,
    translation_model,
    translation_parts,
    translation_trainer,
    weights_of,
)
from transformers import TrainerCallback

from hf_slt.training.checkpoints import RUN_STATE, checkpoints_of
from hf_slt.training.early_stopping import ResumableEarlyStopping
from hf_slt.training.gloss_losses import GlossLoss
from hf_slt.training.interruption import Interrupted
from hf_slt.training.resumption import untouched_random_state

# 4 steps an epoch, 12 in all.
EVERY_STEP = {"save_strategy": "steps", "save_steps": 1, "save_total_limit": None, "load_best_model_at_end": False}
RUN = {"num_train_epochs": 3, "gradient_accumulation_steps": 1, "per_device_train_batch_size": 4}
RHYTHMS = {
    "epochs": {"logging_strategy": "epoch", "eval_strategy": "epoch"},
    "steps": {"logging_strategy": "steps", "logging_steps": 5, "eval_strategy": "steps", "eval_steps": 3},
    "logs_alone": {"logging_strategy": "steps", "logging_steps": 2, "eval_strategy": "no"},
}


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return gloss_report(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    return translation_parts(tmp_path_factory.mktemp("corpus"))


def entries(trainer):
    """Return the log without what depends on the clock, and without the line of the end of the run."""
    return [
        {name: value for name, value in entry.items() if not name.endswith(("runtime", "per_second"))}
        for entry in trainer.state.log_history
        if "train_runtime" not in entry
    ]


@pytest.fixture(scope="module", params=RHYTHMS)
def whole(request, report, tmp_path_factory):
    """A run that was never stopped and saved each step: its trainer, what it returned, its folder and its flags."""
    folder, flags = tmp_path_factory.mktemp("whole"), {**RUN, **EVERY_STEP, **RHYTHMS[request.param]}
    trainer = gloss_trainer(report, folder, gloss_model(0.2), **flags)
    return trainer, trainer.train(), folder, flags


@pytest.mark.parametrize("step", [1, 4, 5, 12])
def test_logs_and_losses_go_on(report, whole, tmp_path, step):
    expected, result, folder, flags = whole
    (tmp_path / "train_log.csv").write_bytes((folder / "train_log.csv").read_bytes())
    trainer = gloss_trainer(report, tmp_path, gloss_model(0.2), **flags)
    found = trainer.train(resume_from_checkpoint=str(folder / f"checkpoint-{step}"))
    assert found.training_loss == pytest.approx(result.training_loss, rel=1e-6)
    assert entries(trainer) == entries(expected)
    assert (tmp_path / "train_log.csv").read_text() == (folder / "train_log.csv").read_text()
    assert largest_difference(weights_of(trainer.model), weights_of(expected.model)) == 0


@pytest.mark.parametrize("flags", [RHYTHMS["epochs"], {"logging_strategy": "steps", "logging_steps": 3}])
def test_logs_of_translation_go_on(parts, tmp_path, flags):
    run = {"num_train_epochs": 3, "per_device_train_batch_size": 2, **EVERY_STEP, **flags}
    expected = translation_trainer(parts, tmp_path / "whole", **run)
    result = expected.train()
    trainer = translation_trainer(parts, tmp_path / "rest", **run)
    found = trainer.train(resume_from_checkpoint=str(tmp_path / "whole" / "checkpoint-6"))
    assert found.training_loss == pytest.approx(result.training_loss, rel=1e-6)
    assert entries(trainer) == entries(expected)
    assert largest_difference(weights_of(trainer.model), weights_of(expected.model)) == 0
    assert largest_difference(weights_of(trainer.model), weights_of(translation_model(parts[1]))) > 1e-3


class StopBehind(TrainerCallback):
    """Asks a run to stop at the end of a step, as a scheduler does."""

    def __init__(self, step):
        self.step = step

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.step:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("step", [4, 12])
def test_a_stop_between_the_last_step_of_an_epoch_and_its_log(report, tmp_path, step):
    flags = {**RUN, "save_total_limit": None}
    expected = gloss_trainer(report, tmp_path / "whole", gloss_model(0.2), **flags)
    result = expected.train()
    with pytest.raises(Interrupted):
        gloss_trainer(report, tmp_path / "run", gloss_model(0.2), callbacks=[StopBehind(step)], **flags).train()
    trainer = gloss_trainer(report, tmp_path / "run", gloss_model(0.2), **flags)
    found = trainer.train(resume_from_checkpoint=str(tmp_path / "run" / f"checkpoint-{step}"))
    assert entries(trainer) == entries(expected)
    assert found.training_loss == pytest.approx(result.training_loss, rel=1e-6)
    logs = [(tmp_path / name / "train_log.csv").read_text() for name in ("run", "whole")]
    assert logs[0] == logs[1] and logs[0].count("\n") == 4
    assert [path.name for path in checkpoints_of(tmp_path / "run")] == ["checkpoint-12", "checkpoint-8", "checkpoint-4"]
    assert trainer.state.best_global_step == expected.state.best_global_step


def test_a_run_that_has_nothing_left_to_train(report, tmp_path):
    expected = gloss_trainer(report, tmp_path, **RUN, save_total_limit=None)
    result = expected.train()
    log = (tmp_path / "train_log.csv").read_text()
    trainer = gloss_trainer(report, tmp_path, **RUN, save_total_limit=None)
    found = trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-12"))
    assert found.global_step == 12 and found.metrics["epoch"] == 3
    assert found.training_loss == pytest.approx(result.training_loss, rel=1e-6)
    assert largest_difference(weights_of(trainer.model), weights_of(expected.model)) == 0
    assert (tmp_path / "train_log.csv").read_text() == log and not trainer.is_in_train


def test_batches_that_were_left_out_are_counted_on(report, tmp_path):
    def spoil(row):
        return {**row, "input_values": np.full_like(row["input_values"], np.nan)}

    flags = {**RUN, **EVERY_STEP, "eval_strategy": "no", "skip_nonfinite_loss": True}
    spoiled = lambda data: Changed(data, spoil, {3})  # noqa: E731  # one batch an epoch
    gloss_trainer(report, tmp_path, change=spoiled, **flags).train()
    assert json.loads((tmp_path / "checkpoint-8" / RUN_STATE).read_text())["skipped_batches"] == 2
    trainer = gloss_trainer(report, tmp_path, change=spoiled, **flags)
    trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-8"))
    assert trainer.skipped_batches == 3


def test_a_checkpoint_without_a_state_of_ours_is_gone_on_from(report, tmp_path):
    flags = {**RUN, **EVERY_STEP}
    gloss_trainer(report, tmp_path, **flags).train()
    (tmp_path / "checkpoint-5" / RUN_STATE).unlink()
    trainer = gloss_trainer(report, tmp_path, **flags)
    trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-5"))
    assert trainer.state.global_step == 12 and trainer.skipped_batches == 0


MISSING = [
    ({"eval_strategy": "no"}, 4, [], False),
    ({"eval_strategy": "epoch"}, 4, [], True),
    ({"eval_strategy": "epoch"}, 4, [{"step": 4, "eval_loss": 1}], False),
    ({"eval_strategy": "epoch"}, 4, [{"step": 3, "eval_loss": 1}, {"step": 4, "loss": 1}], True),
    ({"eval_strategy": "epoch"}, 3, [], False),
    ({"eval_strategy": "epoch"}, 0, [], False),
    ({"eval_strategy": "epoch"}, 11, [], True),  # the last step of the run
    ({"eval_strategy": "epoch", "eval_delay": 2}, 4, [], False),
    ({"eval_strategy": "epoch", "eval_delay": 2}, 8, [], True),
    ({"eval_strategy": "steps", "eval_steps": 3}, 6, [], True),
    ({"eval_strategy": "steps", "eval_steps": 3}, 7, [], False),
    ({"eval_strategy": "steps", "eval_steps": 3, "eval_delay": 6}, 3, [], False),
]


@pytest.mark.parametrize(("flags", "step", "log", "expected"), MISSING)
def test_which_evaluations_are_made_up_for(report, tmp_path, flags, step, log, expected):
    trainer = gloss_trainer(report, tmp_path, save_strategy="no", load_best_model_at_end=False, **flags)
    trainer.steps_per_epoch = 4
    trainer.state.global_step, trainer.state.epoch, trainer.state.max_steps = step, step / 4, 11
    trainer.state.log_history, trainer.state.eval_steps = log, 3
    assert trainer.evaluation_is_missing() is expected


def test_early_stopping_counts_anew_with_each_run():
    stop = ResumableEarlyStopping(early_stopping_patience=2)
    stop.early_stopping_patience_counter = 1  # of an attempt with too large batches
    trainer_args = type("Args", (), {"metric_for_best_model": "loss", "greater_is_better": False})
    trainer_args.load_best_model_at_end, trainer_args.eval_strategy = True, "epoch"
    state = type("State", (), {"log_history": []})
    stop.on_train_begin(trainer_args, state, control := type("Control", (), {"should_training_stop": False}))
    assert stop.early_stopping_patience_counter == 0 and not control.should_training_stop


def test_random_numbers_are_not_touched_by_an_evaluation():
    def draw():
        return random.random(), np.random.rand(), torch.rand(1).item()

    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    expected = draw()
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    with pytest.raises(ValueError, match="stop"), untouched_random_state():
        draw()
        raise ValueError("stop")
    assert draw() == expected


def test_accumulated_figures_of_an_epoch_go_on(report, tmp_path):
    """Also with classes of unequal weight, and steps of several batches."""
    flags = {**RUN, **EVERY_STEP, "gradient_accumulation_steps": 3, "per_device_train_batch_size": 2}
    loss = GlossLoss(gloss_weights=torch.tensor([1.0, 3.0, 0.5, 2.0]))
    gloss_trainer(report, tmp_path / "whole", loss=loss, **flags).train()
    (tmp_path / "rest").mkdir()
    (tmp_path / "rest" / "train_log.csv").write_bytes((tmp_path / "whole" / "train_log.csv").read_bytes())
    trainer = gloss_trainer(report, tmp_path / "rest", loss=loss, **flags)
    trainer.train(resume_from_checkpoint=str(tmp_path / "whole" / "checkpoint-5"))
    assert trainer.steps_per_epoch == 3 and trainer.state.global_step == 9
    logs = [(tmp_path / name / "train_log.csv").read_text() for name in ("rest", "whole")]
    assert logs[0] == logs[1]
