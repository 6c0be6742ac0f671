"""Export of a trained model: ONNX, TorchScript and smaller variants, compared with PyTorch before anything is kept."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoFeatureExtractor, AutoModelForSequenceClassification, AutoProcessor

from hf_slt.data.staging import require_writable, staged_folder
from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.reports import write_json
from hf_slt.exporters.arguments import ExportArguments
from hf_slt.exporters.requirements import require_onnx
from hf_slt.models.auto import GLOSS_FAMILIES
from hf_slt.models.legacy.files import file_sha256
from hf_slt.models.loading import load_pretrained, missing_weights
from hf_slt.models.multistream.configuration_multistream import MultiStreamConfig
from hf_slt.models.multistream.modeling_multistream import MultiStreamEncoder, MultiStreamForConditionalGeneration
from hf_slt.training.arguments import DataArguments
from hf_slt.training.exported_models import check_not_exported
from hf_slt.training.results import read_run_file

logger = logging.getLogger(__name__)

_WHAT = "a trained model in --checkpoint"
_STAGED = {"marks": (("export_report.json",),), "what": "an earlier export"}


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


def run_export(args: ExportArguments, data_args: DataArguments) -> dict[str, Any]:
    """Export a model; the output folder is complete, and as good as the PyTorch model, or absent.

    Args:
        args: The model and what to write.
        data_args: Translation: clips to calibrate and to score variants on.

    Returns:
        What `export_report.json` holds: `checkpoint`, `weights` (SHA-256 of its files), `model_type`, `part`, `task`,
        `opset`, `parity` (of `onnx` and `torchscript`, see [`compare`]), `variants` (see [`VariantPlan`]), `files` (see
        [`describe_files`]), `versions` and `folder` (all that was written).

    Raises:
        ConfigurationError: Not a model, a part or a decoder that cannot be exported, an output folder that may not be
            written, data that are missing.
        MissingDependencyError: The extra `onnx` is not installed, or transformers is another version than it needs.
        ExportParityError: The export does not compute what the model does.
        DataContractError: The clips are not usable.
    """
    require_onnx("optimum.onnxruntime")
    threads = torch.get_num_threads()
    torch.set_num_threads(args.num_threads)
    try:
        return _export(args, data_args)
    finally:
        torch.set_num_threads(threads)


def _export(args: ExportArguments, data_args: DataArguments) -> dict[str, Any]:
    from hf_slt.exporters.report import EXPORT_REPORT, describe_files, versions
    from hf_slt.exporters.variant_plan import plan_variants

    target = Path(args.output).resolve()
    require_writable(target, args.overwrite, **_STAGED)
    require_replaceable(target, Path(args.checkpoint))
    source = open_source(args)
    variants = plan_variants(source.config, args, data_args)
    with staged_folder(target, args.overwrite, **_STAGED) as folder:
        report = describe_source(source)
        with quiet():
            report |= write_onnx(source, folder)
            model = source.load_model()
            report["parity"] = {"onnx": compare_onnx(source, model, folder, args)}
            if args.torchscript:
                report["parity"]["torchscript"] = write_and_compare_torchscript(source, model, folder, args)
            report["variants"] = variants.write_and_measure(folder)
        report |= {"files": describe_files(folder), "versions": versions()}
        report["folder"] = sorted([*(path.name for path in folder.iterdir()), EXPORT_REPORT])
        write_json(folder / EXPORT_REPORT, report)
    log_export(report, target)
    return report


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


def write_onnx(source: Source, folder: Path) -> dict[str, Any]:
    """Write the ONNX files of a model with its configuration, processor and the record of its training run.

    Returns:
        `task`, as optimum calls it, and `opset`.
    """
    from optimum.exporters.onnx.convert import onnx_export_from_model

    from hf_slt.exporters import registration
    from hf_slt.exporters.onnx_configs import OPSET

    registration.register_onnx_configs()
    task = registration.CLASSIFICATION_TASK
    if source.is_translation:
        task = registration.ENCODER_TASK if source.part == "encoder" else registration.TRANSLATION_TASK
    logger.info(f"writing ONNX (opset {OPSET})")
    model = source.load_model()
    model.config.use_cache = True
    try:
        onnx_export_from_model(model, folder, opset=OPSET, task=task, do_validation=False)
    except (NotImplementedError, RuntimeError) as error:  # torch's own errors of the export are RuntimeErrors
        reason = " ".join(str(error).split())[:300]
        raise ConfigurationError(
            f"expected a model whose operations can be written in ONNX (opset {OPSET}), found one that cannot: "
            f"{reason}; another --backbone may do"
        ) from error
    if source.processor is not None:
        source.processor.save_pretrained(folder)
    return {"task": task, "opset": OPSET}


@contextmanager
def quiet() -> Iterator[None]:
    """Keep from the user what the libraries say of tracing and of flags, since nobody can do anything about it."""
    loggers = [logging.getLogger(name) for name in ("optimum", "transformers")]
    levels = [library.level for library in loggers]
    for library in loggers:
        library.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for library, level in zip(loggers, levels, strict=True):
            library.setLevel(level)


def compare_onnx(source: Source, model: Any, folder: Path, args: ExportArguments) -> dict[str, Any]:
    """Compare the ONNX files with the PyTorch model, see [`compare`]."""
    from hf_slt.exporters import parity
    from hf_slt.exporters.ort_gloss import ORTGlossClassifier
    from hf_slt.exporters.ort_multistream import ORTMultiStreamForConditionalGeneration, open_encoder

    threads = args.num_threads
    if not source.is_translation:
        export = ORTGlossClassifier.from_pretrained(folder, num_threads=threads)
        compare_cell = parity.compare_classifiers(model, lambda inputs: export(**inputs))
    elif source.part == "encoder":
        encoder = open_encoder(folder, source.config, threads)
        compare_cell = parity.compare_encoders(model, lambda inputs: encoder(**inputs).to_tuple())
    else:
        kind = ORTMultiStreamForConditionalGeneration
        exports = {
            name: kind.from_pretrained(folder, num_threads=threads, use_merged=merged)
            for name, merged in (("two_decoders", False), ("merged_decoder", True))
        }
        compare_cell = parity.compare_translators(model, exports)
    return parity.compare("ONNX", parity.make_cells(source.config, args.validate), source.config, compare_cell)


def write_and_compare_torchscript(source: Source, model: Any, folder: Path, args: ExportArguments) -> dict[str, Any]:
    """Write TorchScript of the encoder or classifier, read it again and compare it, see [`compare`]."""
    from hf_slt.exporters import parity
    from hf_slt.exporters.torchscript import all_inputs, write_torchscript

    config = source.config
    model = model.get_encoder() if source.is_translation and source.part == "full" else model
    logger.info("writing TorchScript")
    loaded = torch.jit.load(str(write_torchscript(model, config, folder)))

    def compute(inputs: parity.Inputs) -> dict[str, torch.Tensor]:
        return loaded(all_inputs(config, inputs))

    def encode(inputs: parity.Inputs) -> tuple[torch.Tensor, torch.Tensor]:
        outputs = compute(inputs)
        return outputs["last_hidden_state"], outputs["states_mask"]

    if source.is_translation:
        compare_cell = parity.compare_encoders(model, encode)
    else:
        compare_cell = parity.compare_classifiers(model, compute)
    return parity.compare("TorchScript", parity.make_cells(config, args.validate), config, compare_cell)


def log_export(report: dict[str, Any], target: Path) -> None:
    """Say what was written."""
    for name, parity in report["parity"].items():
        logger.info(
            f"{name} equals PyTorch in {len(parity['cells'])} batches: largest difference "
            f"{parity['max_abs_difference']:.1e} (accepted: {parity['tolerance']:g})"
        )
    if variants := report["variants"]:
        measured = variants["measured"]
        logger.info(f"one clip of {measured['frames']} frames, threads: {measured['num_threads']}, beside fp32:")
        for kind, found in variants["kinds"].items():
            logger.info(f"  {format_variant(kind, found)}")
    megabytes = sum(path.stat().st_size for path in target.rglob("*") if path.is_file()) / 1e6
    logger.info(f"{megabytes:.1f} MB in {target}")


def format_variant(kind: str, found: dict[str, Any]) -> str:
    """Format size, time and main score of a variant as one line."""
    parts = [f"{kind}: {found['bytes'] / 1e6:.1f} MB"]
    for work, latency in found["latency_ms"].items():
        parts.append(f"{work} {latency['median']:.1f} ms (x {found['ratio'][work]:.2f})")
    for name, percent in (("bleu", 1), ("accuracy", 100)):
        if name in found.get("metrics", {}):
            change = f" ({-found['points_lost'][name]:+.2f})" if found["points_lost"][name] else ""
            parts.append(f"{name} {percent * found['metrics'][name]:.2f} %{change}")
    return ", ".join(parts)
