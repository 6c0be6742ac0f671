"""What an evaluation checks before it scores."""

from types import SimpleNamespace

import pytest
from gloss_factories import write_names

from hf_slt.errors import ConfigurationError, DataContractError
from hf_slt.models.gloss.checkpoint import class_names
from hf_slt.models.sign_transformer.configuration_sign_transformer import SignTransformerConfig
from hf_slt.training.evaluate_gloss import apply_names, check_unseen, evaluation_split, load_model, names_of
from hf_slt.training.gloss_evaluation_arguments import GlossEvaluationArguments
from hf_slt.training.gloss_results import format_gloss_scores, shared_signers

NAMES = ["YES", "NO", "MAYBE"]


def config_of(**values):
    return SignTransformerConfig(**{"num_labels": 3, "num_categories": 2, **values})


def arguments(**values):
    return GlossEvaluationArguments(**values)


def test_one_model():
    with pytest.raises(
        ConfigurationError, match="--checkpoint FOLDER of a trained model, or --onnx of an .*, found none"
    ):
        load_model(arguments())
    with pytest.raises(ConfigurationError, match="expected --checkpoint or --onnx, found both: runs/a and out"):
        load_model(arguments(checkpoint="runs/a", onnx="out"))


def test_clips_are_of_the_kind_that_the_model_reads():
    split = evaluation_split(arguments(features="D", labels_csv="D/test.csv"), reads_landmarks=False)
    assert (split.name, str(split.folder), split.labels_csv.stem) == ("test", "D", "test")
    message = "no --features, the model reads keypoints, found D; expected --keypoints FOLDER .*; expected --labels-csv"
    with pytest.raises(ConfigurationError, match=message):
        evaluation_split(arguments(features="D"), reads_landmarks=True)


def test_a_model_without_names_takes_those_of_a_table(tmp_path):
    table = str(write_names(tmp_path / "names.csv", NAMES))
    config = apply_names(config_of(), arguments(gloss_names=table))
    assert class_names(config) == (NAMES, ["category 0", "category 1"])
    assert class_names(apply_names(config_of(num_categories=None), arguments(cat_names=table)))[1] is None


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["YES", "MAYBE", "NO"], "the model's name 'NO' of class 1 in --gloss-names, found 'MAYBE'"),
        (["YES", "NO"], "expected 3 names in --gloss-names, as the model has, found 2"),
    ],
)
def test_names_are_not_those_of_another_model(tmp_path, names, message):
    config = config_of(num_labels=None, id2label=dict(enumerate(NAMES)))
    same = str(write_names(tmp_path / "same.csv", NAMES))
    assert class_names(apply_names(config, arguments(gloss_names=same)))[0] == NAMES
    with pytest.raises(ConfigurationError, match=message):
        apply_names(config, arguments(gloss_names=str(write_names(tmp_path / "names.csv", names))))


def test_labels_may_be_names_only_if_the_model_has_names():
    assert names_of({0: "YES", 1: "NO"}, "LABEL_{}") == ["YES", "NO"]
    assert names_of({0: "LABEL_0", 1: "LABEL_1"}, "LABEL_{}") is None and names_of(None, "CATEGORY_{}") is None


def test_clips_are_known_by_their_content():
    rows = [SimpleNamespace(file=name) for name in ("renamed", "new", "chosen")]
    table = {"file": ["renamed", "new", "chosen"], "digest": ["d1", "d2", "d3"]}
    report = SimpleNamespace(rows={"test": rows}, tables={"test": table})
    splits = {"train": {"files": ["a"], "digests": ["d1"]}, "validation": {"files": ["b"], "digests": ["d3"]}}
    check_unseen(report, {"train": {"files": ["a"], "digests": ["d9"]}})
    check_unseen(report, {})
    with pytest.raises(DataContractError, match="scores on known clips mean nothing.*: 2 problems") as error:
        check_unseen(report, splits)
    found = [problem.found for problem in error.value.problems]
    assert found == [
        "its content is clip 'a' of the train split",
        "its content is clip 'b' of the validation split",
    ]


def test_signers_of_both_sides_are_compared_where_they_are_known():
    splits = {"train": {"signers": ["S1", "S2"]}}
    assert shared_signers(["S2", "S3", None], splits) == ["S2"]
    assert shared_signers(["S3"], splits) == []
    assert shared_signers([None], splits) is None and shared_signers(["S1"], {}) is None


def test_scores_are_one_line():
    metrics = {"eval_accuracy": 0.5, "eval_accuracy_interval": [0.4, 0.61], "eval_macro_f1": 0.25, "eval_loss": 3}
    line = format_gloss_scores("eval (9 clips)", metrics, "eval_")
    assert line == "eval (9 clips): accuracy 0.500 [0.40, 0.61] | macro F1 0.250"
