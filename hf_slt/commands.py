"""The commands of `hf-slt`: each is a script of `scripts/`, with the same flags. Nothing heavy is imported here."""

from __future__ import annotations

import ast
import difflib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from hf_slt.errors import ConfigurationError

PROGRAM = "hf-slt"
# Command -> script. What a command does is the first line of its script's docstring.
COMMANDS = {
    "train-slt": "train_slt",
    "eval-slt": "eval_slt",
    "train-gloss": "train_gloss",
    "eval-gloss": "eval_gloss",
    "predict": "predict",
    "realtime": "realtime",
    "extract": "extract_streams",
    "extract-features": "extract_features",
    "import-landmarks": "import_landmarks",
    "inspect": "inspect_data",
    "validate": "validate_data",
    "prepare": "prepare_data",
    "split": "split_data",
    "export": "export_onnx",
    "convert": "convert_checkpoint",
    "score": "score",
    "compare": "compare_runs",
    "pool": "pool_predictions",
    "push": "push_model",
    "push-dataset": "push_dataset",
}


def scripts_folder() -> Path:
    """Return the folder of the scripts: inside an installed package, beside it in a checkout.

    Raises:
        ConfigurationError: It is in neither place.
    """
    package = Path(__file__).parent
    folders = (package / "scripts", package.parent / "scripts")
    for folder in folders:
        if (folder / "train_slt.py").is_file():
            return folder
    places = " or ".join(str(folder) for folder in folders)
    raise ConfigurationError(f"expected the scripts in {places}, found them in neither; install hf_slt again")


def describe_commands() -> str:
    """Return the help of `hf-slt`: a line for each command."""
    width = max(map(len, COMMANDS))
    lines = [f"  {command:<{width}}  {_summary(script)}" for command, script in COMMANDS.items()]
    return "\n".join(
        [
            f"usage: {PROGRAM} COMMAND [flags]",
            "",
            "Sign language video to text: train, evaluate, export and share models.",
            "",
            "commands:",
            *lines,
            "",
            f"{PROGRAM} COMMAND --help lists the flags of a command, {PROGRAM} --version the version.",
            f"On several devices: accelerate launch {scripts_folder() / 'train_slt.py'} [flags]",
        ]
    )


def load_command(command: str) -> ModuleType:
    """Import the script of a command.

    Args:
        command: One of `COMMANDS`.

    Returns:
        The script; its `main(argv)` takes the flags.

    Raises:
        ConfigurationError: There is no such command; the nearest one is named.
    """
    if command not in COMMANDS:
        nearest = difflib.get_close_matches(command.replace("_", "-"), COMMANDS, n=1)
        hint = f" (did you mean '{nearest[0]}'?)" if nearest else ""
        raise ConfigurationError(f"expected a command ({', '.join(COMMANDS)}), found '{command}'{hint}")
    script = COMMANDS[command]
    name = f"hf_slt.scripts.{script}"
    spec = importlib.util.spec_from_file_location(name, scripts_folder() / f"{script}.py")
    assert spec is not None and spec.loader is not None  # both are there for any .py file
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # so that what it defines can be pickled
    spec.loader.exec_module(module)
    return module


def _summary(script: str) -> str:
    """Return the first line of a script's docstring, without running the script."""
    text = (scripts_folder() / f"{script}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
