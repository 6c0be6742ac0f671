"""Image backbones that turn whole frames into features: torchvision's InceptionV3, and vision models of transformers.

Dimensions: N frames, d numbers a frame.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image
from torch import nn
from transformers import AutoConfig, AutoImageProcessor, AutoModel

from hf_slt.errors import ConfigurationError, HfSltError, MissingDependencyError
from hf_slt.models.legacy.files import read_torch_file
from hf_slt.models.loading import load_pretrained, missing_weights

INCEPTION, RANDOM = "inception_v3", "random"
_INCEPTION_SIZE, _SMALLEST_INCEPTION_SIZE = 299, 75  # below the latter nothing is left for its last layers
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CLASSIFIERS = ("fc.", "AuxLogits.")
_WHAT, _POOLER = "an image model in --backbone", "pooler"
_DIGITS = 12  # of a hash: enough to tell weights apart


class FrameEncoder(Protocol):
    """What makes features of frames.

    Attributes:
        name: Name of the backbone.
        version: Hash of its weights, or `"random"`.
    """

    name: str
    version: str

    def encode(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Turn N frames, uint8 RGB `(H, W, 3)`, into `(N, d)` float32."""
        ...


class InceptionEncoder:
    """Pool features of torchvision's InceptionV3, d = 2048; frames are squeezed to a square.

    Args:
        weights: File of a state dict (`torch.save`), `"random"` for weights of a fixed seed, or None: torchvision's
            weights, which it downloads once.
        image_size: Side of the square, in pixels; by default the 299 that the network was trained on.
        device: Where to compute.

    Raises:
        MissingDependencyError: torchvision is not installed.
        ConfigurationError: Weights that do not load or are those of another network, or too small a square.
    """

    name = INCEPTION

    def __init__(self, weights: str | None = None, image_size: int | None = None, device: str = "cpu"):
        if image_size is not None and image_size < _SMALLEST_INCEPTION_SIZE:
            raise ConfigurationError(
                f"expected --image-size of {_SMALLEST_INCEPTION_SIZE} or more with {INCEPTION}, found {image_size}"
            )
        # The model's module draws in all of the classifier: only for who asks for this backbone.
        from hf_slt.models.inception_gru.modeling_inception_gru import build_backbone

        self._size, self._device = image_size or _INCEPTION_SIZE, device
        if weights is None:
            network = _download(build_backbone)
        else:
            network = build_backbone(pretrained=False)
            if weights != RANDOM:
                _load_state(network, weights)
        self._network = network.eval().float().to(device)
        self.version = RANDOM if weights == RANDOM else _hash_weights(network)

    @torch.inference_mode()
    def encode(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Turn N frames, uint8 RGB `(H, W, 3)`, into `(N, 2048)` float32."""
        pixels = torch.from_numpy(np.stack([_squeezed(image, self._size) for image in images])).to(self._device)
        mean, std = (torch.tensor(values, device=self._device) for values in (_IMAGENET_MEAN, _IMAGENET_STD))
        pixels = ((pixels / 255 - mean) / std).permute(0, 3, 1, 2)
        return self._network(pixels).float().cpu().numpy()


def _download(build: Any) -> nn.Module:
    try:
        return build(pretrained=True)
    except MissingDependencyError:
        raise
    except Exception as error:  # sockets, certificates, a full disk: each has an error of its own
        raise ConfigurationError(
            f"expected to download torchvision's weights of {INCEPTION}, found no way to ({error}); download them "
            f"elsewhere and pass --weights FILE (a state dict)"
        ) from error


def _load_state(network: nn.Module, path: str) -> None:
    """Load a state dict of `inception_v3`; its classifiers are left out."""
    content = read_torch_file(path)
    state = content.get("state_dict", content)
    if not isinstance(state, Mapping):
        raise ConfigurationError(f"expected a state dict of {INCEPTION} in {path}, found {type(state).__name__}")
    state = {name: value for name, value in state.items() if not str(name).startswith(_CLASSIFIERS)}
    try:
        network.load_state_dict(state)
    except (RuntimeError, TypeError, AttributeError) as error:
        lines = [line.strip() for line in str(error).splitlines()]
        found = " ".join(lines[1:2] or lines)[:200]
        raise ConfigurationError(
            f"expected a state dict of torchvision's {INCEPTION} in {path}, found other weights: {found}"
        ) from error


class PretrainedEncoder:
    """Features of a vision model of transformers: its pooled output, else its class token, else the mean of its map.

    Args:
        name: Name on the hub, or folder, of the model and its image processor.
        image_size: Side of the square to which frames are squeezed, in pixels; by default as the image processor does.
        device: Where to compute.

    Raises:
        ConfigurationError: It does not load (a name on the hub needs the network once), or lacks weights.
    """

    def __init__(self, name: str, image_size: int | None = None, device: str = "cpu"):
        load_pretrained(AutoConfig, name, _WHAT)  # without network this fails sooner than the other parts
        self._processor = _load_image_processor(name)
        model, missing = _load_vision_model(name)
        # A pooler that the checkpoint does not have would be random: other features in each process.
        self._has_pooler = not any(_POOLER in key for key in missing)
        self._model, self._device, self._size = model.eval().float().to(device), device, image_size
        self._options = {"do_resize": False} if image_size else {}
        if image_size and hasattr(self._processor, "do_center_crop"):
            self._options["do_center_crop"] = False
        self.name = Path(name).resolve().name if Path(name).is_dir() else name
        self.version = _hash_weights(model, without=None if self._has_pooler else _POOLER)

    @torch.inference_mode()
    def encode(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Turn N frames, uint8 RGB `(H, W, 3)`, into `(N, d)` float32."""
        pictures = [_squeezed(image, self._size) for image in images] if self._size else list(images)
        inputs = self._processor(pictures, return_tensors="pt", input_data_format="channels_last", **self._options)
        try:
            outputs = self._model(pixel_values=inputs["pixel_values"].to(self._device))
        except (ValueError, RuntimeError) as error:
            raise ConfigurationError(
                f"expected frames of a size that {self.name} takes, found {tuple(inputs['pixel_values'].shape)}: "
                f"{error}; leave --image-size out, or give the size of the model"
            ) from error
        return self._pool(outputs).float().cpu().numpy()

    def _pool(self, outputs: Any) -> torch.Tensor:
        pooled = getattr(outputs, "pooler_output", None) if self._has_pooler else None
        if pooled is not None:
            return pooled.flatten(1)
        states = outputs.last_hidden_state
        return states.mean(dim=(2, 3)) if states.dim() == 4 else states[:, 0]


def _squeezed(image: np.ndarray, size: int) -> np.ndarray:
    """Return a frame as a square of `size` pixels."""
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))


