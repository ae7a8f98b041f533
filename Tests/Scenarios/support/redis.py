"""redis-server from Debian, as the place where gateways count together."""

import signal
import socket
import ssl
from pathlib import Path

from .certificates import Leaf

from .ports import free_port
from .programs import Program, find_program


class Redis(Program):
    """Without files; `arguments` are further ones of redis-server."""

    def __init__(self, folder: Path, *arguments: str, password: str = "", user: str = "",
                 certificate: Leaf | None = None):
        self.port = free_port()
        self._uses_tls = certificate is not None
        self.address = f"127.0.0.1:{self.port}"
        self.password = password
        self.user = user
        program = find_program("redis-server")
        assert program, "redis-server is not installed: scripts/bootstrap test"
        ports = ["--port", str(self.port)] if not certificate else [
            "--port", "0", "--tls-port", str(self.port), "--tls-cert-file", str(certificate.chain), "--tls-key-file",
            str(certificate.key), "--tls-auth-clients", "no"]
        command = [program, *ports, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        if user:
            command += ["--user", user, "on", f">{password}", "~*", "+@all", "--user", "default", "off"]
        elif password:
            command += ["--requirepass", password]
        self._is_paused = False
        super().__init__([*command, *arguments], folder, "redis")
        self.wait_until_ready(self.answers)

    @property
    def options(self) -> dict:
        """What a plugin is told of it, without a password."""
        return {"host": "127.0.0.1", "port": self.port}

    def ask(self, *words: str, database: int = 0) -> bytes:
        """What it answers to a command: one read, enough for what tests ask."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
            connection.settimeout(5)
            if self._uses_tls:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
                connection = context.wrap_socket(connection)
            commands = []
            if self.password:
                commands.append(["AUTH", *([self.user] if self.user else []), self.password])
            if database:
                commands.append(["SELECT", str(database)])
            answer = b""
            for command in [*commands, list(words)]:
                connection.sendall(b"*%d\r\n" % len(command) + b"".join(
                    b"$%d\r\n%s\r\n" % (len(word), word.encode()) for word in command))
                answer = connection.recv(65_536)
            return answer

    def keys(self, database: int = 0) -> list[str]:
        lines = self.ask("KEYS", "*", database=database).decode().split("\r\n")
        return lines[2::2] if lines[0] != "*0" else []

    def answers(self) -> bool:
        try:
            return self.ask("PING") == b"+PONG\r\n"
        except OSError:
            return False

    def restart(self) -> None:
        """As after a crash: with nothing that it knew."""
        if self.is_running:
            self.process.kill()
            self.process.wait()
        self.launch()
        self.wait_until_ready(self.answers)

    def pause(self) -> None:
        """It keeps its connections, and does nothing."""
        self.signal(signal.SIGSTOP)
        self._is_paused = True

    def resume(self) -> None:
        self.signal(signal.SIGCONT)
        self._is_paused = False

    def stop(self) -> None:
        if self._is_paused:
            self.resume()
        if self.is_running:
            self.process.terminate()
        self.wait_for_end()
