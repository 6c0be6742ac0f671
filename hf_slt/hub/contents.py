"""What of a trained model's folder goes to the hub: named here file by file, so that nothing else ever does.

A run leaves sentences of its corpus (`splits.json`, predictions), pickles and paths of the machine beside the model.
None of them is published: the repository holds what loads the model, what describes it and what it scored.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.reports import write_json
from hf_slt.model_card import card_pictures, portable_settings, write_model_card
from hf_slt.model_card.portable import portable_value
from hf_slt.model_card.run_files import current_evaluations, export_folders, is_export, read_object
from hf_slt.models.auto import GLOSS_FAMILIES
from hf_slt.models.remote_code import write_remote_code

logger = logging.getLogger(__name__)

WEIGHTS = ("model.safetensors", "model-*-of-*.safetensors", "model.safetensors.index.json")
ONNX = ("*.onnx", "*.onnx_data", "*.onnx.data")
LOADING = (
    *("config.json", "generation_config.json", "preprocessor_config.json", "processor_config.json"),
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.json", "vocab.txt", "merges.txt", "*.model", "chat_template.jinja"),
)
ABOUT = ("run_config.json", "train_log.csv", "versions.json")
_INDEX = "model.safetensors.index.json"


def check_model(folder: Path) -> None:
    """Check that a folder holds a whole model of ours.

    Args:
        folder: The folder of a run, of an evaluated or converted model, or of an ONNX export.

    Raises:
        ConfigurationError: Something that loading needs is missing or damaged; the message lists all of it.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"expected the folder of a trained model, found none: {folder}")
    config, problems = _config(folder)
    known = ("multistream_slt", *GLOSS_FAMILIES)
    if config and config.get("model_type") not in known:
        problems.append(f"expected a model type out of {', '.join(known)}, found '{config.get('model_type')}'")
    problems += _weight_problems(folder)
    needed = ["preprocessor_config.json", "processor_config.json"]
    if not any((folder / name).is_file() for name in needed):
        problems.append("expected the feature extractor (preprocessor_config.json), found none")
    if config.get("model_type") == "multistream_slt" and not (folder / "tokenizer.json").is_file():
        problems.append("expected the tokenizer (tokenizer.json), found none")
    if problems:
        hint = " (a checkpoint-N is only a part of its run: push the folder of the run)"
        hint = hint if folder.name.startswith("checkpoint-") else ""
        raise ConfigurationError(f"{folder} cannot be pushed{hint}: {'; '.join(problems)}")


def _config(folder: Path) -> tuple[dict[str, Any], list[str]]:
    try:
        return dict(json.loads((folder / "config.json").read_text(encoding="utf-8"))), []
    except FileNotFoundError:
        return {}, ["expected config.json, found none; give the --output_dir of a run"]
    except (OSError, ValueError, TypeError) as error:
        return {}, [f"expected a JSON object in config.json, found: {error}"]


def _weight_problems(folder: Path) -> list[str]:
    files = sorted(folder.glob("model*.safetensors"))
    names = {path.name for path in files}
    problems = []
    if (folder / _INDEX).is_file():
        problems += _shard_problems(folder / _INDEX, names)
    elif "model.safetensors" not in names and not any(folder.glob("*.onnx")):
        problems.append("expected weights (model.safetensors), found none")
    for path in files:
        try:
            with safe_open(path, framework="np"):
                pass
        except (OSError, SafetensorError) as error:
            problems.append(f"expected whole weights in {path.name}, found: {error}")
    return problems


