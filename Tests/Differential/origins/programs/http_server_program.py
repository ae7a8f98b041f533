"""http.server with any method. The head is its own; for the body, a handler as one finds them in the wild."""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import journal


class Incomplete(Exception):
    pass


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __getattr__(self, name: str):
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def log_message(self, format: str, *arguments) -> None:
        pass

    def exactly(self, count: int) -> bytes:
        data = self.rfile.read(count)
        if len(data) < count:
            raise Incomplete
        return data

    def chunks(self) -> bytes:
        body = b""
        while True:
            size = int(self.rfile.readline(4_096).split(b";")[0], 16)
            if size == 0:
                while self.rfile.readline(8_192).strip():
                    pass
                return body
            body += self.exactly(size)
            self.rfile.readline(4)

    def answer(self) -> None:
        try:
            if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
                body = self.chunks()
            else:
                body = self.exactly(int(self.headers.get("Content-Length", 0)))
        except (Incomplete, ValueError):
            self.close_connection = True
            return
        journal.write(self.command, self.path, list(self.headers.items()), body)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()


class Server(ThreadingHTTPServer):
    request_queue_size = 1024


if __name__ == "__main__":
    Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
