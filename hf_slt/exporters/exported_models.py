"""Exported models: their folders checked, and opened on ONNX Runtime.

Only opening one needs the extra `onnx`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hf_slt.errors import ConfigurationError
from hf_slt.exporters.requirements import require_onnx
from hf_slt.models.gloss.checkpoint import read_gloss_folder

_WHAT = "an exported model in --onnx"
_WEIGHTS = ("*.safetensors", "*.bin")


def onnx_files(path: str | Path) -> list[str]:
    """Return the names of the ONNX files in a folder; those of variants, in folders inside of it, are not its own."""
    return sorted(file.name for file in Path(path).glob("*.onnx"))


def is_exported(path: str | Path) -> bool:
    """Tell whether a folder holds an export, and no weights."""
    return bool(onnx_files(path)) and not any(file for pattern in _WEIGHTS for file in Path(path).glob(pattern))


def check_not_exported(path: str | Path) -> None:
    """Raise `ConfigurationError` for a folder in `--checkpoint` that holds an export, and no weights."""
    if is_exported(path):
        raise ConfigurationError(
            f"expected a trained model in --checkpoint, found an export in {path}; pass it as --onnx {path}"
        )


def check_exported(path: str | Path, translates: bool) -> None:
    """Check that a folder in `--onnx`, which has a configuration, holds all files of an export.

    Args:
        path: The folder.
        translates: Whether it is a translation model, of encoder and decoder, or a classifier of one file.

    Raises:
        ConfigurationError: No ONNX file, or an encoder without its decoder.
        MissingDependencyError: The extra `onnx` is not installed, which nothing opens such files without.
    """
    require_onnx("optimum.onnxruntime")
    files = onnx_files(path)
    if not files:
        raise ConfigurationError(
            f"expected {_WHAT}, found no .onnx file in {path}; scripts/export_onnx.py --checkpoint RUN --output FOLDER "
            f"writes an export, and a trained model itself goes to --checkpoint"
        )
    if translates and not any("decoder" in name for name in files):
        raise ConfigurationError(
            f"expected {_WHAT} that translates, found an encoder without its decoder in {path} ({', '.join(files)}); "
            f"export the whole model: scripts/export_onnx.py --part full"
        )


def load_exported_translation(path: str | Path, num_threads: int | None = None) -> Any:
    """Open an exported translation model on the CPU.

    Args:
        path: Its folder.
        num_threads: Threads of ONNX Runtime; all cores by default.

    Raises:
        ConfigurationError: The files do not load.
        MissingDependencyError: The extra `onnx` is not installed.
    """
    require_onnx("optimum.onnxruntime")
    from hf_slt.exporters.ort_multistream import ORTMultiStreamForConditionalGeneration

    return ORTMultiStreamForConditionalGeneration.from_pretrained(str(path), num_threads=num_threads)


def load_exported_classifier(path: str | Path, num_threads: int | None = None) -> tuple[Any, Any]:
    """Open an exported gloss classifier on the CPU, and load its feature extractor.

    Args:
        path: Its folder.
        num_threads: Threads of ONNX Runtime; all cores by default.

    Raises:
        ConfigurationError: There is no exported gloss classifier, it does not load, or no feature extractor is beside
            it or above it.
        MissingDependencyError: The extra `onnx` is not installed.
    """
    _, extractor = read_gloss_folder(str(path), "an exported gloss classifier in --onnx")
    check_exported(path, translates=False)
    from hf_slt.exporters.ort_gloss import ORTGlossClassifier

    return ORTGlossClassifier.from_pretrained(str(path), num_threads=num_threads), extractor
