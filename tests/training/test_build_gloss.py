"""Building extractor, classes, model, loss and data sets of a gloss run from flags."""

import json
import logging
import shutil

import pytest
import torch
from gloss_factories import write_gloss_corpus, write_labels
from safetensors.torch import load_file, save_file

from hf_slt.data.gloss.transforms import GlossAugmentation
from hf_slt.errors import ConfigurationError, DataContractError
from hf_slt.models.gloss.checkpoint import load_gloss_checkpoint
from hf_slt.training.build_gloss import (
    GlossClasses,
    build_config,
    build_feature_extractor,
    build_gloss_datasets,
    build_loss,
    build_model,
    check_gloss_data,
    resolve_classes,
)
from hf_slt.training.gloss_arguments import (
    MODELS,
    GlossDataArguments,
    GlossFeatureArguments,
    GlossLossArguments,
    GlossModelArguments,
)

CLASSES = GlossClasses(num_glosses=4, num_categories=2)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_gloss_corpus(tmp_path_factory.mktemp("corpus"))


def data_arguments(corpus, **values):
    paths = {"keypoints_train": corpus.folders["train"], "keypoints_val": corpus.folders["validation"]}
    paths |= {"labels_train_csv": corpus.labels["train"], "labels_val_csv": corpus.labels["validation"]}
    paths |= {"cache_dir": corpus.root / "cache", **values}
    return GlossDataArguments(**{name: value and str(value) for name, value in paths.items() if value is not None})


def check(corpus, tmp_path, **values):
    args = data_arguments(corpus, **values)
    return args, check_gloss_data(args, 156, tmp_path / "report.json")


def config_of(model="transformer", classes=CLASSES, **values):
    return build_config(GlossModelArguments(model=model, **values), GlossLossArguments(), 156, classes)


def test_classes_are_as_many_as_the_flags_the_names_or_the_labels_say(corpus, tmp_path):
    args, report = check(corpus, tmp_path)
    assert resolve_classes(args, report) == GlossClasses(4, 2)
    args.num_gloss, args.num_cat = 105, 10
    assert resolve_classes(args, report) == GlossClasses(105, 10)
    named, report = check(corpus, tmp_path, gloss_names=corpus.gloss_names, cat_names=corpus.category_names)
    names = GlossClasses(4, 2, [f"SIGN {i}" for i in range(4)], ["KIND 0", "KIND 1"])
    assert resolve_classes(named, report) == names
    config = config_of(classes=names)
    assert config.id2label == {i: f"SIGN {i}" for i in range(4)} and config.category_id2label[1] == "KIND 1"


def test_without_categories_in_training_there_is_one_head(corpus, tmp_path, caplog):
    rows = [row.split(",") for row in corpus.labels["train"].read_text().split()[1:]]
    labels = write_labels(tmp_path / "train.csv", [row[:2] for row in rows], ("file", "gloss"))
    args, report = check(corpus, tmp_path, labels_train_csv=labels)
    args.num_cat = 10
    classes = resolve_classes(args, report)
    assert classes == GlossClasses(4, None)
    assert "no category in the training labels: --num-cat 10 is not used" in caplog.text
    model = build_model(config_of(classes=classes))
    assert model(torch.zeros(1, 3, 156)).category_logits is None
    extractor = build_feature_extractor(GlossFeatureArguments(), args, "transformer")
    datasets = build_gloss_datasets(report, extractor, None)
    assert "category_labels" not in datasets["validation"][0]  # though that split has them


def test_report_is_written_and_warnings_are_told(corpus, tmp_path, caplog):
    split = [row.split(",") for row in corpus.labels["validation"].read_text().split()[1:]]
    labels = write_labels(tmp_path / "val.csv", [[*row[:3], "S0"] for row in split])
    with caplog.at_level(logging.WARNING):
        check(corpus, tmp_path, labels_val_csv=labels)
    assert "train and validation share the signers S0" in caplog.text
    assert json.loads((tmp_path / "report.json").read_text())["ok"] is True
    with pytest.raises(DataContractError, match=r"a gloss from 0 to 1(.|\n)*report\.json"):
        args = data_arguments(corpus)
        args.num_gloss = 2
        check_gloss_data(args, 156, tmp_path / "report.json")
    assert json.loads((tmp_path / "report.json").read_text())["ok"] is False


def test_extractor_says_what_the_model_reads(corpus):
    args = data_arguments(corpus)
    plain = build_feature_extractor(GlossFeatureArguments(), args, "transformer")
    assert (plain.raw_size, plain.input_size, plain.layout_name) == (156, 156, "keypoints_78")
    rich = build_feature_extractor(GlossFeatureArguments(num_frames=8, normalization="none"), args, "conv_transformer")
    assert rich.input_size == 168 and (rich.num_frames, rich.normalization) == (8, "none")
    other = build_feature_extractor(GlossFeatureArguments(num_landmarks=7), args, "transformer")
    assert (other.raw_size, other.layout_name) == (14, "points_7")
    features = GlossDataArguments(features_train="D", feature_size=768)
    assert build_feature_extractor(GlossFeatureArguments(), features, "iv3_gru").input_size == 768
    with pytest.raises(ConfigurationError, match="expected 78 landmarks for the pose layout 'keypoints_78', found 7"):
        build_feature_extractor(GlossFeatureArguments(num_landmarks=7, layout="keypoints_78"), args, "transformer")


