"""From a command line to dataclasses: defaults < preset < `--config` file < flags < `--set`; no unknown names."""

from __future__ import annotations

import argparse
import difflib
import json
import logging
from collections.abc import Container, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from hf_slt.compat import foreign_arguments
from hf_slt.errors import ConfigurationError
from hf_slt.training.flags_left_out import why_left_out

logger = logging.getLogger(__name__)

# Names of sections that some flags have too; a mapping under them is never one value.
SECTIONS = ("data", "model", "optim", "training")
_NOT_IN_FILES = ("help", "help_all", "config", "set")
_ABSENT = object()
_FILE = 1  # of the layers that are merged
_TRAINS = "per_device_train_batch_size"  # a flag of scripts that have transformers' own


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
        for item in (item for item in fields(group) if item.init):
            default = item.default_factory() if callable(item.default_factory) else item.default
            says_it = "(default" in item.metadata["help"] or default in (None, [])
            shown = item.metadata["help"] + ("" if says_it else f" (default: {default})")
            shown = shown.replace("%", "%%")
            names = [f"--{item.name.replace('_', '-')}", *item.metadata.get("aliases", ())]
            section.add_argument(*(name for name in names if "_" not in name), metavar="", help=shown)
    parser.print_help()


def read_config(path: str) -> dict[str, Any]:
    """Read a `--config` file: a mapping of flag names, or of sections of them; `run_config.json` is one.

    Values of YAML stay text, which each flag reads as on the command line: `no` is a word, not false.

    Raises:
        ConfigurationError: The file is missing, or does not hold a mapping.
    """
    import yaml

    try:
        text = Path(path).read_text(encoding="utf-8")
        content = json.loads(text) if path.endswith(".json") else yaml.load(text, Loader=yaml.BaseLoader)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigurationError(f"expected a YAML or JSON file of flags in --config, found {path}: {error}") from error
    if not isinstance(content, dict):
        raise ConfigurationError(f"expected a mapping of flags in {path}, found {type(content).__name__}")
    return content


