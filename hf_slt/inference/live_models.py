"""Models that look at windows of live frames: a translator and a recogniser, on torch or on ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoProcessor

from hf_slt.errors import ConfigurationError
from hf_slt.exporters.requirements import require_onnx
from hf_slt.inference.streaming import LiveFrame, check_layout, clip_landmarks, read_points, stream_inputs
from hf_slt.models.auto import GLOSS_FAMILIES
from hf_slt.models.gloss.checkpoint import class_names, read_gloss_folder
from hf_slt.models.loading import load_pretrained, missing_weights
from hf_slt.models.multistream.configuration_multistream import MultiStreamConfig
from hf_slt.models.multistream.modeling_multistream import MultiStreamForConditionalGeneration
from hf_slt.provenance import check_extractor
from hf_slt.signing_space import SIGNING_SPACE
from hf_slt.streams import IMAGE_STREAMS

_LANDMARKS_OF_GLOSSES = "keypoints_78"
_COUNTS = ("num_threads", "num_beams", "max_new_tokens")  # that are 1 or more


class LiveTranslator:
    """Translate windows of frames.

    Args:
        model: A translation model of torch, or an exported one.
        processor: Its processor.
        generation: Options of `generate` that are not the model's own; None is the model's own.

    Raises:
        ConfigurationError: It reads landmarks that no detector gives.
    """

    def __init__(self, model: Any, processor: Any, generation: Mapping[str, Any] | None = None):
        self.model = model.eval()
        self.processor = processor
        self.extractor = processor.feature_extractor
        self.streams = list(self.extractor.streams)
        self.image_streams = [stream for stream in self.streams if stream in IMAGE_STREAMS]
        self.generation = {name: value for name, value in (generation or {}).items() if value is not None}
        if "pose" in self.streams:
            check_layout(self.extractor.layout())

    def __call__(self, frames: Sequence[LiveFrame], said: str = "") -> str:
        """Translate a window.

        Args:
            frames: The window.
            said: What the translation has to begin with.

        Returns:
            The sentence, `said` included; `said` alone where nothing of the signer was found.
        """
        inputs = stream_inputs(frames, self.streams, self.extractor.layout())
        if not inputs:
            return said
        beginning = self._beginning(said)
        if beginning.get("max_new_tokens", 1) < 1:  # it is as long as it may be
            return said
        batch = self.extractor(**inputs, return_tensors="pt").to(self.model.device)
        with torch.inference_mode():
            ids = self.model.generate(**batch, **{**self.generation, **beginning})
        return self.processor.tokenizer.batch_decode(ids, skip_special_tokens=True)[0].strip()

    def _beginning(self, said: str) -> dict[str, Any]:
        """Return the tokens that generation starts from, and how many may follow: the limit is one of the sentence."""
        if not said:
            return {}
        tokens = self.processor.tokenizer(said, add_special_tokens=False)["input_ids"]
        start, own = self.model.config.decoder_start_token_id, self.model.generation_config
        beginning = {"decoder_input_ids": torch.tensor([[start, *tokens]], device=self.model.device)}
        longest = self.generation.get("max_new_tokens") or own.max_new_tokens
        if longest is None and own.max_length is not None:
            longest = own.max_length - 1  # which counts the token to start from
        return beginning if longest is None else {**beginning, "max_new_tokens": longest - len(tokens)}


class LiveRecognizer:
    """Recognise the gloss of a window of frames.

    Args:
        model: A gloss classifier of torch, or an exported one.
        extractor: Its feature extractor.

    Raises:
        ConfigurationError: It reads image features, or landmarks that no detector gives.
    """

    image_streams: tuple[str, ...] = ()

    def __init__(self, model: Any, extractor: Any):
        self.model = model.eval()
        self.extractor = extractor
        self.names = class_names(model.config)[0]
        if extractor.input_type != "landmarks":
            raise ConfigurationError(
                "expected a classifier of landmarks, found one of image features, which nothing computes live; train "
                "one on keypoints78/ of scripts/extract_streams.py"
            )
        self._layout = extractor.layout()
        if self._layout.name != _LANDMARKS_OF_GLOSSES:
            check_layout(self._layout)

    def __call__(self, frames: Sequence[LiveFrame]) -> np.ndarray:
        """Return the probabilities of the glosses, `(C,)` float32."""
        clip = clip_landmarks(frames)
        if self._layout.name == _LANDMARKS_OF_GLOSSES:
            from hf_slt.extraction.keypoints import keypoints_78
            from hf_slt.extraction.options import LARGEST_GAP

            values, mask = keypoints_78(clip, LARGEST_GAP)
        else:
            points, confidence = read_points(clip, self._layout)
            values = (points / (clip.width, clip.height)).reshape(len(clip), -1)
            mask = confidence > 0
        encoded = self.extractor.encode_clip(values, mask, clip.aspect_ratio)
        batch = self.extractor.pad([encoded])
        if not batch["attention_mask"].any():  # nothing to look at: no gloss is more likely than another
            return np.full(len(self.names), 1 / len(self.names), dtype=np.float32)
        with torch.inference_mode():
            inputs = {name: torch.as_tensor(array).to(self.model.device) for name, array in batch.items()}
            logits = self.model(**inputs).gloss_logits
        return logits.float().softmax(-1)[0].cpu().numpy()


def load_live_model(
    checkpoint: str | Path | None = None,
    onnx: str | Path | None = None,
    device: str = "auto",
    num_threads: int | None = None,
    generation: Mapping[str, Any] | None = None,
) -> LiveTranslator | LiveRecognizer:
    """Load a trained or an exported model, whichever of the two tasks it is for.

    Args:
        checkpoint: Folder of a trained model; or
        onnx: folder of an export, or of a variant in it. With both, the checkpoint is not read.
        device: `auto`, `cpu` or `cuda`; an export computes on the CPU.
        num_threads: Threads of the model; all cores by default.
        generation: Options of `generate`; None is the model's own.

    Raises:
        ConfigurationError: There is no model, it does not load, it cannot be used live, the device is not there, or
            options that cannot work or that are not for this kind of model.
        MissingDependencyError: An export, and the extra `onnx` is not installed.
    """
    given = {name: value for name, value in (generation or {}).items() if value is not None}
    for name, value in {"num_threads": num_threads, **given}.items():
        if name in _COUNTS and value is not None and value < 1:
            raise ConfigurationError(f"expected --{name.replace('_', '-')} of 1 or more, found {value}")
    path = str(onnx or checkpoint or "")
    what = f"an exported model in --onnx {path}" if onnx else f"a trained model in --checkpoint {path}"
    if not (Path(path) / "config.json").is_file():
        raise ConfigurationError(f"expected {what}, found no config.json there")
    if onnx:
        require_onnx("optimum.onnxruntime")
    target = live_device("cpu" if onnx else device)
    if num_threads:
        torch.set_num_threads(num_threads)
    config = load_pretrained(AutoConfig, path, what)
    if isinstance(config, MultiStreamConfig):
        return _load_translator(path, what, bool(onnx), target, num_threads, given)
    if config.model_type in GLOSS_FAMILIES:
        if flags := [f"--{name.replace('_', '-')}" for name in given]:
            raise ConfigurationError(f"expected no {flags[0]}, which is for captions, with this model, found one")
        return _load_recognizer(path, what, bool(onnx), target, num_threads)
    raise ConfigurationError(f"expected {what} for translation or glosses, found a model of type '{config.model_type}'")


def live_device(name: str) -> torch.device:
    """Return the device of a name, `auto` being a GPU if there is one; raise `ConfigurationError` for one not there."""
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError("expected a GPU for --device cuda, found none that torch can use; pass --device cpu")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def _load_translator(
    path: str,
    what: str,
    is_exported: bool,
    device: torch.device,
    num_threads: int | None,
    generation: Mapping[str, Any] | None,
) -> LiveTranslator:
    # checkpoint-N holds no feature extractor: the one of the run is in the folder above.
    folder = next((f for f in (Path(path), Path(path).parent) if (f / "preprocessor_config.json").is_file()), path)
    processor = load_pretrained(AutoProcessor, str(folder), "a processor beside the model")
    if is_exported:
        from hf_slt.exporters.ort_multistream import ORTMultiStreamForConditionalGeneration

        model = ORTMultiStreamForConditionalGeneration.from_pretrained(path, num_threads=num_threads)
    else:
        model = _load_weights(MultiStreamForConditionalGeneration, path, what).to(device)
    return LiveTranslator(model, processor, generation)


def _load_recognizer(
    path: str, what: str, is_exported: bool, device: torch.device, num_threads: int | None
) -> LiveRecognizer:
    _, extractor = read_gloss_folder(path, what)
    if is_exported:
        from hf_slt.exporters.ort_gloss import ORTGlossClassifier

        return LiveRecognizer(ORTGlossClassifier.from_pretrained(path, num_threads=num_threads), extractor)
    return LiveRecognizer(_load_weights(AutoModelForSequenceClassification, path, what).to(device), extractor)


def _load_weights(auto_class: Any, path: str, what: str) -> Any:
    model, info = load_pretrained(auto_class, path, what, output_loading_info=True)
    if missing := missing_weights(model, info["missing_keys"]):
        raise ConfigurationError(f"expected {what}, found {len(missing)} of its weights missing: {missing[:5]}")
    return model.eval()


def check_live_extractor(model: LiveTranslator | LiveRecognizer, record: Mapping[str, Any], strict: bool) -> None:
    """Compare the detector of the live frames with that of the training clips: a warning, or an error if `strict`.

    Args:
        model: The model.
        record: Provenance of the live landmarks.
        strict: Whether a difference is an error.

    Raises:
        ConfigurationError: `strict`, and they differ or the model's is not known.
    """
    extractor = model.extractor
    # The layout is the model's own and points are normalised by its own feature extractor.
    check_extractor(
        getattr(extractor, "extractor", None),
        {**record, "pose_norm": SIGNING_SPACE} if isinstance(model, LiveTranslator) else record,
        strict,
        "the live landmarks",
        pose_norm=getattr(extractor, "pose_norm", None) if isinstance(model, LiveTranslator) else None,
    )
