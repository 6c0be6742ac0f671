"""From a command line to dataclasses: defaults < preset < `--config` file < flags < `--set`; no unknown names."""

from __future__ import annotations

import argparse
import difflib
import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from hf_slt.errors import ConfigurationError
from hf_slt.training.flags_left_out import why_left_out

# Names of sections that some flags have too; a mapping under them is never one value.
SECTIONS = ("data", "model", "optim", "training")


def print_help(description: str, groups: Sequence[type]) -> None:
    """Print the flags of some argument dataclasses, without importing transformers (which takes seconds)."""
    raw = argparse.RawDescriptionHelpFormatter  # keeps the example commands of a script on their lines
    usage = "%(prog)s [flags]"
    parser = argparse.ArgumentParser(usage=usage, description=description, add_help=False, formatter_class=raw)
    parser.add_argument("-h", "--help", action="store_true", help="show these flags and exit")
    parser.add_argument("--help-all", action="store_true", help="show every flag, HuggingFace's too, and exit")
    parser.add_argument("--config", metavar="FILE", help="YAML or JSON file of flags; flags given here win over it")
    setting = "a flag as in that file (section.name=value or name=value); wins over everything, repeatable"
    parser.add_argument("--set", metavar="A.B=V", help=setting)
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
        content: Flag -> value; a mapping under a key that is no flag, or one of `SECTIONS`, is a section of flags.
        names: Spelling of a flag, short ones too, with underscores -> its full name.

    Returns:
        Full name -> value; keys that are no flags stay as they are.
    """
    flat = {}
    for key, value in content.items():
        name = names.get(str(key).replace("-", "_"))
        if isinstance(value, dict) and (name is None or key in SECTIONS):
            flat |= flatten_config(value, names)
        else:
            flat[name or str(key)] = value
    return flat


def read_settings(settings: Sequence[str]) -> dict[str, Any]:
    """Read `--set` values, `a.b=v`, as a `--config` file that holds `{a: {b: v}}`; `v` is read as YAML, the last wins.

    Raises:
        ConfigurationError: One that has no `=`, or whose value is no YAML.
    """
    import yaml

    content: dict[str, Any] = {}
    for setting in settings:
        path, equals, text = setting.partition("=")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ConfigurationError(f"expected a YAML value in --set {setting}, found: {error}") from error
        if not equals or not all(path.split(".")):
            raise ConfigurationError(f"expected --set name=value or section.name=value, found '{setting}'")
        *sections, name = path.split(".")
        target = content
        for section in sections:
            target = target.setdefault(section, {})
            if not isinstance(target, dict):
                raise ConfigurationError(f"expected one value of '{section}' in --set, found another in '{setting}'")
        target[name] = _as_float(value)
    return content


def _as_float(value: Any) -> Any:
    """Return a number that YAML takes for text (1e-4, which it wants as 1.0e-4) as one."""
    try:
        return float(value) if isinstance(value, str) and "e" in value.lower() else value
    except ValueError:
        return value


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
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--help-all", "--help_all", action="help")
    given = parser.parse_known_args(argv)[0]
    config = read_config(given.config) if given.config else {}
    for source, content in ((None, preset or {}), (given.config, config)):
        _set_defaults(parser, content, source)
    # A flag that may be repeated adds to its list, and must not add to that of the file.
    lists = [action for action in parser._actions if isinstance(action, argparse._ExtendAction)]
    empty = argparse.Namespace(**{action.dest: None for action in lists})
    namespace, rest = parser.parse_known_args(argv, empty)
    if rest:
        raise ConfigurationError(f"unknown arguments: {'; '.join(_suggest(word, _options(parser)) for word in rest)}")
    parser.set_defaults(**{name: value for name, value in vars(namespace).items() if value is not None})
    _set_defaults(parser, read_settings(given.set), "--set")
    effective = {name: value for name, value in vars(parser.parse_args([])).items() if name not in ("config", "set")}
    try:
        return parser.parse_dict(dict(effective), allow_extra_keys=True), effective
    except ValueError as error:  # transformers' own checks of its arguments
        raise error if isinstance(error, ConfigurationError) else ConfigurationError(str(error)) from error


def _options(parser: argparse.ArgumentParser) -> list[str]:
    return [option for action in parser._actions for option in action.option_strings]


def _set_defaults(parser: argparse.ArgumentParser, content: dict[str, Any], source: str | None) -> None:
    """Put the values of a file, or of `--set`, in the place of the defaults."""
    spellings = {option.lstrip("-").replace("-", "_"): a.dest for a in parser._actions for option in a.option_strings}
    values = flatten_config(content, spellings)
    unknown = [_suggest(key, list(spellings)) for key in values if key not in spellings]
    if unknown:
        raise ConfigurationError(f"unknown keys in {source}: {'; '.join(unknown)}")
    actions = {action.dest: action for action in parser._actions}
    where = "--set" if source == "--set" else "--config"
    parser.set_defaults(**{name: _as_default(actions[name], value, where) for name, value in values.items()})


def _as_default(action: argparse.Action, value: Any, where: str) -> Any:
    """Return a value of a file in the form in which argparse checks and converts it like one of the command line."""
    is_list = action.nargs in ("+", "*")
    numbers = action.type in (int, float)
    if is_list and isinstance(value, dict):  # mix_streams: {face: 0.5}
        return [f"{name}:{amount}" for name, amount in value.items()]
    if (value is None and action.default is not None) or (
        isinstance(value, list) and not is_list or isinstance(value, dict) and numbers
    ):
        raise ConfigurationError(f"expected one value of {action.option_strings[0]} in {where}, found {value}")
    if is_list and isinstance(value, str):
        return [value]
    return str(value) if isinstance(value, (bool, int, float)) else value


def _suggest(word: str, known: Sequence[str]) -> str:
    if why := why_left_out(word):
        return f"'{word}': {why}"
    nearest = difflib.get_close_matches(word.split("=")[0], known, n=1)
    return f"'{word}'" + (f" (did you mean '{nearest[0]}'?)" if nearest else "")
