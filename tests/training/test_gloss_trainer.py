"""The trainer: losses, order of the clips, figures of an epoch, schedule, stop."""

import csv

import numpy as np
import pytest
import torch
from gloss_factories import write_gloss_corpus
from transformers import TrainerCallback
from transformers.trainer_utils import EvalPrediction

from hf_slt.data.epoch import SharedEpoch
from hf_slt.data.gloss.collator import DataCollatorForGlossClassification
from hf_slt.data.gloss.contract import GlossSplit, check_splits
from hf_slt.data.gloss.sampler import LengthGroupedSampler
from hf_slt.data.gloss.transforms import GlossAugmentation
from hf_slt.models.gloss.feature_extraction_gloss import GlossFeatureExtractor
from hf_slt.models.sign_transformer.configuration_sign_transformer import SignTransformerConfig
from hf_slt.models.sign_transformer.modeling_sign_transformer import SignTransformerForGlossClassification
from hf_slt.training.build_gloss import build_gloss_datasets
from hf_slt.training.callbacks import EpochCallback
from hf_slt.training.early_stopping import ResumableEarlyStopping
from hf_slt.training.gloss_callbacks import GlossLogCallback
from hf_slt.training.gloss_losses import GlossLoss, focal_loss
from hf_slt.training.gloss_trainer import GlossTrainer, evaluation_order, score_predictions
from hf_slt.training.gloss_training_arguments import GlossTrainingArguments

EXTRACTOR = GlossFeatureExtractor()


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    corpus = write_gloss_corpus(tmp_path_factory.mktemp("corpus"), clips_per_gloss=6)
    splits = [GlossSplit(name, corpus.folders[name], corpus.labels[name]) for name in corpus.folders]
    return check_splits(splits, cache_dir=corpus.root / "cache")


def tiny_model(num_categories=2):
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = SignTransformerConfig(num_labels=4, num_categories=num_categories, head_hidden_size=8, **sizes)
    return SignTransformerForGlossClassification(config)


def make_trainer(report, folder, num_categories=2, callbacks=(), loss=None, model=None, augmentation=None, **options):
    values = {"use_cpu": True, "disable_tqdm": True, "per_device_train_batch_size": 4, "learning_rate": 0.01}
    values |= {"save_strategy": "no", "load_best_model_at_end": False, "num_train_epochs": 3, **options}
    epoch = SharedEpoch()
    datasets = build_gloss_datasets(report, EXTRACTOR, num_categories, augmentation, epoch=epoch)
    return GlossTrainer(
        model=model or tiny_model(num_categories),
        args=GlossTrainingArguments(output_dir=str(folder), **values),
        train_dataset=datasets["train"],
        eval_dataset=datasets["validation"],
        data_collator=DataCollatorForGlossClassification(EXTRACTOR.pad),
        callbacks=[EpochCallback(epoch), *callbacks],
        loss=loss,
    )


def batch_of(trainer, *indices):
    return trainer.data_collator([trainer.train_dataset[i] for i in indices])


def test_training_loss_is_the_one_that_was_asked_for(report, tmp_path):
    trainer = make_trainer(report, tmp_path, loss=GlossLoss(0.7, 0.3, "focal", 2.0, label_smoothing=0.1))
    batch = batch_of(trainer, 0, 5, 9)
    model = trainer.model.eval()
    outputs = model(**batch)
    expected = 0.7 * focal_loss(outputs.gloss_logits, batch["labels"], 2.0, None, 0.1)
    expected += 0.3 * focal_loss(outputs.category_logits, batch["category_labels"], 2.0, None, 0.1)
    for module in model.modules():
        module.training = module is model  # training mode without dropout
    assert trainer.compute_loss(model, dict(batch)).item() == pytest.approx(expected.item(), rel=1e-5)
    assert trainer.compute_loss(model.eval(), dict(batch)).item() == pytest.approx(outputs.loss.item(), rel=1e-6)


def test_label_smoothing_of_the_arguments_is_in_the_training_loss_only(report, tmp_path):
    trainer = make_trainer(report, tmp_path, label_smoothing_factor=0.3)
    assert trainer.loss.label_smoothing == 0.3
    plain = make_trainer(report, tmp_path)
    assert trainer.evaluate()["eval_loss"] == pytest.approx(plain.evaluate()["eval_loss"], abs=1e-6)


def test_metrics_of_an_evaluation(report, tmp_path):
    metrics = make_trainer(report, tmp_path).evaluate()
    names = ("loss", "accuracy", "top5_accuracy", "macro_f1", "category_accuracy", "ece")
    assert all(np.isfinite(metrics[f"eval_{name}"]) for name in names)
    assert metrics["eval_top5_accuracy"] == 1.0  # four glosses


