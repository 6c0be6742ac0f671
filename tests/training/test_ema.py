"""The moving average: its numbers, and that what is evaluated is what is saved."""

import numpy as np
import pytest
import torch
from run_factories import gloss_model, gloss_report, gloss_trainer, largest_difference, weights_of
from safetensors.torch import load_file
from transformers import TrainerCallback

from hf_slt.errors import ConfigurationError
from hf_slt.models.sign_transformer.modeling_sign_transformer import SignTransformerForGlossClassification
from hf_slt.training.checkpoints import RUN_STATE, checkpoints_of
from hf_slt.training.ema import TRAINING_WEIGHTS, WeightAverage

RUN = {"use_ema": True, "ema_decay": 0.8, "num_train_epochs": 3, "save_total_limit": None, "learning_rate": 0.02}


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return gloss_report(tmp_path_factory.mktemp("corpus"))


class Weights(TrainerCallback):
    """Remembers the weights behind each step of the optimizer."""

    def __init__(self):
        self.steps = []

    def on_optimizer_step(self, args, state, control, model=None, **kwargs):
        self.steps.append(weights_of(model))


def averaged(start, steps, decay):
    """Write the average out: weight for weight, number for number."""
    average = {name: value.double().clone() for name, value in start.items()}
    for number, weights in enumerate(steps):
        d = min(decay, (1 + number) / (10 + number))
        for name in average:
            average[name] = d * average[name] + (1 - d) * weights[name].double()
    return average


def test_the_average_of_a_parameter():
    model = torch.nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(1.0)
    average = WeightAverage(model, 0.15)
    for value in (2.0, 3.0, 4.0):
        model.weight.data.fill_(value)
        average.update()
    # The warm-up allows 0.1 and 2/11 for the first two updates; the latter is more than 0.15.
    first = 0.1 * 1 + 0.9 * 2
    expected = 0.15 * (0.15 * first + 0.85 * 3) + 0.85 * 4
    assert average.average["weight"].item() == pytest.approx(expected, rel=1e-6) and average.updates == 3
    with pytest.raises(RuntimeError, match="stop"), average.applied():
        assert model.weight.item() == pytest.approx(expected, rel=1e-6)
        raise RuntimeError("stop")
    assert model.weight.item() == 4.0 and average.average["weight"].item() == pytest.approx(expected, rel=1e-6)


def test_frozen_weights_and_buffers_stay_as_they_are():
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    model[0].bias.requires_grad_(False)
    average = WeightAverage(model, 0.9)
    assert set(average.average) == {"0.weight", "1.weight", "1.bias"}
    model.train()(torch.randn(4, 2) + 3)
    model[0].weight.data.add_(1)
    average.update()
    running = model[1].running_mean.clone()
    with average.applied():
        assert torch.equal(model[1].running_mean, running) and running.abs().max() > 0
    average.copy_to_model()
    assert torch.equal(model[1].running_mean, running)


def test_numbers_of_a_run(report, tmp_path):
    weights = Weights()
    trainer = gloss_trainer(report, tmp_path, callbacks=[weights], load_best_model_at_end=False, **RUN)
    trainer.train()
    assert len(weights.steps) == 12
    for checkpoint in checkpoints_of(tmp_path):
        steps = weights.steps[: int(checkpoint.name[11:])]
        expected = averaged(weights_of(gloss_model()), steps, 0.8)
        assert largest_difference(load_file(checkpoint / "model.safetensors"), expected) < 1e-6
        assert largest_difference(load_file(checkpoint / TRAINING_WEIGHTS), steps[-1]) == 0
        assert largest_difference(expected, steps[-1]) > 1e-3
    # The best is not loaded: the run ends with the average of the last step, whatever was evaluated meanwhile.
    assert largest_difference(weights_of(trainer.model), expected_of(tmp_path, 12)) == 0


def expected_of(folder, step):
    return load_file(folder / f"checkpoint-{step}" / "model.safetensors")


