"""Smaller variants of an export, each in a folder of its own that loads as the export does.

| variant | file | computes |
| --- | --- | --- |
| `int8` | a quarter to a half | products in 8 bits, ranges found while running |
| `int8-static` | a quarter | products and convolutions in 8 bits, ranges found beforehand on training clips |
| `fp16`, `bf16` | a half | fp32 |

`int8` is for transformers. `int8-static` is for convolutional image backbones, which `int8` leaves in fp32.

Importing this module needs the extra `onnx`.
"""

from __future__ import annotations

import importlib.metadata
import logging
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

from hf_slt.errors import ConfigurationError
from hf_slt.exporters.half_precision import DTYPES, store_in_half_precision
from hf_slt.exporters.onnx_files import DECODER, DECODER_WITH_PAST, MERGED_DECODER, onnx_files
from hf_slt.exporters.quantization import quantize_activations, quantize_weights
from hf_slt.exporters.requirements import require_onnx

logger = logging.getLogger(__name__)

KINDS = ("int8", "int8-static", *DTYPES)
_READS_CLIPS = ("encoder_model.onnx", "model.onnx")
_NOT_COPIED = (".onnx", ".onnx_data", ".pt")


def write_variants(
    kinds: Sequence[str], export_dir: Path, calibration: Iterable[dict[str, torch.Tensor]] | None = None
) -> dict[str, dict[str, Any]]:
    """Write variants of an export into `export_dir/<kind>`, with everything but the models copied.

    Args:
        kinds: The variants, out of `KINDS`.
        export_dir: Folder of the export.
        calibration: Training clips as model inputs, which `int8-static` needs.

    Returns:
        Variant -> `onnxruntime` (version that wrote it), and file name -> what was done to it, under `files`.

    Raises:
        ConfigurationError: An unknown variant, `int8-static` without clips, no export in the folder, or weights that
            fp16 cannot hold.
    """
    export_dir = Path(export_dir)
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise ConfigurationError(f"expected variants out of {', '.join(KINDS)}, found {', '.join(unknown)}")
    clips = None if calibration is None else list(calibration)
    if "int8-static" in kinds and not clips:
        raise ConfigurationError("expected training clips to calibrate int8-static on, found none")
    sources = onnx_files(export_dir)
    version = importlib.metadata.version("onnxruntime")
    written = {}
    for kind in kinds:
        logger.info(f"writing the variant {kind}")
        folder = export_dir / kind
        _copy_the_rest(export_dir, folder)
        if kind in DTYPES:
            files = {path.name: store_in_half_precision(path, folder / path.name, kind) for path in sources}
        else:
            files = _quantize(sources, folder, clips if kind == "int8-static" else None)
        written[kind] = {"onnxruntime": version, "files": files}
    return written


def _copy_the_rest(export_dir: Path, folder: Path) -> None:
    folder.mkdir()
    for path in export_dir.iterdir():
        if path.is_file() and path.suffix not in _NOT_COPIED and path.name != "export_report.json":
            shutil.copyfile(path, folder / path.name)


def _quantize(
    sources: Sequence[Path], folder: Path, clips: Sequence[dict[str, torch.Tensor]] | None
) -> dict[str, dict[str, Any]]:
    """Quantize the files of an export; with clips, that which reads them has its ranges from them.

    Decoders read each weight for a single token, whose ranges cost little to find. Both decoders are quantized before
    they are merged: the merged file then holds each weight once.
    """
    done = {}
    for path in sources:
        if path.name == MERGED_DECODER:
            continue
        if clips is not None and path.name in _READS_CLIPS:
            done[path.name] = quantize_activations(path, folder / path.name, clips)
        else:
            done[path.name] = quantize_weights(path, folder / path.name)
    if DECODER in done:
        merge = require_onnx("optimum.onnx.graph_transformations").merge_decoders
        merge(folder / DECODER, folder / DECODER_WITH_PAST, save_path=folder / MERGED_DECODER, strict=False)
        done[MERGED_DECODER] = {**done[DECODER], "merged_from": [DECODER, DECODER_WITH_PAST]}
    return done
