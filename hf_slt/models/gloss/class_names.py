"""Names of the classes of a gloss classifier, as people are shown them."""

from __future__ import annotations

from transformers import PretrainedConfig


def class_names(config: PretrainedConfig) -> tuple[list[str], list[str] | None]:
    """Return the names of glosses and categories (None for a model with one head) to show to people.

    A class that the labels gave a number only is called by it: `gloss 4`, `category 0`.
    """
    glosses = [_shown(config.id2label[i], f"LABEL_{i}", f"gloss {i}") for i in range(config.num_labels)]
    if config.num_categories is None:
        return glosses, None
    names = config.category_id2label
    return glosses, [_shown(names[i], f"CATEGORY_{i}", f"category {i}") for i in range(config.num_categories)]


def _shown(name: str, placeholder: str, shown: str) -> str:
    return shown if name == placeholder else name
