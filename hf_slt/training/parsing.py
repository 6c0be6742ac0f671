"""From a command line to dataclasses: defaults < preset < `--config` file < flags; unknown names are errors."""

from __future__ import annotations

import argparse
import difflib
import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from hf_slt.errors import ConfigurationError


def print_help(description: str, groups: Sequence[type]) -> None:
    """Print the flags of some argument dataclasses, without importing transformers (which takes seconds)."""
    raw = argparse.RawDescriptionHelpFormatter  # keeps the example commands of a script on their lines
    usage = "%(prog)s [flags]"
    parser = argparse.ArgumentParser(usage=usage, description=description, add_help=False, formatter_class=raw)
    parser.add_argument("-h", "--help", action="store_true", help="show these flags and exit")
    parser.add_argument("--help-all", action="store_true", help="show every flag, HuggingFace's too, and exit")
    parser.add_argument("--config", metavar="FILE", help="YAML or JSON file of flags; flags given here win over it")
    for group in groups:
        section = parser.add_argument_group(group.__name__, group.__doc__)
        for item in fields(group):
            default = item.default_factory() if callable(item.default_factory) else item.default
            shown = f"{item.metadata['help']} (default: {default})".replace("%", "%%")
            names = [f"--{item.name.replace('_', '-')}", *item.metadata.get("aliases", ())]
            section.add_argument(*(name for name in names if "_" not in name), metavar="", help=shown)
    parser.print_help()


def read_config(path: str) -> dict[str, Any]:
    """Read a `--config` file: a mapping of flag names, or of sections of them; `run_config.json` is one.

    Raises:
        ConfigurationError: The file is missing, or does not hold a mapping.
    """
    import yaml

    try:
        text = Path(path).read_text(encoding="utf-8")
        content = json.loads(text) if path.endswith(".json") else yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigurationError(f"expected a YAML or JSON file of flags in --config, found {path}: {error}") from error
    if not isinstance(content, dict):
        raise ConfigurationError(f"expected a mapping of flags in {path}, found {type(content).__name__}")
    return content


def flatten_config(content: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """Resolve the keys of a `--config` file.

    Args:
        content: Flag -> value; a mapping under a key that is no flag is a section of flags.
        names: Spelling of a flag, short ones too, with underscores -> its full name.

    Returns:
        Full name -> value; keys that are no flags stay as they are.
    """
    flat = {}
    for key, value in content.items():
        name = names.get(str(key).replace("-", "_"))
        if name is None and isinstance(value, dict):
            flat |= flatten_config(value, names)
        else:
            flat[name or str(key)] = value
    return flat


def parse_arguments(
    types: Sequence[type], argv: Sequence[str], preset: dict[str, Any] | None = None
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Parse a command line.

    Args:
        types: Argument dataclasses.
        argv: The command line without the program's name.
        preset: Values that take the place of defaults.

    Returns:
        An instance of each dataclass, and the effective value of every flag (what `run_config.json` holds).

    Raises:
        ConfigurationError: An unknown flag or key, or a value of the wrong type.
    """
    from transformers import HfArgumentParser

    class Parser(HfArgumentParser):
        def error(self, message: str) -> None:
            raise ConfigurationError(f"{message} (--help lists the flags)")

    parser = Parser(types, allow_abbrev=False)
    parser.add_argument("--config")
    parser.add_argument("--help-all", "--help_all", action="help")
    config = parser.parse_known_args(argv)[0].config
    spellings = {option.lstrip("-").replace("-", "_"): a.dest for a in parser._actions for option in a.option_strings}
    values = {**(preset or {}), **(flatten_config(read_config(config), spellings) if config else {})}
    unknown = [_suggest(key, list(spellings)) for key in values if key not in spellings]
    if unknown:
        raise ConfigurationError(f"unknown keys in {config}: {'; '.join(unknown)}")
    actions = {action.dest: action for action in parser._actions}
    parser.set_defaults(**{name: _as_default(actions[name], value) for name, value in values.items()})
    namespace, rest = parser.parse_known_args(argv)
    if rest:
        flags = [option for action in parser._actions for option in action.option_strings]
        raise ConfigurationError(f"unknown arguments: {'; '.join(_suggest(word, flags) for word in rest)}")
    effective = {key: value for key, value in vars(namespace).items() if key != "config"}
    try:
        return parser.parse_dict(dict(effective), allow_extra_keys=True), effective
    except ValueError as error:  # transformers' own checks of its arguments
        raise error if isinstance(error, ConfigurationError) else ConfigurationError(str(error)) from error


def _as_default(action: argparse.Action, value: Any) -> Any:
    """Return a value of a file in the form in which argparse checks and converts it like one of the command line."""
    is_list = action.nargs in ("+", "*")
    numbers = action.type in (int, float)
    if (value is None and action.default is not None) or (
        isinstance(value, list) and not is_list or isinstance(value, dict) and numbers
    ):
        raise ConfigurationError(f"expected one value of {action.option_strings[0]} in --config, found {value}")
    if is_list and isinstance(value, str):
        return [value]
    return str(value) if isinstance(value, (bool, int, float)) else value


def _suggest(word: str, known: Sequence[str]) -> str:
    nearest = difflib.get_close_matches(word.split("=")[0], known, n=1)
    return f"'{word}'" + (f" (did you mean '{nearest[0]}'?)" if nearest else "")
