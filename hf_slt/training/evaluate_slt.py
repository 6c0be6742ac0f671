"""Score a trained translation model on an index of clips, and with streams blanked."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader
from tqdm.auto import tqdm
from transformers import AutoProcessor

from hf_slt.data.builder import build_datasets
from hf_slt.data.clip_transform import ClipTransform
from hf_slt.data.collator import DataCollatorForMultiStream
from hf_slt.data.corpus import CorpusPaths
from hf_slt.errors import ConfigurationError, DataContractError, Problem
from hf_slt.evaluation.metrics import compute_translation_metrics
from hf_slt.evaluation.pairs import check_bleu_tokenizer
from hf_slt.evaluation.reports import format_pairs, write_json, write_predictions
from hf_slt.models.loading import load_pretrained
from hf_slt.models.multistream.modeling_multistream import MultiStreamForConditionalGeneration
from hf_slt.streams import IMAGE_STREAMS
from hf_slt.training.arguments import DataArguments
from hf_slt.training.build_slt import resolve_output_dir, text_encoder
from hf_slt.training.evaluation_arguments import EvaluationArguments
from hf_slt.training.results import RUN_CONFIG, SPLITS, fingerprint, format_scores, read_run_file, with_intervals

logger = logging.getLogger(__name__)


@dataclass
class Evaluation:
    """What is scored, and how.

    Attributes:
        model: The model, in evaluation mode.
        processor: Its processor.
        dataset: Rows of paths, not transformed.
        pose_key: Key of the pose array in the files.
        args: The flags.
        tokenize: sacrebleu's tokenizer.
    """

    model: Any
    processor: Any
    dataset: Any
    pose_key: str
    args: EvaluationArguments
    tokenize: str

    def run(self, ablate: Sequence[str] = ()) -> tuple[list[str], list[float], float]:
        """Translate every clip with some streams blanked.

        Returns:
            Sentences, milliseconds a clip (mean of its batch), and the loss per target token.
        """
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
        loader = DataLoader(
            self.dataset.with_transform(transform),
            batch_size=self.args.batch_size,
            num_workers=self.args.num_workers,
            collate_fn=collator,
        )
        sentences: list[str] = []
        latencies: list[float] = []
        loss, tokens = 0.0, 0
        for batch in tqdm(loader, desc=f"without {', '.join(ablate)}" if ablate else "evaluating", unit="batch"):
            batch = {name: value.to(self.model.device) for name, value in batch.items()}
            labels, count = batch["labels"], int((batch["labels"] != -100).sum())
            start = time.perf_counter()
            sentences += self._translate(batch)
            latencies += [1000 * (time.perf_counter() - start) / len(labels)] * len(labels)
            with torch.no_grad():
                loss += float(self.model(**batch).loss) * count
            tokens += count
        return sentences, latencies, loss / tokens

    def _translate(self, batch: dict[str, torch.Tensor]) -> list[str]:
        inputs = {name: value for name, value in batch.items() if name not in ("labels", "decoder_input_ids")}
        names = ("num_beams", "length_penalty", "max_new_tokens")
        options = {name: getattr(self.args, name) for name in names if getattr(self.args, name) is not None}
        ids = self.model.generate(**inputs, **options)
        return self.processor.tokenizer.batch_decode(ids, skip_special_tokens=True)

    def scores(self, sentences: list[str], references: list[str]) -> dict[str, Any]:
        """Score sentences against references, with intervals."""
        metrics = compute_translation_metrics(sentences, references, tokenize=self.tokenize)
        return with_intervals(metrics, sentences, references, self.tokenize, self.args.resamples, self.args.seed)


def run_evaluate_slt(data_args: DataArguments, args: EvaluationArguments) -> dict[str, Any]:
    """Evaluate a checkpoint and write `test_results.json` and `test_predictions.csv`.

    Args:
        data_args: The corpus; the folders of the streams that the model reads must be given.
        args: The checkpoint, the index and the options.

    Returns:
        The scores.

    Raises:
        ConfigurationError: No checkpoint or index, or a stream of the model without its folder.
        DataContractError: The clips are not usable, or the model was trained or selected on some of them.
    """
    if args.bleu_tokenize:
        check_bleu_tokenizer(args.bleu_tokenize)
    model, processor = load_checkpoint(args.checkpoint)
    run_config = read_run_file(Path(args.checkpoint), RUN_CONFIG)
    if num_threads := args.num_threads or run_config.get("num_threads"):
        torch.set_num_threads(num_threads)
    paths = evaluation_paths(data_args, args, model.config.streams)
    output_dir = resolve_output_dir(args.output_dir or f"{args.checkpoint}/eval_{paths.indexes['test'].stem}")
    landmarks = model.config.num_pose_landmarks if "pose" in model.config.streams else None
    corpus, _ = build_datasets(
        paths,
        report_path=output_dir / "contract_report.json",
        num_landmarks=landmarks,
        skip_invalid=data_args.skip_invalid,
        allow_missing_streams=data_args.allow_missing_streams,
    )
    splits = read_run_file(Path(args.checkpoint), SPLITS)
    if not args.allow_overlap:
        check_overlap(corpus["test"]["video_id"][:], splits)
    tokenize = args.bleu_tokenize or run_config.get("bleu_tokenize", "13a")
    evaluation = Evaluation(model, processor, corpus["test"], paths.pose_key, args, tokenize)
    return evaluate_and_write(evaluation, splits, output_dir)


def evaluate_and_write(evaluation: Evaluation, splits: dict[str, Any], output_dir: Path) -> dict[str, Any]:
    """Score, compare seen with unseen sentences, ablate if asked for, and write the files."""
    references, video_ids = evaluation.dataset["text"][:], evaluation.dataset["video_id"][:]
    sentences, latencies, loss = evaluation.run()
    scores = {"loss": loss, **evaluation.scores(sentences, references), "clips": len(references)}
    logger.info(format_scores(f"test ({len(references)} clips)", scores))
    groups = score_groups(evaluation, sentences, references, splits)
    report = {f"test_{name}": value for name, value in {**scores, **groups}.items()}
    if evaluation.args.ablate_streams:
        report["test_ablation"] = ablate_streams(evaluation, references, scores)
    rows = [
        {"video_id": i, "prediction": p, "reference": r, "latency_ms": round(ms, 2)}
        for i, p, r, ms in zip(video_ids, sentences, references, latencies, strict=True)
    ]
    write_predictions(output_dir / "test_predictions.csv", rows)
    write_json(output_dir / "test_results.json", report)
    logger.info(format_pairs(sentences, references, n=10))
    logger.info(f"results in {output_dir}")
    return report


def score_groups(
    evaluation: Evaluation, sentences: list[str], references: list[str], splits: dict[str, Any]
) -> dict[str, Any]:
    """Score the sentences that also occur in the training text apart from those that do not, where there are both."""
    known = set(splits.get("train", {}).get("sentences", ()))
    seen = [fingerprint(reference) in known for reference in references]
    if not known or all(seen) or not any(seen):
        return {}
    groups = {}
    for name, wanted in (("seen", True), ("unseen", False)):
        chosen = [i for i, is_seen in enumerate(seen) if is_seen is wanted]
        scores = evaluation.scores([sentences[i] for i in chosen], [references[i] for i in chosen])
        groups |= {f"{name}_{key}": value for key, value in scores.items()} | {f"{name}_clips": len(chosen)}
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
    rows = {key: evaluation.scores(evaluation.run(ablate)[0], references) for key, ablate in blanked.items()}
    table = {"all streams": scores} | {name: rows[frozenset(ablate)] for name, ablate in cases.items()}
    for name, row in table.items():
        logger.info(format_scores(f"{name:24}", row))
    return table


def load_checkpoint(path: str | None) -> tuple[Any, Any]:
    """Load model and processor of a run, or of a `checkpoint-N` in it.

    Raises:
        ConfigurationError: There is no model, weights of it are missing, or no processor is beside it or above it.
    """
    if not path:
        raise ConfigurationError("expected --checkpoint FOLDER of a trained model, found none")
    if not (Path(path) / "config.json").is_file():
        raise ConfigurationError(f"expected a trained model in --checkpoint, found no config.json in {path}")
    what = "a trained model in --checkpoint"
    model, info = load_pretrained(MultiStreamForConditionalGeneration, path, what, output_loading_info=True)
    if missing := sorted(info["missing_keys"]):
        raise ConfigurationError(f"expected {what}, found {path} without {len(missing)} of its weights: {missing[:5]}")
    # checkpoint-N holds no feature extractor: the one of the run is in the folder above.
    folder = next((f for f in (Path(path), Path(path).parent) if (f / "preprocessor_config.json").is_file()), path)
    processor = load_pretrained(AutoProcessor, str(folder), "a processor beside the model")
    return model.eval().to("cuda" if torch.cuda.is_available() else "cpu"), processor


def evaluation_paths(data_args: DataArguments, args: EvaluationArguments, streams: Sequence[str]) -> CorpusPaths:
    """Return the corpus to evaluate, with the streams that the model reads.

    Raises:
        ConfigurationError: No index, or no folder for a stream of the model.
    """
    if not args.index and not data_args.demo:
        raise ConfigurationError("expected --index FILE with the video_ids to evaluate, found none")
    own = {"test": args.index} if args.index else {}
    paths = data_args.corpus_paths(train=None, validation=None, **own)
    missing = [stream for stream in streams if stream not in paths.streams]
    if missing:
        raise ConfigurationError(f"expected a folder for each stream that the model reads, found none for {missing}")
    for stream in set(paths.streams) - set(streams):
        logger.warning(f"the model does not read the stream {stream}: its folder is not used")
        setattr(paths, f"{stream}_dir", None)
    return paths


def check_overlap(video_ids: Sequence[str], splits: dict[str, Any]) -> None:
    """Raise `DataContractError` listing the clips that the model was trained or selected on."""
    known = {i: split for split in ("train", "validation") for i in splits.get(split, {}).get("video_ids", ())}
    problems = [
        Problem(
            i,
            "a clip that the model has not seen",
            f"it is in the {known[i]} split",
            "evaluate other clips, or pass --allow-overlap",
        )
        for i in video_ids
        if i in known
    ]
    if problems:
        raise DataContractError(problems, headline="scores on known clips mean nothing (--allow_overlap to see them)")
