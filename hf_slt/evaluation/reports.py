"""Files and text that report an evaluation. A file is either the old one or the whole new one, never a part."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hf_slt.errors import ConfigurationError

PREDICTION_COLUMNS = ("video_id", "prediction", "reference")
OPTIONAL_COLUMNS = ("score", "abstained", "signer", "latency_ms")


def write_predictions(path: str | os.PathLike[str], rows: Sequence[dict[str, Any]]) -> None:
    """Write predictions as CSV (UTF-8): `video_id,prediction,reference`, and of `OPTIONAL_COLUMNS` what the rows have.

    Args:
        path: File to write; its folder is made if needed.
        rows: One dictionary a clip. All have the same keys.

    Raises:
        ValueError: A row without one of the columns, or with a key that is none of them; the message names the row.
    """
    optional = [name for name in OPTIONAL_COLUMNS if rows and name in rows[0]]
    columns = [*PREDICTION_COLUMNS, *optional]
    for index, row in enumerate(rows):
        if set(row) != set(columns):
            raise ValueError(f"row {index} of the predictions: expected the keys {columns}, found {list(row)}")
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, text.getvalue().encode())


def write_json(path: str | os.PathLike[str], obj: Any) -> None:
    """Write `obj` as JSON (UTF-8, indent 2, keys in their order); numpy numbers, arrays and paths are converted.

    NaN and infinity, as the loss of a model that diverged, are null: JSON has no form for them, and a file with `NaN`
    is one that many readers refuse.

    Raises:
        TypeError: `obj` holds something that JSON has no form for; the old file is left as it is.
    """
    text = json.dumps(_to_plain(obj), ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    write_whole(path, text.encode())


def _to_plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_to_plain(item) for item in value]
    if isinstance(value, (np.generic, np.ndarray)):
        return _to_plain(value.tolist())
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int)):
        return value
    raise TypeError(f"{type(value).__name__} cannot be written as JSON: {value!r}")


def write_whole(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file so that a failure leaves the old one; its folder is made if needed.

    Raises:
        ConfigurationError: It cannot be written.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_bytes(content)
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"expected to write {path}, found: {error.strerror or error}; choose another place"
        ) from error


def format_pairs(predictions: Sequence[str], references: Sequence[str], n: int = 10) -> str:
    """Lay out the first `n` pairs to be read, one reference (REF) and one hypothesis (HYP) line each.

    Raises:
        ValueError: Different numbers of predictions and references.
    """
    pairs = list(zip(predictions, references, strict=True))[:n]
    width = len(str(len(pairs)))
    lines = []
    for number, (prediction, reference) in enumerate(pairs, start=1):
        lines.append(f"{number:>{width}} REF  {reference.strip()}")
        lines.append(f"{'':>{width}} HYP  {prediction.strip() or '(empty)'}")
    return "\n".join(lines)
