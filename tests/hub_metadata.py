"""What huggingface.co checks in the metadata of a card before it takes a commit, roughly."""

from __future__ import annotations

import re
from typing import Any

import yaml

# Enough of the hub's own list for the tests; "other" is for all the rest.
LICENSES = (
    *("apache-2.0", "mit", "openrail", "bsd-3-clause", "gpl-3.0", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0"),
    *("cc-by-nc-4.0", "cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0", "unknown", "other"),
)
_REPO = re.compile(r"[\w.-]+(/[\w.-]+)?", re.ASCII)
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z]+)*|code|multilingual")
# Of each result in a model-index: the part, and what it has to hold.
_RESULT = {"task": ("type",), "dataset": ("type", "name")}


def metadata_errors(content: str) -> list[str]:
    """Return what is wrong with the metadata at the head of a card."""
    match = re.match(r"---\s*\n(.*?)\n---\s*(\n|$)", content, re.DOTALL)
    try:
        data = yaml.safe_load(match[1]) if match else {}
    except yaml.YAMLError as error:
        return [str(error)]
    if data is not None and not isinstance(data, dict):
        return ["the metadata is no mapping"]
    return list(_errors(data or {}))


def _errors(data: dict[str, Any]) -> Any:
    for license_id in _listed(data.get("license")):
        if license_id not in LICENSES:
            yield f'"license" must be one of {LICENSES}, found {license_id!r}'
    for language in _listed(data.get("language")):
        if not isinstance(language, str) or not _LANGUAGE.fullmatch(language):
            yield f'"language" must be an ISO 639 code, found {language!r}'
    for key in ("datasets", "base_model"):
        for name in _listed(data.get(key)):
            if not isinstance(name, str) or not _REPO.fullmatch(name):
                yield f'"{key}" must be the id of a repository, found {name!r}'
    for tag in _listed(data.get("tags")):
        if not isinstance(tag, str):
            yield f'"tags" must be strings, found {tag!r}'
    yield from _index_errors(data.get("model-index", []))


def _index_errors(index: Any) -> Any:
    if not isinstance(index, list):
        yield '"model-index" must be an array'
        return
    for number, model in enumerate(index):
        place = f'"model-index[{number}]'
        if not isinstance(model, dict) or not isinstance(model.get("name"), str):
            yield f'{place}.name" is required'
            continue
        if not isinstance(model.get("results"), list) or not model["results"]:
            yield f'{place}.results" must be an array that is not empty'
            continue
        for at, result in enumerate(model["results"]):
            yield from _result_errors(f"{place}.results[{at}]", result)


def _result_errors(place: str, result: dict[str, Any]) -> Any:
    for part, keys in _RESULT.items():
        yield from (f'{place}.{part}.{key}" is required' for key in keys if not (result.get(part) or {}).get(key))
    metrics = result.get("metrics") or []
    if not metrics:
        yield f'{place}.metrics" must be an array that is not empty'
    for number, metric in enumerate(metrics):
        if not metric.get("type"):
            yield f'{place}.metrics[{number}].type" is required'
        if not isinstance(metric.get("value"), (int, float, str)):
            yield f'{place}.metrics[{number}].value" is required'


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
