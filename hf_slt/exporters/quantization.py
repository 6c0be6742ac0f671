"""Variants in 8 bits: weights int8, activations uint8, whose ranges are found while running, or beforehand from clips.

Weights are int8 and activations uint8, the pair that the integer units of x86 processors multiply fastest; each output
channel of a weight has a scale of its own, which costs nothing and is closer to fp32. Products of two activations (the
attention's scores) stay in fp32, and so do embeddings, norms and recurrent layers, for which ONNX Runtime has no 8-bit
operator or none that is faster.

Importing this module needs the extra `onnx`.
"""

from __future__ import annotations

import io
import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hf_slt.exporters.embedding_tables import quantize_tables
from hf_slt.exporters.onnx_files import is_large, onnx, save
from hf_slt.exporters.requirements import require_onnx
from hf_slt.exporters.time_convolutions import rewrite_convolutions

_ort = require_onnx("onnxruntime.quantization")

PRODUCTS = ("MatMul", "Gemm")
# Dynamic convolutions take up to five times as long as in fp32; only those with ranges known beforehand do not.
PER_CHANNEL = True  # a scale for each output of a product
PRODUCTS_AND_CONVOLUTIONS = (*PRODUCTS, "Conv")


class ClipReader(_ort.CalibrationDataReader):
    """Hand clips to ONNX Runtime's calibration.

    Args:
        clips: Inputs of the model, one dictionary a clip; those that the file does not take are left out.
        names: Inputs of the file.
    """

    def __init__(self, clips: Iterable[dict[str, torch.Tensor]], names: Iterable[str]):
        wanted = set(names)
        self._clips = ({name: _array(value) for name, value in clip.items() if name in wanted} for clip in clips)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next clip, None after the last one."""
        return next(self._clips, None)


def _array(value: torch.Tensor) -> np.ndarray:
    """Return a tensor in the number type that exported models take: fp32, masks int64."""
    return (value.float() if value.is_floating_point() else value.long()).numpy()


def quantize_weights(source: Path, target: Path) -> dict[str, Any]:
    """Write a model whose products are of int8 weights with activations that are quantized while it runs.

    Args:
        source: ONNX file.
        target: File to write.

    Returns:
        What was done: `method`, `operators`, `weights`, `activations`, `per_channel`.
    """
    options = {"MatMulConstBOnly": True}
    _quantize(source, target, _ort.quantize_dynamic, op_types_to_quantize=list(PRODUCTS), extra_options=options)
    return _parameters("dynamic", PRODUCTS)


def quantize_activations(source: Path, target: Path, clips: Iterable[dict[str, torch.Tensor]]) -> dict[str, Any]:
    """Write a model whose products and convolutions are of int8 weights with activations of ranges known beforehand.

    Args:
        source: ONNX file.
        target: File to write.
        clips: Clips that the ranges (smallest and largest value) are read off, inputs of the model.

    Returns:
        What was done: `method`, `operators`, `weights`, `activations`, `per_channel`, `ranges`, `clips`.
    """
    names = [value.name for value in onnx.load(source, load_external_data=False).graph.input]
    clips = list(clips)
    _quantize(
        source,
        target,
        _ort.quantize_static,
        calibration_data_reader=ClipReader(clips, names),
        quant_format=_ort.QuantFormat.QDQ,
        activation_type=_ort.QuantType.QUInt8,
        calibrate_method=_ort.CalibrationMethod.MinMax,
        op_types_to_quantize=list(PRODUCTS_AND_CONVOLUTIONS),
        # A product whose numbers are not rounded again is done with its bias in one operator.
        extra_options={"MatMulConstBOnly": True, "OpTypesToExcludeOutputQuantization": list(PRODUCTS)},
    )
    return {**_parameters("static", PRODUCTS_AND_CONVOLUTIONS), "ranges": "minimum and maximum", "clips": len(clips)}


def _parameters(method: str, operators: tuple[str, ...]) -> dict[str, Any]:
    kinds = {"weights": "int8", "activations": "uint8", "per_channel": PER_CHANNEL}
    return {"method": method, "operators": list(operators), **kinds}


def _quantize(source: Path, target: Path, quantize: Callable[..., None], **options: Any) -> None:
    """Simplify a model, so that weights that two operators share or transpose are seen as such, and quantize it."""
    large = is_large(onnx.load(source, load_external_data=False))
    with tempfile.TemporaryDirectory() as folder, _quiet():
        simplified, quantized = Path(folder) / "simplified.onnx", Path(folder) / "quantized.onnx"
        _ort.quant_pre_process(source, simplified, skip_symbolic_shape=True, save_as_external_data=large)
        model = onnx.load(simplified)
        rewrite_convolutions(model)
        quantize_tables(model)
        save(model, simplified)
        quantize(
            simplified,
            quantized,
            weight_type=_ort.QuantType.QInt8,
            per_channel=PER_CHANNEL,
            use_external_data_format=large,
            **options,
        )
        save(onnx.load(quantized), target)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the advice of ONNX Runtime's tools, which speak to the root logger and print, from the user."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(previous)
