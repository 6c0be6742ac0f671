"""What `import hf_slt` offers, and what everything else stands on, is in the list that `mypy` checks strictly."""

import configparser
import itertools
import re
from pathlib import Path

import pytest
from test_architecture import BASE

import hf_slt

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def settings():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def test_the_public_modules_and_the_base_are_checked(settings):
    listed = [line.rstrip(",") for line in settings["mypy"]["files"].split()]
    public = {f"{name.replace('.', '/')}.py" for name in hf_slt._EXPORTS.values()}
    base = {f"hf_slt/{name}.py" for name in BASE}
    assert sorted((public | base | {"hf_slt/__init__.py"}) - set(listed)) == []
    assert [file for file in listed if not (ROOT / file).is_file()] == []
    assert settings["mypy"]["strict"] == "true"


def test_users_get_the_types():
    assert (ROOT / "hf_slt" / "py.typed").is_file()


def test_an_ignored_line_says_which_error_and_why(settings):
    ignored = []
    for file in settings["mypy"]["files"].split():
        lines = (ROOT / file.rstrip(",")).read_text(encoding="utf-8").splitlines()
        ignored += [pair for pair in itertools.pairwise(lines) if "type: ignore" in pair[1]]
    assert ignored  # else this test looks for the wrong words
    for before, line in ignored:
        code = re.search(r"# type: ignore\[[a-z-]+\](.*)$", line)
        assert code and ("# " in code[1] or before.strip().startswith("#")), line
