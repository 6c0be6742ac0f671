"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data_dir() -> Path:
    """Folder of real recordings, or a skip that says where it was looked for."""
    folder = Path(os.environ.get("HF_SLT_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real recordings in {folder} (set HF_SLT_REAL_DATA to their folder)")
    return folder
