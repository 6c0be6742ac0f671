"""Fixtures that every test may use."""

import os

# Tiny models are many times faster on one thread; torch reads this when it is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from pathlib import Path  # noqa: E402

import pytest  # noqa: E402


@pytest.fixture(scope="session")
def real_data_dir() -> Path:
    """Folder of real recordings, or a skip that says where it was looked for."""
    folder = Path(os.environ.get("HF_SLT_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real recordings in {folder} (set HF_SLT_REAL_DATA to their folder)")
    return folder
