"""What only a person can say of a model: where the data are from, who signs in them, what the model is for."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hf_slt.errors import ConfigurationError
from hf_slt.model_card.language_codes import language_problem, sign_language_problem
from hf_slt.model_card.licenses import LICENSES

TEXT, TEXTS, TABLE = "a text", "a text or a list of texts", "a mapping of texts"
LINE, LINES, URL = "a text of one line", "a text of one line or a list of them", "a URL, https://..."
REPOS = "names of repositories on the hub, user/name or name,"
NUMBER, SWITCH = "a positive number", "true or false"

# Every key of an info file -> what it has to be. `model_cards/info_example.yml` explains each of them.
FIELDS: dict[str, str] = {
    "name": LINE,
    "summary": TEXT,
    "language": LINES,
    "sign_language": LINE,
    "sign_language_code": LINE,
    "license": LINE,
    "license_name": LINE,
    "license_link": LINE,
    "dataset_name": LINE,
    "dataset_url": URL,
    "dataset_license": TEXT,
    "dataset_ids": REPOS,
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
    "base_models": REPOS,
    "pretrained_licenses": TABLE,
    "reproduce": TEXT,
    "citation": TEXT,
    "contact": LINE,
}
_LISTS = tuple(name for name, kind in FIELDS.items() if kind in (TEXTS, LINES, REPOS))
_URL = re.compile(r"https?://[^\s<>]+")


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
    problems += [*_license_problems(given), *_language_problems(given)]
    if problems:
        raise ConfigurationError(f"{where}: {'; '.join(problems)}; the keys are {', '.join(FIELDS)}")
    info = {key: _stripped(given.get(key)) for key in FIELDS}
    for key in _LISTS:
        info[key] = [info[key]] if isinstance(info[key], str) else info[key] or None
    return info


def _license_problems(given: Mapping[str, Any]) -> list[str]:
    """Refuse a licence that the hub does not know: it refuses the whole card."""
    name = given.get("license")
    if name == "other" and not given.get("license_name"):
        return ["expected the name of the licence in 'license_name' beside 'license: other', found none"]
    if name is None or name in LICENSES or not isinstance(name, str) or not name.strip():
        return []
    nearest = difflib.get_close_matches(name.lower(), LICENSES, n=1)
    hint = f" (did you mean '{nearest[0]}'?)" if nearest else ""
    return [
        f"expected an identifier of the hub in 'license', such as apache-2.0 or cc-by-nc-4.0, or 'other' with a "
        f"'license_name', found '{name}'{hint}"
    ]


def _language_problems(given: Mapping[str, Any]) -> list[str]:
    """Refuse what is no code of a language: the hub would leave it out, and the run's own language with it."""
    languages, signed = given.get("language"), given.get("sign_language_code")
    named = languages if isinstance(languages, list) else [languages]
    found = [language_problem(code.strip()) for code in named if isinstance(code, str) and code.strip()]
    if isinstance(signed, str) and signed.strip():
        found.append(sign_language_problem(signed.strip()))
    return [problem for problem in found if problem]


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
    if kind in (TEXTS, LINES, REPOS):
        one = {TEXTS: TEXT, LINES: LINE}.get(kind)
        values = value if isinstance(value, list) else [value]
        return all(_fits(part, one) if one else _is_repo(part) for part in values)
    if kind == URL:
        return isinstance(value, str) and bool(_URL.fullmatch(value.strip()) or not value.strip())
    return isinstance(value, str) and (kind != LINE or len(value.strip().splitlines()) <= 1)


def _is_repo(value: Any) -> bool:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    if not isinstance(value, str):
        return False
    try:
        validate_repo_id(value.strip())
    except HFValidationError:
        return False
    return True


def _stripped(value: Any) -> Any:
    if isinstance(value, str):
        return value.strip() or None  # a key with an empty text is one that nobody has answered yet
    if isinstance(value, list):
        return [part.strip() for part in value if part.strip()]
    return value
