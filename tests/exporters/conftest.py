"""Tiny models of the exporters' tests, each exported once."""

import logging
from types import SimpleNamespace

import pytest
from export_factories import export, tiny_classifier, tiny_translator

from hf_slt.exporters.registration import CLASSIFICATION_TASK


@pytest.fixture(scope="session", autouse=True)
def quiet_exporter():
    """Keep what optimum says of each export out of the report of a failing test."""
    logging.getLogger("optimum").setLevel(logging.ERROR)


@pytest.fixture(scope="session")
def translator(tmp_path_factory):
    """A translation model of all streams, `model`, and the folder of its export."""
    model = tiny_translator()
    return SimpleNamespace(model=model, folder=export(model, tmp_path_factory.mktemp("export") / "translator"))


@pytest.fixture(scope="session")
def classifier(tmp_path_factory):
    """A gloss classifier with two heads, `model`, and the folder of its export."""
    model = tiny_classifier("sign")
    folder = tmp_path_factory.mktemp("export") / "classifier"
    return SimpleNamespace(model=model, folder=export(model, folder, CLASSIFICATION_TASK))
