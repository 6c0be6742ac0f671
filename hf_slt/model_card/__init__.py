"""Model cards: the README.md of a trained model, rendered from what its run and its evaluations left in the folder."""

from __future__ import annotations

from hf_slt.model_card.card import card_pictures, render_model_card, write_model_card
from hf_slt.model_card.info import load_card_info
from hf_slt.model_card.portable import portable_settings

__all__ = ["card_pictures", "load_card_info", "portable_settings", "render_model_card", "write_model_card"]
