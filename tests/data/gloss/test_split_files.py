"""scripts/split_data.py: files, report, and what it says of bad input."""

import csv
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from gloss_factories import write_labels

from hf_slt.data.gloss.labels import read_labels

SCRIPT = Path(__file__).parents[3] / "scripts" / "split_data.py"
HEADER = ("file", "Gloss", "cat", "signer", "note")


@pytest.fixture
def labels(tmp_path):
    rows = [[f"{i:03d}.npz", f"sign {i % 3}", i % 2, f"s{i // 6}", "a, b"] for i in range(60)]
    return write_labels(tmp_path / "labels.csv", rows, HEADER)


@pytest.fixture
def split(labels, tmp_path, capsys):
    main = runpy.run_path(str(SCRIPT))["main"]

    def run(*arguments, path=labels):
        main(["--labels-csv", str(path), "--output", str(tmp_path / "out"), *map(str, arguments)])
        return json.loads((tmp_path / "out" / "split_report.json").read_text(encoding="utf-8"))

    return run


def rows_of(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_rows_keep_columns_and_order(split, labels, tmp_path):
    report = split("--seed", 1)
    parts = {name: rows_of(tmp_path / "out" / f"{name}.csv") for name in ("train", "val", "test")}
    assert {name: len(rows) - 1 for name, rows in parts.items()} == {"train": 48, "val": 6, "test": 6}
    assert all(rows[0] == list(HEADER) and rows[1:] == sorted(rows[1:]) for rows in parts.values())
    assert sorted(row for rows in parts.values() for row in rows[1:]) == rows_of(labels)[1:]
    assert report["splits"]["val"]["classes"] == {"sign 0": 2, "sign 1": 2, "sign 2": 2}
    assert report["ratios"] == [0.8, 0.1, 0.1] and report["warnings"] == [] and report["seed"] == 1
    names = ["sign 0", "sign 1", "sign 2"]
    assert read_labels(tmp_path / "out" / "test.csv", names)[1] == []


def test_groups_are_never_divided(split, tmp_path, capsys):
    report = split("--group-by", "signer", "--ratios", 0.5, 0.5)
    groups = [set(report["splits"][name]["groups"]) for name in ("train", "val")]
    assert [len(found) for found in groups] == [5, 5] and not groups[0] & groups[1]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["split_report.json", "train.csv", "val.csv"]
    assert "train: 30 clips, 3 values of gloss; signer: s" in capsys.readouterr().out


def test_leaving_one_group_out_and_folds(split, tmp_path):
    report = split("--group-by", "SIGNER", "--leave-one-group-out")
    assert len(report["splits"]) == 20
    assert {row[3] for row in rows_of(tmp_path / "out" / "fold_s4" / "test.csv")[1:]} == {"s4"}
    assert len(rows_of(tmp_path / "out" / "fold_s4" / "train.csv")) == 55
    report = split("--folds", 3, "--overwrite")
    assert set(report["splits"]) == {f"fold_{k}/{part}" for k in range(3) for part in ("train", "test")}
    tests = [row[0] for k in range(3) for row in rows_of(tmp_path / "out" / f"fold_{k}" / "test.csv")[1:]]
    assert sorted(tests) == [f"{i:03d}.npz" for i in range(60)]
    assert not (tmp_path / "out" / "fold_s4").exists()


def test_the_same_seed_writes_the_same_files(split, tmp_path):
    def content(seed):
        split("--overwrite", "--seed", seed)
        return [(tmp_path / "out" / f"{name}.csv").read_bytes() for name in ("train", "val", "test")]

    assert content(3) == content(3) != content(4)


def test_the_separator_stays(split, labels, tmp_path):
    path = tmp_path / "semicolons.csv"
    path.write_text(labels.read_text().replace('"a, b"', "note").replace(",", ";"))
    split(path=path)
    assert (tmp_path / "out" / "train.csv").read_text().startswith("file;Gloss;cat;signer;note\n")


def test_rare_classes_are_told(split, labels, caplog):
    with open(labels, "a") as file:
        file.write("x,rare,0,s1,\n")
    report = split()
    assert report["splits"]["train"]["classes"]["rare"] == 1
    assert report["splits"]["test"]["missing"] == ["rare"]
    assert "val has no clip of 1 of 4 values of gloss: rare" in report["warnings"]
    assert "test has no clip of 1 of 4 values of gloss: rare" in caplog.text


def run(*arguments):
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(SCRIPT.parents[1])}, timeout=120
    )


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--group-by", "camera"], "the columns file, gloss, camera"),
        (["--ratios", "0.5", "0.4"], "whose sum is 1"),
        (["--seed", "-1"], "expected a seed of 0 or more, found -1"),
        (["--stratify", "file"], "at least one value of file with 3 clips or more"),
        (["--ratios", "1"], "expected 2 ratios (train, val) or 3 (train, val, test), found 1"),
        (["--leave-one-group-out"], "expected --group-by COLUMN"),
        (["--leave-one-group-out", "--group-by", "signer", "--folds", "3"], "choose one"),
        (["--group-by", "note"], "as many groups as splits (3), found 1 (a, b)"),
        (["--folds", "61"], "as many clips as splits (61), found 60"),
        (["--labels-csv", "BROKEN"], "3 problems"),
        (["--labels-csv", "NOWHERE"], "No such file"),
    ],
)
def test_bad_requests_end_with_code_2_and_write_nothing(arguments, message, labels, tmp_path):
    broken = write_labels(
        tmp_path / "broken.csv", [["a", "x", 0, "s", ""], ["a", "", 0, "s", ""], ["", "y", 0, "s", ""]], HEADER
    )
    names = {"BROKEN": broken, "NOWHERE": tmp_path / "nowhere.csv"}
    done = run("--labels-csv", labels, "--output", tmp_path / "out", *(names.get(word, word) for word in arguments))
    assert done.returncode == 2
    assert message in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_other_content_is_never_replaced(labels, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").touch()
    done = run("--labels-csv", labels, "--output", tmp_path / "out", "--overwrite")
    assert done.returncode == 2 and "expected a corpus to overwrite" in done.stderr


def test_help_imports_nothing_heavy():
    code = "import sys, runpy; sys.argv = ['x', '--help']\ntry: runpy.run_path(r'{}', run_name='__main__')\n"
    code += (
        "except SystemExit as end: assert not end.code\nassert not {{'numpy', 'torch', 'pandas'}} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code.format(SCRIPT)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(SCRIPT.parents[1])},
    )
    assert done.returncode == 0, done.stderr
    assert "--group-by" in done.stdout
