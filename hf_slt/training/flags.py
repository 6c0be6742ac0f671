"""How flags are described and checked. Importing this module imports neither torch nor transformers."""

from __future__ import annotations

import math
from dataclasses import field
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


def out_of_range(arguments: Any, ranges: dict[str, tuple[float, float]]) -> list[str]:
    """Return a line for each number outside of its range; None is in any range.

    Args:
        arguments: A dataclass of arguments.
        ranges: Field -> smallest and largest value.
    """
    values = {name: getattr(arguments, name) for name in ranges}
    return [
        f"expected --{name.replace('_', '-')} "
        f"{f'in [{low}, {high}]' if high < math.inf else f'of {low} or more'}, found {value}"
        for (name, value), (low, high) in zip(values.items(), ranges.values(), strict=True)
        if value is not None and not low <= value <= high
    ]
