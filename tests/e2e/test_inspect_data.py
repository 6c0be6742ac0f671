"""`inspect_data.py` as a person runs it."""

import sys

import pytest
from factories import write_corpus
from script_runs import ROOT, data_flags, run_main, run_process


@pytest.mark.parametrize("named", [False, True])
def test_a_corpus_becomes_one_page(tmp_path, named):
    paths = write_corpus(tmp_path / "D")
    page = tmp_path / "new" / "corpus.html"
    flags = data_flags(paths, ["train", "validation", "test"]) if named else ["--data", tmp_path / "D"]
    run_main("inspect_data", [*flags, "--output", page, "--sample", "2"])
    text = page.read_text(encoding="utf-8")
    assert "4 clips, 4 of them with a text" in text and text.count("<article>") == 2
    assert "<bdi>validation</bdi>" in text and "¿Dónde está el niño?" in text


def test_what_is_wrong_is_said_with_exit_code_2(tmp_path, capsys):
    with pytest.raises(SystemExit) as left:
        run_main("inspect_data", ["--data", tmp_path / "nowhere"])
    assert left.value.code == 2
    assert "expected a folder of a corpus in --data, found" in capsys.readouterr().err


def test_help_imports_nothing_heavy():
    code = f"""
import os, runpy, sys
os.chdir({str(ROOT)!r})
sys.argv = ["inspect_data.py", "--help"]
try:
    runpy.run_path("scripts/inspect_data.py", run_name="__main__")
except SystemExit:
    heavy = {{"numpy", "torch", "PIL", "jinja2"}} & set(sys.modules)
    sys.exit(str(heavy) if heavy else 0)
"""
    assert "--sample" in run_process(sys.executable, "-c", code).stdout
