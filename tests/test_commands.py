"""`hf-slt`: every script is a command, with the script's flags under the command's name."""

import re
import sys
from pathlib import Path

import pytest

import hf_slt
from hf_slt import cli, commands
from hf_slt.errors import ConfigurationError

SCRIPTS = Path(__file__).parents[1] / "scripts"


@pytest.fixture
def hf_slt_says(monkeypatch, capsys):
    """Run `hf-slt` with a command line; returns its exit code (None: it returned), stdout and stderr."""

    def run(*argv):
        monkeypatch.setattr(sys, "argv", ["/somewhere/bin/hf-slt", *map(str, argv)])
        code = None
        try:
            cli.hf_slt_command()
        except SystemExit as leaving:
            code = leaving.code
        return (code, *capsys.readouterr())

    return run


def test_every_script_but_the_benchmarks_is_a_command():
    scripts = {path.stem for path in SCRIPTS.glob("*.py") if not path.stem.startswith("benchmark")}
    assert sorted(commands.COMMANDS.values()) == sorted(scripts)


@pytest.mark.parametrize("argv", [(), ("--help",), ("-h",), ("help",)])
def test_alone_it_lists_the_commands_with_a_line_each(hf_slt_says, argv):
    code, out, err = hf_slt_says(*argv)
    assert (code, err) == (None, "")
    listed = dict(re.findall(r"^  ([a-z-]+) +(\S.*)$", out, re.MULTILINE))
    assert list(listed) == list(commands.COMMANDS)
    assert listed["train-slt"] == "Train a sign language translation model."
    assert out.startswith("usage: hf-slt COMMAND [flags]\n")


def test_it_tells_its_version(hf_slt_says):
    assert hf_slt_says("--version") == (None, f"hf-slt {hf_slt.__version__}\n", "")


@pytest.mark.parametrize(
    ("typed", "meant"), [("trian-slt", "train-slt"), ("eval_gloss", "eval-gloss"), ("exprot", "export")]
)
def test_an_unknown_command_names_the_nearest_one(hf_slt_says, typed, meant):
    code, out, err = hf_slt_says(typed, "--flag")
    assert (code, out) == (2, "")
    assert err.startswith("ConfigurationError: expected a command (train-slt, eval-slt, ")
    assert err.endswith(f"found '{typed}' (did you mean '{meant}'?)\n")


def test_a_command_like_none_gets_no_suggestion():
    with pytest.raises(ConfigurationError, match=r"found '%%'$"):
        commands.load_command("%%")


@pytest.mark.parametrize("command", commands.COMMANDS)
def test_the_usage_of_a_command_reads_as_it_was_typed(hf_slt_says, command):
    code, out, err = hf_slt_says(command, "--help")
    assert (code or 0, err) == (0, "")
    assert out.startswith(f"usage: hf-slt {command} ")
    assert commands.load_command(command).__doc__.partition("\n")[0] in out


def test_flags_reach_the_script(hf_slt_says, tmp_path):
    code, _, err = hf_slt_says(
        "prepare", "--source", "boston104", "--input", tmp_path / "none", "--output", tmp_path / "D"
    )
    assert code == 2 and str(tmp_path / "none") in err


def test_scripts_that_are_nowhere_are_an_error(monkeypatch, tmp_path):
    monkeypatch.setattr(commands, "__file__", str(tmp_path / "hf_slt" / "commands.py"))
    with pytest.raises(
        ConfigurationError, match=r"expected the scripts in .*found them in neither; install hf_slt again"
    ):
        commands.scripts_folder()
