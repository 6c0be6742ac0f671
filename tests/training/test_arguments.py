"""Flags: where each one lands, in the spelling with dashes and with underscores."""

import pytest

from hf_slt.data.transforms import Augmentation
from hf_slt.errors import ConfigurationError
from hf_slt.training.arguments import AugmentationArguments, DataArguments, ModelArguments, parse_mix_stream
from hf_slt.training.evaluation_arguments import EvaluationArguments
from hf_slt.training.parsing import parse_arguments
from hf_slt.training.training_arguments import SltTrainingArguments

TRAINING = (DataArguments, ModelArguments, AugmentationArguments, SltTrainingArguments)
# flag, value on the command line, attribute, value it gets
TRAINING_FLAGS = [
    ("--demo", None, "demo", True),
    ("--face-dir", "D/face", "face_dir", "D/face"),
    ("--hand-left-dir", "D/l", "hand_left_dir", "D/l"),
    ("--left-hand-dir", "D/l", "hand_left_dir", "D/l"),
    ("--hand-right-dir", "D/r", "hand_right_dir", "D/r"),
    ("--right-hand-dir", "D/r", "hand_right_dir", "D/r"),
    ("--pose-dir", "D/pose", "pose_dir", "D/pose"),
    ("--metadata-csv", "D/meta.csv", "metadata_csv", "D/meta.csv"),
    ("--train-index", "t.csv", "train_index", "t.csv"),
    ("--val-index", "v.csv", "val_index", "v.csv"),
    ("--test-index", "e.csv", "test_index", "e.csv"),
    ("--id-column", "id", "id_column", "id"),
    ("--text-column", "texto", "text_column", "texto"),
    ("--encoding", "latin-1", "encoding", "latin-1"),
    ("--pose-key", "keypoints", "pose_key", "keypoints"),
    ("--skip-invalid", None, "skip_invalid", True),
    ("--allow-missing-streams", None, "allow_missing_streams", True),
    ("--image-size", "64", "image_size", 64),
    ("--sequence-length", "64", "sequence_length", 64),
    ("--projector-dim", "32", "projector_dim", 32),
    ("--d-model", "128", "d_model", 128),
    ("--pose-landmarks", "75", "pose_landmarks", 75),
    ("--pose-layout", "keypoints_78", "pose_layout", "keypoints_78"),
    ("--pose-hidden-size", "48", "pose_hidden_size", 48),
    ("--temporal-layers", "5", "temporal_layers", 5),
    ("--temporal-heads", "8", "temporal_heads", 8),
    ("--temporal-nhead", "8", "temporal_heads", 8),
    ("--temporal-dim-feedforward", "99", "temporal_dim_feedforward", 99),
    ("--temporal-dropout", "0.3", "temporal_dropout", 0.3),
    ("--temporal-kernel-size", "3", "temporal_kernel_size", 3),
    ("--temporal-stride", "2", "temporal_stride", 2),
    ("--backbone", "facebook/dinov2-small", "backbone", "facebook/dinov2-small"),
    ("--backbone-hidden-size", "64", "backbone_hidden_size", 64),
    ("--backbone-layers", "2", "backbone_layers", 2),
    ("--freeze-backbone", None, "freeze_backbone", True),
    ("--share-hand-backbone", "false", "share_hand_backbone", False),
    ("--no-share-hand-backbone", None, "share_hand_backbone", False),
    ("--decoder-model", "t5-small", "decoder_model", "t5-small"),
    ("--decoder-config", "c.json", "decoder_config", "c.json"),
    ("--decoder-layers", "2", "decoder_layers", 2),
    ("--decoder-heads", "8", "decoder_heads", 8),
    ("--decoder-dropout", "0.2", "decoder_dropout", 0.2),
    ("--bridge", None, "bridge", True),
    ("--tokenizer", "T", "tokenizer", "T"),
    ("--tokenizer-type", "word", "tokenizer_type", "word"),
    ("--vocab-size", "500", "vocab_size", 500),
    ("--max-target-length", "40", "max_target_length", 40),
    ("--augment-flip", "0.5", "augment_flip", 0.5),
    ("--augment-stream-dropout", "0.1", "augment_stream_dropout", 0.1),
    ("--num-beams", "4", "generation_num_beams", 4),
    ("--metric-for-best-model", "eval_bleu", "metric_for_best_model", "eval_bleu"),
    ("--bleu-tokenize", "none", "bleu_tokenize", "none"),
    ("--language", "es", "language", "es"),
    ("--sign-language", "aed", "sign_language", "aed"),
    ("--allow-overlap", None, "allow_overlap", True),
    ("--num-samples", "0", "num_samples", 0),
]
EVALUATION_FLAGS = [
    ("--checkpoint", "R", "checkpoint", ["R"]),
    ("--output-csv", "p.csv", "output_csv", "p.csv"),
    ("--tokenizer", "T", "tokenizer", "T"),
    ("--device", "cpu", "device", "cpu"),
    ("--precision", "amp", "precision", "amp"),
    ("--index", "e.csv", "index", "e.csv"),
    ("--eval-index", "e.csv", "index", "e.csv"),
    ("--output-dir", "O", "output_dir", "O"),
    ("--batch-size", "3", "batch_size", 3),
    ("--num-workers", "0", "num_workers", 0),
    ("--num-beams", "5", "num_beams", 5),
    ("--max-new-tokens", "9", "max_new_tokens", 9),
    ("--length-penalty", "0.6", "length_penalty", 0.6),
    ("--no-repeat-ngram-size", "3", "no_repeat_ngram_size", 3),
    ("--report", "r.html", "report", "r.html"),
    ("--language", "zh", "language", "zh"),
    ("--lowercase", None, "lowercase", True),
    ("--phoenix-legacy", None, "phoenix_legacy", True),
    ("--abstain", "12.5", "abstain", 12.5),
    ("--ablate-streams", None, "ablate_streams", True),
    ("--resamples", "10", "resamples", 10),
    ("--allow-overlap", None, "allow_overlap", True),
    ("--pose-dir", "D/pose", "pose_dir", "D/pose"),
]


