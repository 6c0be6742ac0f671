"""Arguments of the translation scripts. Importing this module imports neither torch nor transformers."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from pathlib import Path

from hf_slt.data.corpus import CorpusPaths
from hf_slt.data.transforms import Augmentation
from hf_slt.errors import ConfigurationError
from hf_slt.streams import STREAMS
from hf_slt.training.flags import check_ranges, flag


@dataclass
class DataArguments:
    """Where the corpus is. A stream whose folder is not given is not used."""

    demo: bool = flag(False, "Use the synthetic demo corpus, and settings for it. Needs no data.")
    face_dir: str | None = flag(None, "Folder of face crops.")
    hand_left_dir: str | None = flag(None, "Folder of left-hand crops.", ("--left-hand-dir",))
    hand_right_dir: str | None = flag(None, "Folder of right-hand crops.", ("--right-hand-dir",))
    pose_dir: str | None = flag(None, "Folder of pose files, <video_id>.npz.")
    metadata_csv: str | None = flag(
        None, "CSV with the columns video_id (or id) and text (or texto), or a .jsonl of these keys."
    )
    train_index: str | None = flag(None, "CSV with the video_ids of the training split, one a line.")
    val_index: str | None = flag(None, "CSV with the video_ids of the validation split.")
    test_index: str | None = flag(None, "CSV with the video_ids of the test split: scored once, after training.")
    id_column: str | None = flag(None, "Column of the ids in the metadata, if it has another name.")
    text_column: str | None = flag(None, "Column of the sentences in the metadata, if it has another name.")
    encoding: str = flag("utf-8-sig", "Encoding of the CSV files.")
    pose_key: str = flag("pose", "Key of the pose array in the .npz files.")
    skip_invalid: bool = flag(False, "Leave out clips that break the data contract and count them, do not stop.")
    allow_missing_streams: bool = flag(
        False, "Accept clips without a stream, and frames without any image; masked there."
    )

    def corpus_paths(self, **indexes: str | None) -> CorpusPaths:
        """Return the corpus that the flags describe.

        Args:
            indexes: Split -> index CSV in place of the flag's; None leaves the split out.

        Raises:
            ConfigurationError: `--demo` stands beside flags of another corpus.
        """
        if self.demo:
            self._check_demo_alone()
            return demo_paths(indexes)
        named = {"train": self.train_index, "validation": self.val_index, "test": self.test_index, **indexes}
        return CorpusPaths(
            face_dir=_path(self.face_dir),
            left_hand_dir=_path(self.hand_left_dir),
            right_hand_dir=_path(self.hand_right_dir),
            pose_dir=_path(self.pose_dir),
            metadata_csv=_path(self.metadata_csv),
            indexes={split: Path(path) for split, path in named.items() if path},
            id_column=self.id_column,
            text_column=self.text_column,
            encoding=self.encoding,
            pose_key=self.pose_key,
        )

    def _check_demo_alone(self) -> None:
        endings = ("_dir", "_csv", "_index", "_column")
        given = [item.name for item in fields(self) if item.name.endswith(endings) and getattr(self, item.name)]
        if given:
            flags = ", ".join("--" + name.replace("_", "-") for name in given)
            raise ConfigurationError(
                f"expected --demo or the flags of a corpus, found --demo and {flags}; leave one out"
            )


def _path(value: str | None) -> Path | None:
    return Path(value) if value else None


def demo_paths(indexes: dict[str, str | None]) -> CorpusPaths:
    """Write the demo corpus to the cache, once, and return where it is."""
    from hf_slt.data.demo import cached_demo_corpus

    root = cached_demo_corpus()
    own = {"train": root / "index/train.csv", "validation": root / "index/val.csv", "test": root / "index/test.csv"}
    return CorpusPaths(
        face_dir=root / "face",
        left_hand_dir=root / "hand_l",
        right_hand_dir=root / "hand_r",
        pose_dir=root / "pose",
        metadata_csv=root / "meta.csv",
        indexes={
            split: Path(indexes.get(split, path) or path) for split, path in own.items() if indexes.get(split, path)
        },
    )


@dataclass
class ModelArguments:
    """The model to train; every size that is not given has a default that trains on two CPU cores."""

    image_size: int | None = flag(None, "Side of the crops, in pixels (default: the backbone's, 224 without one).")
    sequence_length: int = flag(128, "Longest clip, in frames; a longer one is sampled down evenly.")
    projector_dim: int = flag(256, "Width of each stream's projector.")
    d_model: int = flag(256, "Width of the encoder, and of the decoder that is built with it.")
    pose_landmarks: int | None = flag(None, "Number of landmarks in the poses (default: read from the data).")
    pose_layout: str | None = flag(None, "Landmark layout (default: by number of landmarks), see hf_slt/landmarks.py.")
    pose_hidden_size: int = flag(256, "Width of the hidden layer of the pose MLP.")
    temporal_layers: int = flag(3, "Layers of the temporal transformer.")
    temporal_heads: int = flag(4, "Attention heads of the temporal transformer.", ("--temporal-nhead",))
    temporal_dim_feedforward: int = flag(1024, "Width of its feed-forward layers.")
    temporal_dropout: float = flag(0.1, "Dropout probability in the encoder.")
    temporal_kernel_size: int = flag(5, "Frames seen by the convolution before the transformer; odd, 0 = none.")
    temporal_stride: int = flag(1, "Frames for one state of the encoder.")
    backbone: str | None = flag(None, "Name or folder of a HuggingFace vision model (default: a small ViT).")
    face_backbone: str | None = flag(None, "Another vision model for the face.")
    hand_backbone: str | None = flag(None, "Another vision model for the hands.")
    backbone_type: str = flag("vit", "Kind of the image backbone built from scratch: vit or resnet.")
    backbone_hidden_size: int | None = flag(None, "Width of the backbone built from scratch.")
    backbone_layers: int | None = flag(None, "Layers (vit) or stages (resnet) of the backbone built from scratch.")
    freeze_backbone: bool = flag(False, "Do not train the image backbone.")
    share_hand_backbone: bool = flag(True, "Both hands go through one backbone, the left one mirrored.")
    decoder_model: str | None = flag(None, "Text decoder: name or folder of a HuggingFace seq2seq language model.")
    decoder_config: str | None = flag(None, "Text decoder, untrained: file or folder of its config.json.")
    decoder_class: str | None = flag(None, "Text decoder of your own: module:Class of a torch module, see README.")
    decoder_kwargs: str | None = flag(None, "More arguments of --decoder-class, as a JSON object.")
    decoder_layers: int = flag(3, "Layers of the default small T5 decoder, or of --decoder-class.")
    decoder_heads: int = flag(4, "Attention heads of that decoder.")
    decoder_dropout: float = flag(0.1, "Dropout probability of that decoder.")
    ctc_weight: float = flag(0.0, "Share of a CTC loss on the encoder in the training loss: signs in text order only.")
    ctc_decoding_weight: float = flag(0.5, "Share of CTC in the scores of generated tokens; needs --ctc-weight.")
    bridge: bool = flag(False, "Learn a projection between an encoder and a decoder of different widths.")
    tokenizer: str | None = flag(None, "Name or folder of a tokenizer (default: the decoder's, or a new one).")
    tokenizer_type: str = flag("unigram", "Kind of tokenizer to train: unigram (subwords) or word (glosses).")
    vocab_size: int = flag(4000, "Largest vocabulary of the tokenizer to train, in tokens.")
    max_target_length: int = flag(128, "Longest sentence, in tokens, in training and generation.")
    # Names of the flags that were given, on the command line or in a file.
    given_flags: frozenset[str] = field(default=frozenset(), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        sizes = "image_size sequence_length projector_dim d_model pose_landmarks pose_hidden_size temporal_heads"
        sizes += " temporal_dim_feedforward temporal_stride backbone_hidden_size backbone_layers decoder_layers"
        sizes += " decoder_heads vocab_size max_target_length"
        ranges = dict.fromkeys(sizes.split(), (1, math.inf))
        ranges |= dict.fromkeys(("temporal_layers", "temporal_kernel_size"), (0, math.inf))
        check_ranges(self, ranges | dict.fromkeys(("temporal_dropout", "decoder_dropout"), (0, 1)))


@dataclass
class AugmentationArguments:
    """Changes to training clips. Validation and test clips are never changed."""

    augment_flip: float = flag(0.0, "Probability of mirroring a clip, hands and landmarks swapped.")
    augment_rotation: float = flag(10.0, "Largest rotation of the pose, in degrees.")
    augment_scale: float = flag(0.1, "Largest relative change of the size of the pose.")
    augment_shift: float = flag(0.03, "Largest shift of the pose, as a share of the signing space.")
    augment_noise: float = flag(0.0, "Standard deviation of the noise on landmarks, as a share of the signing space.")
    augment_speed: float = flag(0.2, "Largest relative change of the speed.")
    augment_frame_dropout: float = flag(0.0, "Probability that a frame goes missing.")
    augment_stream_dropout: float = flag(0.0, "Probability that a stream goes missing in a clip; one always stays.")
    augment_colour_jitter: float = flag(0.2, "Largest relative change of brightness and contrast; tint, half of it.")
    mix_stream: list[str] = flag(
        [],
        "STREAM or STREAM:P (face, hand-left, hand-right, pose; P = 1 if not given), repeatable: with probability P a "
        "training batch's stream and its mask are permuted across the batch.",
        ("--mix-streams",),
        action="extend",
    )

    def augmentation(self) -> Augmentation:
        """Return the augmentation that the flags describe."""
        names = Augmentation.__dataclass_fields__
        return Augmentation(**{name: getattr(self, f"augment_{name}") for name in names})

    def mix_streams(self) -> dict[str, float]:
        """Return stream -> probability.

        Raises:
            ConfigurationError: A value is not `STREAM` or `STREAM:P`, or a stream comes twice.
        """
        pairs = [parse_mix_stream(value) for value in self.mix_stream]
        if len(dict(pairs)) < len(pairs):
            raise ConfigurationError(f"expected each stream once in --mix-stream, found {self.mix_stream}")
        return dict(pairs)


def parse_mix_stream(value: str) -> tuple[str, float]:
    """Parse `STREAM[:P]`; `hand-left` and `left_hand` are the same stream."""
    name, _, probability = value.partition(":")
    stream = {"hand_left": "left_hand", "hand_right": "right_hand"}.get(name.replace("-", "_"), name.replace("-", "_"))
    try:
        parsed = float(probability) if probability else 1.0
    except ValueError:
        parsed = -1.0
    if stream not in STREAMS or not 0 <= parsed <= 1:
        raise ConfigurationError(
            f"expected --mix-stream STREAM[:P] with face, hand-left, hand-right or pose and P in [0, 1], found "
            f"'{value}'"
        )
    return stream, parsed
