"""Losses that are not finite, and memory that is not enough."""

import functools
import re

import numpy as np
import pytest
import torch
from run_factories import (
    CUDA_MESSAGE,
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

from hf_slt.errors import HfSltError
from hf_slt.training.gloss_trainer import FixedOrder
from hf_slt.training.guards import (
    MAX_SKIPPED_IN_A_ROW,
    NonFiniteLossError,
    OutOfMemoryError,
    is_out_of_memory,
    memory_errors,
)

SGD = {"optim": "sgd", "learning_rate": 0.3, "warmup_ratio": 0.0, "lr_scheduler_type": "none", "weight_decay": 0.01}
CPU_MESSAGE = "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried"


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return gloss_report(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    return translation_parts(tmp_path_factory.mktemp("corpus"))


def spoil(row, name="input_values"):
    return {**row, name: np.full_like(np.asarray(row[name]), np.nan)}


def spoiled(positions, name="input_values"):
    return functools.partial(Changed, change=functools.partial(spoil, name=name), positions=positions)


def in_order(trainer, order):
    trainer._get_train_sampler = lambda *args: FixedOrder(order)
    return trainer


def test_a_loss_that_is_not_finite_names_the_clips_of_glosses(report, tmp_path):
    trainer = gloss_trainer(report, tmp_path, change=spoiled({5}), eval_strategy="no", save_strategy="no")
    in_order(trainer, range(16))
    files = trainer.train_dataset.files
    found = rf"found nan at step 2, epoch 0.25, clips: {', '.join(map(re.escape, files[4:8]))}; lower --lr"
    with pytest.raises(NonFiniteLossError, match=found + ".*--skip-nonfinite-loss leaves such batches out$"):
        trainer.train()


def test_a_loss_that_is_not_finite_names_the_clips_of_translation(parts, tmp_path):
    change = spoiled({6}, name="pose_values")
    trainer = in_order(translation_trainer(parts, tmp_path, change=change, logging_strategy="no"), range(8))
    with pytest.raises(NonFiniteLossError, match=r"found nan at step 2, epoch 0.5, clips: clip4, clip5, clip6, clip7;"):
        trainer.train()


def test_many_clips_are_cut_short(report, tmp_path):
    options = {"per_device_train_batch_size": 16, "gradient_accumulation_steps": 1, "per_device_eval_batch_size": 2}
    trainer = gloss_trainer(report, tmp_path, **options)
    trainer._clips = [f"clip{i}" for i in range(21)]
    with pytest.raises(NonFiniteLossError, match=r"clips: clip0, .*, clip19, \.\.\.;"):
        trainer.finite_loss(torch.tensor(float("inf")))


def train_glosses(report, folder, order, change=None, **options):
    """Train on clips in an order with plain SGD; returns the trainer."""
    none = {"eval_strategy": "no", "save_strategy": "no", "logging_steps": 1, "logging_strategy": "steps"}
    values = {**SGD, **none, "skip_nonfinite_loss": True, "num_train_epochs": 1, **options}
    trainer = in_order(gloss_trainer(report, folder, change=change, **values), order)
    trainer.result = trainer.train()
    return trainer


def test_a_batch_that_is_left_out_leaves_the_weights_alone(report, tmp_path, caplog):
    skipping = train_glosses(report, tmp_path / "a", range(16), spoiled({5}))
    without = train_glosses(report, tmp_path / "b", [0, 1, 2, 3, *range(8, 16)])
    assert skipping.state.global_step == 4 and without.state.global_step == 3
    assert (skipping.skipped_batches, without.skipped_batches) == (1, 0)
    assert largest_difference(weights_of(skipping.model), weights_of(without.model)) == 0
    assert largest_difference(weights_of(skipping.model), weights_of(gloss_model())) > 1e-3
    names = ", ".join(skipping.train_dataset.files[4:8])
    assert caplog.text.count(f"batch left out, its loss is nan at step 2, epoch 0.25, clips: {names}") == 1


def test_figures_of_the_epoch_are_of_the_batches_that_were_not_left_out(report, tmp_path):
    skipping = train_glosses(report, tmp_path / "a", range(16), spoiled({5}))
    without = train_glosses(report, tmp_path / "b", [0, 1, 2, 3, *range(8, 16)])
    assert skipping._sums is None and without._sums is None or torch.equal(skipping._sums, without._sums)
    losses = [entry["loss"] for entry in skipping.state.log_history if "loss" in entry]
    assert losses[1] == 0 and [losses[0], *losses[2:]] == [
        entry["loss"] for entry in without.state.log_history if "loss" in entry
    ]


def test_a_batch_that_is_left_out_takes_no_other_of_its_step_with_it(report, tmp_path):
    """Of two batches a step, one has no loss: the other one moves the weights, by its share of the step."""
    skipping = train_glosses(report, tmp_path / "a", range(16), spoiled({5}), gradient_accumulation_steps=2)
    assert skipping.skipped_batches == 1 and skipping.state.global_step == 2
    assert all(torch.isfinite(value).all() for value in skipping.model.state_dict().values())
    first = gloss_trainer(report, tmp_path / "b", **SGD)
    batch = first.data_collator([first.train_dataset[i] for i in range(4)])
    batch.pop("files")
    model = gloss_model().train()
    loss = first.loss(model(**{n: v for n, v in batch.items() if "labels" not in n}), batch["labels"],
                      batch["category_labels"], torch.tensor([8.0, 8.0]))  # fmt: skip
    logged = [entry["loss"] for entry in skipping.state.log_history if "loss" in entry]
    assert logged[0] == pytest.approx(loss.item(), abs=1e-4)


@pytest.mark.parametrize("optimizer", ["adamw_torch", "sgd"])
def test_batches_that_are_left_out_from_the_start_change_nothing(report, tmp_path, optimizer):
    trainer = train_glosses(report, tmp_path, range(16), spoiled(set(range(16))), optim=optimizer)
    assert trainer.skipped_batches == 4
    assert largest_difference(weights_of(trainer.model), weights_of(gloss_model())) == 0
    assert trainer.result.training_loss == 0


def test_too_many_in_a_row_end_the_run(report, tmp_path):
    with pytest.raises(NonFiniteLossError, match=r"found nan at step 51, epoch 12.5") as raised:
        train_glosses(report, tmp_path, range(16), spoiled(set(range(16))), num_train_epochs=20)
    assert MAX_SKIPPED_IN_A_ROW == 50 and "--skip-nonfinite-loss" not in str(raised.value)


def test_a_finite_batch_between_them_starts_the_count_again(report, tmp_path):
    trainer = train_glosses(report, tmp_path, range(16), spoiled(set(range(4, 16))), num_train_epochs=20)
    assert trainer.skipped_batches == 60


def test_skipped_batches_of_translation_are_counted(parts, tmp_path):
    options = {**SGD, "num_train_epochs": 1, "skip_nonfinite_loss": True}
    change = spoiled({6}, name="pose_values")
    skipping = in_order(translation_trainer(parts, tmp_path, change=change, **options), range(8))
    without = in_order(translation_trainer(parts, tmp_path, **options), range(4))
    for trainer in (skipping, without):
        trainer.train()
    assert (skipping.skipped_batches, without.skipped_batches) == (1, 0)
    assert largest_difference(weights_of(skipping.model), weights_of(without.model)) == 0
    assert largest_difference(weights_of(skipping.model), weights_of(translation_model(parts[1]))) > 1e-3


def test_a_gradient_scaler_gets_gradients_of_zero(report, tmp_path):
    """Without any, the scaler of fp16 would refuse to step."""
    trainer = gloss_trainer(report, tmp_path, skip_nonfinite_loss=True)
    assert trainer._no_gradient().grad_fn is None
    trainer.accelerator.scaler = torch.amp.GradScaler("cpu")
    optimizer = torch.optim.SGD(trainer.model.parameters(), lr=1.0)
    trainer.accelerator.scaler.scale(trainer.finite_loss(torch.tensor(float("nan")))).backward()
    trainer.accelerator.scaler.step(optimizer)
    trainer.accelerator.scaler.update()
    assert largest_difference(weights_of(trainer.model), weights_of(gloss_model())) == 0


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError(CUDA_MESSAGE),
        RuntimeError(CPU_MESSAGE),
        RuntimeError("DataLoader worker (pid 3) is killed by signal: Killed. "),
        RuntimeError("No executable batch size found, reached zero."),
    ],
)
def test_errors_that_mean_a_lack_of_memory(error):
    assert is_out_of_memory(error)


