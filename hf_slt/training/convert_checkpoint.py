"""From a checkpoint of an older tool to a folder that `from_pretrained` loads."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hf_slt.data.gloss.names import read_names
from hf_slt.data.staging import staged_folder
from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.reports import write_json
from hf_slt.models.legacy.conversion import Conversion
from hf_slt.models.legacy.files import file_sha256
from hf_slt.models.legacy.gloss import convert_gloss, gloss_feature_extractor
from hf_slt.models.legacy.multistream import convert_multistream

logger = logging.getLogger(__name__)

TOOLS = ("fslr", "slt")
REPORT = "conversion_report.json"


def convert_checkpoint(
    tool: str,
    source: str | Path,
    output_dir: str | Path,
    *,
    pooling: str | None = None,
    num_heads: int | None = None,
    with_backbone: bool = False,
    gloss_names: str | None = None,
    cat_names: str | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Convert a checkpoint; the folder is complete or absent.

    Args:
        tool: `"fslr"` (gloss recognition) or `"slt"` (translation, encoder only).
        source: The `.pt` file.
        output_dir: Folder to write: `config.json`, `model.safetensors`, `conversion_report.json` and, for a classifier,
            `preprocessor_config.json`.
        pooling: Pooling of a gloss transformer: `"mean"` (default), `"max"` or `"cls"`.
        num_heads: Attention heads; 8 by default.
        with_backbone: Keep the image backbone of a gloss classifier.
        gloss_names: Table of the names of the glosses.
        cat_names: Table of the names of the categories.
        overwrite: Replace an earlier conversion in `output_dir`.

    Returns:
        What `conversion_report.json` holds.

    Raises:
        ConfigurationError: A file that does not convert, or an `output_dir` that may not be written.
        DataContractError: A table of names that cannot be read.
        MissingDependencyError: `with_backbone` without torchvision.
    """
    if tool not in TOOLS:
        raise ConfigurationError(f"expected --from to be one of {list(TOOLS)}, found '{tool}'")
    target = Path(output_dir).absolute()
    require_replaceable(target, overwrite)
    extractor = None
    if tool == "slt":
        _refuse_gloss_options(pooling, with_backbone, gloss_names, cat_names)
        conversion = convert_multistream(source, num_heads)
    else:
        names = [None if path is None else read_names(path) for path in (gloss_names, cat_names)]
        conversion = convert_gloss(source, pooling, num_heads, with_backbone, *names)
        extractor = gloss_feature_extractor(conversion.model.config.input_size)
    report = {"source": str(source), "sha256": file_sha256(source), "tool": tool, **conversion.to_dict()}
    with replaced_folder(target) as folder:
        conversion.model.save_pretrained(folder)
        if extractor is not None:
            extractor.save_pretrained(folder)
        write_json(folder / REPORT, report)
    log_conversion(conversion, target)
    return report


def _refuse_gloss_options(
    pooling: str | None, with_backbone: bool, gloss_names: str | None, cat_names: str | None
) -> None:
    options = {"--pooling": pooling, "--with-backbone": with_backbone or None}
    options |= {"--gloss-names": gloss_names, "--cat-names": cat_names}
    if given := [flag for flag, value in options.items() if value is not None]:
        raise ConfigurationError(f"expected options of --from slt, found {', '.join(given)}, which is for gloss models")


def log_conversion(conversion: Conversion, target: Path) -> None:
    """Say what was converted, and what was left out and why."""
    sizes = ", ".join(f"{name} {size}" for name, size in {**conversion.sizes, **conversion.options}.items())
    logger.info(f"{conversion.architecture}: {sizes}")
    reasons: dict[str, list[str]] = {}
    for name, reason in conversion.dropped.items():
        reasons.setdefault(reason, []).append(name)
    for reason, dropped in reasons.items():
        shown = f"{', '.join(dropped[:3])}{', ...' if len(dropped) > 3 else ''}"
        logger.info(f"left out {len(dropped)} of the file ({shown}): {reason}")
    if conversion.missing:
        logger.warning(
            f"{len(conversion.missing)} weights of the model are random, the file has nothing for them: "
            f"{', '.join(conversion.missing[:3])}, ..."
        )
    logger.info(f"{len(conversion.mapped)} weights converted to {type(conversion.model).__name__} in {target}")


def require_replaceable(target: Path, overwrite: bool) -> None:
    """Refuse a folder with content, except an earlier conversion that may be replaced.

    Raises:
        ConfigurationError: There is a file of this name, or content that stays.
    """
    if target.exists() and not target.is_dir():
        raise ConfigurationError(f"expected a folder to write to, found a file: {target}; choose another output folder")
    if not target.is_dir() or not any(target.iterdir()):
        return
    if not (target / REPORT).is_file():
        raise ConfigurationError(
            f"expected an empty or new output folder, found content in {target} that is no earlier conversion (no "
            f"{REPORT}); choose another one"
        )
    if not overwrite:
        raise ConfigurationError(
            f"expected an empty or new output folder, found an earlier conversion in {target}; choose another one, or "
            f"add --overwrite to replace it"
        )


@contextmanager
def replaced_folder(target: Path) -> Iterator[Path]:
    """Give a fresh folder that takes the place of `target` when the block ends without an error.

    Args:
        target: The folder to write, which `require_replaceable` accepted.

    Raises:
        ConfigurationError: It cannot be written; an earlier conversion is back in its place then.
    """
    aside = target.with_name(f".{target.name}.{os.getpid()}.old")
    try:
        replaces = target.is_dir() and any(target.iterdir())
        if replaces:
            target.rename(aside)
        try:
            with staged_folder(target) as folder:
                yield folder
        except BaseException:
            if replaces:
                aside.rename(target)
            raise
        if replaces:
            shutil.rmtree(aside)
    except OSError as error:
        raise ConfigurationError(
            f"expected to write {target}, found: {error.strerror or error}; choose another output folder"
        ) from error
