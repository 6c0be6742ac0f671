"""What the pipelines of both tasks share: clips of any source, read one by one and computed in batches."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from transformers import Pipeline

from hf_slt.errors import ConfigurationError
from hf_slt.models.package_hooks import READ_CLIP

READING = ("clip", "key", "fps", "strict")  # options of a call that say how its clips are read


class SignPipeline(Pipeline):
    """Base of the pipelines: where clips come from, and batches of them.

    A clip is a video file, a folder of streams, an `.npz`, a `.pose` file or another file of landmarks; or what such
    files hold, see the pipelines. Videos, folders and files of other tools need hf_slt to be imported; where only the
    code that travelled with a model is there, arrays and `.npz` files are read.

    Options of a call (or of the pipeline, for all calls):

    - `batch_size` (`int`): Clips that are computed together, of a list, a generator or a data set. 1 by default.
    - `clip` (`str`): Which clip to take of a folder that holds several.
    - `key` (`str`): Key of the array in an `.npz`, if it is not that of the data contract.
    - `fps` (`float`): Frames a second to take of a video; all of them by default.
    - `strict` (`bool`): Refuse clips of another extractor than the model was trained on, and do not just warn.
    """

    _load_feature_extractor = True
    _load_image_processor = False
    _load_processor = False
    _load_tokenizer = False

    def get_iterator(
        self,
        inputs: Any,
        num_workers: int,
        batch_size: int,
        preprocess_params: dict[str, Any],
        forward_params: dict[str, Any],
        postprocess_params: dict[str, Any],
    ) -> Iterator[Any]:
        """Give the answers for many clips, in their order; each batch is read when it is wanted.

        The clips of a batch are padded by the model's own feature extractor, which also writes their masks.
        """
        for sources in _batches(_items(inputs), batch_size):
            clips = [self.preprocess(source, **preprocess_params)["clips"] for source in sources]
            answers = self.forward({"clips": list(itertools.chain(*clips))}, **forward_params)["answers"]
            yield from (self.postprocess({"answers": [answer]}, **postprocess_params) for answer in answers)

    def preprocess(self, source: Any, **reading: Any) -> dict[str, Any]:
        """Read and encode one clip."""
        if not isinstance(source, (str, os.PathLike)):
            return {"clips": [self.encode(source)]}
        for read_clip in READ_CLIP:
            return {"clips": [read_clip(source, self.feature_extractor, **reading)]}
        if not str(source).lower().endswith(".npz"):
            raise ConfigurationError(
                f"expected arrays or an .npz file, found '{source}'; for videos, folders and files of other tools "
                f"install hf_slt, and import it before the pipeline is made"
            )
        with np.load(source, allow_pickle=False) as file:
            return {"clips": [self.encode(self.unpack(dict(file), reading.get("key")))]}

    def postprocess(self, outputs: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the answer for one clip."""
        answer: list[dict[str, Any]] = outputs["answers"][0]
        return answer

    def encode(self, source: Any) -> dict[str, np.ndarray]:
        """Turn the arrays of one clip into model inputs without a batch axis."""
        raise NotImplementedError

    def unpack(self, arrays: dict[str, np.ndarray], key: str | None) -> Any:
        """Return what `encode` takes of the arrays in an `.npz` file of the data contract."""
        raise NotImplementedError

    def to_device(self, batch: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
        """Return a padded batch as tensors on the device of the model."""
        return {name: torch.as_tensor(values).to(self.model.device) for name, values in batch.items()}


def pick(arrays: dict[str, np.ndarray], *keys: str | None) -> np.ndarray:
    """Return the first of some arrays that a file holds.

    Raises:
        ConfigurationError: It holds none of them.
    """
    for name in keys:
        if name in arrays:
            return arrays[name]
    expected = " or ".join(f"'{name}'" for name in keys if name)
    raise ConfigurationError(f"expected an array under the key {expected}, found the keys {sorted(arrays)}")


def _items(inputs: Any) -> Iterable[Any]:
    """Return the clips of a list, a generator or a data set, which may have numbered items only."""
    return inputs if hasattr(inputs, "__iter__") else (inputs[i] for i in range(len(inputs)))


def _batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    if size < 1:
        raise ConfigurationError(f"expected a batch_size of 1 or more, found {size}")
    iterator = iter(items)
    while batch := list(itertools.islice(iterator, size)):
        yield batch
