"""Clips as one Arrow file: read and checked once, then mapped into memory and handed out without copying."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm.auto import tqdm

from hf_slt.data.gloss.clips import GlossClip, clip_keys, load_clip
from hf_slt.errors import ConfigurationError, DataContractError, Problem

if TYPE_CHECKING:
    import datasets
    import pyarrow
    import torch

logger = logging.getLogger(__name__)

DTYPES = ("float32", "float16")
_FORMAT_VERSION = 1
_BATCH_BYTES = 32 * 2**20  # of one record batch: keeps memory low while writing
_LARGEST_FLOAT16 = float(np.finfo(np.float16).max)


def default_cache_dir() -> Path:
    """Return where tables are kept: beside the other caches of `datasets` (`$HF_DATASETS_CACHE`)."""
    import datasets

    return Path(datasets.config.HF_DATASETS_CACHE) / "hf_slt_gloss"


def table_features(dtype: str = "float32") -> datasets.Features:
    """Return the columns of a table.

    `file` (name without `.npz`), `values` (T * W numbers), `mask` (T * L of 0 and 1; null for features), `num_frames`
    (T), `aspect_ratio`, `digest` (of the numbers and the mask: equal for clips of the same content).
    """
    from datasets import Features, List, Value

    return Features(
        {
            "file": Value("string"),
            "values": List(Value(dtype)),
            "mask": List(Value("uint8")),
            "num_frames": Value("int32"),
            "aspect_ratio": Value("float32"),
            "digest": Value("string"),
        }
    )


def build_clip_table(
    folder: str | Path,
    files: Sequence[str],
    *,
    kind: str = "keypoints",
    key: str | None = None,
    dtype: str = "float32",
    cache_dir: str | Path | None = None,
    show_progress: bool = False,
) -> datasets.Dataset:
    """Read and check clips in one pass and keep them as one Arrow file, or map the file of an earlier pass.

    The file is found by the folder, the names, sizes and times of the clips, and the arguments. Labels are not in it.

    Args:
        folder: Folder of the clips.
        files: Names inside it, without `.npz`; each one once.
        kind: `"keypoints"` or `"features"`.
        key: Name of the array in the files, see `clip_keys`.
        dtype: `"float32"`, or `"float16"` for half the size.
        cache_dir: Where the Arrow file is kept; None: `default_cache_dir`.
        show_progress: Show a progress bar.

    Returns:
        One row a clip in the order of the names, memory-mapped; columns as `table_features`.

    Raises:
        DataContractError: All problems of all clips; nothing was kept.
        ConfigurationError: Unknown `dtype` or kind, or a `cache_dir` that cannot be written.
    """
    if dtype not in DTYPES:
        raise ConfigurationError(f"expected a data type of clips out of {list(DTYPES)}, found '{dtype}'")
    folder, files = Path(folder), sorted(files)
    path = (
        Path(cache_dir or default_cache_dir())
        / f"{_fingerprint(folder, files, clip_keys(kind, key), kind, dtype)}.arrow"
    )
    table = _open(path, len(files))
    if table is None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, _read_rows(folder, files, kind, key, dtype, show_progress), dtype)
        except OSError as error:
            raise ConfigurationError(
                f"expected a folder to keep clips in, found {path.parent}: {error.strerror or error}; choose "
                f"another one with --cache-dir"
            ) from error
        table = _open(path, len(files))
    return table


def _fingerprint(folder: Path, files: Sequence[str], keys: tuple[str, ...], kind: str, dtype: str) -> str:
    stats = []
    for file in files:
        try:
            stat = os.stat(folder / f"{file}.npz")
        except OSError:  # reading it will say what is wrong
            stats.append([file, None, None])
        else:
            stats.append([file, stat.st_size, stat.st_mtime_ns])
    content = json.dumps([_FORMAT_VERSION, str(folder.resolve()), kind, keys, dtype, stats])
    return hashlib.sha256(content.encode()).hexdigest()


def _open(path: Path, count: int) -> datasets.Dataset | None:
    """Map a table; None if there is none, or a damaged one."""
    import datasets
    import pyarrow

    if not path.is_file():
        return None
    try:
        table = datasets.Dataset.from_file(str(path))
    except (pyarrow.ArrowException, OSError, ValueError, TypeError) as error:
        logger.warning(f"{path} is damaged and is written again ({type(error).__name__})")
        return None
    return table if len(table) == count else None


def _read_rows(
    folder: Path, files: Sequence[str], kind: str, key: str | None, dtype: str, show_progress: bool
) -> Iterator[dict[str, Any]]:
    """Yield the rows of the sound clips; when all are read, raise the problems of the others."""
    problems: list[Problem] = []
    for file in tqdm(files, f"reading {folder.name}", unit="clip", disable=not show_progress):
        path = folder / f"{file}.npz"
        clip, found = load_clip(path, kind, key)
        if clip is not None and dtype == "float16" and np.abs(clip.values).max() > _LARGEST_FLOAT16:
            fix = "use --data-dtype float32"
            found = [Problem(str(path), f"numbers up to {_LARGEST_FLOAT16:g} for float16", "larger ones", fix)]
        problems += found
        if not problems:
            yield _row(file, clip, dtype)
    if problems:
        raise DataContractError(problems)


def _row(file: str, clip: GlossClip, dtype: str) -> dict[str, Any]:
    digest = hashlib.sha256(clip.values.tobytes())
    digest.update(b"" if clip.mask is None else clip.mask.tobytes())
    return {
        "file": file,
        "values": clip.values.astype(dtype).ravel(),
        "mask": None if clip.mask is None else clip.mask.astype(np.uint8).ravel(),
        "num_frames": len(clip.values),
        "aspect_ratio": clip.aspect_ratio,
        "digest": digest.hexdigest(),
    }


def _write(path: Path, rows: Iterator[dict[str, Any]], dtype: str) -> None:
    """Write rows as an Arrow stream; a reader sees no file or the complete one."""
    import pyarrow

    schema = table_features(dtype).arrow_schema
    partial = path.with_name(f".{path.name}.{os.getpid()}.tmp")  # several processes may write at once
    try:
        with pyarrow.OSFile(str(partial), "wb") as sink, pyarrow.ipc.new_stream(sink, schema) as writer:
            pending: list[dict[str, Any]] = []
            size = 0
            for row in rows:
                pending.append(row)
                size += row["values"].nbytes
                if size >= _BATCH_BYTES:
                    writer.write_batch(_batch(pending, schema))
                    pending, size = [], 0
            writer.write_batch(_batch(pending, schema))
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _batch(rows: Sequence[dict[str, Any]], schema: pyarrow.Schema) -> pyarrow.RecordBatch:
    import pyarrow

    columns = [pyarrow.array([row[name] for row in rows], schema.field(name).type) for name in schema.names]
    return pyarrow.RecordBatch.from_arrays(columns, schema=schema)


class ClipTableReader:
    """Clips of a table as numpy arrays that share its memory.

    Args:
        table: What `build_clip_table` returned.
    """

    def __init__(self, table: datasets.Dataset):
        import pyarrow

        self._table = table
        columns = table.data
        self.files: list[str] = columns.column("file").to_pylist()
        self.digests: list[str] = columns.column("digest").to_pylist()
        self.num_frames: np.ndarray = columns.column("num_frames").to_numpy()
        self.aspect_ratios: np.ndarray = columns.column("aspect_ratio").to_numpy()
        self._values = _flat_views(columns.column("values"))
        is_half = columns.schema.field("values").type.value_type == pyarrow.float16()
        self._halves = _as_tensors(self._values) if is_half else None
        self._masks = _flat_views(columns.column("mask"))
        self._position = {file: i for i, file in enumerate(self.files)}

    def __len__(self) -> int:
        return len(self.files)

    def __contains__(self, file: str) -> bool:
        return file in self._position

    def __reduce__(self) -> tuple[type[ClipTableReader], tuple[datasets.Dataset]]:
        return ClipTableReader, (self._table,)  # a table that is a file travels as its path

    def position(self, file: str) -> int:
        """Return the row of a clip; raises `KeyError` if there is none."""
        return self._position[file]

    @property
    def widths(self) -> np.ndarray:
        """Numbers a frame of each clip, `(N,)`."""
        return np.array([len(values) for values in self._values], dtype=np.int64) // np.maximum(self.num_frames, 1)

    def clip(self, row: int) -> GlossClip:
        """Return a clip; its arrays are read-only, and float32 ones are the mapped file itself."""
        frames = int(self.num_frames[row])
        values = self._values[row] if self._halves is None else self._halves[row].float().numpy()
        values = values.reshape(frames, -1)
        mask = self._masks[row]
        if mask is not None:
            mask = mask.view(bool).reshape(frames, -1)
        return GlossClip(values, mask, float(self.aspect_ratios[row]))


def _as_tensors(arrays: Sequence[np.ndarray]) -> list[torch.Tensor]:
    """Return tensors of the same memory: torch widens half precision several times faster than numpy."""
    import torch

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return [torch.from_numpy(array) for array in arrays]


def _flat_views(column: pyarrow.ChunkedArray) -> list[np.ndarray | None]:
    """Return the numbers of each row of a list column, as views of the column's memory."""
    views: list[np.ndarray | None] = []
    for chunk in column.chunks:
        numbers = chunk.values.to_numpy(zero_copy_only=True)
        offsets = chunk.offsets.to_numpy().tolist()
        missing = chunk.is_null().to_numpy(zero_copy_only=False)
        views += [
            None if null else numbers[start:end]
            for start, end, null in zip(offsets, offsets[1:], missing, strict=False)
        ]
    return views
