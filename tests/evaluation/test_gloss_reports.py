"""CSV files of a gloss evaluation: exact content."""

import csv

import numpy as np
import pytest

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.gloss_reports import gloss_prediction_rows, write_gloss_predictions, write_table
from hf_slt.evaluation.scored_clips import check_scores

NAMES = ["NA", "HOW ARE YOU, SIR", 'ÑANDÚ "X"']
SCORES = np.array([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]])
CATEGORIES = np.array([[0.75, 0.25], [0.4, 0.6]])


def rows_of(**options):
    return gloss_prediction_rows(check_scores(SCORES, [1, 2]), ["001", "b"], NAMES, **options)


def test_one_head(tmp_path):
    write_gloss_predictions(tmp_path / "run" / "p.csv", rows_of())
    assert (tmp_path / "run" / "p.csv").read_text(encoding="utf-8") == (
        "file,gloss,gloss_id,prediction,prediction_id,confidence,correct,top5,top5_ids\n"
        '001,"HOW ARE YOU, SIR",1,NA,0,0.5,0,"NA 0.500 | HOW ARE YOU, SIR 0.250 | ÑANDÚ ""X"" 0.250",0 1 2\n'
        'b,"ÑANDÚ ""X""",2,"ÑANDÚ ""X""",2,0.7,1,"ÑANDÚ ""X"" 0.700 | HOW ARE YOU, SIR 0.200 | NA 0.100",2 1 0\n'
    )


def test_signers_and_categories_with_an_unknown_one(tmp_path):
    clips = check_scores(SCORES, [1, 2], CATEGORIES, [-100, 1])
    rows = gloss_prediction_rows(clips, ["a", "b"], NAMES, ["GREETING", "BIRD"], signers=["S1", "S2"])
    write_gloss_predictions(tmp_path / "p.csv", rows)
    with open(tmp_path / "p.csv", encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert list(first)[:3] == ["file", "signer", "gloss"] and second["signer"] == "S2"
    names = ("category", "category_id", "category_prediction", "category_prediction_id", "category_correct")
    assert [first[name] for name in names] == ["", "", "GREETING", "0", ""]
    assert [second[name] for name in names] == ["BIRD", "1", "BIRD", "1", "1"]
    assert first["category_confidence"] == "0.75"


def test_no_rows_have_a_header(tmp_path):
    write_gloss_predictions(tmp_path / "p.csv", [])
    expected = "file,gloss,gloss_id,prediction,prediction_id,confidence,correct,top5,top5_ids\n"
    assert (tmp_path / "p.csv").read_text() == expected


def test_a_row_of_other_columns_leaves_the_old_file(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("old")
    first, second = rows_of()
    with pytest.raises(ValueError, match="row 1 of the predictions: expected the keys"):
        write_gloss_predictions(path, [first, {**second, "signer": "S1"}])
    assert path.read_text() == "old"


def test_other_numbers_of_names_are_refused_at_once():
    clips = check_scores(SCORES, [1, 2], CATEGORIES, [0, 1])
    message = (
        "expected 2 files, found 1; expected 2 signers, found 3; expected 3 gloss names, found 2; expected 2 category"
    )
    with pytest.raises(ConfigurationError, match=message):
        gloss_prediction_rows(clips, ["a"], NAMES[:2], ["GREETING"], signers=["S1"] * 3)


def test_a_table_has_every_column_that_occurs(tmp_path):
    write_table(tmp_path / "t.csv", [{"gloss": "A", "f1": None}, {"gloss": "B", "f1": 0.5, "note": "ñ"}])
    assert (tmp_path / "t.csv").read_text(encoding="utf-8") == "gloss,f1,note\nA,,\nB,0.5,ñ\n"
