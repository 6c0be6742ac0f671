"""Fixtures of the data tests."""

import pytest
from factories import write_corpus

from hf_slt.data.corpus import CorpusPaths


@pytest.fixture
def corpus(tmp_path) -> CorpusPaths:
    """A corpus of four clips, frames as flat files."""
    return write_corpus(tmp_path)
