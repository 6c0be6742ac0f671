"""Checks of flags: numbers that are finite and in their range, and all that is wrong at once."""

import math
from dataclasses import fields

import pytest

from hf_slt.errors import ConfigurationError, DimensionMismatchError
from hf_slt.exporters.arguments import ExportArguments
from hf_slt.training.arguments import AugmentationArguments, ModelArguments
from hf_slt.training.evaluation_arguments import EvaluationArguments
from hf_slt.training.flags import check_all
from hf_slt.training.gloss_arguments import GlossLossArguments, GlossModelArguments
from hf_slt.training.gloss_evaluation_arguments import GlossEvaluationArguments
from hf_slt.training.gloss_training_arguments import GlossTrainingArguments
from hf_slt.training.training_arguments import SltTrainingArguments

ARGUMENTS = (
    *(ModelArguments, EvaluationArguments, ExportArguments, GlossLossArguments, GlossModelArguments),
    *(GlossEvaluationArguments, GlossTrainingArguments, SltTrainingArguments),
)
FLOATS = [(kind, item.name) for kind in ARGUMENTS for item in fields(kind) if item.init and "float" in str(item.type)]


def build(kind, name, value):
    known = {item.name for item in fields(kind)}
    needed = {"output_dir": "out", "checkpoint": "c", "output": "o"}
    return kind(**{key: text for key, text in needed.items() if key in known}, **{name: value})


@pytest.mark.parametrize(("kind", "name"), FLOATS, ids=lambda value: getattr(value, "__name__", value))
def test_no_flag_takes_what_is_no_finite_number(kind, name):
    for value in (math.nan, math.inf, -math.inf):
        with pytest.raises(ConfigurationError, match=f"--{name.replace('_', '-')} .*found {value}"):
            build(kind, name, value)


def test_the_flags_of_numbers_are_looked_at():
    names = {name for _, name in FLOATS}
    assert {"length_penalty", "abstain", "ctc_weight", "learning_rate", "generation_length_penalty", "alpha"} <= names


@pytest.mark.parametrize("name", [item.name for item in fields(AugmentationArguments) if item.type == "float"])
def test_no_augmentation_is_of_what_is_no_finite_number(name):
    for value in (math.nan, math.inf):
        with pytest.raises(ConfigurationError):
            AugmentationArguments(**{name: value}).augmentation()


def wrong(error):
    raise error


def test_all_checks_run_and_what_they_find_is_told_at_once():
    assert check_all(lambda: 1, lambda: None) == [1, None]
    one = DimensionMismatchError("two")
    with pytest.raises(DimensionMismatchError, match="^two$"):
        check_all(lambda: 1, lambda: wrong(one))
    with pytest.raises(ConfigurationError, match="^one\ntwo$"):
        check_all(lambda: wrong(ConfigurationError("one")), lambda: wrong(one))
    with pytest.raises(KeyError):
        check_all(lambda: wrong(KeyError("a defect")))