def _shard_problems(index: Path, names: set[str]) -> list[str]:
    try:
        shards = set(map(str, json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        return [f"expected an index of weights in {_INDEX}, found: {error!r}"]
    return [f"expected the weights {name} of {_INDEX}, found none" for name in sorted(shards - names)]


def report_gaps(folder: Path) -> None:
    """Say in the log what the card of this model will not be able to tell."""
    if not (folder / "run_config.json").is_file():
        logger.warning(f"{folder} has no run_config.json: the card cannot say how the model was trained")
    if not current_evaluations(folder) and not any(folder.glob("*_results.json")):
        logger.warning(
            f"{folder} has no scores: the card says 'not measured'; evaluate first, into a folder {folder}/eval_..."
        )


def stage_model(
    folder: Path, staged: Path, repo: str, card_info: dict[str, Any] | None = None, weights: Path | None = None
) -> None:
    """Lay out what is published: card, code and settings are made anew, the model's files are linked or copied.

    Args:
        folder: The folder of the run, which is left as it is.
        staged: A folder of nothing, or of files that this may replace.
        repo: Name of the repository, for the card.
        card_info: Facts for the card, of `load_card_info`.
        weights: A `checkpoint-N`, whose weights and configuration are taken while the run itself has none yet. Scores,
            pictures of evaluations and exports, which are of other weights, are left out then.

    Raises:
        ConfigurationError: The card cannot be made.
    """
    _take_files(folder, staged, (*LOADING, *ABOUT, *(() if weights else (*WEIGHTS, *ONNX))))
    if weights is not None:
        _take_files(folder, staged, ("README.md",))  # a person's is the card
        _take_files(weights, staged, (*WEIGHTS, *LOADING), link=False)  # checkpoints come and go
    else:
        _take_evaluations(folder, staged, bool((card_info or {}).get("show_signers")))
        for export in export_folders(folder):
            _take_files(export, staged / export.relative_to(folder), (*ONNX, *LOADING))
    write_model_card(folder if weights is None else staged, card_info, repo_id=repo, folder=staged)
    if not is_export(staged):  # the classes of ONNX Runtime do not travel
        write_remote_code(staged)
    for name, published in PUBLISHED_SETTINGS.items():
        for path in staged.rglob(name):
            write_json(path, published(read_object(path)))


def _take_evaluations(folder: Path, staged: Path, show_signers: bool) -> None:
    for path, metrics in current_evaluations(folder).items():
        write_json(staged / path.relative_to(folder), published_metrics(metrics, show_signers))
    for picture in card_pictures(folder):
        _take(folder / picture, staged / picture)


def published_metrics(metrics: dict[str, Any], show_signers: bool = False) -> dict[str, Any]:
    """Return the scores that are published: without folders of this machine, and signers as numbers.

    Args:
        metrics: What `metrics.json` holds.
        show_signers: Leave the names of signers in.
    """
    public = portable_value(metrics)
    if show_signers:
        return public
    if rows := public.get("per_signer"):
        public["per_signer"] = [{**row, "signer": str(number)} for number, row in enumerate(rows, start=1)]
    shared = public.get("signers_shared_with_training")
    if isinstance(shared, list):
        public["signers_shared_with_training"] = len(shared)
    return public


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _take_files(source: Path, target: Path, patterns: tuple[str, ...], link: bool = True) -> None:
    for path in sorted(source.iterdir()):
        if path.is_file() and _matches(path.name, patterns):
            _take(path, target / path.name, link)


def _take(path: Path, target: Path, link: bool = True) -> None:
    """Copy a small file, which may be rewritten; link large ones."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if link and _matches(path.name, (*WEIGHTS[:2], *ONNX)):
        try:
            target.symlink_to(path.resolve())
            return
        except OSError:  # a system without links
            pass
    shutil.copyfile(path, target)


def _nameless(values: Any) -> Any:
    """Return a configuration without the folders of this machine that parts of it were loaded from."""
    if isinstance(values, list):
        return [_nameless(value) for value in values]
    if not isinstance(values, dict):
        return values
    local = {key for key in ("_name_or_path", "name_or_path") if Path(str(values.get(key) or "")).is_absolute()}
    return {key: _nameless(value) for key, value in values.items() if key not in local}


# File, of a model or of a checkpoint -> what makes it fit for others.
PUBLISHED_SETTINGS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "run_config.json": portable_settings,
    "config.json": _nameless,
    "tokenizer_config.json": _nameless,
    "trainer_state.json": portable_value,
}


def published_files(staged: Path) -> dict[str, int]:
    """Return path -> size in bytes of the files of a staged folder."""
    paths = sorted(path for path in staged.rglob("*") if path.is_file())
    return {path.relative_to(staged).as_posix(): path.stat().st_size for path in paths}
