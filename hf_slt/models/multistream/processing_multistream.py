"""Processor of the multi-stream model: a feature extractor for the clip and a tokenizer for the sentence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers.feature_extraction_utils import BatchFeature
from transformers.processing_utils import ProcessorMixin

from hf_slt.compat import is_processor_file, write_processor_files
from hf_slt.models.package_hooks import CodeCarrierMixin


class MultiStreamProcessor(CodeCarrierMixin, ProcessorMixin):
    r"""Bundle a [`MultiStreamFeatureExtractor`] and any tokenizer.

    Args:
        feature_extractor ([`MultiStreamFeatureExtractor`]): Prepares streams.
        tokenizer ([`PreTrainedTokenizerBase`]): Prepares target sentences and decodes generated ones.
    """

    attributes = ["feature_extractor", "tokenizer"]
    feature_extractor_class = "AutoFeatureExtractor"
    tokenizer_class = "AutoTokenizer"

    def __init__(self, feature_extractor: Any, tokenizer: Any):
        super().__init__(feature_extractor, tokenizer)

    def __call__(
        self, *, text: str | Sequence[str] | None = None, return_tensors: str | None = None, **streams: Any
    ) -> BatchFeature:
        """Prepare clips, sentences, or both.

        Args:
            text: A sentence or one a clip; becomes `labels (B, N)`, padded with -100.
            return_tensors: `"pt"` for torch tensors.
            streams: Arguments of [`MultiStreamFeatureExtractor.__call__`].
        """
        streams = {name: value for name, value in streams.items() if value is not None}
        batch = self.feature_extractor(**streams, return_tensors=return_tensors) if streams else BatchFeature()
        if text is not None:
            sentences = [text] if isinstance(text, str) else list(text)
            encoded = self.tokenizer(sentences, padding=True, return_tensors="np")
            labels = encoded["input_ids"].copy()
            labels[encoded["attention_mask"] == 0] = -100
            batch.update(BatchFeature({"labels": labels}, tensor_type=return_tensors))
        return batch

    def to_json_file(self, json_file_path: str | Path, *args: Any, **kwargs: Any) -> None:
        """Write the settings; what transformers 5 puts in one file becomes the files that 4.57 reads as well."""
        if is_processor_file(json_file_path, self.to_dict()):
            write_processor_files(self, Path(json_file_path).parent)
        else:
            super().to_json_file(json_file_path, *args, **kwargs)

    def batch_decode(self, *args: Any, **kwargs: Any) -> list[str]:
        """Decode generated ids, see [`PreTrainedTokenizerBase.batch_decode`]."""
        return self.tokenizer.batch_decode(*args, **kwargs)

    def decode(self, *args: Any, **kwargs: Any) -> str:
        """Decode one sequence of ids, see [`PreTrainedTokenizerBase.decode`]."""
        return self.tokenizer.decode(*args, **kwargs)
