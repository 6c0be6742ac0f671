"""Imports point one way: scripts -> training, exporters, inference, hub -> data | models | evaluation -> the base."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BASE = {
    "cli",
    "commands",
    "compat",
    "errors",
    "keypoint_geometry",
    "landmarks",
    "provenance",
    "signing_space",
    "streams",
}
TOP = {"training", "exporters", "inference", "hub", "model_card"}
# What each part may import of hf_slt besides itself; a new part has to be given its place here.
ALLOWED = {
    "": BASE | TOP | {"data", "models", "evaluation", "extraction"},  # hf_slt/__init__.py, lazily
    **{name: BASE for name in (*BASE, "data", "models", "evaluation")},
    **{name: BASE | TOP | {"data", "models", "evaluation", "extraction"} for name in TOP - {"inference"}},
    # a trained model runs without what trains it
    "inference": BASE | {"data", "models", "evaluation", "extraction", "exporters"},
    "extraction": BASE | {"data"},
    "inspection": BASE | {"data", "evaluation", "extraction"},
}
MODULES = sorted((ROOT / "hf_slt").rglob("*.py"))


def part_of(path: Path) -> str:
    first = path.relative_to(ROOT / "hf_slt").parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


def imported_names(path: Path) -> set[str]:
    """All absolute module names that a file imports, at the top or inside a function."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import hides its direction"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path):
    part = part_of(path)
    assert part in ALLOWED, f"give '{part}' a place in {Path(__file__).name}"
    names = imported_names(path)
    parts = {name.split(".")[1] for name in names if name.startswith("hf_slt.")}
    assert parts - ALLOWED[part] - {part} == set()
    assert not {name.split(".")[0] for name in names} & {"scripts", "tests"}
    if part == "extraction":
        assert not {name.split(".")[0] for name in names} & {"torch", "transformers"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_entry_of_the_scripts_sees_the_command_line(path):
    if path != ROOT / "hf_slt" / "cli.py":
        assert "sys.argv" not in path.read_text(encoding="utf-8")
