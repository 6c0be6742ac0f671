"""What a file of scores has to look like before a card shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hf_slt.errors import ConfigurationError

_OBJECTS = ("decoding", "settings", "versions", "selection", "overlap", "abstention")
_SCORED = ("seen", "unseen", "phoenix_legacy")  # objects of scores
_TEXTS = ("model", "runtime", "split", "signature", "data_hash", "model_hash", "tokenize", "language")
_NUMBERS = (
    *("n", "clips", "confidence", "resamples", "seed", "aurc", "accuracy", "top5_accuracy", "macro_f1", "ece"),
    *("bleu", "bleu1", "bleu2", "bleu3", "bleu4", "chrf", "chrfpp", "ter", "rouge_l", "cer", "wer", "exact_match"),
    *("length_ratio", "looping", "category_accuracy"),
)
_COUNTS = ("skipped_clips", "signers_shared_with_training")


def check_scores(path: Path, metrics: Mapping[str, Any]) -> None:
    """Check the types in a file of scores; absent and unknown keys are fine.

    Raises:
        ConfigurationError: There are others; the message lists all of them.
    """
    if problems := list(_problems(metrics)):
        raise ConfigurationError(f"{path}: {'; '.join(problems)}; evaluate the model again")


def _problems(values: Mapping[str, Any], within: str = "") -> Iterator[str]:
    for key, value in values.items():
        if value is None:
            continue
        where = f"{within}{key}"
        if expected := _expected(key, value):
            yield f"expected {expected} in '{where}', found {value!r}"
        elif key in _SCORED:
            yield from _problems(value, f"{where}.")
        elif key in ("ablation", "per_signer"):
            rows = value.items() if key == "ablation" else enumerate(value, start=1)
            for name, row in rows:
                yield from _problems(row, f"{where}.{name}.")


def _expected(key: str, value: Any) -> str | None:
    """Return what should have been there; None if the value is of the right type."""
    if key in (*_OBJECTS, *_SCORED):
        return None if isinstance(value, Mapping) else "an object"
    if key == "ablation":
        return None if _are(Mapping, value.values() if isinstance(value, Mapping) else None) else "an object of objects"
    if key == "per_signer":
        return None if _are(Mapping, value) else "a list of objects"
    if key in _TEXTS:
        return None if isinstance(value, str) else "a text"
    if key in _NUMBERS:
        return None if _is_number(value) else "a number"
    if key in _COUNTS:
        return None if isinstance(value, list) or _is_number(value) else "a list or a number"
    if key.endswith("_interval"):
        fits = isinstance(value, list) and len(value) == 2 and all(v is None or _is_number(v) for v in value)
        return None if fits else "two numbers"
    return None


def _are(kind: type, values: Any) -> bool:
    return (
        values is not None
        and not isinstance(values, (str, Mapping, int, float))
        and all(isinstance(value, kind) for value in values)
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
