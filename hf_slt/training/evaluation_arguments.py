"""Arguments of the scripts that check and score. Importing this module imports neither torch nor transformers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hf_slt.training.flags import check_ranges, flag


@dataclass
class ValidationArguments:
    """What to check beside the files."""

    report: str = flag("contract_report.json", "File of the complete report (JSON).")
    pose_landmarks: int | None = flag(None, "Number of landmarks that the poses must have.")


@dataclass
class EvaluationArguments:
    """What to evaluate, and how."""

    checkpoint: str | None = flag(None, "Folder of a trained model: the output_dir of a run, or a checkpoint-N.")
    index: str | None = flag(None, "CSV with the video_ids to evaluate.", ("--eval-index",))
    output_dir: str | None = flag(None, "Folder for the results (default: <checkpoint>/eval_<name of index>).")
    batch_size: int = flag(8, "Clips a step.", ("--val-batch-size",))
    num_workers: int = flag(2, "Processes that read and decode clips.")
    num_beams: int | None = flag(None, "Beams (default: the model's own setting).")
    max_new_tokens: int | None = flag(None, "Longest sentence, in tokens (default: the model's own setting).")
    length_penalty: float | None = flag(None, "Above 0 favours longer sentences in beam search (default: the model's).")
    bleu_tokenize: str | None = flag(None, "sacrebleu's tokenizer for BLEU (default: that of the training run).")
    ablate_streams: bool = flag(False, "Also score with streams blanked: each one, all images, all but one.")
    resamples: int = flag(1000, "Bootstrap resamples for the 95 % intervals (0 = no intervals).")
    num_threads: int | None = flag(None, "Threads of torch on the CPU (default: those of the training run).")
    allow_overlap: bool = flag(False, "Evaluate clips that the model was trained or selected on.")
    seed: int = flag(42, "Seed of the bootstrap.")

    def __post_init__(self) -> None:
        ranges = dict.fromkeys(("batch_size", "num_beams", "max_new_tokens", "num_threads"), (1, math.inf))
        check_ranges(self, ranges | dict.fromkeys(("num_workers", "resamples"), (0, math.inf)))
