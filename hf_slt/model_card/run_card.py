"""The card that a run leaves behind: a first one, from its own scores, until an evaluation or a person says more."""

from __future__ import annotations

import logging
from importlib.metadata import version
from pathlib import Path

from hf_slt.evaluation.reports import write_json
from hf_slt.model_card.card import write_model_card
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


def installed_versions() -> dict[str, str]:
    """Return the version of hf_slt, Python and the packages that decide what a run computes."""
    from hf_slt.training.evaluation_provenance import versions

    return versions() | {name: version(name) for name in _TRAINING_PACKAGES}
