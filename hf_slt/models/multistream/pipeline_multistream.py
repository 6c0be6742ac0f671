"""Pipeline of the task `sign-language-translation`: clips in, sentences out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hf_slt.errors import ConfigurationError
from hf_slt.models.multistream.clip_arrays import encode_streams
from hf_slt.models.multistream.decoding import translate
from hf_slt.models.sign_pipeline import READING, SignPipeline, pick


class SignLanguageTranslationPipeline(SignPipeline):
    """Translate clips of sign language.

    As arrays, a clip is a dictionary of the streams as `MultiStreamFeatureExtractor` takes them, or for a model of
    landmarks their array `(T, L, 3)`: x, y, confidence. Further options of a call: `top_k` (`int`, sentences to return;
    at most as many as there are beams) and those of `generate`, such as `num_beams` and `max_new_tokens`.

    Returns:
        For each clip a list of `{"translation_text", "score"}`, best first. The score is in (0, 1]: the exponential of
        the mean log-probability per token, so the typical probability of a token.

    Example:
        >>> import hf_slt
        >>> from transformers import pipeline
        >>> pipeline("sign-language-translation", model="runs/mine")("clip.mp4")
        [{'translation_text': 'The boy eats bread.', 'score': 0.83}]
    """

    _load_tokenizer = True

    def _sanitize_parameters(
        self, top_k: int | None = None, **options: Any
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        reading = {name: options.pop(name) for name in READING if name in options}
        return reading, options if top_k is None else {**options, "top_k": top_k}, {}

    def encode(self, source: Any) -> dict[str, np.ndarray]:
        """Turn the streams of one clip, raw arrays, into model inputs without a batch axis."""
        return encode_streams(self.feature_extractor, source)

    def unpack(self, arrays: dict[str, np.ndarray], key: str | None) -> dict[str, Any]:
        """Return the landmarks in an `.npz` file of the data contract."""
        norm = str(arrays["pose_norm"]) if "pose_norm" in arrays else None
        pose = pick(arrays, key, "pose").astype(np.float32)
        confidence = arrays.get("confidence")
        if confidence is not None and pose.ndim == 3:
            pose = np.concatenate((pose[..., :2], confidence[..., None]), axis=-1)
        return {"pose": pose, "pose_norm": norm}

    def _forward(self, model_inputs: dict[str, Any], top_k: int = 1, **options: Any) -> dict[str, Any]:
        beams = options.get("num_beams") or self.model.generation_config.num_beams or 1
        sampled = options.get("do_sample", self.model.generation_config.do_sample)
        if top_k < 1 or (top_k > beams and not sampled):
            raise ConfigurationError(f"expected a top_k of 1 to {beams}, the number of beams, found {top_k}")
        batch = self.to_device(self.feature_extractor.pad(model_inputs["clips"]))
        found = translate(self.model, batch, top_k, **options)
        sentences = [self.tokenizer.batch_decode(ids, skip_special_tokens=True) for ids in found.ids]
        return {
            "answers": [
                [{"translation_text": text, "score": math.exp(score)} for text, score in zip(*clip, strict=True)]
                for clip in zip(sentences, found.scores.tolist(), strict=True)
            ]
        }
