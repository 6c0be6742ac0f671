"""Glosses of clips by a trained classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hf_slt.data.gloss.clips import GlossClip
from hf_slt.errors import ConfigurationError
from hf_slt.exporters.exported_models import is_exported, load_exported_classifier
from hf_slt.inference.clip_inputs import Reading
from hf_slt.inference.clips import read_gloss_clips
from hf_slt.models.gloss.checkpoint import load_gloss_checkpoint
from hf_slt.models.gloss.class_names import class_names


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

    @property
    def ranked(self) -> list[RankedClass]:
        """The alternatives to show: the best glosses."""
        return self.glosses

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
        """Load the model of a run, of a `checkpoint-N` in it, or of an export (`export_onnx.py`).

        Raises:
            ConfigurationError: There is no gloss classifier, or it is not complete.
            MissingDependencyError: It is an export, and the extra `onnx` is not installed.
        """
        return cls(*(load_exported_classifier(path) if is_exported(path) else load_gloss_checkpoint(str(path))))

    @property
    def kind(self) -> str:
        """What the model reads: `"keypoints"` or `"features"`."""
        return "keypoints" if self.feature_extractor.input_type == "landmarks" else "features"

    def read(
        self,
        sources: Sequence[str | Path | np.ndarray | GlossClip],
        key: str | None = None,
        *,
        clip: str | None = None,
        fps: float | None = None,
        strict: bool = False,
    ) -> list[GlossClip]:
        """Read clips of the width that the model takes, from the key of what it reads.

        Args:
            sources: Clips as `predict` takes them.
            key: Name of the array in `.npz` files, if it is not the contract's.
            clip: Id of the clip to take of folders that hold several.
            fps: Frames a second to take of videos; None: all of them.
            strict: Refuse clips of another extractor than that of the training; else they are worth a warning.

        Raises:
            DataContractError, VideoError: Everything that is wrong with any of them.
            ConfigurationError: `strict`, and an extractor differs or is not known.
            MissingDependencyError: A package that reads such files is not installed.
        """
        return read_gloss_clips(sources, self.feature_extractor, Reading(clip, key, fps), strict)

    def predict(
        self,
        clips: Sequence[str | Path | np.ndarray | GlossClip],
        top_k: int = 5,
        batch_size: int = 32,
        key: str | None = None,
        **reading: Any,
    ) -> list[GlossPrediction]:
        """Recognise clips.

        Args:
            clips: Videos, folders of streams, `.npz`, `.pose` and other files of landmarks, arrays `(T, 2L)` or
                `(T, F)` as in such files, or clips that were read.
            top_k: Classes to rank.
            batch_size: Clips a step.
            key: Name of the array in the files, if it is not the contract's.
            reading: `clip`, `fps` and `strict` as `read` takes them.

        Returns:
            One prediction a clip, in their order.

        Raises:
            DataContractError, VideoError: Files that are not what the model reads; all of them at once.
            ConfigurationError: Arrays of another width, `top_k` or `batch_size` below 1, or what `read` refuses.
        """
        if top_k < 1 or batch_size < 1:
            raise ConfigurationError(f"expected top_k and batch_size of 1 or more, found {top_k} and {batch_size}")
        whole = self.read(clips, key, **reading)
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


def _rank(probabilities: np.ndarray, names: Sequence[str], top_k: int) -> list[RankedClass]:
    best = np.argsort(-probabilities, kind="stable")[:top_k]
    return [RankedClass(int(i), names[i], float(probabilities[i])) for i in best]
