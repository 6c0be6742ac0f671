"""Arguments of the gloss scripts. Importing this module imports neither torch nor transformers."""

from __future__ import annotations

import inspect
import math
import re
from dataclasses import dataclass, fields, make_dataclass
from pathlib import Path
from typing import Any

from hf_slt.data.gloss.transforms import GlossAugmentation
from hf_slt.errors import ConfigurationError
from hf_slt.training.flags import check_ranges, flag

MODELS = ("transformer", "iv3_gru", "conv_transformer")
KINDS = ("keypoints", "features")
# What a model reads of a frame and in how many frames, unless flags say otherwise.
_FRAME_FEATURES = {"conv_transformer": ("hand_places", "hand_shapes", "velocity")}
_NUM_FRAMES = {"conv_transformer": 24}


@dataclass
class GlossDataArguments:
    """Where the clips are: a folder of .npz files and a CSV of labels a split. Landmarks or features, not both."""

    keypoints_train: str | None = flag(None, "Folder of the training clips, landmarks (T, 156).")
    keypoints_val: str | None = flag(None, "Folder of the validation clips (default: that of the training clips).")
    keypoints_test: str | None = flag(None, "Folder of the test clips (default: that of the training clips).")
    features_train: str | None = flag(None, "Folder of the training clips, image features (T, 2048).")
    features_val: str | None = flag(None, "Folder of the validation clips (default: that of the training clips).")
    features_test: str | None = flag(None, "Folder of the test clips (default: that of the training clips).")
    labels_train_csv: str | None = flag(None, "CSV of the training clips: file,gloss and optionally cat,signer.")
    labels_val_csv: str | None = flag(None, "CSV of the validation clips.")
    labels_test_csv: str | None = flag(None, "CSV of the test clips: scored once, after training.")
    kp_key: str | None = flag(None, "Key of the landmarks in the .npz files (default: X).")
    feature_key: str | None = flag(None, "Key of the features in the .npz files (default: X2048, then X).")
    feature_size: int = flag(2048, "Numbers a frame of the features.")
    num_gloss: int | None = flag(None, "Number of glosses (default: as many as the names or the labels have).")
    num_cat: int | None = flag(None, "Number of categories (default: likewise; without a cat column there are none).")
    gloss_names: str | None = flag(None, "Names of the glosses: CSV with id,name, or one name a line.")
    cat_names: str | None = flag(None, "Names of the categories, likewise.")
    encoding: str = flag("utf-8-sig", "Encoding of the CSV files.")
    allow_unlabelled_files: bool = flag(False, "Accept clips in the folders that no CSV names; they are not used.")
    cache_dir: str | None = flag(None, "Folder of the tables that clips are kept in (default: the datasets cache).")
    data_dtype: str = flag("float32", "Numbers in those tables: float32, or float16 for half the space.")

    def __post_init__(self) -> None:
        check_ranges(self, dict.fromkeys(("num_gloss", "num_cat", "feature_size"), (1, math.inf)))
        if self.data_dtype not in ("float32", "float16"):
            raise ConfigurationError(f"expected --data-dtype float32 or float16, found '{self.data_dtype}'")

    @property
    def kind(self) -> str:
        """What the clips are, `"keypoints"` or `"features"`.

        Raises:
            ConfigurationError: No folder was given, or folders of both.
        """
        given = [kind for kind in KINDS if any(getattr(self, f"{kind}_{split}") for split in ("train", "val", "test"))]
        if len(given) != 1:
            found = "none" if not given else "both"
            raise ConfigurationError(
                f"expected --keypoints-train or --features-train with the folder of the training clips, found {found}"
            )
        return given[0]

    @property
    def key(self) -> str | None:
        """The key that was given for this kind of clips."""
        return self.kp_key if self.kind == "keypoints" else self.feature_key

    def splits(self) -> dict[str, tuple[Path, Path]]:
        """Return split -> (folder of the clips, CSV of the labels).

        Raises:
            ConfigurationError: Training clips or their labels are not given, or a folder has no labels.
        """
        kind, found, missing = self.kind, {}, []
        for split, short in (("train", "train"), ("validation", "val"), ("test", "test")):
            folder, labels = getattr(self, f"{kind}_{short}"), getattr(self, f"labels_{short}_csv")
            if labels:
                found[split] = (folder or getattr(self, f"{kind}_train"), labels)
            elif folder or split == "train":
                missing.append(f"--labels-{short}-csv")
        if not getattr(self, f"{kind}_train"):
            missing.append(f"--{kind}-train")
        if missing:
            raise ConfigurationError(f"expected {' and '.join(missing)}, found none")
        return {split: (Path(folder), Path(labels)) for split, (folder, labels) in found.items()}