def _load_image_processor(name: str) -> Any:
    """Load the image processor that works on arrays: with and without torchvision the pixels are the same ones."""
    has_backends = importlib.util.find_spec("transformers.image_processing_backends") is not None  # transformers 5
    choice: dict[str, Any] = {"backend": "pil"} if has_backends else {"use_fast": False}
    return load_pretrained(AutoImageProcessor, name, f"the image processor of {_WHAT}", **choice)


def _load_vision_model(name: str) -> tuple[nn.Module, list[str]]:
    """Load the part of a model that sees; returns also the names of weights of its pooler that are not stored."""
    with _silent_transformers():
        model, info = load_pretrained(AutoModel, name, _WHAT, output_loading_info=True)
    missing = missing_weights(model, info["missing_keys"])
    if lacking := [key for key in missing if _POOLER not in key]:
        found = f"'{name}' without {len(lacking)} of its weights: {lacking[:5]}"
        raise ConfigurationError(f"expected {_WHAT}, found {found}")
    if hasattr(model, "vision_model"):  # of a pair of an image and a text model
        return model.vision_model, missing
    if model.main_input_name != "pixel_values":
        found = f"'{name}', a {model.config.model_type} model that reads {model.main_input_name}"
        raise ConfigurationError(f"expected {_WHAT}, found {found}")
    return model, missing


@contextmanager
def _silent_transformers() -> Iterator[None]:
    """Keep back what is said of a missing pooler, which is not used then."""
    library = logging.getLogger("transformers")
    level = library.level
    library.setLevel(logging.ERROR)
    try:
        yield
    finally:
        library.setLevel(level)


def load_encoder(
    backbone: str, weights: str | None = None, image_size: int | None = None, device: str = "cpu"
) -> FrameEncoder:
    """Load a backbone.

    Args:
        backbone: `"inception_v3"`, or name or folder of a vision model of transformers.
        weights: See `InceptionEncoder`; of no other backbone.
        image_size: Side to which frames are resized; by default the backbone's own.
        device: `"auto"` (a GPU if there is one), `"cpu"` or `"cuda"`.

    Raises:
        ConfigurationError: It cannot be loaded, or there is no such device.
        MissingDependencyError: torchvision is needed and not installed.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError("expected a GPU for --device cuda, found none that torch can use; pass --device cpu")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if backbone == INCEPTION:
        return InceptionEncoder(weights, image_size, device)
    if weights is not None:
        raise ConfigurationError(
            f"expected --weights with --backbone {INCEPTION} only, found it with '{backbone}', whose folder holds them"
        )
    try:
        return PretrainedEncoder(backbone, image_size, device)
    except HfSltError as error:
        if Path(backbone).exists():
            raise
        raise ConfigurationError(
            f"{error}\nA name on the hub needs the network the first time; a folder (save_pretrained) never does"
        ) from error


def _hash_weights(network: nn.Module, without: str | None = None) -> str:
    """Return the first digits of a hash over the content of weights.

    Args:
        network: The network; how its weights are called, which differs between versions of transformers, has no part.
        without: Leave out the weights with this in their names.
    """
    digests = [
        hashlib.sha256(tensor.detach().cpu().contiguous().numpy().tobytes()).digest()
        for name, tensor in network.state_dict().items()
        if tensor.is_floating_point() and (without is None or without not in name)
    ]
    return hashlib.sha256(b"".join(sorted(digests))).hexdigest()[:_DIGITS]
