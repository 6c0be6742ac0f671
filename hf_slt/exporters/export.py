"""Export of a trained model: ONNX, TorchScript and smaller variants, compared with PyTorch before anything is kept."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from hf_slt.data.staging import require_writable, staged_folder
from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.reports import write_json
from hf_slt.exporters.arguments import ExportArguments
from hf_slt.exporters.requirements import require_onnx
from hf_slt.exporters.source import Source, describe_source, open_source, require_replaceable
from hf_slt.training.arguments import DataArguments

logger = logging.getLogger(__name__)

_STAGED = {"marks": (("export_report.json",),), "what": "an earlier export"}


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
    from hf_slt.exporters.ort_encoder import ORTMultiStreamEncoder
    from hf_slt.exporters.ort_gloss import ORTGlossClassifier
    from hf_slt.exporters.ort_multistream import ORTMultiStreamForConditionalGeneration

    threads = args.num_threads
    if not source.is_translation:
        export = ORTGlossClassifier.from_pretrained(folder, num_threads=threads)
        compare_cell = parity.compare_classifiers(model, lambda inputs: export(**inputs))
    elif source.part == "encoder":
        encoder = ORTMultiStreamEncoder.from_pretrained(folder, threads)
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
