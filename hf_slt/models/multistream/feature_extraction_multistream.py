"""Feature extractor of the multi-stream model: raw frames and landmarks of a clip -> padded tensors and masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from transformers.feature_extraction_utils import BatchFeature, FeatureExtractionMixin

from hf_slt.errors import ConfigurationError, MissingDependencyError
from hf_slt.landmarks import PoseLayout, get_layout
from hf_slt.models.package_hooks import SettingsCarrierMixin
from hf_slt.signing_space import SIGNING_SPACE, normalize_pose
from hf_slt.streams import IMAGE_STREAMS, STREAMS

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

Frames = Sequence[np.ndarray | None]  # T entries: uint8 (H, W, 3) RGB, or None where the frame is missing


class MultiStreamFeatureExtractor(SettingsCarrierMixin, FeatureExtractionMixin):
    r"""Turn the streams of a clip into model inputs.

    Args:
        streams (`Sequence[str]`): Streams that the model reads.
        image_size (`int`): Side to which crops are resized, in pixels.
        image_mean (`Sequence[float]`): Mean of each colour, of values in [0, 1].
        image_std (`Sequence[float]`): Standard deviation of each colour.
        sequence_length (`int`): Longest clip, in frames; a longer one is sampled down evenly.
        num_pose_landmarks (`int`): Number of landmarks L.
        pose_layout (`str`, *optional*): Name of the layout, see `hf_slt/landmarks.py`; found by L if not given.
        pose_norm (`str`, *optional*): Normalisation of the poses that the model was trained on; for information.
        extractor (`str`, *optional*): What their landmarks were found by, such as `"mediapipe_holistic 0.10.21"`; for
            information, several are separated by commas.
    """

    model_input_names = ["attention_mask", *(f"{s}_pixel_values" for s in IMAGE_STREAMS), "pose_values"]

    def __init__(
        self,
        streams: Sequence[str] = STREAMS,
        image_size: int = 224,
        image_mean: Sequence[float] = IMAGENET_MEAN,
        image_std: Sequence[float] = IMAGENET_STD,
        sequence_length: int = 128,
        num_pose_landmarks: int = 33,
        pose_layout: str | None = None,
        pose_norm: str | None = None,
        extractor: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.streams = list(streams)
        self.image_size = image_size
        self.image_mean = list(image_mean)
        self.image_std = list(image_std)
        self.sequence_length = sequence_length
        self.num_pose_landmarks = num_pose_landmarks
        self.pose_layout = pose_layout
        self.pose_norm = pose_norm
        self.extractor = extractor

    def layout(self) -> PoseLayout:
        """Return the landmark layout of the poses."""
        return get_layout(self.pose_layout, self.num_pose_landmarks)

    def sample_frames(self, num_frames: int, rng: np.random.Generator | None = None) -> np.ndarray:
        """Choose the frames of a clip that the model sees; all streams use the same ones.

        Args:
            num_frames: Frames of the clip.
            rng: Draw one frame at random from each of the even intervals (training); the middle one if not given.

        Returns:
            Ascending frame numbers, at most `sequence_length`; all of them when the clip is not longer.
        """
        if num_frames <= self.sequence_length:
            return np.arange(num_frames)
        position = 0.5 if rng is None else rng.random(self.sequence_length)
        return ((np.arange(self.sequence_length) + position) * num_frames / self.sequence_length).astype(int)

    def normalize_pose(self, points: np.ndarray, confidence: np.ndarray, pose_norm: str | None = None) -> np.ndarray:
        """Bring points `(T, L, 2)` to signing space, unless `pose_norm` says that they are there already."""
        if pose_norm == SIGNING_SPACE:
            return np.where(confidence[..., None] > 0, points, -1.0).astype(np.float32)
        if pose_norm is not None:
            raise ConfigurationError(f"expected pose_norm '{SIGNING_SPACE}' or none, found '{pose_norm}'")
        return normalize_pose(points, confidence, self.layout())

    def encode_clip(
        self, frames: dict[str, Frames], points: np.ndarray | None = None, confidence: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Turn one clip, already sampled and with a normalised pose, into arrays without a batch axis.

        Args:
            frames: Image stream -> T frames. A stream that is not a key gives no input.
            points: `(T, L, 2)` in signing space.
            confidence: `(T, L)`; 0 = undetected.

        Returns:
            `*_pixel_values (T, 3, H, W)`, `*_mask (T,)`, `pose_values (T, 3L)`, `pose_mask (T, L)` and
            `attention_mask (T,)`.
        """
        encoded = {}
        for stream, images in frames.items():
            encoded[f"{stream}_pixel_values"], encoded[f"{stream}_mask"] = self._encode_images(images)
        if points is not None:
            assert confidence is not None  # points never come without it
            values = np.concatenate((points, confidence[..., None]), axis=-1)  # (T, L, 3)
            encoded["pose_values"] = values.reshape(len(values), -1).astype(np.float32)
            encoded["pose_mask"] = (confidence > 0).astype(np.int64)
        lengths = {name: len(value) for name, value in encoded.items()}
        if len(set(lengths.values())) != 1:
            raise ConfigurationError(f"expected streams of the same number of frames, found {lengths}")
        encoded["attention_mask"] = np.ones(next(iter(lengths.values())), dtype=np.int64)
        return encoded

    def _encode_images(self, images: Frames) -> tuple[np.ndarray, np.ndarray]:
        mask = np.array([image is not None for image in images], dtype=np.int64)
        pixels = np.zeros((len(images), 3, self.image_size, self.image_size), dtype=np.float32)
        if mask.any():
            resized = np.stack([self._resize(image) for image in images if image is not None])  # (frames, H, W, 3)
            scale = 1 / (255 * np.array(self.image_std, dtype=np.float32))
            shift = np.array(self.image_mean, dtype=np.float32) / np.array(self.image_std, dtype=np.float32)
            pixels[mask.astype(bool)] = (resized * scale - shift).transpose(0, 3, 1, 2)
        return pixels, mask

    def _resize(self, image: np.ndarray) -> np.ndarray:
        image = np.asarray(image)
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ConfigurationError(
                f"expected frames as uint8 RGB (H, W, 3), found {image.dtype} of shape {image.shape}"
            )
        size = (self.image_size, self.image_size)
        if image.shape[:2] == size:
            return image
        try:  # the code may run where only torch and transformers are, which do not need Pillow
            from PIL import Image
        except ImportError as error:
            raise MissingDependencyError(
                f"expected Pillow, to resize crops of {image.shape[1]} x {image.shape[0]} pixels, found none "
                f"({error}); run: pip install Pillow, or give crops of {self.image_size} x {self.image_size}"
            ) from error
        return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))

    def pad(self, clips: Sequence[dict[str, np.ndarray]], return_tensors: str | None = None) -> BatchFeature:
        """Pad encoded clips with zeros to the longest one and stack them.

        Args:
            clips: Outputs of `encode_clip`.
            return_tensors: `"pt"` for torch tensors, `"np"` or None for arrays.

        Returns:
            Every array with a batch axis in front, `(B, T, ...)`. A stream that a clip lacks is masked there.
        """
        longest = max(len(clip["attention_mask"]) for clip in clips)
        templates = {name: value for clip in clips for name, value in clip.items()}
        batch = {}
        for name, template in templates.items():
            batch[name] = np.zeros((len(clips), longest, *template.shape[1:]), dtype=template.dtype)
            for i, clip in enumerate(clips):
                if name in clip:
                    batch[name][i, : len(clip[name])] = clip[name]
        return BatchFeature(batch, tensor_type=return_tensors)

    def __call__(
        self,
        face: Frames | Sequence[Frames] | None = None,
        left_hand: Frames | Sequence[Frames] | None = None,
        right_hand: Frames | Sequence[Frames] | None = None,
        pose: np.ndarray | Sequence[np.ndarray] | None = None,
        pose_norm: str | None = None,
        return_tensors: str | None = None,
    ) -> BatchFeature:
        """Prepare one clip or a list of clips for the model.

        Args:
            face: Frames of a clip, uint8 `(T, H, W, 3)` RGB or a list with None for a missing frame; or several clips.
            left_hand: The same for crops of the left hand.
            right_hand: The same for crops of the right hand.
            pose: `(T, L, 3)` or `(T, 3L)` x, y, confidence (0 = undetected); or a list of clips.
            pose_norm: `"signing_space_v1"` if the poses are in signing space; None for image coordinates.
            return_tensors: `"pt"` for torch tensors.

        Returns:
            Padded inputs with their masks, always with a batch axis.

        Raises:
            ConfigurationError: No stream of this extractor was given, or streams differ in length.
        """
        given: dict[str, Any] = dict(zip(STREAMS, (face, left_hand, right_hand, pose), strict=True))
        given = {s: value for s, value in given.items() if value is not None and s in self.streams}
        if not given:
            raise ConfigurationError(f"expected at least one of the streams {self.streams}, found none")
        batches = {s: value if _is_batch(s, value) else [value] for s, value in given.items()}
        sizes = {s: len(value) for s, value in batches.items()}
        if len(set(sizes.values())) > 1:
            raise ConfigurationError(f"expected the same number of clips in every stream, found {sizes}")
        clips = [
            self._encode_raw({s: value[i] for s, value in batches.items()}, pose_norm)
            for i in range(next(iter(sizes.values())))
        ]
        return self.pad(clips, return_tensors=return_tensors)

    def _encode_raw(self, clip: dict[str, Any], pose_norm: str | None) -> dict[str, np.ndarray]:
        lengths = {s: len(value) for s, value in clip.items()}
        if len(set(lengths.values())) > 1 or 0 in lengths.values():
            raise ConfigurationError(f"expected streams of the same number of frames, at least one; found {lengths}")
        chosen = self.sample_frames(next(iter(lengths.values())))
        frames: dict[str, Frames] = {s: [clip[s][i] for i in chosen] for s in IMAGE_STREAMS if s in clip}
        if "pose" not in clip:
            return self.encode_clip(frames)
        pose = np.asarray(clip["pose"], dtype=np.float32)
        if pose.size != len(pose) * 3 * self.num_pose_landmarks:
            raise ConfigurationError(
                f"expected poses (T, {self.num_pose_landmarks}, 3) or (T, {3 * self.num_pose_landmarks}), found "
                f"{pose.shape}"
            )
        pose = pose.reshape(len(pose), -1, 3)
        points, confidence = pose[..., :2], np.where(np.isfinite(pose).all(-1), pose[..., 2], 0.0)
        points = self.normalize_pose(np.nan_to_num(points), confidence, pose_norm)
        return self.encode_clip(frames, points[chosen], confidence[chosen])


def _is_batch(stream: str, value: Any) -> bool:
    """Tell a batch of clips from a clip: a pose clip is one array, an image clip is one array or a list of frames."""
    if isinstance(value, np.ndarray):
        return value.ndim == (4 if stream == "pose" else 5)
    if stream == "pose":
        return True
    first = next((entry for entry in value if entry is not None), None)
    return isinstance(first, (list, tuple)) or (first is not None and np.ndim(first) == 4)
