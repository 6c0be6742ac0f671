"""Which extractor wrote a file: a small record that travels with landmarks, with crops, and with the model.

Models learn the habits of the detector that their landmarks come from, so clips of another detector, or of another
version of it, are not what they know.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from hf_slt.errors import ConfigurationError

logger = logging.getLogger(__name__)

PROVENANCE_KEY = "provenance"  # of the `.npz` files
# What a model has to have in common with its input; the rest (source hash, sizes, ...) says where one file came from.
IDENTITY = ("extractor", "extractor_version")


def write_provenance(record: Mapping[str, Any]) -> str:
    """Return a record as the text that is stored under `PROVENANCE_KEY`: JSON with sorted keys."""
    return json.dumps(dict(record), sort_keys=True, ensure_ascii=False)


def parse_provenance(text: str) -> dict[str, Any] | None:
    """Return the record of a stored text, or None if it is none."""
    try:
        record = json.loads(text)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def extractor_name(record: Mapping[str, Any] | None) -> str | None:
    """Return `"mediapipe_holistic 0.10.21"` of a record, None where it does not name an extractor."""
    if not record or not record.get("extractor"):
        return None
    return " ".join(str(record[key]) for key in IDENTITY if record.get(key))


def join_extractors(names: Iterable[str | None]) -> str | None:
    """Return the extractors of many clips as a model holds them: `"a 1, b 2"`, sorted; None if none is known."""
    return ", ".join(sorted({name for name in names if name})) or None


def training_extractor(records: Iterable[Mapping[str, Any] | None]) -> str | None:
    """Return what a model has to hold of its training clips, see `join_extractors`; warn if they are not all alike.

    Args:
        records: The record of each training clip; None where its files say nothing.
    """
    counts = Counter(extractor_name(record) or "not known" for record in records)
    known = counts.keys() - {"not known"}
    if known and len(counts) > 1:
        logger.warning(f"the training clips come from different extractors: {_counted(counts, counts.total())}")
    return join_extractors(known)


def check_extractor(
    trained: str | None,
    found: Mapping[str, Any] | Iterable[Mapping[str, Any] | None] | None,
    strict: bool = False,
    where: str = "the input",
    *,
    pose_layout: str | None = None,
    pose_norm: str | None = None,
) -> None:
    """Compare what a model was trained on with what it is given: one warning of all that differs.

    What is not known on either side, such as the version of imported landmarks, does not differ. A strict check wants
    to be sure: there an extractor that is not known is an error too.

    Args:
        trained: Extractor of the training clips, see `join_extractors`; None: not known.
        found: The record of the input, or those of all clips; None: not known. `pose_layout` and `pose_norm` in a
            record are compared with the model's.
        strict: Raise instead of warning.
        where: What the input is called in messages, for example its folder.
        pose_layout: Layout of the landmarks that the model was trained on; None: not known.
        pose_norm: Normalisation of them; None: not known.

    Raises:
        ConfigurationError: `strict`, and something differs or the extractor is not known.
    """
    records = [found] if found is None or isinstance(found, Mapping) else list(found)
    differences = _other_extractors(trained, [extractor_name(record) for record in records], where, strict)
    for name, key, own in (("layout", "pose_layout", pose_layout), ("normalisation", "pose_norm", pose_norm)):
        others = Counter(str(record[key]) for record in records if record and record.get(key) not in (None, own))
        if own and others:
            differences.append(f"expected the {name} {own} in {where}, found {_counted(others, len(records))}")
    if not differences:
        return
    if strict:
        fix = "extract the clips as those of the training were, or leave --strict out"
        raise ConfigurationError(f"{'; '.join(differences)}; {fix}")
    logger.warning(
        f"{'; '.join(differences)}: the model was trained on the former and may do worse on the latter (--strict makes "
        f"this an error)"
    )


def _other_extractors(trained: str | None, names: list[str | None], where: str, strict: bool) -> list[str]:
    """Return what to say of clips that are not of an extractor of the training, nothing if they all are."""
    known = trained.split(", ") if trained else []
    others = Counter(name for name in names if name and known and not any(_may_be(name, one) for one in known))
    unknown = sum(name not in known and name not in others for name in names)  # or it lacks a version to compare
    differences = []
    if others:
        found = _counted(others, len(names))
        differences.append(f"expected clips of the extractor {trained} in {where}, found {found}")
    if strict and not trained:
        differences.append("expected a model that names the extractor of its training clips, found one that does not")
    elif strict and (unknown or not names):
        found = f"{unknown} of {len(names)} clips that do not" if names else "none that does"
        differences.append(f"expected clips that name their extractor and its version in {where}, found {found}")
    return differences


def _may_be(name: str, other: str) -> bool:
    """Tell whether two extractors are the same one as far as is known: imported landmarks do not tell the version."""
    shorter, longer = sorted((name, other), key=len)
    return longer == shorter or longer.startswith(f"{shorter} ")


def _counted(names: Counter[str], total: int) -> str:
    """Return `"x"` of one clip, `"x (3 of 10 clips)"` of many."""
    return ", ".join(name if total == 1 else f"{name} ({names[name]} of {total} clips)" for name in sorted(names))
