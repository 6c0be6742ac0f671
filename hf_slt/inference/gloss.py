"""Glosses of clips by a trained classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hf_slt.data.gloss.clips import GlossClip, load_clip
from hf_slt.errors import ConfigurationError, DataContractError
from hf_slt.models.gloss.checkpoint import class_names, load_gloss_checkpoint


@dataclass(frozen=True)
class RankedClass:
    """One class with its probability.

    Attributes:
        id: Its id.
        name: Its name; `gloss 4` or `category 0` where the model knows the number only.
        score: Its probability.
    """

    id: int
    name: str
    score: float

    def __str__(self) -> str:
        return f"{self.name} ({self.id}) {self.score:.2f}"

    def to_dict(self) -> dict[str, Any]:
        """Return the class as a plain dictionary."""
        return {"id": self.id, "name": self.name, "score": self.score}


@dataclass(frozen=True)
class GlossPrediction:
    """What a classifier says of a clip.

    Attributes:
        glosses: The best glosses, best first.
        categories: The best categories, best first; empty for a model with one head.
    """

    glosses: list[RankedClass]
    categories: list[RankedClass]

    def __str__(self) -> str:
        return " · ".join(str(ranked[0]) for ranked in (self.glosses, self.categories) if ranked)

    def to_dict(self) -> dict[str, Any]:
        """Return the prediction as a plain dictionary: `gloss`, `category` (or None), and the best of each."""
        return {
            "gloss": self.glosses[0].to_dict(),
            "category": self.categories[0].to_dict() if self.categories else None,
            "glosses": [ranked.to_dict() for ranked in self.glosses],
            "categories": [ranked.to_dict() for ranked in self.categories],
        }


class GlossPredictor:
    """Recognise glosses in clips, one or many.

    Args:
        model: A gloss classifier of PyTorch, or an exported one (`ORTGlossClassifier`).
        feature_extractor: The one that was saved with it; it decides whether clips are landmarks or features.

    Example:
        >>> predictor = GlossPredictor.from_pretrained("runs/gloss")
        >>> print(predictor.predict(["clip.npz"])[0])
        HOW ARE YOU (4) 0.88 · GREETING (0) 0.77
    """

    def __init__(self, model: Any, feature_extractor: Any):
        self.model = model.eval()
        self.feature_extractor = feature_extractor
        self._names = class_names(model.config)

    @classmethod
    def from_pretrained(cls, path: str | Path) -> GlossPredictor:
        """Load the model of a run, or of a `checkpoint-N` in it.

        Raises:
            ConfigurationError: There is no gloss classifier, or it is not complete.
        """
        return cls(*load_gloss_checkpoint(str(path)))

    @property
    def kind(self) -> str:
        """What the model reads: `"keypoints"` or `"features"`."""
        return "keypoints" if self.feature_extractor.input_type == "landmarks" else "features"

    def read(self, paths: Sequence[str | Path], key: str | None = None) -> list[GlossClip]:
        """Read clips of the width that the model takes, from the key of what it reads.

        Args:
            paths: `.npz` files of the data contract.
            key: Name of the array in them, if it is not the contract's.

        Raises:
            DataContractError: Everything that is wrong with any of them.
        """
        width = self.feature_extractor.raw_size
        loaded = [load_clip(path, self.kind, key, width) for path in paths]
        if problems := [problem for _, found in loaded for problem in found]:
            raise DataContractError(problems, headline="the clips are not what the model reads")
        return [clip for clip, _ in loaded if clip is not None]

    def predict(
        self,
        clips: Sequence[str | Path | np.ndarray | GlossClip],
        top_k: int = 5,
        batch_size: int = 32,
        key: str | None = None,
    ) -> list[GlossPrediction]:
        """Recognise clips.

        Args:
            clips: `.npz` files, arrays `(T, 2L)` or `(T, F)` as in such files, or clips that were read.
            top_k: Classes to rank.
            batch_size: Clips a step.
            key: Name of the array in the files, if it is not the contract's.

        Returns:
            One prediction a clip, in their order.

        Raises:
            DataContractError: Files that are not what the model reads; all of them at once.
            ConfigurationError: Arrays of another width, `top_k` or `batch_size` below 1.
        """
        if top_k < 1 or batch_size < 1:
            raise ConfigurationError(f"expected top_k and batch_size of 1 or more, found {top_k} and {batch_size}")
        read = iter(self.read([clip for clip in clips if isinstance(clip, (str, Path))], key))
        whole = [next(read) if isinstance(clip, (str, Path)) else _as_clip(clip) for clip in clips]
        encoded = [self.feature_extractor.encode_clip(clip.values, clip.mask, clip.aspect_ratio) for clip in whole]
        names, category_names = self._names
        predictions: list[GlossPrediction] = []
        for start in range(0, len(encoded), batch_size):
            glosses, categories = self._probabilities(encoded[start : start + batch_size])
            for row in range(len(glosses)):
                ranked = _rank(glosses[row], names, top_k)
                others = [] if categories is None else _rank(categories[row], category_names or [], top_k)
                predictions.append(GlossPrediction(ranked, others))
        return predictions

    @torch.inference_mode()
    def _probabilities(self, encoded: list[dict[str, np.ndarray]]) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the probabilities of the glosses `(B, C)`, and of the categories `(B, K)` or None."""
        batch = self.feature_extractor.pad(encoded)
        outputs = self.model(**{name: torch.as_tensor(array).to(self.model.device) for name, array in batch.items()})
        category = outputs.category_logits
        return _softmax(outputs.gloss_logits), None if category is None else _softmax(category)


def _softmax(logits: torch.Tensor) -> np.ndarray:
    return logits.float().softmax(-1).cpu().numpy()


def _as_clip(clip: np.ndarray | GlossClip) -> GlossClip:
    return clip if isinstance(clip, GlossClip) else GlossClip(np.asarray(clip))


def _rank(probabilities: np.ndarray, names: Sequence[str], top_k: int) -> list[RankedClass]:
    best = np.argsort(-probabilities, kind="stable")[:top_k]
    return [RankedClass(int(i), names[i], float(probabilities[i])) for i in best]
