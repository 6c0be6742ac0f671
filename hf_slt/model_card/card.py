"""The card of a model: README.md in its folder, rendered from what its run and its evaluations left there."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hf_slt
from hf_slt.errors import ConfigurationError, MissingDependencyError
from hf_slt.evaluation.reports import write_whole
from hf_slt.model_card.commands import commands
from hf_slt.model_card.facts import (
    data_hashes,
    model_facts,
    pretrained_parts,
    selection_facts,
    shared_facts,
    split_facts,
    training_settings,
)
from hf_slt.model_card.info import check_card_info, load_card_info
from hf_slt.model_card.language_codes import language_code
from hf_slt.model_card.metadata import front_matter
from hf_slt.model_card.portable import base_name
from hf_slt.model_card.rendering import render, templates_folder
from hf_slt.model_card.run_files import RunFiles, current_evaluations, read_run
from hf_slt.model_card.scores import evaluation_view

logger = logging.getLogger(__name__)

CARD = "README.md"
CURVES = "training_curves.png"
MARK = "<!-- hf_slt model card:"  # a README.md without it was written by a person
# What follows in a card that a person told something, which no later evaluation may lose, and in one of files alone.
TOLD, UNTOLD = (
    "with what a person gave (facts, a name), and again by every run and push",
    "and again by every run, evaluation and push",
)
_LOG = "train_log.csv"
# Pictures of an evaluation that show no sentence and no person -> what they are.
PICTURES = {
    "confusion_matrix.png": "Confusion matrix",
    "calibration.png": "Calibration",
    "length.png": "Length of predictions and references, and scores by length",
    "risk_coverage.png": "Risk of the answered clips over their share",
}
_KNOWN_DATA = {"demo": "demo.yml", "smoke_test": "smoke_test.yml"}  # flag of a synthetic corpus -> what is said of it
_ELSEWHERE = "path/of/this/folder"


def render_model_card(
    run_dir: str | Path,
    info: Mapping[str, Any] | None = None,
    name: str | None = None,
    repo_id: str | None = None,
    pictures: Mapping[str, str] | None = None,
) -> str:
    """Render the card of a trained model.

    Args:
        run_dir: Folder of the run.
        info: What only a person can say, see `load_card_info`; without it the card says "not documented" there.
        name: Name of the model (default: that of `info`, then of the repository, then of the folder).
        repo_id: Repository on the hub, for the examples of use.
        pictures: Path below the folder of the card -> caption (default: what `card_pictures` finds).

    Returns:
        Markdown with metadata in YAML at its head. What was not measured is said to be so.

    Raises:
        ConfigurationError: No trained model in the folder, damaged files, or unknown keys in `info`.
    """
    run_dir = Path(run_dir)
    run = read_run(run_dir)
    info = check_card_info(info)
    told = any(value is not None for value in (*info.values(), name, repo_id))
    info = _with_known_data(run, info)
    name = name or info["name"] or (repo_id or "").rpartition("/")[2] or base_name(str(run_dir.resolve()))
    language = _languages(run, info)
    pictures = card_pictures(run_dir) if pictures is None else dict(pictures)
    parts = pretrained_parts(run, info["pretrained_licenses"])
    base_models = info["base_models"] or list(dict.fromkeys(part["name"] for part in parts if part["hub"]))
    context = {
        "metadata": front_matter(run, info, name, language, base_models),
        "mark": f"{MARK} written by hf_slt {hf_slt.__version__}, {TOLD if told else UNTOLD}.",
        "version": hf_slt.__version__,
        "name": name,
        "repo": repo_id or _ELSEWHERE,
        "info": info,
        "language": language,
        "sign_language": info["sign_language"] or run.settings.get("sign_language"),
        "model": model_facts(run),
        "parts": parts,
        "splits": split_facts(run, info["fps"]),
        "skipped": _skipped(run),
        "shared": shared_facts(run),
        "selection": selection_facts(run),
        "evaluations": [
            evaluation_view(run.task, one, bool(info["show_signers"])) | {"pictures": _pictures_of(one.name, pictures)}
            for one in run.evaluations
        ],
        "pictures": {path: caption for path, caption in pictures.items() if "/" not in path},
        "settings": training_settings(run),
        "versions": run.versions or _versions_of_the_config(run),
        "data_hashes": data_hashes(run),
        "commands": commands(run),
        "synthetic": any(run.settings.get(flag) for flag in _KNOWN_DATA),
    }
    return render(f"{run.task}.md", context)


def _with_known_data(run: RunFiles, info: dict[str, Any]) -> dict[str, Any]:
    """Add what is known of a corpus that hf_slt draws itself; what the person says comes first."""
    for flag, file in _KNOWN_DATA.items():
        if run.settings.get(flag):
            known = load_card_info(templates_folder() / file)
            return {key: known[key] if value is None else value for key, value in info.items()}
    return info


def _languages(run: RunFiles, info: Mapping[str, Any]) -> list[str]:
    """Return the languages of the sentences: those that the person names, else that of the run."""
    own, named = run.settings.get("language"), info["language"]
    if own and named and language_code(own) not in map(language_code, named):
        logger.warning(
            f"the info of the model card says the language {', '.join(named)}, the run --language {own}: the card "
            f"shows the former; correct `language`, or leave it out"
        )
    return list(named or ([own] if own else []))


def _pictures_of(evaluation: str, pictures: Mapping[str, str]) -> dict[str, str]:
    return {path: caption for path, caption in pictures.items() if path.startswith(f"{evaluation}/")}


def _skipped(run: RunFiles) -> int | None:
    """Return how many clips broke the data contract and were left out; None if no report says it."""
    return run.contract.get("num_skipped", 0) if run.contract else None


def _versions_of_the_config(run: RunFiles) -> dict[str, str]:
    known = run.config.get("transformers_version")
    return {"transformers": known} if known else {}


def card_pictures(run_dir: str | Path) -> dict[str, str]:
    """Return the pictures that a card shows: path below the folder of the run -> caption.

    Pictures that show sentences or people of the corpus are not among them, nor those of other weights.
    """
    run_dir = Path(run_dir)
    found = {CURVES: "Training"} if (run_dir / CURVES).is_file() else {}
    for folder in (metrics.parent for metrics in current_evaluations(run_dir)):
        for file, caption in PICTURES.items():
            if (folder / file).is_file():
                found[f"{folder.name}/{file}"] = caption
    return found


def write_model_card(
    run_dir: str | Path,
    info: Mapping[str, Any] | None = None,
    name: str | None = None,
    repo_id: str | None = None,
    folder: str | Path | None = None,
) -> Path:
    """Write README.md, and the training curves as a picture beside it if matplotlib is installed.

    A README.md that a person wrote, which is one without our mark, is never overwritten: it is the card.

    Args:
        run_dir: Folder of the run.
        info: As for `render_model_card`.
        name: As for `render_model_card`.
        repo_id: As for `render_model_card`.
        folder: Where the card is written (default: `run_dir`); pictures of evaluations are not copied there.

    Returns:
        The card.

    Raises:
        ConfigurationError: As for `render_model_card`, or the card cannot be written.
    """
    run_dir = Path(run_dir)
    folder = Path(folder or run_dir)
    card = folder / CARD
    for existing in dict.fromkeys((card, run_dir / CARD)):
        if existing.is_file() and MARK not in (text := _read_card(existing)):
            logger.warning(
                f"{existing} was written by a person and is kept as the model card; move it away for one of hf_slt"
            )
            write_whole(card, text.encode())
            return card
    pictures = card_pictures(run_dir)
    if draw_curves(folder / CURVES, run_dir / _LOG):
        pictures = {CURVES: "Training", **pictures}
    write_whole(card, render_model_card(run_dir, info, name, repo_id, pictures).encode())
    return card


def _read_card(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"expected a model card in UTF-8, found {path}: {error}; save it again as UTF-8, or move it away"
        ) from error


def draw_curves(path: Path, log: Path) -> bool:
    """Draw the training curves of a log, if there is one and matplotlib is installed; tell whether they are there."""
    from hf_slt.evaluation.training_curves import plot_training_curves

    if not log.is_file():
        return False
    try:
        plot_training_curves(path, log)
    except (MissingDependencyError, ConfigurationError) as error:  # no matplotlib, or a log without numbers
        logger.warning(f"no training curves in the model card: {error}")
        return False
    return True
