"""Tiny models of the exporters' tests, each exported once. Without the extra `onnx` none of these tests runs."""

import logging
from types import SimpleNamespace

import pytest

from hf_slt.errors import MissingDependencyError
from hf_slt.exporters.requirements import require_onnx

try:
    require_onnx("optimum.onnxruntime")
except MissingDependencyError:
    collect_ignore_glob = ["test_[!r]*.py", "test_reg*.py"]  # test_requirements.py is skipped, and says why


@pytest.fixture(scope="session", autouse=True)
def quiet_exporter():
    """Keep what optimum says of each export out of the report of a failing test."""
    logging.getLogger("optimum").setLevel(logging.ERROR)


@pytest.fixture(scope="session")
def translator(tmp_path_factory):
    """A translation model of all streams, `model`, and the folder of its export."""
    from export_factories import export, tiny_translator

    model = tiny_translator()
    return SimpleNamespace(model=model, folder=export(model, tmp_path_factory.mktemp("export") / "translator"))


@pytest.fixture(scope="session")
def classifier(tmp_path_factory):
    """A gloss classifier with two heads, `model`, and the folder of its export."""
    from export_factories import export, tiny_classifier

    from hf_slt.exporters.registration import CLASSIFICATION_TASK

    model = tiny_classifier("sign")
    folder = tmp_path_factory.mktemp("export") / "classifier"
    return SimpleNamespace(model=model, folder=export(model, folder, CLASSIFICATION_TASK))
