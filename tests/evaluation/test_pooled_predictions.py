"""Scores over several prediction files."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from hf_slt.errors import ConfigurationError, DataContractError
from hf_slt.evaluation.pooled_predictions import pool_predictions

SCRIPT = Path(__file__).parents[2] / "scripts" / "pool_predictions.py"
COLUMNS = ["file", "signer", "gloss_id", "prediction_id", "top5_ids", "category_correct"]


def write(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    return path


@pytest.fixture
def folds(tmp_path):
    one = [["a", "S1", 3, 3, "3 1 2 0 4", 1], ["b", "S1", 2, 1, "1 2 0 3 4", 0], ["c", "S1", 5, 1, "1 2 0 3 4", ""]]
    return [write(tmp_path / "one.csv", one), write(tmp_path / "two.csv", [["d", "S2", 0, 0, "0 1 2 3 4", 1]])]


def test_clips_of_all_files_count_alike(folds):
    scores = pool_predictions(folds)
    assert (scores["accuracy"], scores["top5_accuracy"], scores["clips"], scores["files"]) == (0.5, 0.75, 4, 2)
    assert scores["category_accuracy"] == pytest.approx(2 / 3)
    assert scores["per_signer"] == {
        "S1": {"accuracy": pytest.approx(1 / 3), "clips": 3},
        "S2": {"accuracy": 1.0, "clips": 1},
    }
    low, high = scores["accuracy_interval"]
    assert 0 <= low < 0.5 < high <= 1
    assert pool_predictions(folds) == scores


def test_all_that_is_wrong_is_listed(folds, tmp_path):
    again = write(tmp_path / "again.csv", [["d", "S2", 0, 0, "0", 1]])
    other = tmp_path / "other.csv"
    other.write_text("video_id,prediction\nv,x\n", encoding="utf-8")
    with pytest.raises(DataContractError) as error:
        pool_predictions([*folds, again, other, tmp_path / "nowhere.csv"])
    text = str(error.value)
    assert "3 problems" in text and "each clip once" in text and "also in" in text
    assert "no ['file', 'gloss_id', 'prediction_id', 'top5_ids']" in text and "nowhere.csv" in text


def test_a_file_that_was_cut_short_or_saved_by_a_spreadsheet(folds, tmp_path):
    text = folds[0].read_text(encoding="utf-8")
    (tmp_path / "cut.csv").write_text(text[: text.rindex("c,S1") + 6], encoding="utf-8")
    with pytest.raises(DataContractError, match=r"cut\.csv, row 3\n +expected: 6 cells\n +found: +more or fewer"):
        pool_predictions([tmp_path / "cut.csv"])
    (tmp_path / "bom.csv").write_text(text, encoding="utf-8-sig")
    assert pool_predictions([tmp_path / "bom.csv"]) == pool_predictions(folds[:1])


def test_without_resamples_there_are_no_intervals(folds):
    scores = pool_predictions(folds, resamples=0)
    assert scores["accuracy"] == 0.5 and not [name for name in scores if name.endswith("_interval")]
    done = subprocess.run(
        [sys.executable, SCRIPT, *folds, "--resamples", "0"], check=True, capture_output=True, text=True
    )
    assert done.stdout.startswith("accuracy 0.500\n")
    for options in ({"resamples": -1}, {"seed": -1}):
        with pytest.raises(ConfigurationError, match="expected resamples and a seed of 0 or more"):
            pool_predictions(folds, **options)


def test_the_script_prints_scores(folds):
    done = subprocess.run([sys.executable, SCRIPT, *folds], check=True, capture_output=True, text=True)
    assert done.stdout.startswith("accuracy 0.500 [") and "S2: accuracy 1.000 (1 clips)" in done.stdout
