"""Where the files of an evaluation go: places that can be written to, and no two files in one place."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.checkpoint_reports import RESULT_FILES
from hf_slt.training.arguments import DataArguments
from hf_slt.training.build_slt import resolve_output_dir
from hf_slt.training.evaluation_arguments import EvaluationArguments

_OUTPUTS = {"--output-csv": "output_csv", "--report": "report"}


def split_name(args: EvaluationArguments) -> str:
    """Return the name of the clips that are scored: that of the index, which the demo has of its own."""
    return Path(args.index).stem if args.index else "test"


def resolve_outputs(args: EvaluationArguments, data_args: DataArguments) -> Path:
    """Return the folder for the results, after a look at all places; after hours of evaluation it would come late.

    Args:
        args: The models, the index and the places.
        data_args: The corpus, whose files are not to be written over.

    Raises:
        ConfigurationError: A place that cannot be written to, a file that would be written over by another one, or
            over a file that is read; all of it at once.
    """
    models = [*args.checkpoint, *args.onnx]
    folder = Path(args.output_dir or f"{models[0] if models else '.'}/eval_{split_name(args)}")
    problems = []
    try:
        resolve_output_dir(str(folder))
    except ConfigurationError as error:
        problems.append(str(error))
    taken = _taken_places(args, data_args, folder)
    for flag, name in _OUTPUTS.items():
        if given := getattr(args, name):
            place = os.path.realpath(given)
            if problem := _unusable(given) or taken.get(place):
                problems.append(f"expected another file in {flag}, found {problem}")
            taken[place] = f"{given}, which is that of {flag}"
    if problems:
        raise ConfigurationError("; ".join(problems))
    return folder


def _taken_places(args: EvaluationArguments, data_args: DataArguments, folder: Path) -> dict[str, str]:
    """Return real path -> what is or will be there."""
    read = {
        name: getattr(holder, name)
        for holder in (args, data_args)
        for name in (item.name for item in fields(holder))
        if name.endswith(("index", "metadata_csv")) and getattr(holder, name)
    }
    taken = {
        os.path.realpath(path): f"{path}, which is read (--{name.replace('_', '-')})" for name, path in read.items()
    }
    own = Path(os.path.realpath(folder))
    taken |= {str(path): f"{path}, a folder on the way to the results" for path in (own, *own.parents)}
    return taken | {str(own / name): f"{folder / name}, which is one of the results" for name in RESULT_FILES}


def _unusable(path: str) -> str | None:
    existing = next(folder for folder in Path(path).absolute().parents if folder.exists())
    if Path(path).is_dir():
        return f"the folder {path}"
    return None if existing.is_dir() and os.access(existing, os.W_OK) else f"{existing}, which cannot be written to"
