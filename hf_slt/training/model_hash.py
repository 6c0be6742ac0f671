"""The hash of a model's weights, by which scores are known as its own wherever the folder was copied to."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

# Runtime of an evaluation -> the files that it loads.
WEIGHT_FILES = {
    "torch": ("model*.safetensors", "pytorch_model*.bin"),
    "onnxruntime": ("*.onnx", "*.onnx_data", "*.onnx.data"),
}


def weight_files(folder: str | Path, runtime: str = "torch") -> list[Path]:
    """Return the files of the weights in a folder, by name.

    Args:
        folder: The folder of a trained or exported model.
        runtime: `"torch"` or `"onnxruntime"`; another one loads nothing.
    """
    return sorted({path for pattern in WEIGHT_FILES.get(runtime, ()) for path in Path(folder).glob(pattern)})


def hash_weights(folder: str | Path, runtime: str = "torch") -> str | None:
    """Return `sha256:...` over names and content of the files of the weights; None without such files."""
    digest, files = hashlib.sha256(), weight_files(folder, runtime)
    for path in files:
        state = path.stat()
        digest.update(f"{path.name} {_hash_file(path.resolve(), state.st_size, state.st_mtime_ns)}\n".encode())
    return f"sha256:{digest.hexdigest()}" if files else None


@functools.lru_cache(maxsize=64)
def _hash_file(path: Path, size: int, time: int) -> str:
    """Return the hash of a file's content; size and time are there to see that it was written again."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
