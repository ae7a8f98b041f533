"""Origins that answer at the wrong time, or more than once: nobody may get an answer that is not theirs.

What is checked on each connection to the origin is what the strict parser finds in its bytes, as an origin that
keeps to the rules would.
"""

import socket
import time
from collections import defaultdict

import pytest

from strict_parser import Incomplete, parse
from support.gateway import service
from support.scenario import Scenario

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: example.test\r\n\r\n"


def answer(target: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\nX-Target: %b\r\nContent-Length: 0\r\n\r\n" % (status, target)


class Hasty:
    """Answers each head as soon as it is there, and takes what follows for the next head, whatever its length.

    `late` seconds pass before each answer but the first on a connection; `status` is that of all answers.
    """

    def __init__(self, scenario: Scenario, late: float = 0.0, status: bytes = b"200 OK", extra: bytes = b""):
        self.late, self.status, self.extra = late, status, extra
        self.received: dict[int, bytes] = defaultdict(bytes)
        self.origin = scenario.raw_origin(self.serve)
        self.address = self.origin.address

    def serve(self, connection: socket.socket, number: int) -> None:
        buffer = b""
        answered = 0
        while data := connection.recv(65_536):
            self.received[number] += data
            buffer += data
            while b"\r\n\r\n" in buffer:
                head, _, buffer = buffer.partition(b"\r\n\r\n")
                parts = head.split(b"\r\n")[0].split(b" ")
                if answered:
                    time.sleep(self.late)
                answered += 1
                connection.sendall(answer(parts[1] if len(parts) > 1 else b"none", self.status) + self.extra)

    def targets(self) -> list[list[str]]:
        """What the strict parser finds on each connection; a message that is not whole is `...`."""
        found = []
        for number in sorted(self.received):
            data, position, targets = self.received[number], 0, []
            while position < len(data):
                try:
                    message, position = parse(data, position)
                except Incomplete:
                    targets.append("...")
                    break
                targets.append(message.target)
            found.append(targets)
        return found

    def behind_heads_without_end(self) -> list[bytes]:
        """What came on each connection behind the head of a message that is not whole."""
        ends = []
        for number, targets in zip(sorted(self.received), self.targets()):
            if "..." in targets:
                ends.append(self.received[number].split(b"\r\n\r\n", targets.index("...") + 1)[-1])
        return ends


@pytest.fixture
def scenario(tmp_path):
    with Scenario(tmp_path) as started:
        yield started


def gateway_before(scenario: Scenario, hasty: Hasty):
    return scenario.gateway([service("app", hasty, retries="off", ejection="off")],
                            http={"timeouts": {"head": "2s", "body": "2s"}})


@pytest.mark.parametrize("late", [0.0, 0.02])
def test_answer_to_a_hidden_request_goes_to_nobody(scenario, late):
    """CL.0: the origin takes a body for a request, and answers it. Nobody has asked for that answer."""
    hasty = Hasty(scenario, late)
    gateway = gateway_before(scenario, hasty)
    for _ in range(5):
        with gateway.client() as attacker, gateway.client() as victim:
            assert attacker.exchange("POST", "/attack", body=HIDDEN).value("x-target") == "/attack"
            time.sleep(0.1)  # by now the second answer stands in the connection
            assert victim.exchange("GET", "/victim").value("x-target") == "/victim"
            assert attacker.exchange("GET", "/attacker").value("x-target") == "/attacker"


def test_connection_with_a_body_that_is_not_whole_is_not_used_again(scenario):
    """Early-response desync: the answer comes before the body, and the next request would become body."""
    hasty = Hasty(scenario)
    gateway = gateway_before(scenario, hasty)
    for _ in range(5):
        with gateway.client() as attacker, gateway.client() as victim:
            attacker.send(b"POST /attack HTTP/1.1\r\nHost: example.test\r\nContent-Length: 100\r\n\r\nhalf")
            assert attacker.head().value("x-target") == "/attack"
            assert victim.exchange("GET", "/victim").value("x-target") == "/victim"
    halves = hasty.behind_heads_without_end()
    assert halves == [b"half"] * 5


def test_chunks_that_end_after_the_answer_keep_their_place(scenario):
    """The same with chunks, of which the rest comes after the answer."""
    hasty = Hasty(scenario)
    gateway = gateway_before(scenario, hasty)
    with gateway.client() as attacker, gateway.client() as victim:
        attacker.send(b"POST /attack HTTP/1.1\r\nHost: example.test\r\nTransfer-Encoding: chunked\r\n\r\n"
                      b"4\r\nhalf\r\n")
        assert attacker.head().value("x-target") == "/attack"
        attacker.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN))
        time.sleep(0.1)
        assert victim.exchange("GET", "/victim").value("x-target") == "/victim"
    assert all("/hidden" not in targets for targets in hasty.targets())


def test_refused_expectation_leaves_no_body_behind(scenario):
    """Expect-based desync: a final answer instead of 100, and a body that is sent all the same."""
    hasty = Hasty(scenario, status=b"401 Unauthorized")
    gateway = gateway_before(scenario, hasty)
    for _ in range(5):
        with gateway.client() as attacker, gateway.client() as victim:
            attacker.send(b"POST /attack HTTP/1.1\r\nHost: example.test\r\nExpect: 100-continue\r\n"
                          b"Content-Length: %d\r\n\r\n" % len(HIDDEN))
            assert attacker.head().status == 401
            attacker.send(HIDDEN)
            assert victim.exchange("GET", "/victim").value("x-target") == "/victim"
    assert all("/hidden" not in targets for targets in hasty.targets())


def test_content_behind_the_answer_to_head_is_no_answer(scenario):
    """An origin that sends content with its answer to HEAD: the next would read it as a head."""
    hasty = Hasty(scenario, extra=b"HTTP/1.1 200 OK\r\nX-Target: /planted\r\nContent-Length: 0\r\n\r\n")
    gateway = gateway_before(scenario, hasty)
    for _ in range(5):
        with gateway.client() as one, gateway.client() as other:
            assert one.exchange("HEAD", "/head").value("x-target") == "/head"
            time.sleep(0.05)
            assert other.exchange("GET", "/other").value("x-target") == "/other"


def test_client_that_leaves_takes_its_connection_along(scenario):
    """Pause-based desync: the client goes away within its body."""
    hasty = Hasty(scenario)
    gateway = gateway_before(scenario, hasty)
    for _ in range(5):
        with gateway.client() as attacker:
            attacker.send(b"POST /attack HTTP/1.1\r\nHost: example.test\r\nContent-Length: 100\r\n\r\nhalf")
            attacker.head()
        with gateway.client() as victim:
            assert victim.exchange("GET", "/victim").value("x-target") == "/victim"
    assert hasty.behind_heads_without_end() == [b"half"] * 5
