"""The smoke test: a corpus of a few synthetic clips, a short run on it, and a prediction by what the run saved."""

from __future__ import annotations

import csv
import dataclasses
import logging
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from accelerate.utils import broadcast_object_list

from hf_slt.data.gloss.clips import FEATURES_KEY, KEYPOINTS_KEY, write_clip
from hf_slt.errors import ConfigurationError, HfSltError
from hf_slt.inference.gloss import GlossPredictor
from hf_slt.training.gloss_arguments import GlossDataArguments, GlossModelArguments
from hf_slt.training.gloss_training_arguments import GlossTrainingArguments
from hf_slt.training.train_gloss import run_train_gloss

logger = logging.getLogger(__name__)

# What takes seconds on one CPU core. Flags and a --config file win over it.
SMOKE_PRESET: dict[str, Any] = {
    "num_train_epochs": 4,
    "per_device_train_batch_size": 8,
    "learning_rate": 1e-3,
    "warmup_ratio": 0.0,
    "num_threads": 1,
    "save_total_limit": 1,
}
_MAX_GLOSSES = 6  # that are shown at all; the heads are as wide as the flags say
_CLIPS = {"train": 4, "val": 1, "test": 1}  # of each gloss
# Of a probability, between the run and the saved model on other batches; the latter is in full precision.
_TOLERANCE, _MIXED_TOLERANCE = 1e-4, 0.05


def run_smoke_test(
    data_args: GlossDataArguments,
    feature_args: Any,
    model_args: GlossModelArguments,
    augmentation_args: Any,
    loss_args: Any,
    training_args: GlossTrainingArguments,
    effective: dict[str, Any],
) -> dict[str, Any]:
    """Train on synthetic clips and let the saved model recognise one of them; arguments as `run_train_gloss`.

    The corpus, and the run too unless `--output_dir` was given, are in a temporary folder that is removed.

    Raises:
        ConfigurationError: Flags of a corpus were given beside `--smoke-test`.
        HfSltError: The saved model says something else than the trained one.
    """
    given = [
        item.name
        for item in dataclasses.fields(data_args)
        if item.name.startswith(("keypoints_", "features_", "labels_")) and getattr(data_args, item.name)
    ]
    if given:
        flags = ", ".join("--" + name.replace("_", "-") for name in given)
        raise ConfigurationError(f"expected --smoke-test or the flags of a corpus, found --smoke-test and {flags}")
    # All processes of a run work on one corpus and in one folder.
    root = [tempfile.mkdtemp(prefix="hf_slt_smoke_")] if training_args.process_index == 0 else [None]
    root = Path(broadcast_object_list(root)[0])
    try:
        kind = "features" if model_args.model == "iv3_gru" else "keypoints"
        width = data_args.feature_size if kind == "features" else 2 * feature_args.num_landmarks
        num_gloss, num_cat = data_args.num_gloss or _MAX_GLOSSES, data_args.num_cat or 2
        with training_args.main_process_first(local=False):
            if training_args.process_index == 0:
                write_smoke_corpus(root / "data", kind, width, num_gloss, num_cat)
        paths = {f"{kind}_{split}": str(root / "data" / split) for split in _CLIPS}
        paths |= {f"labels_{split}_csv": str(root / "data" / f"{split}.csv") for split in _CLIPS}
        data_args = dataclasses.replace(
            data_args, num_gloss=num_gloss, num_cat=num_cat, cache_dir=str(root / "cache"), **paths
        )
        training_args.output_dir = effective["output_dir"] or str(root / "run")
        others = (augmentation_args, loss_args, training_args, effective)
        metrics = run_train_gloss(data_args, feature_args, model_args, *others)
        if training_args.process_index == 0:
            mixed = training_args.bf16 or training_args.fp16
            tolerance = _MIXED_TOLERANCE if mixed else _TOLERANCE
            check_saved_model(Path(training_args.output_dir), root / "data" / "test", tolerance)
        return metrics
    finally:
        if training_args.process_index == 0:
            shutil.rmtree(root, ignore_errors=True)


def write_smoke_corpus(root: Path, kind: str, width: int, num_gloss: int, num_cat: int) -> None:
    """Write clips `<split>/<name>.npz` and labels `<split>.csv`: each gloss is a motion of its own.

    Args:
        root: Folder to write to.
        kind: `"keypoints"` or `"features"`.
        width: Numbers a frame.
        num_gloss: Number of glosses; at most six of them, spread over all ids, are shown.
        num_cat: Number of categories; that of gloss g is `g % num_cat`.
    """
    rng = np.random.default_rng(0)
    shown = np.unique(np.linspace(0, num_gloss - 1, min(num_gloss, _MAX_GLOSSES)).astype(int))
    for number, (split, clips) in enumerate(_CLIPS.items()):
        rows = []
        (root / split).mkdir(parents=True)
        for gloss in shown.tolist():
            for take in range(clips):
                name = f"{split}_{gloss}_{take}"
                values = _clip(rng, gloss, kind, width)
                mask = np.ones((len(values), width // 2), bool) if kind == "keypoints" else None
                key = KEYPOINTS_KEY if kind == "keypoints" else FEATURES_KEY
                write_clip(root / split / f"{name}.npz", values, mask, key=key)
                rows.append((name, gloss, gloss % num_cat, f"signer{number}"))
        _write_labels(root / f"{split}.csv", rows)


def _clip(rng: np.random.Generator, gloss: int, kind: str, width: int) -> np.ndarray:
    """Return a clip `(T, width)`: a way of its own for each gloss, walked once, with noise."""
    frames = int(rng.integers(8, 17))
    way = np.random.default_rng(gloss).normal(size=(2, width))
    time = np.linspace(0, np.pi, frames)[:, None]
    moved = np.cos(time) * way[0] + np.sin(time) * way[1]
    noisy = moved + 0.1 * rng.normal(size=moved.shape)
    return (0.5 + 0.1 * noisy if kind == "keypoints" else noisy).astype(np.float32)


def _write_labels(path: Path, rows: Sequence[Sequence[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("file", "gloss", "cat", "signer"), *rows])


def check_saved_model(output_dir: Path, clips: Path, tolerance: float = _TOLERANCE) -> None:
    """Hold what the saved model says of the test clips against what the run said of them.

    Args:
        output_dir: Folder of the run.
        clips: Folder of its test clips.
        tolerance: Largest difference of the probability of what the run said.

    Raises:
        HfSltError: They differ by more.
    """
    with (output_dir / "test_predictions.csv").open(newline="", encoding="utf-8") as file:
        expected = list(csv.DictReader(file))
    predictor = GlossPredictor.from_pretrained(output_dir)
    paths = [clips / f"{row['file']}.npz" for row in expected]
    said = predictor.predict(paths, top_k=predictor.model.config.num_labels)
    for row, prediction in zip(expected, said, strict=True):
        score = next(ranked.score for ranked in prediction.glosses if ranked.id == int(row["prediction_id"]))
        if abs(score - float(row["confidence"])) > tolerance:
            raise HfSltError(
                f"expected the saved model to say {row['prediction_id']} with {row['confidence']} of {row['file']}, as "
                f"the run did, found {score:.6f}"
            )
    logger.info(f"smoke test passed: the saved model says the same as the trained one, {said[0]} of a first clip")
