"""What the folder of a trained model holds, as far as a card reads it."""

import json
import os
from pathlib import Path

SIGNATURE = "BLEU|nrefs:1|tok:13a|version:2.6.0 chrF2|nrefs:1|version:2.6.0 chrF2++|nrefs:1|version:2.6.0"
SETTINGS = {
    "face_dir": None,
    "pose_dir": "/home/alice/corpus/pose",
    "metadata_csv": "/home/alice/corpus/meta.csv",
    "train_index": "/home/alice/corpus/index/train.csv",
    "val_index": "/home/alice/corpus/index/val.csv",
    "test_index": "/home/alice/corpus/index/test.csv",
    "decoder_model": "google-t5/t5-small",
    "backbone": "/home/alice/models/vit",
    "output_dir": "/home/alice/runs/best",
    "hub_token": "hf_secret",
    "eval_strategy": "epoch",
    "load_best_model_at_end": True,
    "metric_for_best_model": "eval_bleu",
    "seed": 7,
    "learning_rate": 0.001,
    "num_train_epochs": 40.0,
    "bleu_tokenize": "13a",
}
CONFIG = {
    "model_type": "multistream_slt",
    "architectures": ["MultiStreamForConditionalGeneration"],
    "streams": ["pose"],
    "num_pose_landmarks": 33,
    "text_config": {"model_type": "t5", "vocab_size": 103},
    "transformers_version": "4.57.6",
}
SPLITS = {
    "train": {"video_ids": ["a", "b", "c"], "sentences": ["1", "2"]},
    "validation": {"video_ids": ["d"], "sentences": ["3"]},
    "test": {"video_ids": ["e", "f"], "sentences": ["2", "4"]},
}
COUNTED = {"train": {"clips": 3, "frames": 9000}, "validation": {"clips": 1, "frames": 40}, "test": {"clips": 2}}
METRICS = {
    "model": "best",
    "runtime": "torch",
    "task": "translation",
    "split": "test",
    "n": 2,
    "data_hash": "sha256:0123",
    "bleu": 21.456,
    "bleu_interval": [18.2, 24.71],
    "chrf": 40.0,
    "cer": float("nan"),
    "ter_interval": [1.0, 2.0],  # without a score
    "signature": SIGNATURE,
    "confidence": 0.95,
    "resamples": 1000,
    "seed": 0,
    "tokenize": "13a",
    "lowercase": False,
    "overlap": {"video_ids": 0, "groups": 0},
    "selection": {"split": "validation", "metric": "bleu", "mode": "max", "rule": "the step with the highest bleu"},
    "decoding": {"num_beams": 4, "length_penalty": 1.0},
}


def write_object(path: Path, values: dict) -> Path:
    """Write a JSON object; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values), encoding="utf-8")
    return path


def write_weights(path: Path, shapes: dict[str, list[int]]) -> Path:
    """Write the head of a file of weights, which is all that a card reads of it; older than all that follows."""
    head = json.dumps(
        {"__metadata__": {"format": "pt"}, **{n: {"dtype": "F32", "shape": s} for n, s in shapes.items()}}
    )
    path.write_bytes(len(head).to_bytes(8, "little") + head.encode())
    os.utime(path, (0, 0))
    return path
