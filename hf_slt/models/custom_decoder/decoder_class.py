"""The class of a decoder of the user's own: importing it, and calling it by the names in its signatures."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from hf_slt.errors import ConfigurationError

# What the constructor is offered: our name -> the names that it may have there.
CONSTRUCTOR_NAMES = {
    "d_model": ("d_model", "hidden_size"),
    "vocab_size": ("vocab_size",),
    "num_layers": ("num_layers", "layers", "num_hidden_layers"),
    "num_heads": ("num_heads", "heads", "nhead"),
    "dropout": ("dropout",),
    "pad_token_id": ("pad_token_id", "pad_id", "pad"),
    "eos_token_id": ("eos_token_id", "eos_id", "eos"),
}
# The same for `forward`; tokens, encoder states and their mask stand in this order.
FORWARD_NAMES = {
    "input_ids": ("input_ids", "decoder_input_ids"),
    "encoder_hidden_states": ("encoder_hidden_states", "encoder_states", "memory"),
    "encoder_attention_mask": ("encoder_attention_mask", "attention_mask", "memory_mask"),
}
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def load_decoder_class(path: str) -> type[nn.Module]:
    """Import a class by `module:Class` or `module.Class`.

    Raises:
        ConfigurationError: It is not there, or no `torch.nn.Module`.
    """
    module_name, _, name = path.partition(":") if ":" in path else path.rpartition(".")
    if not module_name or not name:
        raise ConfigurationError(f"expected a decoder class as module:Class, found '{path}'")
    try:
        found: Any = importlib.import_module(module_name)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:  # the module is the user's: it can raise anything
        raise ConfigurationError(
            f"expected the decoder class {module_name}:{name} in a module that Python can import, found "
            f"{type(error).__name__}: {error}; put the folder of its file on PYTHONPATH"
        ) from error
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise ConfigurationError(f"expected a torch.nn.Module as the decoder class {path}, found {found!r}")
    return found


def constructor_arguments(
    decoder_class: type[nn.Module], offered: Mapping[str, Any], own: Mapping[str, Any]
) -> dict[str, Any]:
    """Choose the keyword arguments that a class is built with.

    Args:
        decoder_class: The class.
        offered: Our name -> value, for the names of `CONSTRUCTOR_NAMES`; what the class does not take is left out.
        own: Arguments of the user's, which win.

    Raises:
        ConfigurationError: The class requires something that nobody gives, or does not take an argument of `own`.
    """
    parameters = inspect.signature(decoder_class).parameters
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    named = {name: p for name, p in parameters.items() if p.kind in _NAMED}
    chosen = {}
    for ours, names in CONSTRUCTOR_NAMES.items():
        name = next((name for name in names if name in named), ours if takes_any else None)
        if name is not None and not set(names) & set(own):
            chosen[name] = offered[ours]
    chosen |= own
    unknown = [] if takes_any else [name for name in own if name not in named]
    missing = [name for name, p in parameters.items() if _is_required(p) and name not in chosen]
    if unknown or missing:
        found = [f"{unknown} in --decoder-kwargs, which it does not take"] if unknown else []
        found += [f"no value for {missing}, which it requires (--decoder-kwargs)"] if missing else []
        raise ConfigurationError(
            f"expected the arguments of {decoder_class.__name__}{inspect.signature(decoder_class)}, found "
            f"{' and '.join(found)}; offered besides: {', '.join(CONSTRUCTOR_NAMES)}"
        )
    return chosen


def forward_names(forward: Callable[..., Any]) -> dict[str, str] | None:
    """Map the names of `FORWARD_NAMES` to the parameters of a decoder's `forward`.

    Parameters of other names stand, in order, for what none is named after.

    Returns:
        Our name -> the parameter's; None if all three go by position.

    Raises:
        ConfigurationError: `forward` takes fewer or requires more than the three.
    """
    parameters = inspect.signature(forward).parameters
    known = {ours: next((n for n in names if n in parameters), None) for ours, names in FORWARD_NAMES.items()}
    by_position = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.POSITIONAL_ONLY)
    if not any(known.values()) and any(p.kind in by_position for p in parameters.values()):
        return None
    others = [n for n, p in parameters.items() if _is_required(p) and n not in known.values()]
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    names = {ours: name or (others.pop(0) if others else ours) for ours, name in known.items()}
    absent = [] if takes_any else [name for name in names.values() if name not in parameters]
    if absent or others:
        raise ConfigurationError(
            f"expected forward(input_ids, encoder_hidden_states, encoder_attention_mask) in the decoder class, found "
            f"forward{inspect.signature(forward)}, which "
            + (f"has no place for {', '.join(absent)}" if absent else f"also requires {', '.join(others)}")
        )
    return names


def logits_of(output: Any) -> torch.Tensor:
    """Return the logits in what a decoder returned: a tensor, or something with `logits`.

    Raises:
        ConfigurationError: There are none.
    """
    logits = output.get("logits") if isinstance(output, Mapping) else getattr(output, "logits", output)
    if not isinstance(logits, torch.Tensor):
        raise ConfigurationError(
            f"expected a tensor of logits from the decoder class, or something with .logits; found {type(output)}"
        )
    return logits


def _is_required(parameter: inspect.Parameter) -> bool:
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return parameter.default is inspect.Parameter.empty and parameter.kind not in variadic
