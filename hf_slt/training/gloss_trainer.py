"""Trainer where gloss recognition needs it to differ: the training loss, batches by length, the figures of an epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader
from transformers import Trainer
from transformers.trainer_utils import EvalLoopOutput, EvalPrediction

from hf_slt.data.gloss.sampler import LengthGroupedSampler
from hf_slt.evaluation.classification import compute_gloss_metrics
from hf_slt.training.gloss_losses import GlossLoss
from hf_slt.training.run_trainer import RunTrainer


class FixedOrder(torch.utils.data.Sampler):
    """Clips in a given order.

    Args:
        order: Their positions.
    """

    def __init__(self, order: Sequence[int]):
        self.order = [int(index) for index in order]

    def __iter__(self) -> Iterator[int]:
        return iter(self.order)

    def __len__(self) -> int:
        return len(self.order)


class GlossTrainer(RunTrainer, Trainer):
    """Trainer of the gloss classifiers.

    Training loss is `loss`, over all clips of a step whatever the accumulation and the processes; evaluation loss is
    plain cross-entropy of both heads over the data set.

    Args:
        loss: The training loss.
        kwargs: Arguments of [`Trainer`]; the data sets are [`GlossDataset`]s.

    Attributes:
        last_output: Scores and labels of the last evaluation, in the order of its data set.
    """

    clip_key = "files"
    memory_settings = "--num-frames, or a smaller model"

    def __init__(self, *args: Any, loss: GlossLoss | None = None, **kwargs: Any):
        super().__init__(*args, compute_metrics=score_predictions, **kwargs)
        self.model_accepts_loss_kwargs = True  # compute_loss divides by what _get_num_items_in_batch counts
        self.label_smoother = None  # the training loss smooths, and evaluation does not
        self.loss = loss or GlossLoss(label_smoothing=self.args.label_smoothing_factor)
        self.last_output: EvalLoopOutput | None = None
        self._sums: torch.Tensor | None = None
        self._order: LengthGroupedSampler | None = None
        self._step_clips: torch.Tensor | None = None  # of the step at hand, on all processes

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | None = None,
    ) -> Any:
        """Return the loss of a batch, and count it for the figures of the epoch in training."""
        if not model.training:
            outputs = model(**inputs)
            return (outputs["loss"], outputs) if return_outputs else outputs["loss"]
        labels, categories = inputs["labels"], inputs.get("category_labels")
        # Without the labels the model does not compute its own loss, which would be thrown away.
        outputs = model(**{name: value for name, value in inputs.items() if "labels" not in name})
        loss = self.loss(outputs, labels, categories, num_items_in_batch)
        hits = (outputs["gloss_logits"].detach().argmax(-1) == labels).sum()
        # A part of the loss of the step, times the clips of the step: the same sum however a step is divided.
        clips = len(labels) if num_items_in_batch is None else self._step_clips
        self._count(loss.detach() * clips, hits, len(labels))
        loss = self.finite_loss(loss)
        # The gradients of the processes are averaged, and the loss of each is a part of the sum.
        loss = loss * (1 if num_items_in_batch is None else self.accelerator.num_processes)
        return (loss, outputs) if return_outputs else loss

    def _get_num_items_in_batch(self, batch_samples: list[dict[str, Any]], device: torch.device) -> torch.Tensor:
        """Return the divisors `(2,)` of the losses of both heads over all batches of a step, of all processes."""
        divisors = [self.loss.divisors(b["labels"], b.get("category_labels")) for b in batch_samples]
        total = torch.stack(divisors).sum(0) if divisors else torch.zeros(2)
        clips = torch.tensor([float(sum(len(b["labels"]) for b in batch_samples))])
        sums = self.accelerator.reduce(torch.cat((total.to(device), clips.to(device))), "sum")
        self._step_clips = sums[2]
        return sums[:2]

    def _count(self, loss: torch.Tensor, hits: torch.Tensor, clips: int) -> None:
        if not torch.isfinite(loss):  # the batch was left out
            return
        sums = torch.stack((loss.float(), hits.float(), torch.full_like(loss, clips, dtype=torch.float32)))
        self._sums = sums if self._sums is None else self._sums + sums

    def run_state(self) -> dict[str, Any]:
        """Return also the figures of the epoch so far, of all processes."""
        sums = torch.zeros(3, device=self.args.device) if self._sums is None else self._sums
        return {**super().run_state(), "train_sums": self.accelerator.reduce(sums, "sum").tolist()}

    def load_run_state(self, state: dict[str, Any]) -> None:
        """Take over the state, the figures of the epoch so far on the first process."""
        super().load_run_state(state)
        if self._order is not None:  # transformers 5 does not reach it in the epoch in which several processes go on
            self._order.set_epoch(int((self.state.epoch or 0) + 1e-3))
        sums = torch.tensor(state.get("train_sums", [0.0] * 3), device=self.args.device)
        self._sums = None
        if sums[2]:
            self._sums = sums if self.is_world_process_zero() else torch.zeros_like(sums)

    def take_train_figures(self) -> dict[str, float]:
        """Return `train_loss` and `train_accuracy` over all clips since the last call, of all processes.

        Every process has to call this; augmentation and dropout are in the figures.
        """
        if self._sums is None:
            return {}
        loss, hits, clips = self.accelerator.reduce(self._sums, "sum").tolist()
        self._sums = None
        return {"train_loss": loss / clips, "train_accuracy": hits / clips}

    def _get_train_sampler(self, train_dataset: Any = None) -> torch.utils.data.Sampler | None:
        dataset = self.train_dataset if train_dataset is None else train_dataset
        if not self.args.length_grouping:
            return super()._get_train_sampler(dataset)
        # What the processes work on at a time, and what makes one step, has one length.
        batch = self._train_batch_size * self.accelerator.num_processes * self.args.gradient_accumulation_steps
        self._order = LengthGroupedSampler(dataset.lengths, batch, seed=self.args.seed)
        return self._order

    def _get_eval_sampler(self, eval_dataset: Any) -> torch.utils.data.Sampler | None:
        return FixedOrder(evaluation_order(eval_dataset))

    def evaluation_loop(
        self, dataloader: DataLoader, *args: Any, metric_key_prefix: str = "eval", **kwargs: Any
    ) -> EvalLoopOutput:
        """Evaluate a data set; what it returns is in the order of the data set, not of the batches."""
        dataset = dataloader.dataset
        # The Trainer expects each of these in every batch, or takes the batches for unlabelled.
        self.label_names = ["labels"] if dataset.category_labels is None else ["labels", "category_labels"]
        output = super().evaluation_loop(dataloader, *args, metric_key_prefix=metric_key_prefix, **kwargs)
        back = np.argsort(evaluation_order(dataset))
        self.last_output = output._replace(
            predictions=reorder(output.predictions, back), label_ids=reorder(output.label_ids, back)
        )
        output.metrics[f"{metric_key_prefix}_loss"] = self._plain_loss(output.predictions, output.label_ids)
        return self.last_output

    def _plain_loss(self, predictions: Any, label_ids: Any) -> float:
        """Return the loss of all clips, of which each is there once; the mean over batches would count some twice."""
        scores = [None if head is None else torch.from_numpy(head) for head in split_heads(predictions)]
        labels = [None if head is None else torch.from_numpy(head) for head in split_heads(label_ids)]
        config = self.model.config
        heads = {"gloss_logits": scores[0], "category_logits": scores[1]}
        return float(GlossLoss(config.alpha, config.beta)(heads, *labels))


def evaluation_order(dataset: Any) -> np.ndarray:
    """Return the positions `(N,)` of clips, longest first: little padding, and a lack of memory shows at once."""
    return np.argsort(-np.asarray(dataset.lengths), kind="stable")


def reorder(values: Any, order: np.ndarray) -> Any:
    """Put the rows of an array, or of each array of a tuple, in another order; None stays None."""
    if isinstance(values, (tuple, list)):
        return tuple(reorder(value, order) for value in values)
    return None if values is None else values[order]


def split_heads(values: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """Return what the Trainer collected, one array or one for each head, as (gloss, category or None)."""
    pair = tuple(values) if isinstance(values, (tuple, list)) else (values,)
    return pair[0], pair[1] if len(pair) > 1 else None


def score_predictions(prediction: EvalPrediction) -> dict[str, float]:
    """Score the collected scores of an evaluation."""
    (gloss, category), (labels, category_labels) = (
        split_heads(prediction.predictions),
        split_heads(prediction.label_ids),
    )
    return compute_gloss_metrics(gloss, labels, category, category_labels)
