"""Predictions of systems as files and as folders of evaluations; everything wrong with them at once."""

import json

import pytest

from hf_slt.evaluation.score_files import ScoreFileError
from hf_slt.evaluation.system_outputs import Columns, read_output, read_signers, read_systems

LONG = "uno dos tres cuatro cinco seis siete"
TABLE = f"name,prediction,reference,signer\na,hola,hola,ana\nb,{LONG},no,\n"


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "one.csv"
    path.write_text(TABLE, encoding="utf-8")
    return path


def test_a_folder_holds_its_predictions(tmp_path):
    predictions = tmp_path / "predictions.csv"
    predictions.write_text(TABLE, encoding="utf-8")
    output = read_output(tmp_path, delimiter="|")  # of files that are named themselves
    assert output.predictions == {"a": "hola", "b": LONG} and output.references["b"] == "no"
    assert output.signers == {"a": "ana"} and output.settings == {}
    assert read_output(tmp_path, Columns("clip", "hyp", "ref")) == output  # the names are of the other system's table
    (tmp_path / "seed1").mkdir()
    (tmp_path / "seed1" / "predictions.csv").write_text(TABLE, encoding="utf-8")
    predictions.rename(tmp_path / "test_predictions.csv")
    with pytest.raises(ScoreFileError, match="seed1/predictions.csv', '.*test_predictions.csv'.*\n.*name one of them"):
        read_output(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ScoreFileError, match=r"found:    none\n    fix:      evaluate the model first"):
        read_output(tmp_path / "empty")


def test_a_folder_says_how_it_was_scored(tmp_path, table):
    table.rename(tmp_path / "predictions.csv")
    metrics = tmp_path / "metrics.json"
    metrics.write_text(json.dumps({"tokenize": "zh", "lowercase": True, "bleu": 1.0}), encoding="utf-8")
    assert read_output(tmp_path).settings == {"tokenize": "zh", "lowercase": True}
    assert read_output(tmp_path / "predictions.csv").settings == {}
    metrics.write_text(json.dumps({"tokenize": 13, "lowercase": "no"}), encoding="utf-8")
    with pytest.raises(ScoreFileError) as caught:
        read_output(tmp_path)
    assert [(p.expected, p.found) for p in caught.value.problems] == [("a str", "13"), ("a bool", "'no'")]
    for content in ("{", "[1]"):
        metrics.write_text(content, encoding="utf-8")
        with pytest.raises(ScoreFileError, match="metrics.json\n    expected: a JSON object"):
            read_output(tmp_path)


def test_all_that_is_wrong_with_a_table(tmp_path):
    path = tmp_path / "one.csv"
    path.write_text("clip,prediction,reference\na,x,\na,y,z\n", encoding="utf-8")
    with pytest.raises(ScoreFileError, match=r"a column 'video_id' or 'id' or 'name'\n(.*\n)*.*--id-column"):
        read_output(path)
    with pytest.raises(ScoreFileError) as caught:
        read_output(path, Columns(identity="clip"))
    assert [problem.found for problem in caught.value.problems] == ["empty text ''", "'a' again"]
    with pytest.raises(ScoreFileError, match="found:    'clip' for --id-column and --prediction-column"):
        read_output(path, Columns("clip", "clip"))


def test_all_files_are_read_before_any_is_refused(tmp_path, table):
    bad = tmp_path / "bad.csv"
    bad.write_text("name,prediction,reference\na,x,\n", encoding="utf-8")
    metadata = tmp_path / "meta.csv"
    metadata.write_text("name,who\na,x\n", encoding="utf-8")
    with pytest.raises(ScoreFileError) as caught:
        read_systems(tmp_path / "nowhere.csv", bad, metadata_csv=metadata)
    names = [problem.where.split(",")[0].rsplit("/")[-1] for problem in caught.value.problems]
    assert names == ["nowhere.csv", "bad.csv", "meta.csv"]
    one, other, signers = read_systems(table, table, Columns(signer="who"), metadata_csv=metadata)
    assert one == other and signers == {"a": "x"}


def test_columns_and_delimiters_reach_all_files(tmp_path):
    systems = tmp_path / "system.txt"
    systems.write_text("clip#who#prediction#reference\na#x#b, c#d\n", encoding="utf-8")
    metadata = tmp_path / "meta.csv"
    metadata.write_text("id|clip|who\n1|a|y\n", encoding="utf-8")  # its delimiter is another one
    columns = Columns("clip", signer="Who")
    one, _, signers = read_systems(systems, systems, columns, "#", metadata)
    assert one.predictions == {"a": "b, c"} and one.signers == {"a": "x"} and signers == {"a": "y"}
    assert read_systems(systems, systems, columns, "#")[2] is None


def test_a_column_of_signers_that_is_asked_for_must_be_there(table):
    assert read_systems(table, table, Columns(signer="signer"))[0].signers == {"a": "ana"}
    with pytest.raises(ScoreFileError, match="expected: signers in a column 'who'\n    found:    none"):
        read_systems(table, table, Columns(signer="who"))


def test_signers_of_the_metadata(tmp_path):
    path = tmp_path / "meta.csv"
    path.write_text("id;clip;who\n1;a;x\n2;b;\n3;a;x\n", encoding="utf-8")
    assert read_signers(path, "who") == {"1": "x", "3": "x"}
    assert read_signers(path, "WHO", "clip") == {"a": "x"}
    with pytest.raises(
        ScoreFileError, match=r"a column 'signer'\n    found:    \['id', 'clip', 'who'\]\n.*--signer-column"
    ):
        read_signers(path)
    path.write_text("id;who\na;x\nb;z\na;y\n", encoding="utf-8")
    with pytest.raises(ScoreFileError, match="line 4\n    expected: 'x', the signer of 'a' before\n    found:    'y'"):
        read_signers(path, "who")
