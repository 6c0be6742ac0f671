"""Where an evaluation computes, and in which precision."""

from __future__ import annotations

import logging

import torch

from hf_slt.errors import ConfigurationError
from hf_slt.training.run_settings import amp_dtype

logger = logging.getLogger(__name__)

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def resolve_device(name: str) -> torch.device:
    """Return the device of `--device`: `auto` is a GPU if there is one.

    Raises:
        ConfigurationError: `cuda` on a machine without a GPU that torch can use.
    """
    has_gpu = torch.cuda.is_available()
    if name == "cuda" and not has_gpu:
        raise ConfigurationError(
            "expected a GPU for --device cuda, found none that torch can use; pass --device cpu, or install a build of "
            "torch for CUDA"
        )
    return torch.device("cuda" if has_gpu and name != "cpu" else "cpu")


def autocast_dtype(precision: str, device: torch.device) -> torch.dtype | None:
    """Return the type that `--precision` computes in under autocast; None is fp32 throughout.

    Args:
        precision: `fp32`, `bf16`, or `amp`: what the device is fast in, and fp32 with a warning where that is neither
            bf16 nor fp16.
        device: Where the evaluation computes.

    Raises:
        ConfigurationError: `bf16` on a GPU that cannot.
    """
    if precision == "fp32":
        return None
    on_gpu = device.type == "cuda"
    native = amp_dtype(on_gpu)
    if precision == "bf16" and on_gpu and native != "bf16":
        raise ConfigurationError(
            "expected a GPU with bf16 for --precision bf16, found one without; use --precision amp"
        )
    if precision == "amp" and native is None:
        logger.warning("--precision amp: this device has no fast bf16 or fp16; the evaluation is in fp32")
        return None
    return _DTYPES[native if precision == "amp" else precision]