@pytest.mark.parametrize("num_categories", [2, None])
def test_predictions_are_in_the_order_of_the_data_set(report, tmp_path, num_categories):
    trainer = make_trainer(report, tmp_path, num_categories, per_device_eval_batch_size=3)
    dataset = trainer.eval_dataset
    order = evaluation_order(dataset)
    assert order.tolist() != list(range(len(dataset))) and (np.diff(dataset.lengths[order]) <= 0).all()
    output = trainer.predict(dataset)
    heads = output.predictions if num_categories else (output.predictions,)
    labels = output.label_ids[0] if num_categories else output.label_ids
    assert labels.tolist() == dataset.labels.tolist()
    model = trainer.model.eval()
    for index in range(len(dataset)):
        item = {name: torch.as_tensor(value)[None] for name, value in dataset[index].items() if name != "file"}
        outputs = model(**item)
        alone = [outputs.gloss_logits, outputs.category_logits][: len(heads)]
        for head, logits in zip(heads, alone, strict=True):
            assert np.abs(head[index] - logits.detach().numpy()[0]).max() < 1e-5
    assert np.isfinite(output.metrics["test_loss"])
    assert ("test_category_accuracy" in output.metrics) is bool(num_categories)


def test_every_data_set_is_read_by_workers_of_its_own(report, tmp_path):
    trainer = make_trainer(report, tmp_path, dataloader_num_workers=1, dataloader_persistent_workers=True)
    test = build_gloss_datasets(report, EXTRACTOR, 2)["test"]
    expected = make_trainer(report, tmp_path, model=trainer.model).evaluate(test)
    trainer.evaluate()
    kept = trainer.get_eval_dataloader()
    assert trainer.get_eval_dataloader(trainer.eval_dataset) is kept
    assert trainer.evaluate(test)["eval_loss"] == pytest.approx(expected["eval_loss"], abs=1e-6)


def test_clips_without_a_category_are_evaluated_by_a_model_with_two_heads(report, tmp_path):
    trainer = make_trainer(report, tmp_path)
    unlabelled = build_gloss_datasets(report, EXTRACTOR, None)["validation"]
    metrics = trainer.evaluate(unlabelled)
    assert np.isfinite(metrics["eval_loss"]) and "eval_category_accuracy" not in metrics
    assert "eval_category_accuracy" in trainer.evaluate()


def test_scores_of_collected_predictions():
    gloss, labels = np.array([[2.0, 1.0, 0.0], [0.0, 1.0, 2.0]]), np.array([0, 1])
    scores = score_predictions(EvalPrediction(predictions=gloss, label_ids=labels))
    assert scores["accuracy"] == 0.5 and "category_accuracy" not in scores
    category = np.array([[0.0, 1.0], [1.0, 0.0]])
    both = EvalPrediction(predictions=(gloss, category), label_ids=(labels, np.array([1, -100])))
    assert score_predictions(both)["category_accuracy"] == 1.0


class Epochs(TrainerCallback):
    """Remembers the clips of each epoch as the model gets them."""

    def __init__(self):
        self.sampled, self.epochs = [], []

    def on_epoch_end(self, args, state, control, train_dataloader=None, **kwargs):
        self.epochs.append(train_dataloader.batch_sampler.sampler.epoch)
        self.sampled.append(list(train_dataloader.batch_sampler.sampler))


def test_the_order_of_an_epoch_is_a_function_of_its_number(report, tmp_path):
    runs = [Epochs(), Epochs()]
    for run in runs:
        make_trainer(report, tmp_path, callbacks=[run]).train()
    assert runs[0].epochs == [0, 1, 2]
    assert runs[0].sampled == runs[1].sampled
    assert len({tuple(order) for order in runs[0].sampled}) == 3
    assert all(sorted(order) == list(range(16)) for order in runs[0].sampled)


def test_batches_have_clips_of_near_equal_length(report, tmp_path):
    trainer = make_trainer(report, tmp_path)
    lengths = trainer.train_dataset.lengths
    grouped = np.array(list(trainer._get_train_sampler()))
    assert isinstance(trainer._get_train_sampler(), LengthGroupedSampler)
    spread = np.ptp(lengths[grouped].reshape(-1, 4), axis=1).mean()
    assert spread < np.ptp(lengths) / 2
    ungrouped = make_trainer(report, tmp_path, length_grouping=False)._get_train_sampler()
    assert not isinstance(ungrouped, LengthGroupedSampler) and len(ungrouped) == 16


class Batches(TrainerCallback):
    """Remembers a number that tells which batch it is, step by step."""

    def __init__(self, trainer_model):
        self.sums = []
        trainer_model.register_forward_pre_hook(self._look, with_kwargs=True)

    def _look(self, module, args, kwargs):
        if module.training:
            self.sums.append(round(float(kwargs["input_values"].sum()), 3))


@pytest.mark.parametrize("steps", [2, 5])  # in the middle of the first and of the second epoch
def test_a_run_that_was_cut_off_goes_on_with_the_clips_that_come_next(report, tmp_path, steps):
    whole, cut = tiny_model(), tiny_model()
    everything, rest = Batches(whole), Batches(cut)
    options = {"save_strategy": "steps", "save_steps": steps, "save_total_limit": None, "eval_strategy": "no"}
    options["num_train_epochs"] = 2
    make_trainer(report, tmp_path / "a", model=whole, **options).train()
    resumed = make_trainer(report, tmp_path / "b", model=cut, **options)
    resumed.train(resume_from_checkpoint=str(tmp_path / "a" / f"checkpoint-{steps}"))
    assert len(everything.sums) == 8 and rest.sums == everything.sums[steps:]
    for name, value in whole.state_dict().items():
        assert torch.allclose(cut.state_dict()[name], value, atol=1e-6), name


