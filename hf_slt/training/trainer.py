"""Seq2SeqTrainer where translation needs it to differ: raw references, and losses per token over whole data sets."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader
from transformers import Seq2SeqTrainer
from transformers.trainer_utils import EvalLoopOutput, EvalPrediction

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.metrics import compute_translation_metrics
from hf_slt.models.loading import missing_weights
from hf_slt.models.multistream.modeling_multistream import sequence_loss
from hf_slt.training.run_trainer import RunTrainer


def reference_sentences(dataset: Any) -> list[str]:
    """Return the raw sentences of a data set of clips, in order, without reading the clips."""
    return list(dataset.with_format(None)["text"])


class MultiStreamTrainer(RunTrainer, Seq2SeqTrainer):
    """Trainer that scores generated sentences against the raw sentences of the data set, never against label ids.

    Args:
        tokenize: sacrebleu's tokenizer for BLEU.
        evaluation_collator: The collator of evaluations, where nothing is mixed (default: `data_collator`).
        kwargs: Arguments of [`Seq2SeqTrainer`]; `processing_class` decodes the generated ids.

    Attributes:
        last_predictions: Sentences generated in the last evaluation.
        last_references: Their references.
    """

    memory_settings = "--image-size, --sequence-length, or a smaller model or --backbone"

    def __init__(self, *args: Any, tokenize: str = "13a", evaluation_collator: Any = None, **kwargs: Any):
        super().__init__(*args, compute_metrics=self._score, **kwargs)
        self.evaluation_collator = evaluation_collator or self.data_collator
        self.label_smoother = None  # compute_loss smooths, in training only
        self.tokenize = tokenize
        self.last_predictions: list[str] = []
        self.last_references: list[str] = []
        self._loss_sums: list[torch.Tensor] = []

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | None = None,
    ) -> Any:
        """Return the loss per target token.

        Label smoothing and the CTC loss (`config.ctc_weight`) are for training; `eval_loss` is plain cross-entropy.
        """
        labels = inputs["labels"]
        smoothing, num_items = (self.args.label_smoothing_factor, num_items_in_batch) if model.training else (0.0, None)
        ctc_weight = getattr(self.model.config, "ctc_weight", 0.0) if model.training else 0.0
        # Without CTC the model need not know the labels: its own loss, which is not smoothed, would be thrown away.
        targets = {"labels": labels, "num_items_in_batch": num_items} if ctc_weight else {}
        outputs = model(**{name: value for name, value in inputs.items() if name != "labels"}, **targets)
        loss = sequence_loss(outputs.logits, labels, num_items, smoothing)
        if ctc_weight:
            loss = (1 - ctc_weight) * loss + ctc_weight * outputs.ctc_loss
        loss = self.finite_loss(loss) if model.training else loss
        if self.args.average_tokens_across_devices and num_items_in_batch is not None and model.training:
            # The tokens were counted on all processes, whose gradients are averaged afterwards.
            loss = loss * self.accelerator.num_processes
        return (loss, {"loss": loss, "logits": outputs.logits}) if return_outputs else loss

    def get_eval_dataloader(self, eval_dataset: Any = None) -> DataLoader:
        """Return the loader of a data set, by default that of the Trainer; its batches are never mixed."""
        training, self.data_collator = self.data_collator, self.evaluation_collator
        try:
            return super().get_eval_dataloader(eval_dataset)
        finally:
            self.data_collator = training

    def evaluation_loop(
        self, dataloader: DataLoader, *args: Any, metric_key_prefix: str = "eval", **kwargs: Any
    ) -> EvalLoopOutput:
        """Evaluate a data set; its raw sentences are the references, and its loss is the mean over all its tokens."""
        self.last_references = reference_sentences(dataloader.dataset)
        # Seq2SeqTrainer would keep the clips that are repeated to fill the last batch of several processes.
        self.gather_function = self.accelerator.gather_for_metrics
        self._loss_sums = []
        output = super().evaluation_loop(dataloader, *args, metric_key_prefix=metric_key_prefix, **kwargs)
        if self._loss_sums:
            loss, tokens = torch.cat(self._loss_sums).sum(0).tolist()
            output.metrics[f"{metric_key_prefix}_loss"] = loss / max(tokens, 1)
        return output

    def prediction_step(
        self, model: torch.nn.Module, inputs: dict[str, Any], prediction_loss_only: bool, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor | None, torch.Tensor | None, torch.Tensor | None]:
        """Generate the sentences of a batch; each clip's loss is counted once, however many processes there are."""
        inputs = self._prepare_inputs(inputs)
        given = {name: value for name, value in inputs.items() if name not in ("labels", "decoder_input_ids")}
        _, tokens, _ = super().prediction_step(model, given, prediction_loss_only, *args, **kwargs)
        labels = inputs["labels"]
        with torch.no_grad(), self.compute_loss_context_manager():
            logits = model(**{name: value for name, value in inputs.items() if name != "labels"}).logits
        losses = F.cross_entropy(logits.float().transpose(1, 2), labels, reduction="none").sum(1)  # (B,)
        sums = torch.stack((losses, (labels != -100).sum(1).to(losses.dtype)), dim=1).double()  # (B, 2)
        self._loss_sums.append(self.accelerator.gather_for_metrics(sums).cpu())
        longest = self.model.generation_config.max_length
        if longest and labels.shape[-1] < longest:
            labels = self._pad_tensors_to_max_len(labels, longest)
        return sums[:, 0].sum() / sums[:, 1].sum().clamp(min=1), tokens, labels

    def _issue_warnings_after_load(self, load_result: Any) -> None:
        load_result.missing_keys[:] = missing_weights(self.model, load_result.missing_keys)
        super()._issue_warnings_after_load(load_result)

    def _score(self, prediction: EvalPrediction) -> dict[str, Any]:
        tokens = np.where(prediction.predictions < 0, self.processing_class.pad_token_id, prediction.predictions)
        self.last_predictions = self.processing_class.batch_decode(tokens, skip_special_tokens=True)
        if len(self.last_predictions) != len(self.last_references):
            raise ConfigurationError(
                f"expected one sentence a clip, found {len(self.last_predictions)} generated for "
                f"{len(self.last_references)} clips"
            )
        return compute_translation_metrics(self.last_predictions, self.last_references, tokenize=self.tokenize)
