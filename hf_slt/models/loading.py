"""Loading by name or folder, with an error for people."""

from __future__ import annotations

from typing import Any

from hf_slt.errors import ConfigurationError


def load_pretrained(auto_class: Any, name: str, what: str, **kwargs: Any) -> Any:
    """Load something by name or folder, or say what was expected.

    Raises:
        ConfigurationError: Nothing loadable is there, or it is damaged.
    """
    try:
        return auto_class.from_pretrained(name, **kwargs)
    except Exception as error:  # on damaged files the libraries raise a dozen types, bare Exception among them
        raise ConfigurationError(
            f"expected {what} (a HuggingFace name or folder), found '{name}', which does not load: {error}"
        ) from error
