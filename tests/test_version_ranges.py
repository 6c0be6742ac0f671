"""The sets of packages that the tests run on: what setup.cfg promises, at its lowest, as pinned, and at the latest."""

import configparser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PINNED, LATEST, LOWEST = "requirements.txt", ".ci/requirements-latest.txt", ".ci/requirements-lowest.txt"
# torchvision needs the torch that it was built for; the tools that build, lint and type are no part of what is promised
UNPINNED = {"torchvision"}
HELD_BACK = {"pyarrow"}  # of datasets; its later releases need NumPy 2, and do not say so to pip
TOOLS = {"build", "mypy", "ruff", "setuptools"}
NEWER = {"transformers", "tokenizers", "huggingface_hub", "datasets"}


def promised() -> dict[str, list[Requirement]]:
    """Return name -> the ranges of setup.cfg, those of the extras included."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    lists = [config["options"]["install_requires"], *config["options.extras_require"].values()]
    found: dict[str, list[Requirement]] = {}
    for line in "\n".join(lists).splitlines():
        if line.strip() and not line.startswith("#"):
            found.setdefault(Requirement(line).name, []).append(Requirement(line))
    return found


def onnx_extra() -> set[str]:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = config["options.extras_require"]["onnx"].splitlines()
    return {Requirement(line).name for line in lines if line.strip()} - {"transformers"}


def pins(file: str) -> dict[str, str]:
    lines = [line.strip() for line in (ROOT / file).read_text(encoding="utf-8").splitlines()]
    requirements = [line for line in lines if line and not line.startswith("#")]
    assert "-e ." in requirements  # hf_slt itself
    return dict(line.split("==") for line in requirements if line != "-e .")


@pytest.mark.parametrize("file", [PINNED, LOWEST])
def test_every_package_that_is_named_has_a_pin_in_its_range(file):
    ranges, found = promised(), pins(file)
    assert set(ranges) - set(found) <= UNPINNED | TOOLS and set(found) - set(ranges) <= HELD_BACK
    outside = [name for name, pin in found.items() for known in ranges.get(name, ()) if pin not in known.specifier]
    assert not outside


def test_the_lowest_pins_are_the_lower_bounds():
    """Of the series that the bound names the first release that can be had: 4.57.1 for 4.57."""
    found, higher = pins(LOWEST), {}
    for name, ranges in promised().items():
        for requirement in ranges:
            bounds = [part.version for part in requirement.specifier if part.operator == ">="]
            assert len(bounds) == 1, f"{requirement} has no lower bound"
            if name in found and found[name] != bounds[0] and not found[name].startswith(f"{bounds[0]}."):
                higher[name] = (found[name], bounds[0])
    assert not higher


def test_the_latest_set_is_newer_in_what_the_onnx_extra_binds_and_the_same_otherwise():
    pinned, latest, ranges = pins(PINNED), pins(LATEST), promised()
    assert set(pinned) - set(latest) == onnx_extra() and set(latest) <= set(pinned)
    assert {name for name in latest if latest[name] != pinned[name]} == NEWER
    main = {name: found[0] for name, found in ranges.items()}  # the first is that of install_requires
    assert not [name for name in latest if not main[name].specifier.contains(latest[name])]
