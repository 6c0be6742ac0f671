"""Pipeline of the task `sign-recognition`: clips of single signs in, glosses out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from hf_slt.errors import ConfigurationError
from hf_slt.models.gloss.class_names import class_names
from hf_slt.models.sign_pipeline import READING, SignPipeline, pick

_NAMES = ("values", "mask", "aspect_ratio")


class SignRecognitionPipeline(SignPipeline):
    """Recognise the glosses that clips show.

    As arrays, a clip is `(T, 2L)` landmarks or `(T, F)` features, as `GlossFeatureExtractor` takes them, or a
    dictionary of these `values`, their `mask` and the `aspect_ratio` of the picture. A further option of a call:
    `top_k` (`int`, glosses to return, 5 by default).

    Returns:
        For each clip a list of `{"label", "score"}`, best first, with the probability of the gloss; `category` is the
        most likely category of the clip, None for a model that knows none.

    Example:
        >>> import hf_slt
        >>> from transformers import pipeline
        >>> pipeline("sign-recognition", model="runs/gloss")("clip.mp4", top_k=1)
        [{'label': 'HOW ARE YOU', 'score': 0.88, 'category': 'GREETING'}]
    """

    def _sanitize_parameters(
        self, top_k: int | None = None, **options: Any
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        if unknown := sorted(set(options) - set(READING)):
            raise ConfigurationError(f"expected options out of {['top_k', *READING]}, found {unknown}")
        return options, {} if top_k is None else {"top_k": top_k}, {}

    def encode(self, source: Any) -> dict[str, np.ndarray]:
        """Turn one clip, raw arrays, into model inputs without a batch axis."""
        clip = {"values": source} if isinstance(source, np.ndarray) else source
        if not isinstance(clip, Mapping) or "values" not in clip or set(clip) - set(_NAMES):
            found = sorted(map(str, clip)) if isinstance(clip, Mapping) else type(source).__name__
            raise ConfigurationError(f"expected a clip as path, array, or dictionary of {list(_NAMES)}, found {found}")
        encoded: dict[str, np.ndarray] = self.feature_extractor.encode_clip(**clip)
        return encoded

    def unpack(self, arrays: dict[str, np.ndarray], key: str | None) -> dict[str, Any]:
        """Return the clip in an `.npz` file of the data contract."""
        if self.feature_extractor.input_type == "features":
            return {"values": pick(arrays, key, "X2048", "X")}
        return {"values": pick(arrays, key, "X"), "mask": arrays.get("mask"), "aspect_ratio": _aspect_ratio(arrays)}

    def _forward(self, model_inputs: dict[str, Any], top_k: int = 5) -> dict[str, Any]:
        if top_k < 1:
            raise ConfigurationError(f"expected a top_k of 1 or more, found {top_k}")
        outputs = self.model(**self.to_device(self.feature_extractor.pad(model_inputs["clips"])))
        glosses, categories = class_names(self.model.config)
        probabilities = outputs.gloss_logits.float().softmax(-1)
        kinds: list[str | None] = [None] * len(probabilities)
        if categories is not None:
            kinds = [categories[number] for number in outputs.category_logits.argmax(-1).tolist()]
        return {"answers": [_ranked(row, glosses, kind, top_k) for row, kind in zip(probabilities, kinds, strict=True)]}


def _aspect_ratio(arrays: dict[str, np.ndarray]) -> float:
    """Return the aspect ratio that `meta` of a file gives; 1 where it says nothing, or other tools' things."""
    try:
        meta = json.loads(str(arrays["meta"]))
        return float(meta["width"] / meta["height"])
    except (LookupError, TypeError, ValueError, ArithmeticError):
        return 1.0


def _ranked(probabilities: torch.Tensor, names: list[str], category: str | None, top_k: int) -> list[dict[str, Any]]:
    scores, best = probabilities.sort(descending=True, stable=True)
    pairs = zip(best[:top_k].tolist(), scores[:top_k].tolist(), strict=True)
    return [{"label": names[number], "score": score, "category": category} for number, score in pairs]
