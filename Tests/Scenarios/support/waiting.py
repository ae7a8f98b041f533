"""Waiting for something to become true: always with a deadline, never for longer than needed."""

import time
from typing import Callable, TypeVar

POLL_SECONDS = 0.01
DEFAULT_SECONDS = 10.0

Found = TypeVar("Found")


class Deadline:
    """A point in time that several waits share."""

    def __init__(self, seconds: float):
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds until then, at least one millisecond: socket timeouts must not be zero."""
        return max(0.001, self._end - time.monotonic())

    def has_passed(self) -> bool:
        return time.monotonic() >= self._end


def wait_until(condition: Callable[[], Found], what: str, seconds: float = DEFAULT_SECONDS) -> Found:
    """Polls until `condition` returns something true, and returns it; fails with `what` otherwise."""
    deadline = Deadline(seconds)
    while True:
        found = condition()
        if found:
            return found
        if deadline.has_passed():
            raise AssertionError(f"still not after {seconds} s: {what}")
        time.sleep(POLL_SECONDS)