def test_figures_of_an_epoch_are_means_over_its_clips(report, tmp_path):
    log = GlossLogCallback(tmp_path / "log.csv")
    losses, hits = [], []

    class Trainer(GlossTrainer):
        def _count(self, loss, correct, clips):
            losses.append(loss.item())
            hits.append(correct.item())
            super()._count(loss, correct, clips)

    trainer = make_trainer(report, tmp_path, callbacks=[log], per_device_train_batch_size=5, num_train_epochs=2)
    trainer.__class__ = Trainer
    log.trainer = trainer
    trainer.train()
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["epoch"], row["step"]) for row in rows] == [("1", "4"), ("2", "8")]
    # Batches of 5, 5, 5 and 1 clips: the mean over batches would be another number.
    means = [sum(losses[:4]) / 16, sum(losses[4:]) / 16]
    assert [float(row["train_loss"]) for row in rows] == pytest.approx(means, rel=1e-5)
    assert [float(row["train_accuracy"]) for row in rows] == [sum(hits[:4]) / 16, sum(hits[4:]) / 16]
    history = [entry for entry in trainer.state.log_history if "eval_accuracy" in entry]
    assert [float(row["eval_accuracy"]) for row in rows] == [entry["eval_accuracy"] for entry in history]
    rates = [entry["learning_rate"] for entry in trainer.state.log_history if "learning_rate" in entry]
    assert [float(row["learning_rate"]) for row in rows] == pytest.approx(rates, rel=1e-5)


@pytest.mark.parametrize(("strategy", "steps"), [("no", ["4", "8"]), ("steps", ["3", "6"])])
def test_other_rhythms_than_the_epoch_are_logged_too(report, tmp_path, strategy, steps):
    log = GlossLogCallback(tmp_path / "log.csv")
    options = {"num_train_epochs": 2, "eval_strategy": strategy, "eval_steps": 3}
    trainer = log.trainer = make_trainer(report, tmp_path, callbacks=[log], **options)
    trainer.train()
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows][:2] == steps  # transformers 5 also evaluates at the end
    assert all(0 < float(row["train_loss"]) < 10 for row in rows)
    assert all((row["eval_accuracy"] == "") is (strategy == "no") for row in rows)


def test_workers_change_nothing(report, tmp_path):
    trained = []
    for workers in (0, 2):
        trainer = make_trainer(
            report, tmp_path, num_train_epochs=2, dataloader_num_workers=workers, augmentation=GlossAugmentation()
        )
        assert trainer.get_train_dataloader().num_workers == trainer.get_eval_dataloader().num_workers == workers
        trainer.train()
        trained.append(trainer.model.state_dict())
    assert all(torch.equal(trained[0][name], trained[1][name]) for name in trained[0])


def test_training_learns(report, tmp_path):
    trainer = make_trainer(report, tmp_path, num_train_epochs=12, learning_rate=0.02)
    before = trainer.evaluate()
    trainer.train()
    after = trainer.evaluate()
    assert after["eval_loss"] < before["eval_loss"] and after["eval_accuracy"] >= 0.75


def test_plateau_and_early_stop_watch_accuracy(report, tmp_path):
    stop = ResumableEarlyStopping(early_stopping_patience=4)
    options = {"lr_scheduler_type": "plateau", "scheduler_patience": 1, "num_train_epochs": 20, "learning_rate": 1e-6}
    trainer = make_trainer(report, tmp_path, callbacks=[stop], **options)  # a rate at which nothing is learnt
    trainer.train()
    rates = [entry["learning_rate"] for entry in trainer.state.log_history if "learning_rate" in entry]
    assert rates == pytest.approx([1e-6, 1e-6, 1e-6, 5e-7, 5e-7])
    assert trainer.state.epoch == 5 and trainer.state.best_metric is not None


def test_a_resumed_run_stops_where_it_would_have_stopped(report, tmp_path):
    options = {"num_train_epochs": 20, "learning_rate": 1e-6, "save_strategy": "epoch", "save_total_limit": None}
    for patience, last in ((4, 5), (2, 3)):  # the second one has passed its patience already
        stop = ResumableEarlyStopping(early_stopping_patience=patience)
        trainer = make_trainer(report, tmp_path, callbacks=[stop], **options)
        trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-12") if patience == 2 else None)
        assert trainer.state.epoch == last
    stop = ResumableEarlyStopping(early_stopping_patience=4)
    trainer = make_trainer(report, tmp_path, callbacks=[stop], **options)
    trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-8"))
    assert trainer.state.epoch == 5


def test_mixed_precision_trains(report, tmp_path, monkeypatch):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")  # put back after the test
    trainer = make_trainer(report, tmp_path, bf16=True, num_train_epochs=1)
    assert np.isfinite(trainer.train().training_loss)
    assert all(value.dtype == torch.float32 for value in trainer.model.state_dict().values())
