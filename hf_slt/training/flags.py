"""How flags are described and checked. Importing this module imports neither torch nor transformers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import field, fields
from typing import Any

from hf_slt.errors import ConfigurationError


def flag(default: Any, help: str, aliases: tuple[str, ...] = (), **metadata: Any) -> Any:
    """Describe one flag; aliases are given with dashes and are accepted with underscores too."""
    spellings = [
        spelling for alias in aliases for spelling in dict.fromkeys((alias, "--" + alias[2:].replace("-", "_")))
    ]
    metadata = {"help": help, **({"aliases": spellings} if aliases else {}), **metadata}
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def check_ranges(arguments: Any, ranges: dict[str, tuple[float, float]]) -> None:
    """Raise `ConfigurationError` that lists every number outside of its range, see [`out_of_range`]."""
    if wrong := out_of_range(arguments, ranges):
        raise ConfigurationError("; ".join(wrong))


def check_all(*checks: Callable[[], Any]) -> list[Any]:
    """Run checks that do not need each other, so that one message tells all that is wrong.

    Args:
        checks: Functions without arguments.

    Returns:
        What each returns.

    Raises:
        ConfigurationError: Some raised it: the error of the only one, or one with the messages of all.
    """
    results, errors = [], []
    for check in checks:
        try:
            results.append(check())
        except ConfigurationError as error:
            errors.append(error)
    if errors:
        raise errors[0] if len(errors) == 1 else ConfigurationError("\n".join(map(str, errors)))
    return results


def out_of_range(arguments: Any, ranges: dict[str, tuple[float, float]]) -> list[str]:
    """Return a line for each number outside of its range, and for each other one that is not finite.

    None is in any range.

    Args:
        arguments: A dataclass of arguments; each of its numbers must be finite, in a range or not.
        ranges: Field -> smallest and largest value.
    """
    everything = dict.fromkeys(item.name for item in fields(arguments)) | ranges
    problems = []
    for name, limits in everything.items():
        value, (low, high) = getattr(arguments, name, None), limits or (-math.inf, math.inf)
        if limits and value is not None and not low <= value <= high:
            expected = f"in [{low}, {high}]" if high < math.inf else f"of {low} or more"
        elif isinstance(value, float) and not math.isfinite(value):
            expected = "to be a finite number"
        else:
            continue
        problems.append(f"expected --{name.replace('_', '-')} {expected}, found {value}")
    return problems
