"""The shipped configurations of the gloss scripts hold flags that exist, and build a model."""

from pathlib import Path

import pytest

from hf_slt.training.build_gloss import GlossClasses, build_config, build_feature_extractor, build_model
from hf_slt.training.gloss_arguments import (
    GlossAugmentationArguments,
    GlossDataArguments,
    GlossFeatureArguments,
    GlossLossArguments,
    GlossModelArguments,
)
from hf_slt.training.gloss_training_arguments import GlossTrainingArguments
from hf_slt.training.parsing import parse_arguments

TYPES = [
    GlossDataArguments,
    GlossFeatureArguments,
    GlossModelArguments,
    GlossAugmentationArguments,
    GlossLossArguments,
    GlossTrainingArguments,
]
CONFIGS = sorted((Path(__file__).parents[2] / "scripts" / "configs").glob("nsl_*.yml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_shipped_config_builds_its_model(path):
    argv = ["--config", str(path), "--keypoints-train", "D", "--labels-train-csv", "D.csv", "--output_dir", "R"]
    (data, features, model, augmentation, loss, training), _ = parse_arguments(TYPES, argv)
    augmentation.augmentation()
    extractor = build_feature_extractor(features, data, model.model)
    config = build_config(model, loss, extractor.input_size, GlossClasses(num_glosses=49, num_categories=2))
    assert build_model(config).config.input_size == extractor.input_size
    assert training.num_train_epochs > 10