@dataclass
class GlossModelArguments:
    """The model to train. A size that is not given is the model's own default."""

    model: str = flag("transformer", f"The classifier: {', '.join(MODELS)}.")
    hidden_size: int | None = flag(None, "Width of a transformer.")
    num_layers: int | None = flag(None, "Layers of a transformer.")
    num_heads: int | None = flag(None, "Attention heads of a transformer.")
    intermediate_size: int | None = flag(None, "Width of the feed-forward layers of a transformer.")
    num_blocks: int | None = flag(None, "Blocks of conv_transformer: some convolutions and a transformer layer each.")
    conv_layers_per_block: int | None = flag(None, "Convolution layers of a block.")
    conv_kernel_size: int | None = flag(None, "Frames that a convolution sees; odd.")
    conv_expansion: int | None = flag(None, "Width of the convolutions, as a multiple of that of the model.")
    late_dropout: float | None = flag(None, "conv_transformer: dropout probability of the pooled state.")
    late_dropout_start: int | None = flag(None, "conv_transformer: steps before the late dropout sets in.")
    hidden1: int | None = flag(None, "Width of the first GRU of iv3_gru.")
    hidden2: int | None = flag(None, "Width of the second GRU of iv3_gru.")
    pooling: str | None = flag(None, "How the frames become one state: mean, max, cls, last; what there is depends.")
    dropout: float | None = flag(None, "Dropout probability in the body of the model.")
    head_hidden_size: int | None = flag(None, "Width of the hidden layer of the heads.")
    head_dropout: float | None = flag(None, "Dropout probability in the heads.")
    pretrained_backbone: bool = flag(True, "iv3_gru fed with frames: start the backbone from ImageNet weights.")
    freeze_backbone: bool = flag(True, "iv3_gru fed with frames: do not train the backbone.")

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise ConfigurationError(f"expected --model out of {list(MODELS)}, found '{self.model}'")
        sizes = "hidden_size num_layers num_heads intermediate_size hidden1 hidden2 head_hidden_size num_blocks"
        sizes += " conv_layers_per_block conv_kernel_size conv_expansion"
        ranges = dict.fromkeys(sizes.split(), (1, math.inf)) | {"late_dropout_start": (0, math.inf)}
        check_ranges(self, ranges | dict.fromkeys(("dropout", "head_dropout", "late_dropout"), (0, 1)))

    def given(self) -> dict[str, object]:
        """Return the sizes that were given: flag -> value."""
        names = [item.name for item in fields(self) if item.default is None]
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


