"""An origin that keeps the bytes as they come, and reads them with the strict parser."""

import json
import socketserver
import threading
from pathlib import Path

from strict_parser import Incomplete, Violation, parse


class Recorder:
    """Answers each request that the strict parser finds; the first violation ends the connection."""

    def __init__(self, name: str, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.journal = folder / "journal"
        self.violations: list[str] = []
        self._writing = threading.Lock()
        recorder = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                recorder.serve(self.request)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            request_queue_size = 1024

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.address = f"127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def serve(self, connection) -> None:
        """One connection, until it ends."""
        buffer = b""
        while True:
            try:
                data = connection.recv(65_536)
            except ConnectionError:
                return
            if not data:
                return
            buffer += data
            while buffer:
                try:
                    message, end = parse(buffer)
                except Incomplete:
                    break
                except Violation as violation:
                    self.violations.append(f"{violation} in {buffer[:2_000]!r}")
                    return
                buffer = buffer[end:]
                self._write({"method": message.method, "target": message.target, "fields": message.fields,
                             "body": message.body.hex()})
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def _write(self, record: dict) -> None:
        with self._writing, open(self.journal, "a", encoding="ascii") as journal:
            journal.write(json.dumps(record) + "\n")

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
