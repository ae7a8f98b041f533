"""nghttpd from Debian, as an origin of HTTP/2 that others wrote, which prints what reaches it."""

import re
from pathlib import Path

from .certificates import Leaf
from .ports import free_port, is_listening
from .programs import Program, find_program

CONTENT = "x" * 100


class Nghttpd(Program):
    """Serves `/` (100 bytes) and whatever is put into `folder`; in clear text, or by TLS with a certificate."""

    def __init__(self, folder: Path, *arguments: str, certificate: Leaf | None = None, trailer: str | None = None,
                 echoes: bool = False):
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "index.html").write_text(CONTENT)
        program = find_program("nghttpd")
        assert program, "nghttpd is not installed: scripts/bootstrap test"
        command = [program, "--verbose", "--address=127.0.0.1", f"--htdocs={folder}", *arguments]
        if trailer is not None:
            command.append(f"--trailer={trailer}")
        if echoes:
            command.append("--echo-upload")
        if certificate is None:
            command += ["--no-tls", str(self.port)]
        else:
            command += [str(self.port), str(certificate.key), str(certificate.chain)]
        super().__init__(command, folder, "nghttpd")
        self.wait_until_ready(lambda: is_listening(self.port))

    def received_fields(self) -> list[tuple[str, str]]:
        """All fields of all requests, in the order in which they came, pseudo-fields included."""
        text = re.sub(r"\x1b\[[\d;]*m", "", self.stdout)
        return re.findall(r"recv \(stream_id=\d+(?:, sensitive)?\) (:?[^:]+): (.*)", text)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)
