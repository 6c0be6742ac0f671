"""The card that a run leaves behind, from its own scores, and that its evaluations write again with theirs."""

from __future__ import annotations

import logging
from importlib.metadata import version
from pathlib import Path

from hf_slt.evaluation.reports import write_json
from hf_slt.model_card.card import CARD, MARK, UNTOLD, write_model_card
from hf_slt.model_card.run_files import VERSIONS

logger = logging.getLogger(__name__)

_TRAINING_PACKAGES = ("accelerate", "datasets", "tokenizers")  # beside those that scores depend on


def write_run_card(run_dir: str | Path) -> None:
    """Write `versions.json` and the card of a run that has just ended.

    The model and its scores are there already: whatever goes wrong here is a warning, never the end of the run.
    """
    run_dir = Path(run_dir)
    try:
        write_json(run_dir / VERSIONS, installed_versions())
        logger.info(f"model card in {write_model_card(run_dir)}")
    except Exception as error:  # of any kind: nothing in a card is worth a run
        logger.warning(f"no model card: {error or type(error).__name__}; the run itself is complete")


def refresh_run_card(run_dir: str | Path, results: str | Path) -> None:
    """Write the card of a run again, with the scores that an evaluation has just written.

    Only the card that a run left is: not that of a person, nor one that a person told something (an info file, a name,
    a repository), which this would lose. The scores are there already: whatever goes wrong here is a warning.

    Args:
        run_dir: Folder of the run, or of any other model.
        results: Folder of the evaluation. A card shows it where it is an `eval_...` in the folder of the run.
    """
    card, results = Path(run_dir) / CARD, Path(results).resolve()
    try:
        shown = results.parent == card.parent.resolve() and results.name.startswith("eval_")
        text = card.read_text(encoding="utf-8", errors="replace") if shown and card.is_file() else ""
        if UNTOLD in text:
            logger.info(f"model card in {write_model_card(run_dir)}, with these scores")
        elif MARK in text:
            logger.info(f"{card} holds what a person said and is kept: write it again for these scores to be in it")
    except Exception as error:  # of any kind: nothing in a card is worth an evaluation
        logger.warning(f"no new model card: {error or type(error).__name__}; the evaluation itself is complete")


def installed_versions() -> dict[str, str]:
    """Return the version of hf_slt, Python and the packages that decide what a run computes."""
    from hf_slt.training.evaluation_provenance import versions

    return versions() | {name: version(name) for name in _TRAINING_PACKAGES}
