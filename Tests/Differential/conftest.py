"""Fixtures of the differential checks: the corpus, the origins, the gateway in front of them."""

import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
# `support` is that of the scenario tests: ports, processes, the gateway, HTTP/2.
sys.path[:0] = [str(HERE), str(HERE.parent / "Scenarios")]

import summary  # noqa: E402
from rig import Rig  # noqa: E402
from support.programs import penstock_binary  # noqa: E402


def pytest_configure() -> None:
    binary = penstock_binary()
    if not os.access(binary, os.X_OK):
        raise pytest.UsageError(f"there is no binary at {binary}: `make build`, or set PENSTOCK_BINARY")


def pytest_terminal_summary(terminalreporter) -> None:
    for line in summary.lines:
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def rig(tmp_path_factory: pytest.TempPathFactory):
    """Every origin once, and one gateway with a listener for each; all stopped at the end."""
    with Rig(tmp_path_factory.mktemp("differential")) as started:
        yield started
