"""The shipped examples of `--config` files run, may be overridden, and what they write repeats the run."""

from types import SimpleNamespace

import gloss_runs
import pytest
from gloss_factories import write_gloss_corpus
from script_runs import ROOT, SPLITS, TINY, data_flags, read_csv, read_json, run_main
from survival import same_weights

from hf_slt.data.tokenization import train_word_tokenizer
from hf_slt.training.arguments import AugmentationArguments, DataArguments, ModelArguments
from hf_slt.training.build_gloss import GlossClasses, build_config, build_feature_extractor
from hf_slt.training.build_gloss import build_model as build_gloss_model
from hf_slt.training.build_slt import build_model
from hf_slt.training.gloss_arguments import (
    GlossAugmentationArguments,
    GlossDataArguments,
    GlossFeatureArguments,
    GlossLossArguments,
    GlossModelArguments,
)
from hf_slt.training.gloss_training_arguments import GlossTrainingArguments
from hf_slt.training.parsing import flatten_config, parse_arguments, read_config
from hf_slt.training.training_arguments import SltTrainingArguments

GROUPS = [
    GlossDataArguments,
    GlossFeatureArguments,
    GlossModelArguments,
    GlossAugmentationArguments,
    GlossLossArguments,
]
CONFIGS = ROOT / "scripts" / "configs"
QUICK = ["--max-train-steps", 2, "--batch-size", 2, "--num-workers", 0, "--precision", "fp32"]
# Of each example: what it says, what a flag says instead, and what --set says instead of both.
SETTINGS = {
    "train_slt": {
        "file": {"label_smoothing_factor": 0.1, "learning_rate": 5e-4},
        "flag": {"weight_decay": 0.02},
        "set": {"d_model": 24},
    },
    "train_gloss": {
        "file": {"beta": 0.5, "learning_rate": 3e-4},
        "flag": {"weight_decay": 0.02},
        "set": {"hidden_size": 24},
    },
}
# Every other file: the script that takes it, and some of what it says. README shows them with the corpora they are for.
RECIPES = {
    "boston104": ("train_slt", {"ctc_weight": 0.5, "learning_rate": 0.003, "generation_length_penalty": 0.0}),
    "phoenix_overfit": ("train_slt", {"learning_rate": 0.001, "temporal_dropout": 0.0, "eval_strategy": "no"}),
    "nsl_conv_transformer": ("train_gloss", {"model": "conv_transformer", "beta": 0.3, "augment_flip": 0.0}),
    "nsl_iv3_gru": ("train_gloss", {"model": "iv3_gru", "hidden1": 192, "learning_rate": 0.002}),
    "nsl_transformer": ("train_gloss", {"model": "transformer", "label_smoothing_factor": 0.1, "right_handed": True}),
}
EXAMPLES = {"train_slt": CONFIGS / "example_slt.yml", "train_gloss": CONFIGS / "example_gloss.yml"}


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")  # put back after the test


@pytest.fixture(params=["train_slt", "train_gloss"])
def example(request, corpus, tmp_path):
    """A run of each example: paths and sizes by flags, one size by --set."""
    script = request.param
    flags = [*data_flags(corpus, SPLITS), *TINY] if script == "train_slt" else None
    if flags is None:
        flags = [*gloss_runs.data_flags(write_gloss_corpus(tmp_path / "corpus")), *gloss_runs.TINY]
    size = next(iter(SETTINGS[script]["set"].items()))
    flags += [*QUICK, "--weight-decay", 0.02, "--set", f"model.{size[0]}={size[1]}"]
    folder = tmp_path / "run"
    run_main(script, ["--config", EXAMPLES[script], *flags, "--output_dir", folder])
    return SimpleNamespace(script=script, folder=folder)


def test_flags_win_over_the_file_and_settings_over_flags(example):
    config = read_json(example.folder / "run_config.json")
    settings = SETTINGS[example.script]
    for values in settings.values():
        assert values == {name: config[name] for name in values}
    written = read_config(str(EXAMPLES[example.script]))
    assert float(written["optim"]["weight-decay"]) == 0.01
    assert config["num_train_epochs"] == float(written["training"]["epochs"])
    (name, value), model = next(iter(settings["set"].items())), read_json(example.folder / "config.json")
    assert model[name] == value
    assert [row["step"] for row in read_csv(example.folder / "train_log.csv")][-1] == "2"


def test_what_the_run_wrote_repeats_it_bit_by_bit(example, tmp_path):
    again = tmp_path / "again"
    run_main(example.script, ["--config", example.folder / "run_config.json", "--output_dir", again])
    assert same_weights(again / "model.safetensors", example.folder / "model.safetensors")
    for name in ("train_log.csv", "eval_predictions.csv", "test_predictions.csv"):
        assert (again / name).read_bytes() == (example.folder / name).read_bytes(), name
    before, after = (read_json(folder / "run_config.json") for folder in (example.folder, again))
    assert {n for n in before if before[n] != after[n]} <= {"output_dir", "logging_dir"}


def test_the_translation_example_builds_a_model_as_it_is():
    types = [DataArguments, ModelArguments, AugmentationArguments, SltTrainingArguments]
    (_, model, augmentation, _), _ = parse_arguments(
        types, ["--config", str(EXAMPLES["train_slt"]), "--precision=fp32"]
    )
    built = build_model(model, ["face", "left_hand", "right_hand", "pose"], 33, train_word_tokenizer(["a b"]))
    assert (built.config.d_model, built.config.image_size, augmentation.mix_streams()) == (256, 112, {"face": 0.1})


def test_the_gloss_example_builds_a_model_as_it_is():
    types = [*GROUPS, GlossTrainingArguments]
    argv = ["--config", str(EXAMPLES["train_gloss"]), "--precision=fp32"]
    (data, features, model, augmentation, loss, training), _ = parse_arguments(types, argv)
    extractor = build_feature_extractor(features, data, model.model)
    classes = GlossClasses(num_glosses=3, num_categories=2)
    built = build_gloss_model(build_config(model, loss, extractor.input_size, classes))
    assert (built.config.hidden_size, built.config.beta, augmentation.augment_speed) == (256, 0.5, 0.2)
    assert training.label_smoothing_factor == 0.1


@pytest.mark.parametrize("path", EXAMPLES.values(), ids=EXAMPLES)
def test_an_example_says_each_thing_once(path):
    content = read_config(str(path))
    keys = [key for section in content.values() for key in section]
    assert len(keys) == len(set(keys)) == len(flatten_config(content, {}))


def test_every_file_is_an_example_or_a_recipe():
    assert {path.stem for path in CONFIGS.glob("*.y*ml")} == {path.stem for path in EXAMPLES.values()} | set(RECIPES)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_runs_on_other_data(recipe, corpus, tmp_path):
    script, says = RECIPES[recipe]
    if script == "train_slt":
        flags = ["--pose-dir", corpus.pose_dir, "--metadata-csv", corpus.metadata_csv, *TINY]
        flags += ["--train-index", corpus.indexes["train"], "--sequence-length", 8]
    else:
        flags = gloss_runs.data_flags(write_gloss_corpus(tmp_path / "corpus"), ("train", "test"))
        flags += ["--use_cpu", "--disable_tqdm", "true"]
    path, folder = CONFIGS / f"{recipe}.yml", tmp_path / "run"
    run_main(script, ["--config", path, *flags, *QUICK, "--output_dir", folder])
    config = read_json(folder / "run_config.json")
    assert {name: config[name] for name in says} == says
    assert [row["step"] for row in read_csv(folder / "train_log.csv")][-1] == "2"
    assert (folder / "model.safetensors").is_file()
