"""One clip as arrays, given by a program and not by files: checked, and encoded for the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hf_slt.errors import ConfigurationError
from hf_slt.streams import STREAMS

_NAMES = (*STREAMS, "pose_norm")


def encode_streams(extractor: Any, source: Any) -> dict[str, np.ndarray]:
    """Turn the streams of one clip into model inputs without a batch axis.

    Args:
        extractor: A `MultiStreamFeatureExtractor`.
        source: Dictionary of its streams, with `pose_norm` if the landmarks are normalised; or an array of landmarks.

    Raises:
        ConfigurationError: It is neither, names other things, or holds nothing that the model reads.
    """
    streams = {"pose": source} if isinstance(source, np.ndarray) else source
    if not isinstance(streams, Mapping) or set(streams) - set(_NAMES):
        found = sorted(map(str, streams)) if isinstance(streams, Mapping) else type(source).__name__
        raise ConfigurationError(
            f"expected a clip as path, array of landmarks, or dictionary out of {list(_NAMES)}, found {found}"
        )
    batch = extractor(**streams)
    if len(batch["attention_mask"]) != 1:
        raise ConfigurationError(
            f"expected the streams of one clip, found {len(batch['attention_mask'])} clips; give a list of dictionaries"
        )
    return {name: np.asarray(values)[0] for name, values in batch.items()}