@pytest.mark.parametrize("model", MODELS)
def test_every_model_is_built_and_knows_the_loss_weights(model):
    loss = GlossLossArguments(alpha=0.7, beta=0.3)
    config = build_config(GlossModelArguments(model=model, dropout=0.25, head_hidden_size=6), loss, 12, CLASSES)
    assert (config.num_labels, config.num_categories, config.input_size) == (4, 2, 12)
    assert (config.alpha, config.beta, config.hidden_dropout_prob, config.head_hidden_size) == (0.7, 0.3, 0.25, 6)
    outputs = build_model(config).eval()(torch.zeros(2, 5, 12))
    assert outputs.gloss_logits.shape == (2, 4) and outputs.category_logits.shape == (2, 2)


def test_sizes_that_were_given_are_in_the_configuration():
    sizes = {"hidden_size": 32, "num_layers": 2, "num_heads": 4, "intermediate_size": 48, "pooling": "max"}
    config = config_of(**sizes)
    assert (config.hidden_size, config.num_hidden_layers, config.num_attention_heads) == (32, 2, 4)
    assert (config.intermediate_size, config.pooling) == (48, "max")
    assert config_of("iv3_gru", hidden1=32).gru_hidden_sizes == [32, 12]
    assert config_of("iv3_gru", hidden2=8).gru_hidden_sizes == [16, 8]
    frames = config_of("iv3_gru", pretrained_backbone=False, freeze_backbone=False)
    assert (frames.use_pretrained_backbone, frames.freeze_backbone) == (False, False)
    blocks = config_of("conv_transformer", num_blocks=1, conv_kernel_size=5, late_dropout=0.1)
    assert (blocks.num_blocks, blocks.conv_kernel_size, blocks.late_dropout) == (1, 5, 0.1)


@pytest.mark.parametrize(
    ("model", "values", "message"),
    [
        ("transformer", {"hidden1": 3, "hidden2": 4}, "flags of --model transformer, found --hidden1, --hidden2"),
        ("iv3_gru", {"num_heads": 3}, "flags of --model iv3_gru, found --num-heads, which it does not have"),
        ("conv_transformer", {"num_layers": 3}, "flags of --model conv_transformer, found --num-layers"),
        ("transformer", {"num_heads": 3}, "hidden_size to be a multiple of num_attention_heads, found 256 and 3"),
        ("transformer", {"pooling": "last"}, "pooling to be one of .* found 'last'"),
    ],
)
def test_sizes_that_a_model_does_not_have(model, values, message):
    with pytest.raises(ConfigurationError, match=message):
        config_of(model, **values)


def test_loss_has_the_options_and_the_weights_of_the_training_rows(corpus, tmp_path):
    _, report = check(corpus, tmp_path)
    rows = report.rows["train"][:-3]  # gloss 3, of category 1, loses three of its four clips
    args = GlossLossArguments(0.7, 0.3, "focal", 1.5, "balanced")
    loss = build_loss(args, 0.1, rows, config_of())
    options = (loss.alpha, loss.beta, loss.loss_type, loss.focal_gamma, loss.label_smoothing)
    assert options == (0.7, 0.3, "focal", 1.5, 0.1)
    assert loss.gloss_weights.tolist() == pytest.approx([13 / 16, 13 / 16, 13 / 16, 13 / 4])
    assert loss.category_weights.tolist() == pytest.approx([13 / 16, 13 / 10])
    plain = build_loss(GlossLossArguments(), 0.0, rows, config_of())
    assert plain.gloss_weights is None and plain.category_weights is None
    one_head = build_loss(args, 0.0, rows, config_of(classes=GlossClasses(4, None)))
    assert one_head.category_weights is None


def test_only_training_clips_are_augmented(corpus, tmp_path):
    args, report = check(corpus, tmp_path)
    extractor = build_feature_extractor(GlossFeatureArguments(), args, "transformer")
    changes = GlossAugmentation(rotation=30)
    datasets = build_gloss_datasets(report, extractor, 2, changes, seed=3)
    assert datasets["train"].augmentation is changes and datasets["train"].seed == 3
    assert datasets["validation"].augmentation is None


@pytest.fixture
def saved(tmp_path):
    config = config_of(hidden_size=16, num_layers=1, num_heads=2, intermediate_size=16)
    folder = tmp_path / "run"
    build_model(config).save_pretrained(folder)
    extractor = build_feature_extractor(GlossFeatureArguments(), GlossDataArguments(keypoints_train="D"), "transformer")
    extractor.save_pretrained(folder)
    return folder


def test_a_saved_model_is_loaded_for_evaluation(saved):
    model, extractor = load_gloss_checkpoint(str(saved))
    assert not model.training and model.config.num_labels == 4 and extractor.layout_name == "keypoints_78"
    (saved / "checkpoint-1").mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copy(saved / name, saved / "checkpoint-1")
    again, extractor = load_gloss_checkpoint(str(saved / "checkpoint-1"))
    assert extractor.raw_size == 156
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in model.state_dict().items())


def test_what_is_no_classifier_is_refused(saved, tmp_path):
    with pytest.raises(ConfigurationError, match="expected --checkpoint FOLDER of a trained model, found none"):
        load_gloss_checkpoint(None)
    with pytest.raises(ConfigurationError, match=f"found no config.json in {tmp_path}/nowhere"):
        load_gloss_checkpoint(f"{tmp_path}/nowhere")
    weights = load_file(saved / "model.safetensors")
    dropped = next(name for name in weights if name.startswith("heads.gloss"))
    del weights[dropped]
    save_file(weights, saved / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigurationError, match=rf"without 1 of its weights: \['{dropped}'\]"):
        load_gloss_checkpoint(str(saved))
    (saved / "config.json").write_text('{"model_type": "t5"}')
    with pytest.raises(ConfigurationError, match="a trained gloss classifier .* found a model of type 't5'"):
        load_gloss_checkpoint(str(saved))
