"""Flags of the gloss scripts: where each one lands, in the spelling with dashes and with underscores."""

from pathlib import Path

import pytest

from hf_slt.data.gloss.transforms import GlossAugmentation
from hf_slt.errors import ConfigurationError
from hf_slt.training.gloss_arguments import (
    MODELS,
    GlossAugmentationArguments,
    GlossDataArguments,
    GlossFeatureArguments,
    GlossLossArguments,
    GlossModelArguments,
)
from hf_slt.training.gloss_evaluation_arguments import GlossEvaluationArguments
from hf_slt.training.gloss_training_arguments import GlossTrainingArguments
from hf_slt.training.parsing import parse_arguments

TRAINING = (
    GlossDataArguments,
    GlossFeatureArguments,
    GlossModelArguments,
    GlossAugmentationArguments,
    GlossLossArguments,
    GlossTrainingArguments,
)
RUN = {"output_dir": "R"}  # a run without a folder is refused
# flag, value on the command line, attribute, value it gets
TRAINING_FLAGS = [
    ("--model", "iv3_gru", "model", "iv3_gru"),
    *((f"--{kind}-{split}", "D", f"{kind}_{split}", "D")
      for kind in ("keypoints", "features") for split in ("train", "val", "test")),
    *((f"--labels-{split}-csv", "D.csv", f"labels_{split}_csv", "D.csv") for split in ("train", "val", "test")),
    ("--kp-key", "X", "kp_key", "X"),
    ("--feature-key", "X2048", "feature_key", "X2048"),
    ("--feature-size", "768", "feature_size", 768),
    ("--num-gloss", "105", "num_gloss", 105),
    ("--num-cat", "10", "num_cat", 10),
    ("--gloss-names", "g.csv", "gloss_names", "g.csv"),
    ("--cat-names", "c.csv", "cat_names", "c.csv"),
    ("--encoding", "latin-1", "encoding", "latin-1"),
    ("--allow-unlabelled-files", None, "allow_unlabelled_files", True),
    ("--cache-dir", "C", "cache_dir", "C"),
    ("--data-dtype", "float16", "data_dtype", "float16"),
    ("--num-landmarks", "75", "num_landmarks", 75),
    ("--layout", "keypoints_78", "layout", "keypoints_78"),
    ("--normalization", "none", "normalization", "none"),
    ("--frame-features", "mask", "frame_features", ["mask"]),
    ("--right-handed", None, "right_handed", True),
    ("--right-handed", "false", "right_handed", False),
    ("--num-frames", "64", "num_frames", 64),
    ("--hidden-size", "64", "hidden_size", 64),
    ("--num-layers", "2", "num_layers", 2),
    ("--num-heads", "4", "num_heads", 4),
    ("--intermediate-size", "99", "intermediate_size", 99),
    ("--num-blocks", "3", "num_blocks", 3),
    ("--conv-layers-per-block", "2", "conv_layers_per_block", 2),
    ("--conv-kernel-size", "17", "conv_kernel_size", 17),
    ("--conv-expansion", "1", "conv_expansion", 1),
    ("--late-dropout", "0.4", "late_dropout", 0.4),
    ("--late-dropout-start", "9", "late_dropout_start", 9),
    ("--hidden1", "32", "hidden1", 32),
    ("--hidden2", "24", "hidden2", 24),
    ("--pooling", "max", "pooling", "max"),
    ("--dropout", "0.2", "dropout", 0.2),
    ("--head-hidden-size", "32", "head_hidden_size", 32),
    ("--head-dropout", "0.3", "head_dropout", 0.3),
    ("--no-pretrained-backbone", None, "pretrained_backbone", False),
    ("--pretrained-backbone", None, "pretrained_backbone", True),
    ("--no-freeze-backbone", None, "freeze_backbone", False),
    ("--no-augment", None, "augment", False),
    ("--augment-flip", "0.25", "augment_flip", 0.25),
    ("--augment-speed", "0.1", "augment_speed", 0.1),
    ("--alpha", "0.7", "alpha", 0.7),
    ("--beta", "0.3", "beta", 0.3),
    ("--loss-type", "focal", "loss_type", "focal"),
    ("--focal-gamma", "1.5", "focal_gamma", 1.5),
    ("--class-weights", "balanced", "class_weights", "balanced"),
    ("--smoke-test", None, "smoke_test", True),
    ("--no-pin-memory", None, "pin_memory", False),
    ("--pin-memory", None, "pin_memory", True),
    ("--no-length-grouping", None, "length_grouping", False),
    ("--log-csv", "log.csv", "log_csv", "log.csv"),
]  # fmt: skip
EVALUATION_FLAGS = [
    ("--checkpoint", "R", "checkpoint", "R"),
    ("--keypoints", "D", "keypoints", "D"),
    ("--features", "D", "features", "D"),
    ("--labels-csv", "D.csv", "labels_csv", "D.csv"),
    ("--output-dir", "O", "output_dir", "O"),
    ("--kp-key", "X", "kp_key", "X"),
    ("--feature-key", "F", "feature_key", "F"),
    ("--gloss-names", "g", "gloss_names", "g"),
    ("--allow-overlap", None, "allow_overlap", True),
    ("--allow-unlabelled-files", None, "allow_unlabelled_files", True),
    ("--batch-size", "3", "batch_size", 3),
    ("--val-batch-size", "3", "batch_size", 3),
    ("--resamples", "10", "resamples", 10),
]


def landed(types, flag, value, attribute):
    parsed, effective = parse_arguments(types, [flag] if value is None else [flag, value], RUN)
    owners = [arguments for arguments in parsed if hasattr(arguments, attribute)]
    assert len(owners) == 1
    return getattr(owners[0], attribute), effective[attribute]


