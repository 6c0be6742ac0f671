"""Translate the clips of an evaluation, time it, and score: all clips, groups of them, and with streams blanked."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader
from tqdm.auto import tqdm

from hf_slt.data.clip_transform import ClipTransform
from hf_slt.data.collator import DataCollatorForMultiStream
from hf_slt.evaluation.translation_scores import (
    PHOENIX_LEGACY,
    compute_phoenix_legacy,
    compute_translation_metrics,
)
from hf_slt.models.multistream.decoding import generated_targets, token_log_probability
from hf_slt.streams import IMAGE_STREAMS
from hf_slt.training.build_slt import text_encoder
from hf_slt.training.evaluation_arguments import EvaluationArguments
from hf_slt.training.evaluation_result import EvaluationResult
from hf_slt.training.overlap import fingerprint
from hf_slt.training.results import format_scores, with_intervals

logger = logging.getLogger(__name__)

GENERATION_FLAGS = ("num_beams", "length_penalty", "no_repeat_ngram_size", "max_new_tokens")
SCORE_DIGITS = 4  # of a log-probability; further ones are those of the runtime and its threads


@dataclass
class Evaluation:
    """What is scored, and how.

    Attributes:
        model: The model, in evaluation mode, on its device.
        processor: Its processor.
        dataset: Rows of paths, not transformed.
        pose_key: Key of the pose array in the files.
        args: The flags.
        tokenize: sacrebleu's tokenizer.
        dtype: What autocast computes in; None for no autocast.
    """

    model: Any
    processor: Any
    dataset: Any
    pose_key: str
    args: EvaluationArguments
    tokenize: str
    dtype: torch.dtype | None = None

    def run(self, ablate: Sequence[str] = (), warm_up: bool = False) -> EvaluationResult:
        """Translate every clip with some streams blanked.

        Args:
            ablate: The streams to blank.
            warm_up: Generate for the first batch once before the clock runs: what is set up at the first call
                (memory, kernels) is not the time of a clip.

        Returns:
            What was found. The latency of a clip is the time of its batch over the clips in it, see `generate`; its
            score is that of `judge`.
        """
        columns = {name: self.dataset[name][:] for name in ("video_id", "text", "signer")}
        sentences: list[str] = []
        latencies: list[float] = []
        kept: list[np.ndarray] = []
        scores: list[float] = []
        loss, tokens = 0.0, 0
        for batch in tqdm(
            self._loader(ablate), desc=f"without {', '.join(ablate)}" if ablate else "evaluating", unit="batch"
        ):
            batch = {name: value.to(self.model.device) for name, value in batch.items()}
            if warm_up and not tokens:
                self.generate(batch)
            ids, milliseconds = self.generate(batch)
            sentences += self.processor.tokenizer.batch_decode(ids, skip_special_tokens=True)
            latencies += [milliseconds / len(ids)] * len(ids)
            count = int((batch["labels"] != -100).sum())
            targets = generated_targets(ids, self.model.generation_config.eos_token_id)
            batch_loss, batch_scores = self.judge(batch, targets)
            loss += batch_loss * count
            tokens += count
            scores += batch_scores
            kept += [row[row != -100].numpy() for row in targets.cpu()]
        return EvaluationResult(
            video_ids=columns["video_id"],
            sentences=sentences,
            references=columns["text"],
            ids=kept,
            score_per_clip=np.round(np.array(scores), SCORE_DIGITS),
            latencies=latencies,
            loss=loss / tokens,
            signers=columns["signer"] if any(columns["signer"]) else None,
            lowercase=self.args.lowercase,
        )

    def judge(self, batch: dict[str, torch.Tensor], targets: torch.Tensor) -> tuple[float, list[float]]:
        """Let the text decoder judge sentences that it is given token by token; the encoder runs once for all of them.

        Args:
            batch: A batch with the labels of the clips.
            targets: Other sentences, the generated ones: token ids `(B, N)`; -100 is ignored.

        Returns:
            The loss per label, and for each clip the mean log-probability per token of its other sentence. That is
            what the decoder itself says, also where beams were ranked with a length penalty, CTC had a share in them
            or tokens were barred.
        """
        mask = batch["attention_mask"]
        with torch.no_grad(), self._autocast():
            encoded = self.model.encoder(**_encoder_inputs(batch))
            labels = {name: batch[name] for name in ("labels", "decoder_input_ids") if name in batch}
            loss = self.model(encoder_outputs=encoded, attention_mask=mask, **labels).loss
            logits = self.model(encoder_outputs=encoded, attention_mask=mask, labels=targets).logits
        return float(loss), token_log_probability(logits, targets).tolist()

    def _loader(self, ablate: Sequence[str]) -> DataLoader:
        transform = ClipTransform(
            self.processor.feature_extractor,
            text_encoder(self.processor.tokenizer, max_length=512),
            ablate=ablate,
            pose_key=self.pose_key,
        )
        config = self.model.config
        collator = DataCollatorForMultiStream(
            self.processor.feature_extractor.pad, config.pad_token_id, config.decoder_start_token_id
        )
        return DataLoader(
            self.dataset.with_transform(transform),
            batch_size=self.args.batch_size,
            num_workers=self.args.num_workers,
            collate_fn=collator,
        )

    def generate(self, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, float]:
        """Generate for a batch that is on the device of the model.

        Returns:
            Token ids `(B, N)`, and the milliseconds that encoder and generation took. Reading clips, moving them to the
            device and decoding ids are not in it.
        """
        inputs = _encoder_inputs(batch)
        given = {name: getattr(self.args, name) for name in GENERATION_FLAGS}
        options = {name: value for name, value in given.items() if value is not None}
        self._synchronize()
        start = time.perf_counter()
        with self._autocast():
            ids = self.model.generate(**inputs, **options)
        self._synchronize()
        return ids, 1000 * (time.perf_counter() - start)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.model.device.type, dtype=self.dtype, enabled=self.dtype is not None)

    def _synchronize(self) -> None:
        if self.model.device.type == "cuda":  # where calls return before they are done
            torch.cuda.synchronize(self.model.device)

    def scores(self, sentences: list[str], references: list[str]) -> dict[str, Any]:
        """Score sentences against references, with intervals."""
        lowercase = self.args.lowercase
        metrics = compute_translation_metrics(sentences, references, self.tokenize, lowercase)
        return with_intervals(
            metrics, sentences, references, self.tokenize, self.args.resamples, self.args.seed, lowercase
        )

    def phoenix_legacy(self, sentences: list[str], references: list[str]) -> dict[str, Any]:
        """Score as papers on PHOENIX-2014T do, with intervals."""
        metrics = compute_phoenix_legacy(sentences, references)
        tokenize, *rest = PHOENIX_LEGACY
        return with_intervals(metrics, sentences, references, tokenize, self.args.resamples, self.args.seed, *rest)


def _encoder_inputs(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value for name, value in batch.items() if name not in ("labels", "decoder_input_ids")}


def score_groups(
    evaluation: Evaluation, sentences: list[str], references: list[str], splits: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """Score the sentences that also occur in the training text apart from those that do not, where there are both.

    Returns:
        `seen` and `unseen` -> `clips` and scores; empty if all clips are of one kind, or the training text is unknown.
    """
    known = set(splits.get("train", {}).get("sentences", ()))
    seen = [fingerprint(reference) in known for reference in references]
    if not known or all(seen) or not any(seen):
        return {}
    groups = {}
    for name, wanted in (("seen", True), ("unseen", False)):
        chosen = [i for i, is_seen in enumerate(seen) if is_seen is wanted]
        scores = evaluation.scores([sentences[i] for i in chosen], [references[i] for i in chosen])
        groups[name] = {"clips": len(chosen), **scores}
        logger.info(format_scores(f"{name} in training ({len(chosen)} clips)", scores))
    return groups


def ablate_streams(
    evaluation: Evaluation, references: list[str], scores: dict[str, Any]
) -> dict[str, dict[str, float]]:
    """Score with each stream blanked, with all images blanked, and with one stream left."""
    streams = evaluation.model.config.streams
    images = [stream for stream in streams if stream in IMAGE_STREAMS]
    cases = {f"without {stream}": [stream] for stream in streams}
    if len(images) > 1 and len(images) < len(streams):
        cases["without images"] = images
    if len(streams) > 2:
        cases |= {f"only {stream}": [other for other in streams if other != stream] for stream in streams}
    # Two names may stand for the same blanked streams (without images, only pose), which are scored once.
    blanked = {frozenset(ablate): ablate for ablate in cases.values()}
    rows = {key: evaluation.scores(evaluation.run(ablate).sentences, references) for key, ablate in blanked.items()}
    table = {"all streams": scores} | {name: rows[frozenset(ablate)] for name, ablate in cases.items()}
    for name, row in table.items():
        logger.info(format_scores(f"{name:24}", row))
    return table
