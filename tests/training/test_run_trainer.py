"""What both trainers share: smaller batches where memory is short, accumulation, the loss of an evaluation."""

import numpy as np
import pytest
import torch
from run_factories import (
    Changed,
    Hungry,
    gloss_model,
    gloss_report,
    gloss_trainer,
    largest_difference,
    translation_model,
    translation_parts,
    translation_trainer,
    weights_of,
)
from torch.nn import functional as F

from hf_slt.data.collator import DataCollatorForMultiStream
from hf_slt.training.gloss_losses import GlossLoss
from hf_slt.training.gloss_trainer import FixedOrder

SGD = {"optim": "sgd", "learning_rate": 0.1, "warmup_ratio": 0.0, "weight_decay": 0.0, "max_grad_norm": 0.5}
NO_EVALUATION = {"eval_strategy": "no", "save_strategy": "no"}


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return gloss_report(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    return translation_parts(tmp_path_factory.mktemp("corpus"))


# --- batches that do not fit ---

FITTING = {"auto_find_batch_size": True, "num_train_epochs": 3, "save_total_limit": None, "use_ema": True}


@pytest.mark.parametrize("start", [0, 6])  # at the first batch; in the second epoch, behind a checkpoint
def test_a_batch_that_does_not_fit_ends_in_the_run_with_smaller_ones(report, tmp_path, start):
    small = {**FITTING, "auto_find_batch_size": False, "per_device_train_batch_size": 2}
    expected = gloss_trainer(report, tmp_path / "expected", gloss_model(0.3), **small)
    torch.manual_seed(1)
    result = expected.train()
    trainer = gloss_trainer(report, tmp_path / "run", gloss_model(0.3), **FITTING)
    hungry = Hungry(trainer.model, 2, start=start)
    torch.manual_seed(1)
    found = trainer.train()
    assert hungry.batches == [4] * (start + (not start)) + [4] * bool(start) + [3] + [2] * 24
    assert trainer._train_batch_size == trainer.state.train_batch_size == 2
    assert (trainer.steps_per_epoch, trainer.state.global_step) == (8, 24)
    assert trainer.callback_handler.train_dataloader.batch_sampler.sampler.batch_size == 2
    assert largest_difference(weights_of(trainer.model), weights_of(expected.model)) == 0
    assert found.training_loss == pytest.approx(result.training_loss, rel=1e-6)
    for name in ("train_log.csv",):
        assert (tmp_path / "run" / name).read_text() == (tmp_path / "expected" / name).read_text()
    folders = [sorted(path.name for path in (tmp_path / name).iterdir()) for name in ("run", "expected")]
    assert folders[0] == folders[1]


def test_a_run_with_smaller_batches_goes_on_with_them(report, tmp_path):
    expected = gloss_trainer(report, tmp_path / "expected", **FITTING)
    Hungry(expected.model, 2)
    expected.train()
    trainer = gloss_trainer(report, tmp_path / "expected", **FITTING)
    hungry = Hungry(trainer.model, 2)
    trainer.train(resume_from_checkpoint=str(tmp_path / "expected" / "checkpoint-16"))
    assert hungry.batches == [2] * 8
    assert largest_difference(weights_of(trainer.model), weights_of(expected.model)) == 0


def test_a_resumed_run_that_needs_still_smaller_batches_ends_well(report, tmp_path):
    Hungry((first := gloss_trainer(report, tmp_path, **FITTING)).model, 2)
    first.train()
    trainer = gloss_trainer(report, tmp_path, **FITTING)
    hungry = Hungry(trainer.model, 1, start=1)
    trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-8"))
    # From step 8, half of an epoch of 16 steps with single clips.
    assert hungry.batches == [2, 2] + [1] * 40 and trainer.state.global_step == 48
    assert sorted(int(path.name[11:]) for path in tmp_path.glob("checkpoint-*")) == [8, 16, 32, 48]


def test_batches_of_translation_are_made_smaller_too(parts, tmp_path):
    trainer = translation_trainer(parts, tmp_path, auto_find_batch_size=True, num_train_epochs=1)
    hungry = Hungry(trainer.model, 2)
    trainer.train()
    assert hungry.batches == [4, 3, 2, 2, 2, 2] and trainer.state.global_step == 4


# --- accumulation ---


def unknown_category(row):
    return {**row, "category_labels": -100}


@pytest.mark.parametrize("loss_type", ["ce", "focal"])
def test_accumulated_batches_of_glosses_are_one_large_batch(report, tmp_path, loss_type):
    """16 clips: with batches of 2 and 3 of them a step, the last step of an epoch has 4 clips."""
    weights = torch.tensor([1.0, 3.0, 0.5, 2.0])
    loss = GlossLoss(0.7, 0.4, loss_type, 2.0, 0.1, weights, torch.tensor([0.5, 2.0]))
    runs = []
    for size, accumulated in ((6, 1), (2, 3)):
        options = {**SGD, **NO_EVALUATION, "num_train_epochs": 3, "logging_strategy": "steps", "logging_steps": 1}
        options |= {"per_device_train_batch_size": size, "gradient_accumulation_steps": accumulated}
        change = lambda data: Changed(data, unknown_category, {0, 1, 2, 9})  # noqa: E731
        trainer = gloss_trainer(report, tmp_path, gloss_model(), loss, change, **options)
        trainer._get_train_sampler = lambda *args: FixedOrder(range(16))
        trainer.train()
        assert trainer.state.global_step == 9
        runs.append(trainer)
    assert_same_steps(*runs, start=gloss_model())


@pytest.mark.parametrize("ctc_weight", [0.0, 0.3])
def test_accumulated_batches_of_translation_are_one_large_batch(parts, tmp_path, ctc_weight):
    runs = []
    for size, accumulated in ((6, 1), (2, 3)):
        options = {**SGD, "num_train_epochs": 3, "logging_strategy": "steps", "label_smoothing_factor": 0.2}
        options |= {"per_device_train_batch_size": size, "gradient_accumulation_steps": accumulated}
        model = translation_model(parts[1], ctc_weight=ctc_weight)
        trainer = translation_trainer(parts, tmp_path, model, logging_steps=1, **options)
        trainer._get_train_sampler = lambda *args: FixedOrder(range(8))
        trainer.train()
        assert trainer.state.global_step == 6
        runs.append(trainer)
    assert_same_steps(*runs, start=translation_model(parts[1], ctc_weight=ctc_weight))


def assert_same_steps(one, other, start):
    """The same losses, norms and weights, to rounding, in runs that moved the weights."""
    logs = [[entry for entry in run.state.log_history if "loss" in entry] for run in (one, other)]
    for left, right in zip(*logs, strict=True):
        assert left["loss"] == pytest.approx(right["loss"], abs=1.01e-4)  # it is logged with four digits
        assert left["grad_norm"] == pytest.approx(right["grad_norm"], rel=1e-5)
    weights = [weights_of(run.model) for run in (one, other)]
    moved = largest_difference(weights[0], weights_of(start))
    assert moved > 1e-2 and largest_difference(*weights) < 1e-6 * max(1, moved)


# --- the loss of an evaluation ---


def test_the_loss_of_glosses_is_the_mean_over_the_clips(report, tmp_path):
    model = gloss_model()
    losses = []
    for size in (1, 3, 4):
        trainer = gloss_trainer(report, tmp_path, model, per_device_eval_batch_size=size, label_smoothing_factor=0.1)
        unknown = Changed(trainer.eval_dataset, unknown_category, {1})
        losses.append(trainer.evaluate(unknown)["eval_loss"])
    gloss, category = [], []
    for row in (unknown[i] for i in range(4)):
        outputs = model.eval()(torch.as_tensor(row["input_values"])[None], torch.as_tensor(row["attention_mask"])[None])
        gloss.append(F.cross_entropy(outputs.gloss_logits, torch.tensor([row["labels"]])).item())
        if row["category_labels"] != -100:
            category.append(F.cross_entropy(outputs.category_logits, torch.tensor([row["category_labels"]])).item())
    expected = model.config.alpha * np.mean(gloss) + model.config.beta * np.mean(category)
    assert len(category) == 3 and losses == pytest.approx([expected] * 3, rel=1e-5)


def test_the_loss_of_translation_is_the_mean_over_the_tokens(parts, tmp_path):
    model = translation_model(parts[1])
    losses = []
    for size in (1, 3, 8):
        trainer = translation_trainer(
            parts, tmp_path, model, per_device_eval_batch_size=size, label_smoothing_factor=0.1
        )
        losses.append(trainer.evaluate()["eval_loss"])
    total, tokens = 0.0, 0
    for index in range(8):
        batch = trainer.data_collator([trainer.eval_dataset[index]])
        labels = batch.pop("labels")
        logits = model.eval()(**{n: v for n, v in batch.items() if n != "video_ids"}).logits
        total += F.cross_entropy(logits[0], labels[0], reduction="sum").item()
        tokens += int((labels != -100).sum())
    assert tokens > 30 and losses == pytest.approx([total / tokens] * 3, rel=1e-5)


def test_only_batches_of_training_are_mixed(parts, tmp_path):
    trainer = translation_trainer(parts, tmp_path, per_device_train_batch_size=8)
    plain = trainer.data_collator
    mixing = DataCollatorForMultiStream(**{**vars(plain), "mix_streams": {"pose": 1.0}})
    trainer.data_collator, trainer.evaluation_collator = mixing, plain
    poses = [row["pose_values"] for row in (trainer.eval_dataset[i] for i in range(8))]
    for loader in (trainer.get_eval_dataloader(), trainer.get_test_dataloader(trainer.eval_dataset)):
        assert [same_pose(batch, poses) for batch in loader] == [True]
    (batch,) = trainer.get_train_dataloader()
    order = [int(name.removeprefix("clip")) for name in batch["video_ids"]]
    assert sorted(order) == list(range(8)) and not same_pose(batch, [poses[i] for i in order])
    assert trainer.data_collator is mixing


def same_pose(batch, poses):
    return all(
        np.array_equal(values[: len(pose)], pose)
        for values, pose in zip(batch["pose_values"].numpy(), poses, strict=True)
    )
