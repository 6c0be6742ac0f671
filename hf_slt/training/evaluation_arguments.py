"""Arguments of the scripts that check and score. Importing this module imports neither torch nor transformers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hf_slt.errors import ConfigurationError
from hf_slt.training.flags import check_ranges, flag

CHOICES = {"device": ("auto", "cpu", "cuda"), "precision": ("fp32", "amp", "bf16")}


@dataclass
class ValidationArguments:
    """What to check beside the files."""

    report: str = flag("contract_report.json", "File of the complete report (JSON).")
    pose_landmarks: int | None = flag(None, "Number of landmarks that the poses must have.")


@dataclass
class EvaluationArguments:
    """What to evaluate, and how. Streams, image size and clip length are the checkpoint's own."""

    checkpoint: list[str] = flag(
        [],
        "Folder of a trained model: the output_dir of a run, or a checkpoint-N. Several, after one flag or each after "
        "its own, are scored in turn, with mean and standard deviation over them.",
        action="extend",
    )
    onnx: list[str] = flag(
        [],
        "Folder of an exported model (scripts/export_onnx.py), or of a variant in it, to score on the CPU by ONNX "
        "Runtime; several as with --checkpoint, and after those.",
        action="extend",
    )
    index: str | None = flag(None, "CSV with the video_ids to evaluate.", ("--eval-index",))
    output_dir: str | None = flag(
        None,
        "Folder for the results (default: <model>/eval_<name of index>; must be given for several models).",
    )
    output_csv: str | None = flag(
        None, "Another file for the predictions of one model: video_id, prediction, reference, latency_ms."
    )
    report: str | None = flag(None, "HTML file of one model's results: one static page, pictures in it.")
    tokenizer: str | None = flag(None, "Name or folder of a tokenizer in place of the checkpoint's.")
    batch_size: int = flag(8, "Clips a step.", ("--val-batch-size",))
    num_workers: int = flag(2, "Processes that read and decode clips.")
    num_beams: int | None = flag(None, "Beams (default: the model's own setting).")
    max_new_tokens: int | None = flag(None, "Longest sentence, in tokens (default: the model's own setting).")
    length_penalty: float | None = flag(None, "Above 0 favours longer sentences in beam search (default: the model's).")
    no_repeat_ngram_size: int | None = flag(
        None, "No sentence holds this many tokens in a row twice; 0 = off (default: the model's)."
    )
    device: str = flag("auto", "auto (a GPU if there is one; the CPU with --onnx), cpu or cuda.")
    precision: str = flag("fp32", "fp32, bf16 (autocast), or amp: autocast to what the device is fast in, else fp32.")
    language: str | None = flag(
        None, "Language of the sentences, ISO 639-1, which chooses sacrebleu's tokenizer (default: the training run's)."
    )
    bleu_tokenize: str | None = flag(
        None, "sacrebleu's tokenizer for BLEU (default: that of --language, else of the training run)."
    )
    lowercase: bool = flag(False, "Score in lower case; case counts without it.")
    phoenix_legacy: bool = flag(
        False, "Also score as older papers on PHOENIX do: lower case, and BLEU on words between white space."
    )
    abstain: float | None = flag(
        None,
        "Largest mean character error rate, in percent, of the sentences that are answered: the others are marked as "
        "abstained. The threshold on the model's own confidence is chosen on --calibration-index.",
    )
    calibration_index: str | None = flag(
        None,
        "CSV with the video_ids that --abstain chooses its threshold on: the validation split of the run, no test "
        "clips (default: that of the demo with --demo).",
    )
    ablate_streams: bool = flag(False, "Also score with streams blanked: each one, all images, all but one.")
    resamples: int = flag(1000, "Bootstrap resamples for the 95 % intervals (0 = no intervals).")
    num_threads: int | None = flag(None, "Threads of torch and ONNX Runtime on the CPU (default: the training run's).")
    allow_overlap: bool = flag(False, "Evaluate clips that the model was trained or selected on; they are counted.")
    strict: bool = flag(
        False,
        "Refuse clips whose extractor, or layout of landmarks, is not known to be that of the training clips (default: "
        "a warning if it is known to be another).",
    )
    seed: int = flag(42, "Seed of the bootstrap.")

    def __post_init__(self) -> None:
        self.checkpoint, self.onnx = ([v] if isinstance(v, str) else v for v in (self.checkpoint, self.onnx))
        ranges = dict.fromkeys(("batch_size", "num_beams", "max_new_tokens", "num_threads"), (1, math.inf))
        ranges |= dict.fromkeys(("num_workers", "resamples", "no_repeat_ngram_size", "seed"), (0, math.inf))
        check_ranges(self, ranges | {"abstain": (0, 100)})
        problems = [
            f"expected --{name} {', '.join(known[:-1])} or {known[-1]}, found '{getattr(self, name)}'"
            for name, known in CHOICES.items()
            if getattr(self, name) not in known
        ]
        if problems := [*problems, *self._not_for_several(), *self._not_for_exports()]:
            raise ConfigurationError("; ".join(problems))

    def _not_for_several(self) -> list[str]:
        problems = []
        if (count := len(self.checkpoint) + len(self.onnx)) > 1:
            if not self.output_dir:
                problems.append(f"expected --output-dir FOLDER for the results of {count} models, found none")
            if self.output_csv:
                problems.append(
                    f"expected one model with --output-csv, found {count}; without it the predictions of each are in a "
                    f"folder of its own"
                )
            if self.report:
                problems.append(f"expected one model with --report, found {count}; evaluate them one by one")
        if self.calibration_index and self.abstain is None:
            problems.append("expected --abstain RISK with --calibration-index, found none")
        return problems

    def _not_for_exports(self) -> list[str]:
        problems = []
        if self.onnx and self.device == "cuda":
            problems.append("expected --device cpu or auto with --onnx, which is scored on the CPU, found 'cuda'")
        if self.onnx and self.precision in ("amp", "bf16"):
            problems.append(
                f"expected --precision fp32 with --onnx, whose precision is that of its files, found "
                f"'{self.precision}'; export a variant: scripts/export_onnx.py --quantize bf16"
            )
        return problems
