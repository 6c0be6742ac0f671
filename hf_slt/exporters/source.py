"""What is exported: a checkpoint that can be, and an output folder that may be written."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoFeatureExtractor, AutoModelForSequenceClassification, AutoProcessor

from hf_slt.errors import ConfigurationError
from hf_slt.exporters.arguments import ExportArguments
from hf_slt.exporters.exported_models import check_not_exported
from hf_slt.models.auto import GLOSS_FAMILIES
from hf_slt.models.legacy.files import file_sha256
from hf_slt.models.loading import load_pretrained, missing_weights
from hf_slt.models.multistream.configuration_multistream import MultiStreamConfig
from hf_slt.models.multistream.modeling_multistream import MultiStreamEncoder, MultiStreamForConditionalGeneration
from hf_slt.training.results import read_run_file

logger = logging.getLogger(__name__)

_WHAT = "a trained model in --checkpoint"


@dataclass
class Source:
    """What is exported.

    Attributes:
        path: Folder of the checkpoint.
        config: The model's configuration.
        part: `"full"` or `"encoder"`.
        processor: What prepares its inputs; None if the checkpoint has none.
    """

    path: Path
    config: Any
    part: str
    processor: Any

    @property
    def is_translation(self) -> bool:
        """Whether it is a translation model, not a gloss classifier."""
        return isinstance(self.config, MultiStreamConfig)

    def load_model(self) -> Any:
        """Load the model, or its encoder, anew in evaluation mode.

        Raises:
            ConfigurationError: Weights are damaged or missing.
        """
        kind = MultiStreamForConditionalGeneration if self.is_translation else AutoModelForSequenceClassification
        kind = MultiStreamEncoder if self.part == "encoder" else kind
        model, info = load_pretrained(kind, str(self.path), _WHAT, output_loading_info=True)
        if missing := missing_weights(model, info["missing_keys"]):
            raise ConfigurationError(
                f"expected {_WHAT}, found {self.path} without {len(missing)} of its weights: {missing[:5]}"
            )
        return model.eval()


def open_source(args: ExportArguments) -> Source:
    """Open a checkpoint and check that what is asked for can be exported.

    Raises:
        ConfigurationError: It is no model of ours, or cannot be exported.
    """
    from hf_slt.exporters.onnx_configs import check_exportable

    path = Path(args.checkpoint)
    check_not_exported(path)
    if not (path / "config.json").is_file():
        saved = sorted(folder.name for folder in path.glob("checkpoint-*"))
        ended = f"; the run has not ended, go on with it (--resume) or pass {path / saved[-1]}" if saved else ""
        raise ConfigurationError(f"expected {_WHAT}, found no config.json in {path}{ended}")
    config = load_pretrained(AutoConfig, str(path), _WHAT)
    if not isinstance(config, MultiStreamConfig) and config.model_type not in GLOSS_FAMILIES:
        raise ConfigurationError(
            f"expected a translation model or a gloss classifier in --checkpoint, found a model of type "
            f"'{config.model_type}' in {path}; others are exported by optimum-cli"
        )
    if getattr(config, "train_from_frames", False) and not config.freeze_backbone:
        raise ConfigurationError(
            f"expected a classifier of image features, found one in {path} whose image backbone was trained with it, "
            f"which is not exported; train it on features (--features-train)"
        )
    is_translation = isinstance(config, MultiStreamConfig)
    if args.part == "encoder" and not is_translation:
        raise ConfigurationError("expected --part full for a gloss classifier, which has no decoder, found encoder")
    if args.part == "full" and is_translation:
        check_exportable(config)
    if args.torchscript and is_translation and args.part == "full":
        logger.info("TorchScript is written of the encoder; the text decoder is in the ONNX files")
    # checkpoint-N holds no processor: the one of the run is in the folder above.
    folder = next((f for f in (path, path.parent) if (f / "preprocessor_config.json").is_file()), None)
    processor = None
    if folder is not None:
        has_text = args.part == "full" and (folder / "tokenizer_config.json").is_file()
        kind = AutoProcessor if has_text else AutoFeatureExtractor
        processor = load_pretrained(kind, str(folder), "a processor beside the model")
    else:
        logger.warning(
            f"no preprocessor_config.json in {path} or above it: the export has none either, which evaluation needs"
        )
    return Source(path, config, args.part, processor)


def require_replaceable(target: Path, checkpoint: Path) -> None:
    """Refuse a folder that would take something with it when it is replaced.

    Raises:
        ConfigurationError: The checkpoint lies in it, or what no export wrote there, results for example.
    """
    if checkpoint.resolve().is_relative_to(target):
        raise ConfigurationError(
            f"expected an output folder beside the checkpoint, found the checkpoint {checkpoint} in {target}, which "
            f"would be replaced; choose another one"
        )
    report = target / "export_report.json"
    if not report.is_file():
        return
    written = read_run_file(target, report.name).get("folder", [])
    if others := sorted(path.name for path in target.iterdir() if path.name not in written):
        raise ConfigurationError(
            f"expected nothing but an earlier export in {target}, which would be replaced, found {', '.join(others)}; "
            f"move it away, or choose another output folder"
        )


def describe_source(source: Source) -> dict[str, Any]:
    """Return what the report says of the checkpoint."""
    weights = [path for path in sorted(source.path.iterdir()) if path.suffix in (".safetensors", ".bin")]
    return {
        "checkpoint": str(source.path),
        "weights": {path.name: file_sha256(path) for path in weights if path.name != "training_args.bin"},
        "model_type": source.config.model_type,
        "part": source.part,
    }
