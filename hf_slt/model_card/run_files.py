"""What lies in the folder of a trained model, read for its card; what is not there is empty."""

from __future__ import annotations

import csv
import json
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hf_slt.errors import ConfigurationError
from hf_slt.model_card.score_files import check_scores
from hf_slt.models.auto import GLOSS_FAMILIES
from hf_slt.training.model_hash import hash_weights, weight_files

logger = logging.getLogger(__name__)

TRANSLATION, GLOSS = "translation", "gloss"
VERSIONS = "versions.json"  # of the packages that trained
METRICS = "metrics.json"
# Files of the run itself -> the split that they score.
_RESULTS = {"test": "test", "eval": "validation"}
_VALIDATION_NAMES = ("val", "valid", "dev")
_FOREIGN = (".", "_", "checkpoint-", "earlier_run")  # folders that are no part of the model


@dataclass(frozen=True)
class Evaluation:
    """Scores of the model on one split.

    Attributes:
        split: Name of the split.
        place: The file that they are from, below the folder of the run.
        metrics: Scores and their circumstances by their names in `metrics.json`.
        per_signer: Rows of `per_signer.csv`, or of the table in `metrics.json`.
    """

    split: str
    place: str
    metrics: Mapping[str, Any]
    per_signer: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_validation(self) -> bool:
        """Whether this is the split that a run chooses its weights on."""
        return self.split == "validation" or self.split in _VALIDATION_NAMES

    @property
    def is_training(self) -> bool:
        """Whether the model was trained on this split."""
        return self.split in ("train", "training")

    @property
    def overlaps(self) -> bool:
        """Whether some of the clips are known from training or validation."""
        return any((self.metrics.get("overlap") or {}).values())

    @property
    def name(self) -> str:
        """The folder of the evaluation, or the file of the run."""
        return self.place.removesuffix(f"/{METRICS}")


@dataclass(frozen=True)
class RunFiles:
    """A trained model as it lies in its folder.

    Attributes:
        folder: The folder.
        task: `"translation"` or `"gloss"`.
        config: `config.json`.
        settings: `run_config.json`, effective value of every flag.
        splits: `splits.json`, members of every split.
        contract: `contract_report.json`, counts of clips and frames.
        extractor: `preprocessor_config.json`.
        versions: Package -> version, of the training.
        progress: `epoch` and `global_step` that the training reached, as far as it was recorded.
        evaluations: Test splits first, validation last.
        exports: Folders below this one that hold models exported to ONNX.
    """

    folder: Path
    task: str
    config: dict[str, Any]
    settings: dict[str, Any]
    splits: dict[str, Any]
    contract: dict[str, Any]
    extractor: dict[str, Any]
    versions: dict[str, str]
    progress: dict[str, float]
    evaluations: list[Evaluation]
    exports: list[str]

    @property
    def is_export(self) -> bool:
        """Whether the folder itself is a model exported to ONNX."""
        return is_export(self.folder)


def read_run(folder: Path) -> RunFiles:
    """Read what a card is made of.

    Raises:
        ConfigurationError: The folder holds no model of ours, or a file in it that is damaged.
    """
    config = read_object(folder / "config.json")
    if not config:
        raise ConfigurationError(
            f"expected the folder of a trained model, with config.json, found none in {folder}; give the --output_dir "
            f"of a run"
        )
    kind = config.get("model_type")
    if kind != "multistream_slt" and kind not in GLOSS_FAMILIES:
        known = ", ".join(("multistream_slt", *GLOSS_FAMILIES))
        raise ConfigurationError(f"expected a model type out of {known}, found '{kind}' in {folder / 'config.json'}")
    settings, contract = read_object(folder / "run_config.json"), read_object(folder / "contract_report.json")
    splits = _members(folder / "splits.json", read_object(folder / "splits.json"))
    _members(folder / "contract_report.json", contract.get("splits", {}))
    return RunFiles(
        folder=folder,
        task=TRANSLATION if kind == "multistream_slt" else GLOSS,
        config=config,
        settings=settings,
        splits=splits,
        contract=contract,
        extractor=read_object(folder / "preprocessor_config.json"),
        versions=read_object(folder / VERSIONS),
        progress=_read_progress(folder),
        evaluations=read_evaluations(folder, settings, splits, contract),
        exports=[export.relative_to(folder).as_posix() for export in export_folders(folder)],
    )


def _read_progress(folder: Path) -> dict[str, float]:
    """Return how far the training went: `trainer_state.json` tells, else `train_results.json`, which has no steps."""
    told = {**read_object(folder / "train_results.json"), **read_object(folder / "trainer_state.json")}
    kinds: dict[str, Any] = {"epoch": (int, float), "global_step": int}
    return {name: told[name] for name, kind in kinds.items() if isinstance(told.get(name), kind)}


def is_export(folder: Path) -> bool:
    """Tell whether a folder is a model exported to ONNX: there are such files, and no weights of PyTorch."""
    return bool(weight_files(folder, "onnxruntime")) and not weight_files(folder)


def export_folders(folder: Path) -> list[Path]:
    """Return the folders inside a model's folder that hold its exports to ONNX, those of earlier runs left out."""
    found = {path.parent for path in folder.glob("*/**/*.onnx")}
    return sorted(path for path in found if not path.relative_to(folder).parts[0].startswith(_FOREIGN))


