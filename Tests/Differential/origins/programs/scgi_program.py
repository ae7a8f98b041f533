"""An SCGI server: a netstring of parameters, then the body."""

import socketserver
import sys

import journal


class Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        size = b""
        while not size.endswith(b":"):
            byte = self.rfile.read(1)
            if not byte:
                return
            size += byte
        parts = self.rfile.read(int(size[:-1])).decode("latin-1").split("\0")
        self.rfile.read(1)
        pairs = list(zip(parts[0::2], parts[1::2]))
        parameters = dict(pairs)
        length = int(parameters["CONTENT_LENGTH"] or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            return  # not read whole
        fields = [(name[5:], value) for name, value in pairs if name.startswith("HTTP_")]
        journal.write(parameters["REQUEST_METHOD"], parameters["REQUEST_URI"], fields, body)
        self.wfile.write(b"Status: 200 OK\r\nContent-Length: 0\r\n\r\n")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024


if __name__ == "__main__":
    Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
