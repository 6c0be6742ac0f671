"""A hub on loopback for each test that asks for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import Hub


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """A running hub without repositories; see hub_server.py."""
    with Hub(tmp_path / "storage") as running:
        yield running
