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
from hf_slt.models.auto import GLOSS_FAMILIES

logger = logging.getLogger(__name__)

TRANSLATION, GLOSS = "translation", "gloss"
VERSIONS = "versions.json"  # of the packages that trained
METRICS = "metrics.json"
# Files of the run itself -> the split that they score.
_RESULTS = {"test": "test", "eval": "validation"}
_VALIDATION_NAMES = ("val", "valid", "dev")


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
        evaluations: Test splits first, validation last.
    """

    folder: Path
    task: str
    config: dict[str, Any]
    settings: dict[str, Any]
    splits: dict[str, Any]
    contract: dict[str, Any]
    extractor: dict[str, Any]
    versions: dict[str, str]
    evaluations: list[Evaluation]


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
    return RunFiles(
        folder=folder,
        task=TRANSLATION if kind == "multistream_slt" else GLOSS,
        config=config,
        settings=settings,
        splits=read_object(folder / "splits.json"),
        contract=contract,
        extractor=read_object(folder / "preprocessor_config.json"),
        versions=read_object(folder / VERSIONS),
        evaluations=read_evaluations(folder, settings, contract),
    )


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


def read_evaluations(folder: Path, settings: Mapping[str, Any], contract: Mapping[str, Any]) -> list[Evaluation]:
    """Return the scores in `eval_*/metrics.json`, and those of the run itself on splits that no evaluation has."""
    found = []
    for path in sorted(folder.glob(f"eval_*/{METRICS}")):
        metrics = read_object(path)
        if metrics and not _is_outdated(path, folder):
            rows = metrics.get("per_signer") or _read_table(path.with_name("per_signer.csv"))
            place = path.relative_to(folder).as_posix()
            found.append(Evaluation(str(metrics.get("split", path.parent.name)), place, metrics, rows))
    splits = {"validation" if one.is_validation else one.split for one in found}
    for prefix, split in _RESULTS.items():
        metrics = _scores_of_the_run(folder / f"{prefix}_results.json", prefix, split, settings, contract)
        if metrics and split not in splits:
            found.append(Evaluation(split, f"{prefix}_results.json", metrics))
    return sorted(found, key=lambda one: (one.is_validation, one.split != "test", one.place))


def _is_outdated(path: Path, folder: Path) -> bool:
    """Tell whether the model was written again after it was evaluated: its scores are those of another one."""
    weights = [file.stat().st_mtime for file in folder.glob("model*.safetensors")]
    if not weights or path.stat().st_mtime >= max(weights):
        return False
    logger.warning(
        f"{path} is older than the weights beside it and is left out of the model card; evaluate again (or touch the "
        f"file, if copying has changed the times)"
    )
    return True


def _scores_of_the_run(
    path: Path, prefix: str, split: str, settings: Mapping[str, Any], contract: Mapping[str, Any]
) -> dict[str, Any]:
    results = read_object(path)
    if not results:
        return {}
    start = f"{prefix}_"
    metrics = {name.removeprefix(start): value for name, value in results.items() if name.startswith(start)}
    counted = contract.get("splits", {}).get(split, {}).get("clips")
    known = {
        "n": metrics.get("n", metrics.get("clips", None if settings.get("subset_size") else counted)),
        "seed": settings.get("seed"),
        "resamples": 1000,
        "confidence": 0.95,
        "tokenize": settings.get("bleu_tokenize"),
    }
    return {**known, **metrics}


def _read_table(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
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
        with path.open("rb") as file:
            head = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        total += sum(math.prod(tensor["shape"]) for name, tensor in head.items() if name != "__metadata__")
    return total or None
