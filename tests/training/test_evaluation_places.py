"""Places of the files of an evaluation: usable, and no file over another."""

import os

import pytest

from hf_slt.errors import ConfigurationError
from hf_slt.training.arguments import DataArguments
from hf_slt.training.evaluation_arguments import EvaluationArguments
from hf_slt.training.evaluation_places import resolve_outputs, split_name


@pytest.fixture
def resolve(tmp_path, monkeypatch):
    """`resolve_outputs` of one model, beside files that are read."""
    monkeypatch.chdir(tmp_path)
    data = DataArguments(metadata_csv="meta.csv", pose_dir="pose")

    def call(**flags):
        return resolve_outputs(EvaluationArguments(checkpoint="run", index="test.csv", **flags), data)

    return call


def test_the_folder_is_beside_the_model_unless_it_is_given(resolve, tmp_path):
    assert str(resolve()) == "run/eval_test"
    assert str(resolve(output_dir="out", output_csv="out/mine.csv", report="out/report.html")) == "out"
    assert os.listdir(tmp_path) == []
    assert split_name(EvaluationArguments()) == "test" and split_name(EvaluationArguments(index="a/v.csv")) == "v"


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        ({"output_csv": "a", "report": "./a"}, "in --report, found a, which is that of --output-csv"),
        (
            {"output_csv": "run/eval_test/predictions.csv"},
            "found run/eval_test/predictions.csv, which is one of the results",
        ),
        ({"output_dir": "o", "report": "./o/../o/metrics.json"}, "in --report, found o/metrics.json, which is one of"),
        ({"output_csv": "run/eval_test/contract_report.json"}, "which is one of the results"),
        ({"output_csv": "test.csv"}, r"found test.csv, which is read \(--index\)"),
        ({"report": "meta.csv"}, r"found meta.csv, which is read \(--metadata-csv\)"),
        ({"abstain": 5, "calibration_index": "v.csv", "report": "v.csv"}, r"is read \(--calibration-index\)"),
        ({"report": "run"}, "in --report, found .*/run, a folder on the way to the results"),
        ({"report": "run/eval_test"}, "found .*/eval_test, a folder on the way to the results"),
    ],
)
def test_no_file_is_written_over_another(resolve, flags, found):
    with pytest.raises(ConfigurationError, match=found):
        resolve(**flags)


def test_a_link_is_the_file_that_it_leads_to(resolve, tmp_path):
    (tmp_path / "test.csv").write_text("a\n")
    (tmp_path / "link.csv").symlink_to("test.csv")
    with pytest.raises(ConfigurationError, match="which is read"):
        resolve(output_csv="link.csv")


def test_all_places_are_named_at_once(resolve, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigurationError) as error:
        resolve(output_dir="file", output_csv="folder", report="file/r.html")
    assert str(error.value).split("; expected") == [
        "expected a folder in --output_dir, found the file file",
        " another file in --output-csv, found the folder folder",
        f" another file in --report, found {tmp_path / 'file'}, which cannot be written to",
    ]
