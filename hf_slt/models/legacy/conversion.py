"""What a conversion gives: a model of ours with the weights of a file, and an account of every one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from transformers import PreTrainedModel

from hf_slt.compat import stored_weights
from hf_slt.errors import ConfigurationError
from hf_slt.models.legacy.files import not_finite
from hf_slt.models.legacy.renaming import Renamed, misfits


@dataclass
class Conversion:
    """A converted checkpoint.

    Attributes:
        model: The model, in evaluation mode, with the weights of the file.
        architecture: What the older tool calls it.
        sizes: Sizes that were read from the weights.
        options: What the weights cannot say.
        mapped: Older name -> our name.
        dropped: Older name -> why it is not in the model.
        values: Other values of the file, such as `epoch`.
        missing: Our names that the file has nothing for, whose weights are random.
        filled: Our names that the file has nothing for -> what was put there.
    """

    model: PreTrainedModel
    architecture: str
    sizes: dict[str, Any]
    options: dict[str, Any]
    mapped: dict[str, str]
    dropped: dict[str, str]
    values: dict[str, Any] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    filled: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the account as a plain dictionary, as `conversion_report.json` holds it."""
        return {
            "architecture": self.architecture,
            "model_class": type(self.model).__name__,
            "values": self.values,
            "sizes": self.sizes,
            "options": self.options,
            "mapped": self.mapped,
            "dropped": self.dropped,
            "filled": self.filled,
            "missing": self.missing,
        }


def load_all(
    model: PreTrainedModel,
    renamed: Renamed,
    architecture: str,
    problems: Sequence[str] = (),
    may_be_absent: Sequence[str] = (),
) -> PreTrainedModel:
    """Put renamed weights into a model; every weight has to find its place, and every place its weight.

    Args:
        model: The model, of the sizes of the weights.
        renamed: The weights.
        architecture: What the older tool calls the model, for messages.
        problems: What else is wrong.
        may_be_absent: Patterns of our names that the weights may lack.

    Raises:
        ConfigurationError: `problems`, and all names that do not fit.
    """
    lines = list(problems)
    if unfit := misfits(renamed, stored_weights(model), may_be_absent):
        count = sum(map(len, unfit.values()))
        lines.append(f"expected the weights of a {architecture}, found {count} that do not fit:")
        lines += [f"  {kind}: {', '.join(names)}" for kind, names in unfit.items()]
    if broken := not_finite(renamed.weights):
        older = renamed.older_names()
        shown = ", ".join(older.get(name, name) for name in broken)
        lines.append(f"expected finite numbers, found NaN or infinity in {len(broken)} weights: {shown}")
    if lines:
        raise ConfigurationError("\n".join(lines))
    model.load_state_dict(renamed.weights, strict=False)  # each in the model's own number format
    return model.eval()
