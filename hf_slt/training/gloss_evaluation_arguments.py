"""Arguments of the gloss evaluation. Importing this module imports neither torch nor transformers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hf_slt.training.flags import check_ranges, flag


@dataclass
class GlossEvaluationArguments:
    """What to evaluate, and how. Whether the clips are landmarks or features is up to the model."""

    checkpoint: str | None = flag(None, "Folder of a trained model: the output_dir of a run, or a checkpoint-N.")
    onnx: str | None = flag(
        None,
        "Folder of an exported model (scripts/export_onnx.py), or of a variant in it, in place of --checkpoint: it is "
        "scored on the CPU by ONNX Runtime.",
    )
    keypoints: str | None = flag(None, "Folder of the clips, landmarks.")
    features: str | None = flag(None, "Folder of the clips, image features.")
    labels_csv: str | None = flag(None, "CSV of the clips: file,gloss and optionally cat,signer.")
    output_dir: str | None = flag(None, "Folder for the results (default: <model>/eval_<name of the CSV>).")
    kp_key: str | None = flag(None, "Key of the landmarks in the .npz files (default: X).")
    feature_key: str | None = flag(None, "Key of the features in the .npz files (default: X2048, then X).")
    gloss_names: str | None = flag(None, "Names of the glosses (default: those that the model was trained with).")
    cat_names: str | None = flag(None, "Names of the categories, likewise.")
    encoding: str = flag("utf-8-sig", "Encoding of the CSV file.")
    allow_unlabelled_files: bool = flag(False, "Accept clips in the folder that the CSV does not name; not used.")
    allow_overlap: bool = flag(False, "Evaluate clips that the model was trained or selected on.")
    strict: bool = flag(
        False,
        "Refuse clips whose extractor, or layout of landmarks, is not known to be that of the training clips (default: "
        "a warning if it is known to be another).",
    )
    cache_dir: str | None = flag(None, "Folder of the tables that clips are kept in (default: the datasets cache).")
    batch_size: int = flag(32, "Clips a step.", ("--val-batch-size",))
    resamples: int = flag(1000, "Bootstrap resamples for the 95 % intervals (0 = no intervals).")
    num_threads: int | None = flag(None, "Threads on the CPU (default: the choice of torch or ONNX Runtime).")
    seed: int = flag(42, "Seed of the bootstrap.")

    def __post_init__(self) -> None:
        ranges = dict.fromkeys(("batch_size", "num_threads"), (1, math.inf))
        check_ranges(self, ranges | dict.fromkeys(("resamples", "seed"), (0, math.inf)))
