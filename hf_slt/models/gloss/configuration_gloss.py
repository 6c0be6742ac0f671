"""Configuration fields that all gloss classifiers share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from transformers.configuration_utils import PretrainedConfig

from hf_slt.errors import ConfigurationError
from hf_slt.models.package_hooks import SettingsCarrierMixin, announce_reading

DEFAULT_NUM_LABELS = 105


class GlossConfig(SettingsCarrierMixin, PretrainedConfig):
    r"""Fields shared by the configurations of the gloss classifiers; each family adds its own.

    Glosses are transformers' own labels: `num_labels`, `id2label`, `label2id`. Categories have the same three.

    Args:
        input_size (`int`): F, the numbers of a frame in `input_values (B, T, F)`.
        num_labels (`int`, *optional*): Glosses; by default as many as `id2label` names, or 105.
        id2label (`dict[int, str]`, *optional*): Name of each gloss; `LABEL_0`, `LABEL_1`, ... by default.
        label2id (`dict[str, int]`, *optional*): The same, the other way round.
        num_categories (`int`, *optional*): Categories; `None` for a model with the gloss head alone.
        category_id2label (`dict[int, str]`, *optional*): Name of each category; `CATEGORY_0`, ... by default.
        pooling (`str`): How the states of a clip become one; a family lists what it knows in `poolings`.
        hidden_dropout_prob (`float`): Dropout probability in the body of the model.
        head_hidden_size (`int`, *optional*): Width of the hidden layer of each head; `None`: one linear layer.
        head_dropout (`float`): Dropout probability behind that hidden layer.
        alpha (`float`): Weight of the gloss loss.
        beta (`float`): Weight of the category loss.

    Raises:
        ConfigurationError: Values that cannot work; the message lists all of them.
    """

    poolings: ClassVar[tuple[str, ...]] = ("mean", "max", "cls")

    def __init__(
        self,
        input_size: int = 156,
        num_labels: int | None = None,
        id2label: Mapping[int, str] | None = None,
        label2id: Mapping[str, int] | None = None,
        num_categories: int | None = 10,
        category_id2label: Mapping[int, str] | None = None,
        pooling: str = "mean",
        hidden_dropout_prob: float = 0.1,
        head_hidden_size: int | None = 128,
        head_dropout: float = 0.1,
        alpha: float = 1.0,
        beta: float = 1.0,
        **kwargs: Any,
    ):
        self.input_size = input_size
        self.num_categories = num_categories
        if num_categories is not None and category_id2label is None:
            category_id2label = {index: f"CATEGORY_{index}" for index in range(num_categories)}
        self.category_id2label = category_id2label and {int(key): name for key, name in category_id2label.items()}
        self.pooling = pooling
        self.hidden_dropout_prob = hidden_dropout_prob
        self.head_hidden_size = head_hidden_size
        self.head_dropout = head_dropout
        self.alpha = alpha
        self.beta = beta
        if id2label is None:
            num_labels = DEFAULT_NUM_LABELS if num_labels is None else num_labels
            id2label, label2id = {index: f"LABEL_{index}" for index in range(num_labels)}, None
        label2id = label2id or {name: int(index) for index, name in id2label.items()}
        # A clip has no tokens, but optimum exports no classifier whose configuration names no such id.
        kwargs["pad_token_id"] = kwargs.get("pad_token_id") or 0
        super().__init__(id2label=dict(id2label), label2id=dict(label2id), **kwargs)
        problems = self._problems()
        if num_labels not in (None, len(id2label)):
            problems.append(f"expected num_labels to be the {len(id2label)} names of id2label, found {num_labels}")
        if problems:
            raise ConfigurationError("; ".join(problems))

    def _problems(self) -> list[str]:
        """List what cannot work; a family adds its own, and sets its fields before it calls `super().__init__`."""
        sizes = {"input_size": self.input_size, "num_labels": len(self.id2label)}
        sizes |= {"num_categories": self.num_categories, "head_hidden_size": self.head_hidden_size}
        small = {name: size for name, size in sizes.items() if size is not None and size < 1}
        problems = [f"expected {name} of 1 or more, found {size}" for name, size in small.items()]
        names = len(self.category_id2label or ())
        if names != (self.num_categories or 0):
            problems.append(
                f"expected num_categories to be the {names} names of category_id2label, found {self.num_categories}"
            )
        if self.pooling not in self.poolings:
            problems.append(f"expected pooling to be one of {list(self.poolings)}, found '{self.pooling}'")
        for name in ("hidden_dropout_prob", "head_dropout"):
            if not 0 <= getattr(self, name) < 1:
                problems.append(f"expected {name} in [0, 1), found {getattr(self, name)}")
        if self.alpha < 0 or self.beta < 0:
            problems.append(f"expected alpha and beta of 0 or more, found {self.alpha} and {self.beta}")
        return problems

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any):
        """Build a configuration from a dictionary; makes the model classes known to `AutoModel...` on the way.

        A number of glosses or categories in `kwargs` that is not the dictionary's drops the names that it holds.
        """
        config_dict = announce_reading(config_dict)
        for count, names in (("num_labels", "id2label"), ("num_categories", "category_id2label")):
            if count in kwargs and (kwargs[count] or 0) != len(config_dict.get(names) or ()):
                config_dict[count] = kwargs.pop(count)
                config_dict.pop(names, None)
        return super().from_dict(config_dict, **kwargs)

    def to_diff_dict(self) -> dict[str, Any]:
        """Return what `config.json` holds: glosses always, since transformers leaves out two unnamed ones."""
        labels = {name: value for name, value in self.to_dict().items() if name in ("id2label", "label2id")}
        return {**super().to_diff_dict(), **labels}

    @property
    def category_label2id(self) -> dict[str, int]:
        """Id of each category's name; empty for a model with one head."""
        return {name: index for index, name in (self.category_id2label or {}).items()}
