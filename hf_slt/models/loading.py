"""Loading by name or folder, with an error for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hf_slt.errors import ConfigurationError, HfSltError

_MAX_SHOWN = 300  # characters of a library's message; some list every model type that there is


def load_pretrained(auto_class: Any, name: str, what: str, **kwargs: Any) -> Any:
    """Load something by name or folder, or say what was expected.

    Raises:
        ConfigurationError: Nothing loadable is there, or it is damaged.
    """
    try:
        return auto_class.from_pretrained(name, **kwargs)
    except Exception as error:  # on damaged files the libraries raise a dozen types, bare Exception among them
        raise ConfigurationError(
            f"expected {what} (a HuggingFace name or folder), found '{name}', which does not load: {_shown(error)}"
        ) from error


def missing_weights(model: Any, missing_keys: Iterable[str]) -> list[str]:
    """Return the weights that a file really lacks.

    A tied weight is stored once: the names under which it is not stored are not missing.

    Args:
        model: The model, loaded.
        missing_keys: Names in its state dict that the file does not hold.
    """
    state, missing = model.state_dict(), set(missing_keys)
    stored = {tensor.data_ptr() for name, tensor in state.items() if name not in missing}
    return sorted(name for name in missing if name not in state or state[name].data_ptr() not in stored)


def _shown(error: Exception) -> str:
    message = str(error)
    if isinstance(error, HfSltError) or len(message) <= _MAX_SHOWN:  # our own say at the end what to do
        return message
    return f"{message[:_MAX_SHOWN].rstrip()} ..."
