"""What only a person can say of a model: where the data are from, who signs in them, what the model is for."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hf_slt.errors import ConfigurationError

TEXT, TEXTS, TABLE = "a text", "a text or a list of texts", "a mapping of texts"
NUMBER, SWITCH = "a positive number", "true or false"

# Every key of an info file -> what it has to be. `model_cards/info_example.yml` explains each of them.
FIELDS: dict[str, str] = {
    "name": TEXT,
    "summary": TEXT,
    "language": TEXTS,
    "sign_language": TEXT,
    "sign_language_code": TEXT,
    "license": TEXT,
    "license_name": TEXT,
    "license_link": TEXT,
    "dataset_name": TEXT,
    "dataset_url": TEXT,
    "dataset_license": TEXT,
    "dataset_ids": TEXTS,
    "data": TEXT,
    "fps": NUMBER,
    "signers": TEXT,
    "show_signers": SWITCH,
    "consent": TEXT,
    "privacy": TEXT,
    "intended_use": TEXT,
    "limits": TEXTS,
    "split": TEXT,
    "selection": TEXT,
    "results": TEXT,
    "base_models": TEXTS,
    "pretrained_licenses": TABLE,
    "reproduce": TEXT,
    "citation": TEXT,
    "contact": TEXT,
}
_LISTS = tuple(name for name, kind in FIELDS.items() if kind == TEXTS)


def load_card_info(path: str | Path) -> dict[str, Any]:
    """Read an info file.

    Args:
        path: YAML file of the keys in `FIELDS`, see `model_cards/info_example.yml`.

    Returns:
        What `check_card_info` returns.

    Raises:
        ConfigurationError: The file is missing, is no YAML mapping, or holds keys or values that are not known.
    """
    import yaml

    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigurationError(f"expected a YAML file of facts for the model card, found {path}: {error}") from error
    return check_card_info(content, str(path))


def check_card_info(content: Any, where: str = "the info of the model card") -> dict[str, Any]:
    """Check facts for a card.

    Args:
        content: Key -> value; None is an empty one.
        where: What the message calls it.

    Returns:
        All keys of `FIELDS`; one that is not given is None, and one that may be a list is a list or None.

    Raises:
        ConfigurationError: Keys that are not known, or values of another kind; the message lists all of them.
    """
    if content is not None and not isinstance(content, Mapping):
        raise ConfigurationError(f"expected a mapping of facts in {where}, found {type(content).__name__}")
    given = {str(key): value for key, value in (content or {}).items() if value is not None}
    problems = [_unknown(key) for key in given if key not in FIELDS]
    for key, value in given.items():
        if key in FIELDS and not _fits(value, FIELDS[key]):
            problems.append(f"expected {FIELDS[key]} in '{key}', found {value!r}")
    if problems:
        raise ConfigurationError(f"{where}: {'; '.join(problems)}; the keys are {', '.join(FIELDS)}")
    info = {key: _stripped(given.get(key)) for key in FIELDS}
    for key in _LISTS:
        info[key] = [info[key]] if isinstance(info[key], str) else info[key] or None
    return info


def _unknown(key: str) -> str:
    nearest = difflib.get_close_matches(key, FIELDS, n=1)
    return f"found the unknown key '{key}'" + (f" (did you mean '{nearest[0]}'?)" if nearest else "")


def _fits(value: Any, kind: str) -> bool:
    if kind == SWITCH:
        return isinstance(value, bool)
    if kind == NUMBER:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < float("inf")
    if kind == TABLE:
        return isinstance(value, Mapping) and all(isinstance(part, str) for pair in value.items() for part in pair)
    if kind == TEXTS and isinstance(value, list):
        return all(isinstance(part, str) for part in value)
    return isinstance(value, str)


def _stripped(value: Any) -> Any:
    if isinstance(value, str):
        return value.strip() or None  # a key with an empty text is one that nobody has answered yet
    if isinstance(value, list):
        return [part.strip() for part in value if part.strip()]
    return value