def _members(path: Path, splits: Any) -> dict[str, Any]:
    """Return what a file says of each split.

    Raises:
        ConfigurationError: It says something else.
    """
    if isinstance(splits, Mapping) and all(isinstance(members, Mapping) for members in splits.values()):
        return dict(splits)
    raise ConfigurationError(f"expected an object for each split in {path}, found {splits!r:.200}; is it damaged?")


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file; empty if there is no such file.

    Raises:
        ConfigurationError: The file holds something else.
    """
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(f"expected a JSON object for the model card, found {path}: {error}") from error


def current_evaluations(folder: Path) -> dict[Path, dict[str, Any]]:
    """Return `eval_*/metrics.json` -> what it holds, of those that scored the weights in the folder.

    Raises:
        ConfigurationError: One of them is damaged.
    """
    found = {path: _read_scores(path) for path in sorted(folder.glob(f"eval_*/{METRICS}"))}
    return {path: metrics for path, metrics in found.items() if metrics and not _outdated(path, metrics)}


def _read_scores(path: Path) -> dict[str, Any]:
    metrics = read_object(path)
    check_scores(path, metrics)
    return metrics


def _outdated(path: Path, metrics: Mapping[str, Any]) -> str | None:
    """Say why scores are not of the weights in the folder above; None if they are.

    The times of the files tell where no hash was recorded.
    """
    folder, runtime = path.parent.parent, str(metrics.get("runtime") or "torch")
    if metrics.get("model_hash"):
        return None if hash_weights(folder, runtime) == metrics["model_hash"] else "is of other weights than those"
    times = [file.stat().st_mtime for file in weight_files(folder, runtime)]
    return "is older than the weights" if times and path.stat().st_mtime < max(times) else None


def read_evaluations(
    folder: Path, settings: Mapping[str, Any], splits: Mapping[str, Any], contract: Mapping[str, Any]
) -> list[Evaluation]:
    """Return the scores in `eval_*/metrics.json`, and those of the run itself on splits that no evaluation has."""
    current, found = current_evaluations(folder), []
    for path in sorted(folder.glob(f"eval_*/{METRICS}")):
        if path not in current:
            _warn_of_outdated(path)
            continue
        metrics = current[path]
        rows = metrics.get("per_signer") or _read_table(path.with_name("per_signer.csv"))
        place = path.relative_to(folder).as_posix()
        found.append(Evaluation(str(metrics.get("split", path.parent.name)), place, metrics, rows))
    scored = {"validation" if one.is_validation else one.split for one in found}
    for prefix, split in _RESULTS.items():
        metrics = _scores_of_the_run(folder / f"{prefix}_results.json", prefix, settings)
        if metrics and split not in scored:
            known = {"n": count_clips(split, splits, contract), "data_hash": splits.get(split, {}).get("data_hash")}
            found.append(Evaluation(split, f"{prefix}_results.json", {**known, **metrics}))
    return sorted(found, key=lambda one: (one.is_validation, one.split != "test", one.place))


def _warn_of_outdated(path: Path) -> None:
    if reason := _outdated(path, read_object(path)):
        logger.warning(
            f"{path} {reason} beside it: it is left out of the model card, and not published; evaluate again"
            f"{' (or touch the file, if copying has changed the times)' if 'older' in reason else ''}"
        )


def count_clips(split: str, splits: Mapping[str, Any], contract: Mapping[str, Any]) -> int | None:
    """Return how many clips of a split a run used: its members, else what the data contract counted."""
    members = splits.get(split, {})
    used = members.get("video_ids") or members.get("files")
    return len(used) if used else contract.get("splits", {}).get(split, {}).get("clips")


def _scores_of_the_run(path: Path, prefix: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    results = read_object(path)
    if not results:
        return {}
    start = f"{prefix}_"
    metrics = {name.removeprefix(start): value for name, value in results.items() if name.startswith(start)}
    metrics.pop("runtime", None)  # of transformers: seconds
    check_scores(path, metrics)
    known = {
        "seed": settings.get("seed"),
        "resamples": 1000,
        "confidence": 0.95,
        "tokenize": settings.get("bleu_tokenize"),
    }
    counted = {"n": metrics["clips"]} if "clips" in metrics else {}
    return {**known, **counted, **metrics}


def _read_table(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        raise ConfigurationError(f"expected a table in CSV for the model card, found {path}: {error}") from error
    return [{name: value if name == "signer" else _number(value) for name, value in row.items()} for row in rows]


def _number(text: str | None) -> Any:
    try:
        return float(text) if text else None
    except ValueError:
        return text


def count_weights(folder: Path) -> int | None:
    """Return how many numbers the files of the weights hold, tied ones once; None without such files.

    The head of a safetensors file says it: eight bytes with the length of a JSON object, then that object.
    """
    total = 0
    for path in sorted(folder.glob("model*.safetensors")):
        try:
            with path.open("rb") as file:
                head = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        except (OSError, ValueError, OverflowError) as error:
            raise ConfigurationError(f"expected whole weights in {path}, found: {error}") from error
        total += sum(math.prod(tensor["shape"]) for name, tensor in head.items() if name != "__metadata__")
    return total or None
