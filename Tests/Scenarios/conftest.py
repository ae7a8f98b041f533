"""Fixtures of all scenario tests."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from support.programs import penstock_binary  # noqa: E402
from support.scenario import Scenario  # noqa: E402


def pytest_configure() -> None:
    binary = penstock_binary()
    if not os.access(binary, os.X_OK):
        raise pytest.UsageError(f"there is no binary at {binary}: `make build`, or set PENSTOCK_BINARY")


@pytest.fixture
def scenario(tmp_path: Path):
    """Starts what one test needs; everything is stopped, and checked, when the test ends."""
    with Scenario(tmp_path) as started:
        yield started


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory):
    """The same for what all tests of a file share."""
    with Scenario(tmp_path_factory.mktemp("shared")) as started:
        yield started
