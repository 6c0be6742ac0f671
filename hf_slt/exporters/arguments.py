"""Arguments of the export. Importing this module imports neither torch nor transformers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hf_slt.errors import ConfigurationError
from hf_slt.training.flags import flag, out_of_range

PARTS = ("full", "encoder")
VARIANTS = ("int8", "int8-static", "fp16", "bf16")


@dataclass
class ExportArguments:
    """What to export, and how."""

    checkpoint: str | None = flag(None, "Folder of a trained model: the output_dir of a run, or a checkpoint-N.")
    output: str | None = flag(None, "Folder to write, new or empty.", ("--output-dir",))
    part: str = flag("full", "full: the whole model; encoder: the stream encoder of a translation model alone.")
    torchscript: bool = flag(False, "Also write the encoder, or the classifier, as TorchScript.")
    quantize: list[str] = flag(
        [],
        "Variants to write beside fp32, each in a folder of its own; several after one flag. int8: products in 8 bits; "
        "int8-static: convolutions too, calibrated on training clips; fp16, bf16: weights stored in 16 bits.",
        action="extend",
    )
    validate: int = flag(0, "Compare on this many further random batches, beyond the 24 that always are.")
    overwrite: bool = flag(False, "Replace an earlier export; other files in its folder are an error.")
    allow_overlap: bool = flag(False, "Score variants on clips that the model was trained or selected on.")
    num_threads: int = flag(1, "Threads of torch and ONNX Runtime while they are compared and timed.")
    keypoints: str | None = flag(None, "Gloss: folder of landmark clips, to score and to calibrate variants on.")
    features: str | None = flag(None, "Gloss: the same for image features.")
    labels_csv: str | None = flag(None, "Gloss: CSV of the clips to score the variants on: file,gloss[,cat,signer].")
    calibration_labels_csv: str | None = flag(None, "Gloss: CSV of training clips, to calibrate int8-static on.")
    kp_key: str | None = flag(None, "Gloss: key of the landmarks in the .npz files (default: X).")
    feature_key: str | None = flag(None, "Gloss: key of the features in the .npz files (default: X2048, then X).")
    cache_dir: str | None = flag(None, "Gloss: folder of the tables that clips are kept in (default: datasets cache).")

    def __post_init__(self) -> None:
        problems = out_of_range(self, {"validate": (0, math.inf), "num_threads": (1, math.inf)})
        problems += [
            f"expected --{name} FOLDER, found none" for name in ("checkpoint", "output") if not getattr(self, name)
        ]
        if self.part not in PARTS:
            problems.append(f"expected --part {' or '.join(PARTS)}, found '{self.part}'")
        self.quantize = list(dict.fromkeys(self.quantize))
        problems += [
            f"expected --quantize out of {', '.join(VARIANTS)}, found '{kind}'"
            for kind in self.quantize
            if kind not in VARIANTS
        ]
        if problems:
            raise ConfigurationError("; ".join(problems))
