"""What the configurations of the gloss classifiers share."""

import json

import pytest

from hf_slt.errors import ConfigurationError
from hf_slt.models.gloss.configuration_gloss import GlossConfig
from hf_slt.models.sign_transformer.configuration_sign_transformer import SignTransformerConfig


def test_defaults():
    config = GlossConfig()
    assert (config.input_size, config.num_labels, config.num_categories) == (156, 105, 10)
    assert (config.alpha, config.beta, config.pooling) == (1.0, 1.0, "mean")
    assert config.id2label[104] == "LABEL_104" and config.label2id["LABEL_104"] == 104
    assert config.category_id2label[9] == "CATEGORY_9" and config.category_label2id["CATEGORY_9"] == 9


def test_names_say_how_many_glosses_there_are():
    config = GlossConfig(id2label={"0": "NA", "1": "null"}, category_id2label={"0": "X"}, num_categories=1)
    assert config.num_labels == 2
    assert config.label2id == {"NA": 0, "null": 1}  # the other way round is derived
    assert config.category_id2label == {0: "X"}


def test_one_head():
    config = GlossConfig(num_categories=None)
    assert config.category_id2label is None and config.category_label2id == {}


@pytest.mark.parametrize(
    "fields", [{"num_labels": 2}, {"num_labels": 1}, {"num_categories": None}, {"head_hidden_size": None}], ids=str
)
def test_values_that_look_like_defaults_survive_saving(fields, tmp_path):
    config = SignTransformerConfig(**fields)
    config.save_pretrained(tmp_path)
    saved = json.loads((tmp_path / "config.json").read_text())
    assert len(saved["id2label"]) == len(saved["label2id"]) == config.num_labels
    loaded = SignTransformerConfig.from_pretrained(tmp_path)
    assert {name: getattr(loaded, name) for name in fields} == fields
    assert (loaded.id2label, loaded.category_id2label) == (config.id2label, config.category_id2label)


def test_another_number_of_classes_drops_the_names(tmp_path):
    SignTransformerConfig(id2label={0: "A", 1: "B"}, num_categories=1, category_id2label={0: "C"}).save_pretrained(
        tmp_path
    )
    loaded = SignTransformerConfig.from_pretrained(tmp_path, num_labels=3, num_categories=2)
    assert loaded.id2label == {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"}
    assert loaded.label2id == {"LABEL_0": 0, "LABEL_1": 1, "LABEL_2": 2}
    assert loaded.category_id2label == {0: "CATEGORY_0", 1: "CATEGORY_1"} and loaded.num_categories == 2
    same = SignTransformerConfig.from_pretrained(tmp_path, num_labels=2, num_categories=1)
    assert (same.id2label, same.category_id2label) == ({0: "A", 1: "B"}, {0: "C"})
    assert SignTransformerConfig.from_pretrained(tmp_path, num_categories=None).category_id2label is None


def test_all_that_cannot_work_is_listed_at_once():
    with pytest.raises(ConfigurationError) as error:
        GlossConfig(
            input_size=0,
            num_labels=3,
            id2label={0: "A"},
            num_categories=2,
            category_id2label={0: "B"},
            pooling="median",
            hidden_dropout_prob=1.0,
            head_hidden_size=0,
            head_dropout=-0.1,
            alpha=-1,
        )
    assert str(error.value).split("; ") == [
        "expected input_size of 1 or more, found 0",
        "expected head_hidden_size of 1 or more, found 0",
        "expected num_categories to be the 1 names of category_id2label, found 2",
        "expected pooling to be one of ['mean', 'max', 'cls'], found 'median'",
        "expected hidden_dropout_prob in [0, 1), found 1.0",
        "expected head_dropout in [0, 1), found -0.1",
        "expected alpha and beta of 0 or more, found -1 and 1.0",
        "expected num_labels to be the 1 names of id2label, found 3",
    ]
    with pytest.raises(ConfigurationError, match="num_labels of 1 or more, found 0"):
        GlossConfig(num_labels=0)
    with pytest.raises(ConfigurationError, match="names of category_id2label, found None"):
        GlossConfig(num_categories=None, category_id2label={0: "A"})
