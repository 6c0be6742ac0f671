"""The card that `push_to_hub` of our classes uploads: ours, in place of the one of transformers that says nothing."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import ModelCard, ModelCardData

from hf_slt.evaluation.reports import write_whole
from hf_slt.hub.contents import WEIGHTS
from hf_slt.model_card import render_model_card
from hf_slt.model_card.card import CARD
from hf_slt.model_card.run_files import read_object
from hf_slt.models.remote_code import MODELS

# What transformers fills into the template of its card.
_DESCRIPTION = (
    "This is the model card of a 🤗 transformers model that has been pushed on the Hub. This model card has been "
    "automatically generated."
)


def replace_stock_card(folder: str | Path, repo: str) -> None:
    """Put our card in the place of transformers' stock text, or none where there is no model to describe.

    A card with any other text, which a person or hf_slt wrote, is left as it is.

    Args:
        folder: What is about to be uploaded: a saved model, or a processor or a configuration alone.
        repo: The repository, for the card.

    Raises:
        ConfigurationError: The card cannot be made of what is in the folder.
    """
    path = Path(folder) / CARD
    if not path.is_file():
        return
    given = ModelCard(path.read_text(encoding="utf-8"), ignore_metadata_errors=True)
    stock = ModelCard.from_template(ModelCardData(), model_description=_DESCRIPTION)
    if given.text.split() != stock.text.split():
        return
    is_ours = read_object(path.with_name("config.json")).get("model_type") in MODELS
    if not is_ours or not any(any(path.parent.glob(pattern)) for pattern in (*WEIGHTS, "pytorch_model*.bin")):
        path.unlink()
        return
    card = ModelCard(render_model_card(path.parent, repo_id=repo, pictures={}))
    card.data.tags = list(dict.fromkeys((*(card.data.tags or ()), *(given.data.tags or ()))))
    write_whole(path, str(card).encode())
