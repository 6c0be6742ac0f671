"""Reports over checkpoints: their figures, their rows, and no file of an earlier evaluation beside them."""

import csv
import json

import numpy as np
import pytest

from hf_slt.evaluation.checkpoint_reports import (
    REPORT_COLUMNS,
    build_report,
    mean_and_std,
    remove_old_report,
    report_rows,
    write_report,
)


def result(name, bleu, **others):
    scores = {"loss": 2.0, "bleu": bleu, "chrf": 30.0, "bleu_interval": [bleu - 1, bleu + 2], "signature": "s"}
    return {"name": name, "path": f"runs/{name}", "clips": 7, **scores, **others}


def test_mean_and_standard_deviation_of_a_sample():
    results = [result("a", 1.0), result("b", 2.0), result("c", np.float64(6.0))]
    mean, std = mean_and_std(results)
    assert mean == {"loss": 2.0, "bleu": 3.0, "chrf": 30.0}
    assert std == {"loss": 0.0, "bleu": pytest.approx(7**0.5), "chrf": 0.0}


def test_only_scores_that_all_checkpoints_have_are_averaged():
    results = [result("a", 1.0, seen_bleu=4.0, seen_clips=3, ablation={"x": {}}), result("b", 2.0)]
    assert set(mean_and_std(results)[0]) == {"loss", "bleu", "chrf"}


def test_the_mean_of_one_checkpoint_is_its_scores():
    report = build_report([result("a", 1.5, seen_wer=9.0, seen_clips=3)], split="test")
    assert list(report) == ["split", "checkpoints", "mean", "std"]
    assert report["mean"] == {"loss": 2.0, "bleu": 1.5, "chrf": 30.0, "seen_wer": 9.0} and report["std"] is None
    (row,) = report_rows(report)
    assert (row["checkpoint"], row["clips"], row["bleu_low"], row["bleu_high"]) == ("a", 7, 0.5, 3.5)
    assert (row["wer"], row["wer_low"]) == (None, None)


def test_written_rows(tmp_path):
    write_report(tmp_path / "eval", build_report([result("a", 1.0), result("b", 4.0)]))
    with (tmp_path / "eval" / "report.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == REPORT_COLUMNS
    assert [row["checkpoint"] for row in rows] == ["a", "b", "mean", "std"]
    assert [row["bleu"] for row in rows[:3]] == ["1.0", "4.0", "2.5"]
    assert float(rows[3]["bleu"]) == pytest.approx(4.5**0.5)
    assert (rows[2]["clips"], rows[2]["bleu_low"], rows[1]["bleu_high"]) == ("", "", "6.0")
    report = json.loads((tmp_path / "eval" / "report.json").read_text(encoding="utf-8"))
    assert [entry["path"] for entry in report["checkpoints"]] == ["runs/a", "runs/b"] and report["mean"]["bleu"] == 2.5


def files_below(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def lay_out(folder, names):
    """Leave in a folder what an evaluation of some checkpoints leaves, and files of others."""
    write_report(folder, build_report([result(name, 1.0) for name in names]))
    for place in ("", "a/", "b/", "c/"):
        for name in ("predictions.csv", "report.json", "notes.txt"):
            path = folder / place / name
            path.parent.mkdir(exist_ok=True)
            if not path.exists():
                path.write_text("{}")


def test_files_of_an_evaluation_of_several_checkpoints_are_removed(tmp_path):
    lay_out(tmp_path, ["a", "b"])
    own = ("metrics.json", "latency.csv", "per_signer.csv", "per_length.csv", "risk_coverage.csv", "attention.png")
    for name in (*own, "length.png", "risk_coverage.png"):
        (tmp_path / name).write_text("old")
        (tmp_path / "a" / name).write_text("old")
    (tmp_path / "b" / "notes.txt").unlink()
    remove_old_report(tmp_path)
    assert files_below(tmp_path) == ["a/notes.txt", "c/notes.txt", "c/predictions.csv", "c/report.json", "notes.txt"]
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("report", ["of one", "{", "[]", '{"checkpoints": [{"name": ".."}, {"name": "a/../c"}]}'])
def test_subfolders_that_are_not_of_the_evaluation_stay(tmp_path, report):
    outside = tmp_path / "predictions.csv"
    outside.write_text("of somebody else")
    lay_out(tmp_path / "eval", ["a"])
    if report != "of one":
        (tmp_path / "eval" / "report.json").write_text(report)
    remove_old_report(tmp_path / "eval")
    left = [f"{place}/{name}" for place in "abc" for name in ("notes.txt", "predictions.csv", "report.json")]
    assert files_below(tmp_path / "eval") == [*left, "notes.txt"] and outside.exists()
    remove_old_report(tmp_path / "nothing there")