def test_a_run_without_evaluations_ends_with_the_average(report, tmp_path):
    trainer = gloss_trainer(report, tmp_path, eval_strategy="no", **RUN)
    trainer.train()
    assert largest_difference(weights_of(trainer.model), expected_of(tmp_path, 12)) == 0
    trainer.save_model()
    assert largest_difference(load_file(tmp_path / "model.safetensors"), expected_of(tmp_path, 12)) == 0


def test_what_is_evaluated_is_what_is_saved(report, tmp_path):
    trainer = gloss_trainer(report, tmp_path, **RUN)
    trainer.train()
    logged = {e["step"]: e for e in trainer.state.log_history if "eval_loss" in e}
    assert len({entry["eval_loss"] for entry in logged.values()}) == 3
    for step, entry in logged.items():
        model = SignTransformerForGlossClassification.from_pretrained(tmp_path / f"checkpoint-{step}")
        scores = gloss_trainer(report, tmp_path / "other", model).evaluate()
        for name in ("eval_loss", "eval_accuracy", "eval_macro_f1"):
            assert scores[name] == pytest.approx(entry[name], rel=1e-6), name
    best = trainer.state.best_model_checkpoint
    assert largest_difference(weights_of(trainer.model), expected_of(tmp_path, int(best.rpartition("-")[2]))) == 0
    assert trainer.evaluate()["eval_accuracy"] == trainer.state.best_metric


def test_training_goes_on_with_the_weights_behind_an_evaluation(report, tmp_path):
    """The same weights are trained with and without an average, however often it is evaluated."""
    plain, average = Weights(), Weights()
    gloss_trainer(report, tmp_path / "plain", callbacks=[plain], **{**RUN, "use_ema": False}).train()
    gloss_trainer(report, tmp_path / "average", callbacks=[average], **RUN).train()
    assert largest_difference(plain.steps[-1], average.steps[-1]) == 0


def test_a_resumed_run_goes_on_with_both(report, tmp_path):
    whole = gloss_trainer(report, tmp_path, gloss_model(0.2), load_best_model_at_end=False, **RUN)
    whole.train()
    expected = weights_of(whole.model)
    resumed = gloss_trainer(report, tmp_path / "r", gloss_model(0.2), load_best_model_at_end=False, **RUN)
    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-4"))
    assert largest_difference(weights_of(resumed.model), expected) == 0
    training = [load_file(folder / "checkpoint-12" / TRAINING_WEIGHTS) for folder in (tmp_path, tmp_path / "r")]
    assert largest_difference(*training) == 0
    assert '"average_updates": 12' in (tmp_path / "r" / "checkpoint-12" / RUN_STATE).read_text()


@pytest.mark.parametrize(("before", "now", "message"), [
    (True, False, "expected --use-ema, with which .*checkpoint-4 was saved, to resume from it, found none"),
    (False, True, "expected no --use-ema to resume from .*checkpoint-4, which was saved without it"),
])  # fmt: skip
def test_the_flag_has_to_be_that_of_the_run(report, tmp_path, before, now, message):
    run = {**RUN, "num_train_epochs": 1}
    gloss_trainer(report, tmp_path, **{**run, "use_ema": before}).train()
    with pytest.raises(ConfigurationError, match=message):
        resumed = gloss_trainer(report, tmp_path, **{**run, "use_ema": now})
        resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-4"))


def test_a_best_checkpoint_that_is_gone_leaves_the_average(report, tmp_path):
    trainer = gloss_trainer(report, tmp_path, **RUN)
    load, seen = trainer._load_best_model, []

    def gone():
        seen.append(trainer.state.best_model_checkpoint)
        trainer.state.best_model_checkpoint = str(tmp_path / "checkpoint-99")
        load()

    trainer._load_best_model = gone
    trainer.train()
    assert len(seen) == 1
    assert largest_difference(weights_of(trainer.model), expected_of(tmp_path, 12)) == 0
    assert np.isfinite(trainer.evaluate()["eval_loss"])
