"""The command lines that repeat a run and each of its evaluations."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from hf_slt.model_card.portable import data_paths
from hf_slt.model_card.run_files import TRANSLATION, Evaluation, RunFiles

_RUN, _EXPORT = "runs/mine", "out"  # folders in the commands
_LINE = 110  # characters at most, where the flags allow that
# Flags of the corpus beside its files, which an evaluation takes as the training does.
_READING = {
    "translation": ("id_column", "text_column", "encoding", "pose_key", "skip_invalid", "allow_missing_streams"),
    "gloss": ("kp_key", "feature_key", "encoding", "allow_unlabelled_files"),
}
_SPLITS = {"test": "test", "validation": "val", "train": "train"}  # split -> what it is called in a flag
_PRECISIONS = {"bfloat16": "bf16", "float16": "amp"}  # of torch -> of the flag


def commands(run: RunFiles) -> dict[str, Any]:
    """Return the commands that train, export and evaluate such a model.

    Returns:
        `train` and `export`, None where there is nothing to tell; `evaluate`, a list of `name` (of the evaluation) and
        `command`; `data`, whether they read a corpus of files, in the folder `D`.
    """
    if not run.settings:
        return {"train": None, "export": None, "evaluate": [], "data": False}
    task, paths = ("slt" if run.task == TRANSLATION else "gloss"), data_paths(run.settings)
    train = [f"accelerate launch scripts/train_{task}.py --config run_config.json", *_flags(paths)]
    evaluate = []
    if paths or run.settings.get("demo"):
        given = [one for one in run.evaluations if paths or one.split == "test"] or [Evaluation("test", "", {})]
        evaluate = [{"name": one.name, "command": _wrapped(_evaluation(run, one, paths))} for one in given]
    export = f"python scripts/export_onnx.py --checkpoint {_RUN} --output {_EXPORT}"
    return {
        "train": _wrapped([*train, f"--output_dir {_RUN}"]),
        "export": export if run.is_export else None,
        "evaluate": evaluate,
        "data": bool(paths),
    }


def _evaluation(run: RunFiles, one: Evaluation, paths: Mapping[str, str]) -> list[str]:
    """Return the parts of the command that gives the scores of an evaluation."""
    exported = one.metrics.get("runtime") == "onnxruntime" or (run.is_export and not one.place)
    folder = _EXPORT if exported else _RUN
    script = "eval_slt" if run.task == TRANSLATION else "eval_gloss"
    start = f"python scripts/{script}.py {'--onnx' if exported else '--checkpoint'} {folder}"
    parts = _translation_flags(run, one, paths) if run.task == TRANSLATION else _gloss_flags(run, one, paths)
    elsewhere = one.name.startswith("eval_") and "/" in one.place and one.name != f"eval_{one.split}"
    return [start, *parts, *_flags({"output_dir": f"{folder}/{one.name}" if elsewhere else None})]


def _translation_flags(run: RunFiles, one: Evaluation, paths: Mapping[str, str]) -> list[str]:
    from hf_slt.training.arguments import DataArguments
    from hf_slt.training.evaluation_arguments import EvaluationArguments

    metrics, demo = one.metrics, bool(run.settings.get("demo"))
    abstention, settings = metrics.get("abstention") or {}, metrics.get("settings") or {}
    indexes = {split: paths.get(f"{name}_index") for split, name in _SPLITS.items()}
    calibration = abstention.get("calibration_split")
    corpus: dict[str, Any] = {name: place for name, place in paths.items() if not name.endswith("_index")}
    if not demo:
        corpus["index"] = _file_of(one.split, indexes)
    reading = {name: run.settings.get(name) for name in _READING["translation"]}
    reading["skip_invalid"] = reading["skip_invalid"] or bool(metrics.get("skipped_clips"))
    asked = {
        **(metrics.get("decoding") or {}),
        "batch_size": settings.get("batch_size"),
        "precision": _PRECISIONS.get(settings.get("precision"), settings.get("precision")),
        "language": metrics.get("language") if metrics.get("language") != run.settings.get("language") else None,
        "bleu_tokenize": metrics.get("tokenize"),
        "lowercase": metrics.get("lowercase"),
        "phoenix_legacy": bool(metrics.get("phoenix_legacy")),
        "abstain": abstention.get("target_risk"),
        "calibration_index": _file_of(calibration, indexes) if calibration and not demo else None,
        "ablate_streams": bool(metrics.get("ablation")),
        **_common(one),
    }
    data = ["--demo"] if demo else _flags(corpus)
    return [*data, *_flags(_changed(DataArguments, reading)), *_flags(_changed(EvaluationArguments, asked))]


def _gloss_flags(run: RunFiles, one: Evaluation, paths: Mapping[str, str]) -> list[str]:
    from hf_slt.training.gloss_evaluation_arguments import GlossEvaluationArguments

    kind = "features" if paths.get("features_train") else "keypoints"
    tables = {split: paths.get(f"labels_{name}_csv") for split, name in _SPLITS.items()}
    labels = _file_of(one.split, tables)
    split = next((split for split, table in tables.items() if table == labels), "test")
    clips = paths.get(f"{kind}_{_SPLITS[split]}") or paths.get(f"{kind}_train") or "D/clips"
    asked = {
        **{name: run.settings.get(name) for name in _READING["gloss"]},
        "batch_size": (one.metrics.get("settings") or {}).get("batch_size"),
        **_common(one),
    }
    return [*_flags({kind: clips, "labels_csv": labels}), *_flags(_changed(GlossEvaluationArguments, asked))]


def _common(one: Evaluation) -> dict[str, Any]:
    """Return the flags that the evaluations of both tasks have."""
    known = one.overlaps or (one.is_validation and one.place.endswith("_results.json"))
    metrics = one.metrics
    return {"resamples": metrics.get("resamples"), "seed": metrics.get("seed"), "allow_overlap": known}


def _file_of(split: str, files: Mapping[str, str | None]) -> str:
    """Return the file that a split was read from: of that name, else of that split, else beside the others."""
    known = {name: path for name, path in files.items() if path}
    named = [path for path in known.values() if PurePosixPath(path).stem == split]
    if named or split in known:
        return named[0] if named else known[split]
    return str(PurePosixPath(next(iter(known.values()), "D/test.csv")).with_name(f"{split}.csv"))


def _changed(arguments: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that are not what a script does without the flag."""
    defaults = {item.name: item.default for item in dataclasses.fields(arguments)}
    return {name: value for name, value in values.items() if name in defaults and value != defaults[name]}


def _flags(values: Mapping[str, Any]) -> list[str]:
    """Return `--flag value` for each value; None and False are not given."""
    given = {f"--{name.replace('_', '-')}": v for name, v in values.items() if v is not None and v is not False}
    return [name if value is True else f"{name} {shlex.quote(str(value))}" for name, value in given.items()]


def _wrapped(parts: list[str]) -> str:
    """Lay a command line out on lines of 110 characters at most, where its flags allow that."""
    lines = [parts[0]]
    for part in parts[1:]:
        if len(lines[-1]) + len(part) + 1 > _LINE:
            lines.append(f"  {part}")
        else:
            lines[-1] += f" {part}"
    return " \\\n".join(lines)