RUN = {"output_dir": "R"}  # a run without a folder is refused


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
        assert landed((DataArguments, EvaluationArguments), spelling, value, attribute) == (expected, expected)


@pytest.mark.parametrize(
    ("metric", "greater"),
    [("eval_loss", False), ("eval_wer", False), ("eval_cer", False), ("eval_bleu", True), ("eval_chrf", True)],
)
def test_direction_of_the_metric_that_chooses_the_best_model(metric, greater):
    (arguments,), _ = parse_arguments([SltTrainingArguments], ["--metric_for_best_model", metric], RUN)
    assert arguments.greater_is_better is greater
    (arguments,), _ = parse_arguments(
        [SltTrainingArguments], ["--metric_for_best_model", metric, "--greater_is_better", str(not greater)], RUN
    )
    assert arguments.greater_is_better is not greater


def test_defaults_of_a_run():
    (arguments,), _ = parse_arguments([SltTrainingArguments], [], RUN)
    assert arguments.metric_for_best_model == "eval_loss" and arguments.predict_with_generate
    assert arguments.remove_unused_columns is False and arguments.load_best_model_at_end
    assert (arguments.eval_strategy, arguments.save_strategy, arguments.report_to) == ("epoch", "epoch", [])


def test_mix_stream_is_repeatable_and_its_short_names_are_known():
    flags = "--mix-stream hand-left:0.5 --mix_stream face --mix-stream pose:0 --mix-stream right_hand:0.25".split()
    (arguments,), _ = parse_arguments([AugmentationArguments], flags)
    assert arguments.mix_streams() == {"left_hand": 0.5, "face": 1.0, "pose": 0.0, "right_hand": 0.25}
    assert parse_mix_stream("hand-right:1") == parse_mix_stream("hand_right") == ("right_hand", 1.0)
    assert AugmentationArguments().mix_streams() == {}


@pytest.mark.parametrize("value", ["hand", "face:2", "face:-1", "face:often", "", ":0.5"])
def test_mix_stream_that_cannot_work(value):
    with pytest.raises(ConfigurationError, match=rf"expected --mix-stream STREAM\[:P\] .* found '{value}'"):
        AugmentationArguments(mix_stream=[value]).mix_streams()


def test_augmentation_flags_are_the_augmentation():
    flags = ["--augment-flip", "0.5", "--augment-rotation", "5", "--augment-noise", "0.01"]
    (arguments,), _ = parse_arguments([AugmentationArguments], flags)
    assert arguments.augmentation() == Augmentation(flip=0.5, rotation=5, noise=0.01)
    assert AugmentationArguments().augmentation() == Augmentation()


def test_corpus_paths_of_the_flags():
    flags = ["--face-dir", "f", "--pose-dir", "p", "--metadata-csv", "m.csv", "--train-index", "t", "--val-index", "v"]
    (arguments,), _ = parse_arguments([DataArguments], flags)
    paths = arguments.corpus_paths()
    assert paths.streams == ("face", "pose") and set(paths.indexes) == {"train", "validation"}
    own = arguments.corpus_paths(train=None, validation=None, test="e")
    assert {split: str(path) for split, path in own.indexes.items()} == {"test": "e"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "expected --output_dir FOLDER for the run, found none"),
        ({**RUN, "metric_for_best_model": "bleu5"}, r"out of \['eval_bleu', .*'eval_wer'.*found 'bleu5'"),
        ({**RUN, "bleu_tokenize": "14a"}, "14a"),
    ],
)
def test_what_would_fail_after_an_epoch_fails_at_once(values, message):
    with pytest.raises(ConfigurationError, match=message):
        SltTrainingArguments(**values)


def test_an_unknown_schedule_suggests_the_nearest():
    with pytest.raises(
        ConfigurationError, match="expected a --scheduler that there is, found 'cosin'; did you mean 'cosine'"
    ):
        parse_arguments([SltTrainingArguments], ["--lr_scheduler_type", "cosin"], RUN)


def test_a_stream_is_mixed_once():
    with pytest.raises(ConfigurationError, match="each stream once in --mix-stream"):
        AugmentationArguments(mix_stream=["face:0.2", "face:0.9"]).mix_streams()