@pytest.mark.parametrize(("flag", "value", "attribute", "expected"), TRAINING_FLAGS)
def test_training_flags(flag, value, attribute, expected):
    for spelling in {flag, "--" + flag[2:].replace("-", "_")}:
        assert landed(TRAINING, spelling, value, attribute) == (expected, expected)


@pytest.mark.parametrize(("flag", "value", "attribute", "expected"), EVALUATION_FLAGS)
def test_evaluation_flags(flag, value, attribute, expected):
    for spelling in {flag, "--" + flag[2:].replace("-", "_")}:
        assert landed((GlossEvaluationArguments,), spelling, value, attribute)[0] == expected


def test_folders_of_validation_and_test_are_that_of_the_training_clips_by_default():
    args = GlossDataArguments(keypoints_train="D", keypoints_test="E", labels_train_csv="t.csv", labels_val_csv="v.csv")
    args.labels_test_csv = "e.csv"
    pairs = {"train": ("D", "t.csv"), "validation": ("D", "v.csv"), "test": ("E", "e.csv")}
    assert args.splits() == {split: (Path(folder), Path(labels)) for split, (folder, labels) in pairs.items()}
    assert (args.kind, args.key) == ("keypoints", None)
    features = GlossDataArguments(features_train="D", labels_train_csv="t.csv", feature_key="F", kp_key="K")
    assert (features.kind, features.key, list(features.splits())) == ("features", "F", ["train"])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "expected --keypoints-train or --features-train .* found none"),
        ({"keypoints_train": "D", "features_val": "E"}, "expected --keypoints-train or --features-train .* found both"),
        ({"keypoints_train": "D"}, "expected --labels-train-csv, found none"),
        (
            {"keypoints_val": "D", "labels_train_csv": "t"},
            "expected --labels-val-csv and --keypoints-train, found none",
        ),
    ],
)
def test_clips_that_are_not_given(values, message):
    with pytest.raises(ConfigurationError, match=message):
        GlossDataArguments(**values).splits()


@pytest.mark.parametrize(
    ("arguments", "values", "message"),
    [
        (GlossEvaluationArguments, {"resamples": -1, "seed": -1}, "--resamples of 0 or more, .*--seed of 0 or more"),
        (GlossDataArguments, {"num_gloss": 0}, "--num-gloss of 1 or more, found 0"),
        (GlossDataArguments, {"data_dtype": "int8"}, "--data-dtype float32 or float16, found 'int8'"),
        (GlossModelArguments, {"model": "lstm"}, r"--model out of \['transformer', .*found 'lstm'"),
        (GlossModelArguments, {"hidden1": 0, "dropout": 2.0}, r"--hidden1 of 1 or more.*--dropout in \[0, 1\]"),
        (GlossLossArguments, {"loss_type": "mse"}, "--loss-type ce or label_smoothing or focal, found 'mse'"),
        (GlossLossArguments, {"class_weights": "some"}, "--class-weights none or balanced, found 'some'"),
        (GlossLossArguments, {"alpha": -1}, "--alpha of 0 or more, found -1"),
        (GlossLossArguments, {"alpha": 0, "beta": 0}, "--alpha or --beta above 0"),
        (GlossFeatureArguments, {"num_frames": -1}, "--num-frames of 0 or more, found -1"),
        (GlossEvaluationArguments, {"batch_size": 0}, "--batch-size of 1 or more, found 0"),
    ],
)
def test_values_that_cannot_work(arguments, values, message):
    with pytest.raises(ConfigurationError, match=message):
        arguments(**values)


def test_augmentation_flags_are_the_augmentation():
    assert GlossAugmentationArguments().augmentation() == GlossAugmentation()
    names = [f"augment_{name}" for name in GlossAugmentation.__dataclass_fields__]
    assert set(GlossAugmentationArguments.__dataclass_fields__) == {"augment", *names}
    helps = [item.metadata["help"] for item in GlossAugmentationArguments.__dataclass_fields__.values()]
    assert all(len(text) > 10 for text in helps)  # out of the docstring of the augmentation
    changed = GlossAugmentationArguments(augment_flip=0.1, augment_speed=0.2, augment_body_dropout=0).augmentation()
    assert changed == GlossAugmentation(flip=0.1, speed=0.2, body_dropout=0)
    assert GlossAugmentationArguments(augment=False).augmentation() is None
    with pytest.raises(ConfigurationError, match=r"speed in \[0, 1\), found 1"):
        GlossAugmentationArguments(augment_speed=1).augmentation()


def test_what_a_model_reads_is_its_own_unless_a_flag_says_otherwise():
    plain = GlossFeatureArguments().extractor_fields("transformer")
    assert (list(plain["features"]), plain["num_frames"], plain["right_handed"]) == (["positions"], None, False)
    own = GlossFeatureArguments().extractor_fields("conv_transformer")
    assert (own["features"], own["num_frames"], own["right_handed"]) == (
        ("hand_places", "hand_shapes", "velocity"),
        24,
        True,
    )
    flags = GlossFeatureArguments(frame_features=["positions", "mask"], num_frames=0, right_handed=False)
    changed = flags.extractor_fields("conv_transformer")
    assert (changed["features"], changed["num_frames"], changed["right_handed"]) == (["positions", "mask"], None, False)


def test_only_sizes_that_were_given_are_passed_on():
    assert GlossModelArguments().given() == {}
    assert GlossModelArguments(model=MODELS[1], hidden1=8, dropout=0.0).given() == {"hidden1": 8, "dropout": 0.0}