@dataclass
class GlossFeatureArguments:
    """What the model reads of each frame. It is stored in the feature extractor and travels with the model."""

    num_landmarks: int = flag(78, "Landmarks a frame.")
    layout: str | None = flag(None, "Landmark layout (default: by number of landmarks), see hf_slt/landmarks.py.")
    normalization: str = flag("body", "body (centred on the shoulders, their distance is 1) or none (as in the file).")
    frame_features: list[str] | None = flag(
        None,
        "What a frame becomes, out of positions (2 a landmark), hand_places (the wrists), hand_shapes (each hand about "
        "its wrist), velocity and acceleration (changes of these), mask (which landmarks were seen) (default: "
        "positions; for conv_transformer hand_places hand_shapes velocity).",
        nargs="+",
    )
    right_handed: bool | None = flag(
        None,
        "Mirror the clips of left-handed signers (true or false; default: true for conv_transformer).",
        nargs="?",
        const=True,
    )
    num_frames: int | None = flag(
        None, "Frames that each clip is resampled to; 0 = as many as it has (default: 0; for conv_transformer 24)."
    )

    def __post_init__(self) -> None:
        check_ranges(self, {"num_landmarks": (1, math.inf), "num_frames": (0, math.inf)})

    def extractor_fields(self, model: str) -> dict[str, Any]:
        """Return the settings of the feature extractor: those of the model, unless a flag says otherwise.

        Args:
            model: One of `MODELS`.
        """
        num_frames = _NUM_FRAMES.get(model) if self.num_frames is None else self.num_frames
        return {
            "num_landmarks": self.num_landmarks,
            "layout_name": self.layout,
            "normalization": self.normalization,
            "features": self.frame_features or _FRAME_FEATURES.get(model, ("positions",)),
            "right_handed": model == "conv_transformer" if self.right_handed is None else self.right_handed,
            "num_frames": num_frames or None,
        }


def _described() -> dict[str, str]:
    """Return what the docstring of `GlossAugmentation` says of each attribute."""
    entries = re.findall(r"^    (\w+): (.+(?:\n {8}.+)*)", inspect.getdoc(GlossAugmentation) or "", re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}


class _AugmentationFlags:
    """Changes to training clips. Validation and test clips are never changed."""

    def augmentation(self) -> GlossAugmentation | None:
        """Return the augmentation that the flags describe, None for none.

        Raises:
            ConfigurationError: Amounts that cannot work.
        """
        values = {item.name: getattr(self, f"augment_{item.name}") for item in fields(GlossAugmentation)}
        return GlossAugmentation(**values) if self.augment else None


# `--augment-<attribute>` for each attribute of the augmentation, which says once what there is and how much of it.
GlossAugmentationArguments = make_dataclass(
    "GlossAugmentationArguments",
    [
        ("augment", bool, flag(True, "Change training clips; --no-augment switches all of it off.")),
        *(
            (f"augment_{item.name}", float, flag(item.default, _described().get(item.name, "")))
            for item in fields(GlossAugmentation)
        ),
    ],
    bases=(_AugmentationFlags,),
    namespace={"__doc__": _AugmentationFlags.__doc__, "__module__": __name__},
)


@dataclass
class GlossLossArguments:
    """The training loss, alpha * gloss + beta * category. Validation loss is the same in plain cross-entropy."""

    alpha: float = flag(1.0, "Weight of the gloss loss.")
    beta: float = flag(1.0, "Weight of the category loss.")
    loss_type: str = flag(
        "ce",
        "ce (cross-entropy), label_smoothing (with --label-smoothing, 0.1 if not given) or focal (more weight to clips "
        "that are hard).",
    )
    focal_gamma: float = flag(2.0, "Exponent of the focal loss: 0 is cross-entropy.")
    class_weights: str = flag("none", "none, or balanced: rare classes count as much as frequent ones.")

    def __post_init__(self) -> None:
        for name, choices in (
            ("loss_type", ("ce", "label_smoothing", "focal")),
            ("class_weights", ("none", "balanced")),
        ):
            if getattr(self, name) not in choices:
                raise ConfigurationError(
                    f"expected --{name.replace('_', '-')} {' or '.join(choices)}, found '{getattr(self, name)}'"
                )
        check_ranges(self, dict.fromkeys(("alpha", "beta", "focal_gamma"), (0, math.inf)))
        if not self.alpha + self.beta:
            raise ConfigurationError("expected --alpha or --beta above 0, found 0 and 0")
