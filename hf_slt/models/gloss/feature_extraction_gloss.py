"""Feature extractor of the gloss classifiers: landmarks or image features of a clip -> padded inputs and masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from transformers.feature_extraction_utils import BatchFeature, FeatureExtractionMixin

from hf_slt.errors import ConfigurationError
from hf_slt.keypoint_geometry import (
    body_coordinates,
    hand_coordinates,
    is_left_handed,
    mirror_clip,
    resample_clip,
)
from hf_slt.landmarks import PoseLayout, get_layout
from hf_slt.models.package_hooks import SettingsCarrierMixin

INPUT_TYPES = ("landmarks", "features")
NORMALIZATIONS = ("body", "none")
COORDINATES = ("positions", "hand_places", "hand_shapes")
_HAND_FEATURES = {"hand_places": 2, "hand_shapes": 40}  # numbers a hand
FEATURES = (*COORDINATES, "velocity", "acceleration", "mask")
# Differences of neighbouring frames are several times smaller than what they are differences of.
_MOTION_SCALE = 4.0
_LIMIT = 8.0  # units of the body or palms; beyond it a point is an error of the detector


class GlossFeatureExtractor(SettingsCarrierMixin, FeatureExtractionMixin):
    r"""Turn a clip of landmarks or of image features into model inputs.

    Landmarks are brought into the frame of the body (origin in the middle of the shoulders, their distance is the unit,
    medians over the clip; from the hands where the shoulders were never seen), so that neither the place nor the
    distance of the signer matters. A landmark that is missing is 0 *and* missing in the mask; a frame in which nothing
    was detected is masked out.

    Args:
        input_type (`str`): `"landmarks"` or `"features"`.
        num_landmarks (`int`): L, landmarks a frame; not used for features.
        layout_name (`str`, *optional*): Name of their layout, see `hf_slt/landmarks.py`; found by L if not given.
        feature_size (`int`): Numbers a frame of features; not used for landmarks.
        normalization (`str`): `"body"` as above, or `"none"`: coordinates as they are in the file.
        features (`Sequence[str]`): What a frame of landmarks becomes, in this order: `"positions"` (2L numbers),
            `"hand_places"` (the wrists: 4), `"hand_shapes"` (each hand about its wrist, in palm lengths: 80),
            `"velocity"` and `"acceleration"` (first and second difference over frames of all of these), `"mask"`
            (L, 1 = seen).
        right_handed (`bool`): Mirror the clips of left-handed signers, so that the model sees right hands sign only.
        num_frames (`int`, *optional*): Frames to which every clip of landmarks is resampled, so that the speed of the
            signer and of the camera matters less; `None` keeps the frames as they are.
        extractor (`str`, *optional*): What found the landmarks or made the features that the model was trained on, such
            as `"mediapipe_holistic 0.10.21"`; for information, several are separated by commas.

    Raises:
        ConfigurationError: Values that cannot work.
    """

    model_input_names = ["input_values", "attention_mask"]

    def __init__(
        self,
        input_type: str = "landmarks",
        num_landmarks: int = 78,
        layout_name: str | None = None,
        feature_size: int = 2048,
        normalization: str = "body",
        features: Sequence[str] = ("positions",),
        right_handed: bool = False,
        num_frames: int | None = None,
        extractor: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.input_type = input_type
        self.num_landmarks = num_landmarks
        self.layout_name = layout_name
        self.feature_size = feature_size
        self.normalization = normalization
        self.features = list(features)
        self.right_handed = right_handed
        self.num_frames = num_frames
        self.extractor = extractor
        self._check()

    def _check(self) -> None:
        wrong = []
        if self.input_type not in INPUT_TYPES:
            wrong.append(f"input_type out of {list(INPUT_TYPES)}, found '{self.input_type}'")
        if self.normalization not in NORMALIZATIONS:
            wrong.append(f"normalization out of {list(NORMALIZATIONS)}, found '{self.normalization}'")
        if not set(COORDINATES) & set(self.features) or set(self.features) - set(FEATURES):
            wrong.append(f"features out of {list(FEATURES)}, one of the first three among them, found {self.features}")
        sizes = {"num_landmarks": self.num_landmarks, "feature_size": self.feature_size, "num_frames": self.num_frames}
        wrong += [f"{name} of 1 or more, found {size}" for name, size in sizes.items() if size is not None and size < 1]
        needs_hands = self.input_type == "landmarks" and _HAND_FEATURES.keys() & set(self.features)
        if not wrong and needs_hands and not self.layout().hands:
            wrong.append(f"a layout with both hands for {sorted(needs_hands)}, found '{self.layout().name}'")
        if wrong:
            raise ConfigurationError(f"expected {'; '.join(wrong)}")

    def layout(self) -> PoseLayout:
        """Return the layout of the landmarks."""
        return get_layout(self.layout_name, self.num_landmarks)

    @property
    def raw_size(self) -> int:
        """Numbers a frame in the files: 2L, or the size of the features."""
        return 2 * self.num_landmarks if self.input_type == "landmarks" else self.feature_size

    @property
    def input_size(self) -> int:
        """F, numbers a frame of `input_values`."""
        if self.input_type == "features":
            return self.feature_size
        still = 2 * self.num_landmarks * ("positions" in self.features)
        still += sum(2 * size for name, size in _HAND_FEATURES.items() if name in self.features)
        orders = 1 + ("velocity" in self.features) + ("acceleration" in self.features)
        return still * orders + self.num_landmarks * ("mask" in self.features)

    def encode_clip(
        self, values: np.ndarray, mask: np.ndarray | None = None, aspect_ratio: float = 1.0, resample: bool = True
    ) -> dict[str, np.ndarray]:
        """Turn one clip into arrays without a batch axis.

        Args:
            values: `(T, 2L)` landmarks x0, y0, x1, y1, ... or `(T, F)` features.
            mask: `(T, L)`, nonzero = seen; for features `(T, 1)`. By default a landmark at (0, 0) or with a NaN is
                missing, and no feature is.
            aspect_ratio: Width of the picture divided by its height, for coordinates that are shares of both.
            resample: Whether to bring the clip to `num_frames`; the augmentation has done it already.

        Returns:
            `input_values (T', F)` float32 and `attention_mask (T',)` int64.

        Raises:
            ConfigurationError: Other numbers a frame than `raw_size`, or no frame.
        """
        values = np.asarray(values, dtype=np.float32)
        if values.ndim != 2 or values.shape[1] != self.raw_size or not len(values):
            raise ConfigurationError(
                f"expected a clip of shape (T, {self.raw_size}) with T of 1 or more, found {values.shape}; use the "
                f"landmarks or features that the model was trained on"
            )
        if self.input_type == "features":
            given = np.ones((len(values), 1), bool) if mask is None else np.asarray(mask).reshape(len(values), -1)
            real = np.asarray(given.any(axis=1))
            return {"input_values": values * real[:, None], "attention_mask": real.astype(np.int64)}
        points = values.reshape(len(values), -1, 2)
        if mask is None:
            seen = np.asarray((points != 0).any(axis=-1) & ~np.isnan(points).any(axis=-1))
        else:
            seen = np.asarray(mask) > 0
        points = np.where(seen[..., None], points, 0)
        if self.normalization == "body":
            points = points * np.array([aspect_ratio, 1], dtype=np.float32)
        if resample and self.num_frames is not None and len(points) != self.num_frames:
            points, seen = resample_clip(points, seen, self.num_frames)
        if self.right_handed and is_left_handed(points, seen, self.layout()):
            points, seen = mirror_clip(points, seen, self.layout())
        encoded = self._describe(points, seen)
        return {"input_values": encoded, "attention_mask": np.asarray(seen.any(axis=1), dtype=np.int64)}

    def _describe(self, points: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """Return the features of points `(T, L, 2)`: `(T, F)` float32."""
        still, known = self._coordinates(points, seen)  # both (T, N)
        groups, moving, moved = [still], still, known
        for order in ("velocity", "acceleration"):
            moving, moved = _difference(moving, moved)
            if order in self.features:
                groups.append(moving * _MOTION_SCALE)
        flat = np.concatenate(groups, axis=1, dtype=np.float32)
        if self.normalization == "body":
            flat = np.clip(flat, -_LIMIT, _LIMIT)
        return np.concatenate((flat, seen), axis=1, dtype=np.float32) if "mask" in self.features else flat

    def _coordinates(self, points: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what stands in a frame, without its motion: `(T, N)` numbers, and which of them are known."""
        hands = self.layout().hands
        places = body_coordinates(points, seen, self.layout()) if self.normalization == "body" else points
        values, known = [], []
        for name, chosen in (("positions", slice(None)), ("hand_places", [hand[0] for hand in hands])):
            if name in self.features:
                values.append(places[:, chosen].reshape(len(points), -1))
                known.append(np.repeat(seen[:, chosen], 2, axis=1))
        for hand in hands if "hand_shapes" in self.features else ():
            shape, sure = hand_coordinates(points[:, hand], seen[:, hand])
            values.append(shape)
            known.append(sure)
        return np.concatenate(values, axis=1), np.concatenate(known, axis=1)

    def __call__(
        self,
        clips: np.ndarray | Sequence[np.ndarray],
        masks: np.ndarray | Sequence[np.ndarray | None] | None = None,
        aspect_ratio: float | Sequence[float] = 1.0,
        return_tensors: str | None = None,
    ) -> BatchFeature:
        """Turn clips into a padded batch.

        Args:
            clips: One clip `(T, 2L)` or `(T, F)`, or several.
            masks: Their masks, see `encode_clip`.
            aspect_ratio: Width / height of the picture; one number, or one a clip.
            return_tensors: `"pt"`, `"np"` or none.

        Returns:
            `input_values (B, T, F)` and `attention_mask (B, T)`.
        """
        if isinstance(clips, np.ndarray) and clips.ndim == 2:
            clips, masks = [clips], None if masks is None else [np.asarray(masks)]
        ratios = [aspect_ratio] * len(clips) if isinstance(aspect_ratio, (int, float)) else aspect_ratio
        masks = [None] * len(clips) if masks is None else masks
        encoded = [self.encode_clip(*clip) for clip in zip(clips, masks, ratios, strict=True)]
        return BatchFeature(self.pad(encoded), tensor_type=return_tensors)

    def pad(self, clips: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """Pad encoded clips with zeros to the longest: `input_values (B, T, F)`, `attention_mask (B, T)`."""
        longest = max(len(clip["input_values"]) for clip in clips)
        width = clips[0]["input_values"].shape[1]
        values = np.zeros((len(clips), longest, width), dtype=np.float32)
        mask = np.zeros((len(clips), longest), dtype=np.int64)
        for row, clip in enumerate(clips):
            values[row, : len(clip["input_values"])] = clip["input_values"]
            mask[row, : len(clip["attention_mask"])] = clip["attention_mask"]
        return {"input_values": values, "attention_mask": mask}


def _difference(values: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the change from the frame before, `(T, N)`; 0 in the first frame and where either is not known."""
    both = np.zeros_like(known)
    both[1:] = known[1:] & known[:-1]
    change = np.zeros_like(values)
    change[1:] = values[1:] - values[:-1]
    return np.where(both, change, 0), both
