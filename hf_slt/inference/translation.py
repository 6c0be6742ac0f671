"""Sentences of clips by a trained translation model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForSeq2SeqLM, AutoProcessor

from hf_slt.errors import ConfigurationError
from hf_slt.exporters.exported_models import check_exported, is_exported, load_exported_translation
from hf_slt.inference.clip_inputs import Reading
from hf_slt.inference.clips import encode_stream_clips
from hf_slt.models.loading import load_pretrained, missing_weights
from hf_slt.models.multistream.configuration_multistream import MultiStreamConfig
from hf_slt.models.multistream.decoding import translate

_SCORE_DIGITS = 4  # as in the files of an evaluation; further ones are those of the runtime and its threads


@dataclass(frozen=True)
class RankedSentence:
    """One sentence that a clip may say.

    Attributes:
        text: The sentence.
        score: Mean log-probability per token, as in the files of an evaluation; 0 is the best.
    """

    text: str
    score: float

    @property
    def probability(self) -> float:
        """The score for people: the typical probability of a token, `exp(score)`, in (0, 1]."""
        return math.exp(self.score)

    def __str__(self) -> str:
        return f"{self.text} {self.probability:.2f}"

    def to_dict(self) -> dict[str, Any]:
        """Return the sentence as a plain dictionary."""
        return {"text": self.text, "score": self.score, "probability": round(self.probability, _SCORE_DIGITS)}


@dataclass(frozen=True)
class TranslationPrediction:
    """What a translation model says of a clip.

    Attributes:
        text: The best sentence.
        score: Its mean log-probability per token.
        alternatives: The best sentences, the first one included, best first.
    """

    text: str
    score: float
    alternatives: list[RankedSentence]

    @property
    def ranked(self) -> list[RankedSentence]:
        """The alternatives to show: all sentences, where there is more than the best one."""
        return self.alternatives if len(self.alternatives) > 1 else []

    def __str__(self) -> str:
        return str(self.alternatives[0])

    def to_dict(self) -> dict[str, Any]:
        """Return the prediction as a plain dictionary: the best sentence, and all of them."""
        return {**self.alternatives[0].to_dict(), "alternatives": [one.to_dict() for one in self.alternatives]}


class TranslationPredictor:
    """Translate clips, one or many.

    Args:
        model: A translation model of PyTorch, or an exported one (`ORTMultiStreamForConditionalGeneration`).
        processor: The processor that was saved with it; it decides what is read of a clip.

    Example:
        >>> predictor = TranslationPredictor.from_pretrained("runs/mine")
        >>> print(predictor.predict(["clip.mp4"])[0])
        La casa es grande. 0.83
    """

    def __init__(self, model: Any, processor: Any):
        self.model = model.eval()
        self.processor = processor
        self.feature_extractor = processor.feature_extractor

    @classmethod
    def from_pretrained(cls, path: str | Path) -> TranslationPredictor:
        """Load the model of a run, of a `checkpoint-N` in it, or of an export (`export_onnx.py`).

        Raises:
            ConfigurationError: There is no translation model, or it is not complete.
            MissingDependencyError: It is an export, and the extra `onnx` is not installed.
        """
        path, what = Path(path), "a trained translation model"
        processor = load_processor(path, what)
        if is_exported(path):
            check_exported(path, translates=True)
            return cls(load_exported_translation(path), processor)
        model, info = load_pretrained(AutoModelForSeq2SeqLM, str(path), what, output_loading_info=True)
        if missing := missing_weights(model, info["missing_keys"]):
            raise ConfigurationError(
                f"expected {what}, found {path} without {len(missing)} of its weights: {missing[:5]}"
            )
        return cls(model.to("cuda" if torch.cuda.is_available() else "cpu"), processor)

    def predict(
        self,
        sources: Sequence[str | Path | np.ndarray | dict[str, Any]],
        top_k: int = 5,
        batch_size: int = 8,
        *,
        num_beams: int | None = None,
        clip: str | None = None,
        key: str | None = None,
        fps: float | None = None,
        strict: bool = False,
    ) -> list[TranslationPrediction]:
        """Translate clips.

        Args:
            sources: Videos, folders of streams, `.npz`, `.pose` and other files of landmarks, dictionaries of the
                arrays of streams, or arrays of landmarks `(T, L, 3)`.
            top_k: Sentences to rank; no more than there are beams.
            batch_size: Clips a step.
            num_beams: Beams; None: those of the model, 1 as a rule.
            clip: Id of the clip to take of folders that hold several.
            key: Key of the array in `.npz` files, if it is not the contract's.
            fps: Frames a second to take of videos; None: all of them.
            strict: Refuse landmarks of another extractor than that of the training; else they are worth a warning.

        Returns:
            One prediction a clip, in their order.

        Raises:
            DataContractError, VideoError: Clips that are not what the model reads; all of them at once.
            ConfigurationError: Numbers below 1, arrays that cannot be, or (`strict`) another extractor.
            MissingDependencyError: A package that reads such files is not installed.
        """
        beams = self.model.generation_config.num_beams or 1 if num_beams is None else num_beams
        if min(top_k, batch_size, beams) < 1:
            raise ConfigurationError(
                f"expected top_k, batch_size and num_beams of 1 or more, found {top_k}, {batch_size} and {num_beams}"
            )
        encoded = encode_stream_clips(sources, self.feature_extractor, Reading(clip, key, fps), strict)
        predictions: list[TranslationPrediction] = []
        for start in range(0, len(encoded), batch_size):
            batch = self.feature_extractor.pad(encoded[start : start + batch_size], return_tensors="pt")
            inputs = {name: values.to(self.model.device) for name, values in batch.items()}
            found = translate(self.model, inputs, min(top_k, beams), num_beams=beams)
            for ids, scores in zip(found.ids, found.scores.tolist(), strict=True):
                texts = self.processor.tokenizer.batch_decode(ids, skip_special_tokens=True)
                pairs = zip(texts, scores, strict=True)
                ranked = [RankedSentence(text, round(score, _SCORE_DIGITS)) for text, score in pairs]
                predictions.append(TranslationPrediction(ranked[0].text, ranked[0].score, ranked))
        return predictions


def load_processor(path: Path, what: str) -> Any:
    """Load the processor of a translation model, trained or exported.

    Args:
        path: Folder of the model.
        what: What was expected there, for the message.

    Raises:
        ConfigurationError: There is no translation model, or no processor beside it or above it.
    """
    if not (path / "config.json").is_file():
        raise ConfigurationError(f"expected {what}, found no config.json in {path}")
    config = load_pretrained(AutoConfig, str(path), what)
    if not isinstance(config, MultiStreamConfig):
        raise ConfigurationError(f"expected {what} for translation, found one of type '{config.model_type}' in {path}")
    # checkpoint-N holds no feature extractor: the one of the run is in the folder above.
    folder = next((f for f in (path, path.parent) if (f / "preprocessor_config.json").is_file()), path)
    return load_pretrained(AutoProcessor, str(folder), "a processor beside the model")
