"""What variants of an export cost and what they save: bytes, time and scores, with the fp32 export beside them.

Importing this module needs the extra `onnx`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig

from hf_slt.exporters.clips import random_clips
from hf_slt.exporters.onnx_files import loaded_files
from hf_slt.exporters.ort_encoder import ORTMultiStreamEncoder
from hf_slt.exporters.ort_gloss import ORTGlossClassifier
from hf_slt.exporters.ort_multistream import ORTMultiStreamForConditionalGeneration
from hf_slt.models.auto import register_models
from hf_slt.models.multistream.configuration_multistream import MultiStreamConfig
from hf_slt.training.evaluate_gloss import collect_metrics, predict_scores
from hf_slt.training.evaluation_arguments import EvaluationArguments
from hf_slt.training.evaluation_loop import Evaluation
from hf_slt.training.gloss_evaluation_arguments import GlossEvaluationArguments
from hf_slt.training.gloss_results import score_clips

logger = logging.getLogger(__name__)

BASELINE = "fp32"
FRAMES = 64
NEW_TOKENS = 24
ROUNDS = 7
TURN_SECONDS = 0.1
# Score -> what a loss of it is in points of 100: scores of translations are percentages, errors grow.
POINTS = {
    "bleu": 1.0,
    "chrf": 1.0,
    "cer": -1.0,
    "wer": -1.0,
    "accuracy": 100.0,
    "top5_accuracy": 100.0,
    "macro_f1": 100.0,
    "category_accuracy": 100.0,
}
Work = Callable[[], Any]


def measure_variants(
    export_dir: Path,
    kinds: Sequence[str],
    score: Callable[[Any], dict[str, float]] | None = None,
    num_threads: int = 1,
    rounds: int = ROUNDS,
    frames: int = FRAMES,
) -> dict[str, dict[str, Any]]:
    """Measure an export and its variants, in turns on the same random clip.

    Args:
        export_dir: Folder of the export, which the variants lie in.
        kinds: The variants.
        score: Model -> its scores, see [`translation_scorer`] and [`gloss_scorer`]; None leaves scores out.
        num_threads: Threads of one operator.
        rounds: Turns of each model.
        frames: Frames of the clip.

    Returns:
        `"fp32"` and each variant -> `bytes` (of the files that a model reads), `files` (name -> bytes), `latency_ms`
        (work -> `median`, `low`, `high`; milliseconds for one clip), `ratio` (work -> median over the rounds of its
        time over that of fp32) and, where there are scores, `metrics` and `points_lost` (score -> what the variant
        loses to fp32, in points of 100). Works are `encoder` and `generate` (greedy, 24 tokens), or `classifier`.

    Raises:
        ConfigurationError: A folder holds no model that loads.
    """
    folders = {BASELINE: Path(export_dir), **{kind: Path(export_dir) / kind for kind in kinds}}
    register_models()
    config = AutoConfig.from_pretrained(export_dir)
    models = {name: open_export(folder, config, num_threads) for name, folder in folders.items()}
    works = works_of_all(models, config, frames)
    measured: dict[str, dict[str, Any]] = {}
    for name, folder in folders.items():
        files = {path.name: path.stat().st_size for path in loaded_files(folder)}
        measured[name] = {"bytes": sum(files.values()), "files": files, "latency_ms": {}, "ratio": {}}
    for work in works[BASELINE]:
        turns = take_turns({name: own[work] for name, own in works.items()}, rounds)
        for name, milliseconds in turns.items():
            figures = {"median": median(milliseconds), "low": min(milliseconds), "high": max(milliseconds)}
            measured[name]["latency_ms"][work] = {key: round(value, 3) for key, value in figures.items()}
            ratios = [own / base for own, base in zip(milliseconds, turns[BASELINE], strict=True)]
            measured[name]["ratio"][work] = round(median(ratios), 3)
    if score is not None:
        for name, model in models.items():
            measured[name]["metrics"] = score(model)
            measured[name]["points_lost"] = lost_points(measured[BASELINE]["metrics"], measured[name]["metrics"])
    return measured


def open_export(folder: Path, config: Any, num_threads: int = 1) -> Any:
    """Open the model in a folder: a translation model, its encoder if there is nothing else, or a classifier."""
    if not isinstance(config, MultiStreamConfig):
        return ORTGlossClassifier.from_pretrained(folder, num_threads=num_threads)
    if (folder / "model.onnx").is_file():
        return ORTMultiStreamEncoder.from_pretrained(folder, num_threads)
    return ORTMultiStreamForConditionalGeneration.from_pretrained(folder, num_threads=num_threads)


def works_of_all(models: dict[str, Any], config: Any, frames: int) -> dict[str, dict[str, Work]]:
    """Return for each model: name -> what is timed, all on one random clip.

    The clip is as long as learned positions allow, and so is the sentence.
    """
    if getattr(config, "position_embedding_type", "") == "learned":
        frames = min(frames, config.max_frames * config.temporal_stride)
    clip = random_clips(config, 1, frames)
    positions = getattr(getattr(config, "text_config", None), "max_position_embeddings", None)
    tokens = NEW_TOKENS if positions is None else min(NEW_TOKENS, positions - 1)
    return {name: works_of(model, clip, tokens) for name, model in models.items()}


def works_of(model: Any, clip: dict[str, torch.Tensor], tokens: int) -> dict[str, Work]:
    """Return name -> what is timed of a model."""
    if isinstance(model, ORTGlossClassifier):
        return {"classifier": lambda: model(**clip)}
    if not isinstance(model, ORTMultiStreamForConditionalGeneration):
        return {"encoder": lambda: model(**clip)}
    length = {"max_new_tokens": tokens, "min_new_tokens": tokens, "num_beams": 1}
    return {"encoder": lambda: model.encoder(**clip), "generate": lambda: model.generate(**clip, **length)}


@torch.inference_mode()
def take_turns(works: dict[str, Work], rounds: int) -> dict[str, list[float]]:
    """Time works in turns, every other round backwards.

    Returns:
        Name -> milliseconds of one call in each round. A turn is a tenth of a second of calls, after one that is not
        timed: threads of the model before it may not have come to rest yet.
    """
    start = time.perf_counter()
    next(iter(works.values()))()
    calls = max(1, round(TURN_SECONDS / (time.perf_counter() - start)))
    milliseconds: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds):
        for name in list(works)[:: 1 if number % 2 == 0 else -1]:
            works[name]()
            start = time.perf_counter()
            for _ in range(calls):
                works[name]()
            milliseconds[name].append(1000 * (time.perf_counter() - start) / calls)
    return milliseconds


def lost_points(baseline: dict[str, float], metrics: dict[str, float]) -> dict[str, float]:
    """Return score -> what was lost, in points of 100; below 0: won."""
    return {
        name: round(weight * (baseline[name] - metrics[name]), 3) + 0.0
        for name, weight in POINTS.items()
        if name in metrics
    }


def translation_scorer(
    dataset: Any, processor: Any, pose_key: str = "pose", tokenize: str = "13a", batch_size: int = 8
) -> Callable[[Any], dict[str, float]]:
    """Return a function from a translation model to its scores on clips, as `eval_slt.py` finds them.

    Args:
        dataset: Rows of paths, see [`load_translation_data`].
        processor: The model's processor.
        pose_key: Key of the pose array in the files.
        tokenize: sacrebleu's tokenizer.
        batch_size: Clips a step. The ranges that int8 finds while running are those of a step.
    """
    args = EvaluationArguments(batch_size=batch_size, num_workers=0, resamples=0)
    references = dataset["text"][:]

    def score(model: Any) -> dict[str, float]:
        evaluation = Evaluation(model, processor, dataset, pose_key, args, tokenize)
        result = evaluation.run()
        scores = evaluation.scores(result.sentences, references)
        return {"clips": len(references), "loss": result.loss, **_numbers(scores)}

    return score


def gloss_scorer(dataset: Any, extractor: Any, batch_size: int = 32) -> Callable[[Any], dict[str, float]]:
    """Return a function from a classifier to its scores on clips, as `eval_gloss.py` finds them.

    Args:
        dataset: The clips, see [`load_gloss_data`].
        extractor: The model's feature extractor.
        batch_size: Clips a step. The ranges that int8 finds while running are those of a step.
    """
    args = GlossEvaluationArguments(resamples=0)

    def score(model: Any) -> dict[str, float]:
        heads = 1 if model.config.num_categories is None else 2
        clips = score_clips(predict_scores(model, dataset, extractor, batch_size), dataset, heads)
        return _numbers(collect_metrics(clips, dataset, args))

    return score


def _numbers(scores: dict[str, Any]) -> dict[str, float]:
    return {name: value for name, value in scores.items() if isinstance(value, (int, float, np.number))}
