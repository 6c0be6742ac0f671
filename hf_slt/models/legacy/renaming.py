"""Names of weights as data: patterns of the older names, and what each one is called here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

Names = Sequence[tuple[str, str]]


@dataclass
class Renamed:
    """A state dictionary under our names.

    Attributes:
        weights: Our name -> tensor.
        mapped: Older name -> our name.
        dropped: Older name -> why it is not needed.
        unplaced: Older names that nothing is known about.
        filled: Our names among the weights that no older name stands for -> what was put there.
    """

    weights: dict[str, torch.Tensor] = field(default_factory=dict)
    mapped: dict[str, str] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)
    unplaced: list[str] = field(default_factory=list)
    filled: dict[str, str] = field(default_factory=dict)

    def older_names(self) -> dict[str, str]:
        """Return our name -> older name; a weight that was divided has one older name for each part."""
        return {part: old for old, new in self.mapped.items() for part in new.split(", ")}


def _pattern(text: str) -> re.Pattern[str]:
    """Compile a pattern of names: `#` is a number, `*` one part of a name, `**` all that follows."""
    escaped = re.escape(text).replace(r"\*\*", "(.+)").replace(r"\*", r"([^.]+)").replace(r"\#", r"(\d+)")
    return re.compile(escaped)


def rename(state: Mapping[str, torch.Tensor], names: Names, drops: Names = ()) -> Renamed:
    """Give weights the names that they have here.

    Args:
        state: Older name -> tensor.
        names: Older pattern -> our pattern, see below; the first one that fits counts. What `#` (a number), `*` (one
            part of a name) and `**` (all that follows) stand for is filled into ours in the same order.
        drops: Older pattern -> why such a weight is not needed; goes before `names`.
    """
    renamed = Renamed()
    compiled = [(_pattern(old), new) for old, new in names]
    dropped = [(_pattern(old), reason) for old, reason in drops]
    for name, value in state.items():
        reason = next((reason for pattern, reason in dropped if pattern.fullmatch(name)), None)
        if reason is not None:
            renamed.dropped[name] = reason
            continue
        matches = ((pattern.fullmatch(name), new) for pattern, new in compiled)
        found = next(((match, new) for match, new in matches if match), None)
        if found is None:
            renamed.unplaced.append(name)
            continue
        match, new = found
        parts = iter(match.groups())
        ours = re.sub(r"\*\*|\*|#", lambda _, parts=parts: next(parts), new)
        if ours in renamed.weights:  # two older names with one meaning
            renamed.unplaced.append(name)
            continue
        renamed.mapped[name] = ours
        renamed.weights[ours] = value
    return renamed


def size_of(state: Mapping[str, torch.Tensor], places: Sequence[tuple[str, int]], default: int) -> int:
    """Return a size that tensors of a state dictionary have.

    Args:
        state: Name -> tensor.
        places: Names with the axis that has the size; the first one that is there counts.
        default: The size where none is.
    """
    for name, axis in places:
        if name in state and state[name].dim() > axis:
            return state[name].shape[axis]
    return default


def count_of(state: Mapping[str, torch.Tensor], pattern: str) -> int:
    """Return how many different numbers names have at the `#` of a pattern, such as `layers.#.**`."""
    compiled = _pattern(pattern)
    return len({match.group(1) for name in state if (match := compiled.fullmatch(name))})


def misfits(
    renamed: Renamed, expected: Mapping[str, torch.Tensor], may_be_absent: Sequence[str] = ()
) -> dict[str, list[str]]:
    """List everything that keeps renamed weights from being those of a model.

    Args:
        renamed: The weights.
        expected: The model's own state dictionary.
        may_be_absent: Patterns of our names that the weights may lack.

    Returns:
        Kind of the problem -> names with what is wrong; without kinds that have none. Older names where there is one.
    """
    older = {name: name for name in renamed.weights} | renamed.older_names()
    optional = [_pattern(text) for text in may_be_absent]
    unplaced = [*renamed.unplaced, *(older[name] for name in renamed.weights if name not in expected)]
    absent = [name for name in expected if name not in renamed.weights]
    missing = [name for name in absent if not any(pattern.fullmatch(name) for pattern in optional)]
    shapes = [
        f"{older[name]} {tuple(value.shape)} where {tuple(expected[name].shape)} fits"
        for name, value in renamed.weights.items()
        if name in expected and value.shape != expected[name].shape
    ]
    problems = {"no place for": sorted(unplaced), "missing": missing, "wrong shape": shapes}
    return {kind: names for kind, names in problems.items() if names}
