"""The wheel holds everything that runs, and runs where nothing else of the repository is."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

import hf_slt

pytest.importorskip("build", reason="building the wheel needs the extra `dev`")
ROOT = Path(__file__).parents[1]
FOLDERS = {"hf_slt": "hf_slt", "scripts": "hf_slt/scripts", "model_cards": "hf_slt/model_card/templates"}
IMPORT_ALL = """
import importlib, json, pkgutil, sys
import hf_slt
from hf_slt.errors import MissingDependencyError

failed = {}
names = [found.name for found in pkgutil.walk_packages(hf_slt.__path__, "hf_slt.")]
names += [f"hf_slt.scripts.{found.name}" for found in pkgutil.iter_modules([hf_slt.__path__[0] + "/scripts"])]
for name in sorted(set(names)):
    if "optimum_plugin" in name or ".scripts.benchmark" in name:  # no module of ours; run as a file, beside its parts
        continue
    try:
        module = importlib.import_module(name)
    except MissingDependencyError:  # an extra that is not installed here
        continue
    except Exception as error:
        failed[name] = repr(error)
    else:
        if getattr(module, "__file__", None) and not module.__file__.startswith(sys.argv[1]):
            failed[name] = module.__file__
print(json.dumps([len(names), failed]))
"""


def files_of(folder):
    return [p for p in (ROOT / folder).rglob("*") if p.is_file() and "__pycache__" not in p.parts]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A source distribution of a copy of the tree, the wheel made of it, and the wheel installed without its needs."""
    tree = tmp_path_factory.mktemp("tree")
    for path in (*(path for path in ROOT.iterdir() if path.is_file()), *map(ROOT.joinpath, (*FOLDERS, "tests"))):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(path, tree / path.name, ignore=ignore) if path.is_dir() else shutil.copy(path, tree)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", tree / "dist", tree)
    (sdist,), (wheel,) = (list((tree / "dist").glob(pattern)) for pattern in ("*.tar.gz", "*.whl"))
    site = tree / "site"
    run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", site, wheel)
    return SimpleNamespace(sdist=sdist, wheel=wheel, site=site)


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done


@pytest.fixture
def installed(built, tmp_path):
    """Run a command with the wheel's packages before any others, from an empty folder."""
    environment = {**os.environ, "PYTHONPATH": str(built.site), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    return lambda *command: run(*command, cwd=tmp_path, env=environment)


def test_the_version_is_that_of_the_package(built):
    assert built.wheel.name == f"hf_slt-{hf_slt.__version__}-py3-none-any.whl"
    assert built.sdist.name == f"hf_slt-{hf_slt.__version__}.tar.gz"


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_file_is_in_the_wheel(built, folder):
    names = set(zipfile.ZipFile(built.wheel).namelist())
    expected = {f"{FOLDERS[folder]}/{path.relative_to(ROOT / folder).as_posix()}" for path in files_of(folder)}
    plugin = "hf_slt/exporters/optimum_plugin/register_hf_slt.py"
    if plugin in expected:  # it lies in a namespace of optimum
        expected = expected - {plugin} | {"optimum/commands/register/register_hf_slt.py"}
    assert expected and sorted(expected - names) == []


def test_the_source_distribution_holds_the_tests_and_what_they_need(built):
    with tarfile.open(built.sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = {path.relative_to(ROOT).as_posix() for path in files_of("tests")}
    needed |= {
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "CITATION.cff",
        "LICENSE",
        "Makefile",
        "requirements.txt",
    }
    assert sorted(needed - names) == []


def test_the_command_is_there_at_once(built, installed):
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        shown = installed(sys.executable, built.site / "bin" / "hf-slt", "--help").stdout
        seconds.append(time.perf_counter() - start)
    assert re.search(r"^  train-slt +Train a sign language translation model\.$", shown, re.MULTILINE)
    assert min(seconds) < 0.5


def test_every_module_can_be_imported(built, installed):
    done = installed(sys.executable, "-c", IMPORT_ALL, built.site)
    number, failed = json.loads(done.stdout.splitlines()[-1])
    assert failed == {}
    assert number > 100


def test_the_first_steps_of_the_demo_run(built, installed, tmp_path):
    command = [sys.executable, built.site / "bin" / "hf-slt", "train-slt", "--demo", "--output_dir", "demo"]
    installed(*command, "--max-train-steps", "2", "--num-beams", "1", "--use_cpu", "--disable_tqdm", "true")
    assert {"model.safetensors", "train_log.csv", "test_results.json"} <= {
        p.name for p in (tmp_path / "demo").iterdir()
    }