@pytest.mark.parametrize("error", [RuntimeError("shape mismatch"), ValueError("out of memory"), HfSltError("memory")])
def test_other_errors_do_not(error):
    assert not is_out_of_memory(error)
    with pytest.raises(type(error), match=re.escape(str(error))), memory_errors(None, ""):
        raise error


@pytest.mark.parametrize("error", [torch.OutOfMemoryError(CUDA_MESSAGE), RuntimeError(CPU_MESSAGE), MemoryError()])
def test_a_lack_of_memory_says_what_to_lower(report, parts, tmp_path, error):
    glosses = gloss_trainer(report, tmp_path / "a", per_device_eval_batch_size=3)
    translation = translation_trainer(parts, tmp_path / "b")
    for trainer, flags in ((glosses, "--num-frames, or a"), (translation, "--image-size, --sequence-length, or a")):
        Hungry(trainer.model, 0, error)
        with pytest.raises(OutOfMemoryError) as raised:
            trainer.train()
        text, first = str(raised.value), str(error).splitlines()[0] if str(error) else "MemoryError"
        assert text.startswith(f"expected a batch to fit into the memory, found: {first}; lower --batch-size (now 4)")
        assert f"or {flags} smaller model" in text and "--grad-accum-steps" in text
    assert "--val-batch-size (now 8)" in text and "--auto_find_batch_size true lowers the batch until it fits" in text


def test_a_lack_of_memory_in_an_evaluation_behind_the_training_says_so_too(report, tmp_path):
    trainer = gloss_trainer(report, tmp_path)
    Hungry(trainer.model, 0, evaluation=True)
    with pytest.raises(OutOfMemoryError, match=r"--val-batch-size \(now 32\)"):
        trainer.evaluate()


def test_an_evaluation_without_memory_is_not_mended_by_smaller_training_batches(report, tmp_path):
    trainer = gloss_trainer(report, tmp_path, auto_find_batch_size=True)
    hungry = Hungry(trainer.model, 0, evaluation=True)
    with pytest.raises(OutOfMemoryError, match=r"found: CUDA out of memory.*--val-batch-size \(now 32\)"):
        trainer.train()
    assert len(hungry.batches) == 1
