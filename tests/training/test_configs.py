"""The shipped configurations hold flags that exist, and build a model."""

from pathlib import Path

import pytest

from hf_slt.data.tokenization import train_word_tokenizer
from hf_slt.training.arguments import AugmentationArguments, DataArguments, ModelArguments
from hf_slt.training.build_slt import build_model
from hf_slt.training.parsing import parse_arguments
from hf_slt.training.train_slt import DEMO_PRESET
from hf_slt.training.training_arguments import SltTrainingArguments

TYPES = [DataArguments, ModelArguments, AugmentationArguments, SltTrainingArguments]
FOLDER = Path(__file__).parents[2] / "scripts" / "configs"
# nsl_* are of the gloss scripts, example_* have tests of their own.
CONFIGS = sorted(set(FOLDER.glob("*.yml")) - set(FOLDER.glob("nsl_*.yml")) - set(FOLDER.glob("example_*.yml")))


def build(argv, preset=None):
    (_, model_args, augmentation_args, training_args), _ = parse_arguments(
        TYPES, [*argv, "--output_dir", "runs/x"], preset
    )
    augmentation_args.augmentation()
    streams = ["pose"] if preset is None else ["face", "left_hand", "right_hand", "pose"]
    return build_model(model_args, streams, 3, train_word_tokenizer(["a b"])), training_args


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_shipped_config_builds_its_model(path):
    model, training_args = build(["--config", str(path)])
    assert model.config.d_model == 128
    assert training_args.num_train_epochs > 10


def test_the_demo_preset_builds_its_model_and_flags_win_over_it():
    model, training_args = build(["--demo", "--epochs", "3"], DEMO_PRESET)
    assert model.config.backbone_config.model_type == "resnet"
    assert (training_args.num_train_epochs, training_args.per_device_train_batch_size) == (3, 4)


def test_there_are_configs():
    assert CONFIGS
