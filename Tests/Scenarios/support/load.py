"""Clients that keep asking while a test changes something, and count what fails."""

import threading
from typing import Any, Callable

from .waiting import wait_until


class Load:
    """Threads that each make connections and requests until `stop`; a failure is kept, not raised.

    `connect` makes a client (a context manager), `exchange` makes one request on it. A connection carries
    `per_connection` requests.
    """

    def __init__(self, connect: Callable[[], Any], exchange: Callable[[Any], Any], threads: int = 4,
                 per_connection: int = 20):
        self.count = 0
        self.failures: list[BaseException] = []
        self._connect = connect
        self._exchange = exchange
        self._per_connection = per_connection
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        self.wait_for(20)
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            while not self._ended.is_set():
                with self._connect() as client:
                    for _ in range(self._per_connection):
                        if self._ended.is_set():
                            return
                        self._exchange(client)
                        with self._lock:
                            self.count += 1
        except Exception as error:
            with self._lock:
                self.failures.append(error)

    def wait_for(self, more: int) -> None:
        """Until so many more requests were answered (or one failed)."""
        goal = self.count + more
        wait_until(lambda: self.count >= goal or self.failures, f"{more} more requests are answered", 30)

    def stop(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(20)
        assert not self.failures, self.failures[:3]