def flatten_config(content: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """Resolve the keys of a `--config` file.

    Args:
        content: Flag -> value; a mapping under a key that is no flag, or one of `SECTIONS`, is a section of flags, and
            so is such a key without a value.
        names: Spelling of a flag, short ones too, with underscores -> its full name.

    Returns:
        Full name -> value; keys that are no flags stay as they are.

    Raises:
        ConfigurationError: A flag is there twice.
    """
    flat: dict[str, Any] = {}
    for key, value in content.items():
        name = names.get(str(key).replace("-", "_"))
        is_section = key in SECTIONS if name else _is_null(value) or isinstance(value, dict)
        if is_section and (isinstance(value, dict) or _is_null(value)):
            found = flatten_config(value, names) if isinstance(value, dict) else {}
        else:
            found = {name or str(key): value}
        if twice := flat.keys() & found.keys():
            raise ConfigurationError(f"expected each flag once, found two values of {sorted(twice)}")
        flat |= found
    return flat


def read_settings(settings: Sequence[str]) -> dict[str, Any]:
    """Read `--set` values, `a.b=v`, as a `--config` file that holds `{a: {b: v}}`; of two of a flag the last one wins.

    Raises:
        ConfigurationError: One that has no `=`, or whose value is no YAML.
    """
    import yaml

    content: dict[str, Any] = {}
    for setting in settings:
        path, equals, text = setting.partition("=")
        try:
            value = yaml.load(text, Loader=yaml.BaseLoader)
        except yaml.YAMLError as error:
            raise ConfigurationError(f"expected a YAML value in --set {setting}, found: {error}") from error
        if not equals or not all(path.split(".")):
            raise ConfigurationError(f"expected --set name=value or section.name=value, found '{setting}'")
        *sections, name = path.split(".")
        target = content
        for section in sections:
            target = target.setdefault(section, {})
            if not isinstance(target, dict):
                raise ConfigurationError(
                    f"expected '{section}' in --set to be a flag or a section, found both in '{setting}'; "
                    f"{section}.{section}=... sets the flag"
                )
        target[name] = value
    return content


def parse_arguments(
    types: Sequence[type], argv: Sequence[str], preset: dict[str, Any] | None = None
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Parse a command line.

    Args:
        types: Argument dataclasses; those with a field `given_flags` are told the names of the flags that were given.
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
    # Flags that are not given keep this mark; those that may be repeated begin a list of their own.
    lists = {action.dest for action in parser._actions if isinstance(action, (argparse._ExtendAction))}
    marks = {action.dest: None if action.dest in lists else _ABSENT for action in parser._actions}
    marks |= {"config": None, "set": []}
    namespace, rest = parser.parse_known_args(argv, argparse.Namespace(**marks))
    if rest:
        raise ConfigurationError(f"unknown arguments: {'; '.join(_unknown(rest, parser))}")
    on_the_line = {
        name: value
        for name, value in vars(namespace).items()
        if value is not marks.get(name) and name not in _NOT_IN_FILES
    }
    layers = [
        (preset or {}, "the preset"),
        (read_config(namespace.config) if namespace.config else {}, namespace.config),
        (on_the_line, "the command line"),
        (read_settings(namespace.set), "--set"),
    ]
    effective, given = _merge(parser, layers)
    try:
        parsed = parser.parse_dict(dict(effective), allow_extra_keys=True)
    except ValueError as error:  # transformers' own checks of its arguments
        raise error if isinstance(error, ConfigurationError) else ConfigurationError(str(error)) from error
    for arguments in parsed:
        if hasattr(arguments, "given_flags"):
            arguments.given_flags = given
    return parsed, effective


def _merge(
    parser: argparse.ArgumentParser, layers: Sequence[tuple[dict[str, Any], str]]
) -> tuple[dict[str, Any], frozenset[str]]:
    """Return the value of every flag, and the names of those that are in any layer but the first."""
    actions = {action.dest: action for action in parser._actions if action.dest not in _NOT_IN_FILES}
    spellings = {
        option.lstrip("-").replace("-", "_"): name for name, a in actions.items() for option in a.option_strings
    }
    own = {name: action.default for name, action in actions.items()}
    given: set[str] = set()
    for number, (content, source) in enumerate(layers):
        values = flatten_config(content, spellings)
        if number == _FILE and _TRAINS in actions:
            values = _without_foreign(values, actions, source)
        if unknown := [_suggest(key, list(spellings), parser) for key in values if key not in actions]:
            raise ConfigurationError(f"unknown keys in {source}: {'; '.join(unknown)}")
        parser.set_defaults(**{n: _as_default(actions[n], value, source, own[n]) for n, value in values.items()})
        given |= set(values) if number else set()
    return {name: value for name, value in vars(parser.parse_args([])).items() if name in actions}, frozenset(given)


def _without_foreign(values: dict[str, Any], known: Container[str], source: str) -> dict[str, Any]:
    """Leave out arguments of transformers' that the other generation wrote down, as every `run_config.json` does."""
    foreign = foreign_arguments({name: value for name, value in values.items() if name not in known})
    if said := [f"{name}={values[name]}" for name, says_more in foreign.items() if says_more]:
        logger.warning(
            f"left out of {source}, since the installed transformers has no such arguments: {', '.join(said)}"
        )
    return {name: value for name, value in values.items() if name not in foreign}


def _is_null(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value.lower() in ("", "null", "~"))


def _as_default(action: argparse.Action, value: Any, source: str, own: Any) -> Any:
    """Return a value of a file in the form in which argparse checks and converts it like one of the command line."""
    is_list = action.nargs in ("+", "*")
    is_switch = action.const == "true"  # a flag that may stand alone: --resume, --tensorboard
    if _is_null(value) or (is_switch and str(value).lower() == "false"):
        return own
    if isinstance(value, dict):
        return _as_one(action, value, source)
    if isinstance(value, list) and not is_list:
        raise ConfigurationError(f"expected one value of {action.option_strings[0]} in {source}, found {value}")
    if is_list and isinstance(value, str):
        return [value]
    return str(value) if isinstance(value, (bool, int, float)) else value


def _as_one(action: argparse.Action, value: dict[str, Any], source: str) -> Any:
    """Return a mapping of a file as the value of a flag that takes pairs."""
    if action.nargs in ("+", "*"):  # mix_streams: {face: 0.5}
        return [f"{name}:{amount}" for name, amount in value.items()]
    typed = _typed(value)
    if action.dest == "optim_args":
        return ",".join(f"{name}={json.dumps(part)}" for name, part in typed.items())
    if action.dest == "decoder_kwargs":
        return json.dumps(typed)
    if action.type in (int, float) or not action.dest.endswith(("_kwargs", "_config", "deepspeed")):
        raise ConfigurationError(f"expected one value of {action.option_strings[0]} in {source}, found {value}")
    return typed


def _typed(value: Any) -> Any:
    """Return text of a file as the number, truth value or nothing that it stands for, in mappings and lists too."""
    if isinstance(value, dict):
        return {name: _typed(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_typed(part) for part in value]
    try:
        return json.loads(value.lower() if value.lower() in ("true", "false", "null") else value)
    except (AttributeError, ValueError):
        return value


def _unknown(rest: Sequence[str], parser: argparse.ArgumentParser) -> list[str]:
    """Describe words that are no flags; the value of an unknown flag is no word of its own."""
    flags = [option for action in parser._actions for option in action.option_strings]
    pairs = zip(["", *rest], rest, strict=False)
    words = [word for before, word in pairs if word.startswith("-") or not before.startswith("-") or "=" in before]
    return [_suggest(word, flags, parser) for word in words]


def _suggest(word: str, known: Sequence[str], parser: argparse.ArgumentParser) -> str:
    evaluates = any(action.dest == "checkpoint" for action in parser._actions)
    if why := why_left_out(word, evaluates):
        return f"'{word}': {why}"
    nearest = difflib.get_close_matches(word.split("=")[0], known, n=1)
    return f"'{word}'" + (f" (did you mean '{nearest[0]}'?)" if nearest else "")
