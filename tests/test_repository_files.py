"""CITATION.cff is valid, and the checks before a commit are those of `make quality` and find what they look for."""

import configparser
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]


def test_the_citation_has_what_its_format_asks_for():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0" and citation["type"] == "software"
    assert citation["authors"] == [{"name": "hf_slt contributors"}]
    assert {"title", "message"} <= set(citation)
    # https://citation-file-format.github.io: no other keys
    optional = {"abstract", "commit", "contact", "date-released", "doi", "identifiers", "keywords", "license", "url"}
    assert set(citation) <= optional | {"cff-version", "type", "authors", "title", "message", "version"}
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    assert citation["license"] == config["metadata"]["license"]


def test_commits_are_checked_as_make_quality_does_without_a_network():
    assert {hook["language"] for hook in HOOKS} == {"system"}
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").partition("quality:")[2].partition("\n\n")[0]
    programs = {" ".join(hook["entry"].split()[:2]) for hook in HOOKS if hook["id"] != "file-size"}
    assert programs == {"ruff check", "ruff format", "mypy"}
    assert all(f"-m {program}" in recipe for program in programs)


@pytest.mark.parametrize(("size", "code"), [(400_000, 0), (700_000, 1)])
def test_a_large_file_is_stopped(tmp_path, size, code):
    (entry,) = (hook["entry"] for hook in HOOKS if hook["id"] == "file-size")
    files = [tmp_path / "a name.bin", tmp_path / "small.txt"]
    files[0].write_bytes(bytes(size))
    files[1].write_text("x")
    done = subprocess.run([*shlex.split(entry), *files], capture_output=True, text=True, check=False)
    assert (done.returncode, "a name.bin" in done.stdout) == (code, bool(code))
