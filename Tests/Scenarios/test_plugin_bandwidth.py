"""bandwidth: content that is held back arrives whole. How fast it goes is for Tests/SimulationTests, where time is
simulated; here rates are either so high or so low that it does not matter how fast the machine is."""

import hashlib
import select
import socket

import pytest

from support.gateway import route, service
from support.plugin_options import check
from support.waiting import wait_until

SIZE = 600_000
CONTENT = bytes(index * 31 % 251 for index in range(SIZE))
# The whole of it would take an hour and a half.
SLOW = "100"


def held(name, **options):
    return route(name, "nginx", hosts=[f"{name}.test"], plugins={"bandwidth": options})


@pytest.fixture(scope="module")
def nginx(shared):
    nginx = shared.nginx()
    (nginx.folder / "content").write_bytes(CONTENT)
    return nginx


def digest(exchange):
    exchange.respond(200, hashlib.sha256(exchange.read_body()).hexdigest())


@pytest.fixture(scope="module")
def origin(shared):
    return shared.origin(digest)


@pytest.fixture(scope="module")
def gateway(shared, nginx, origin):
    return shared.gateway(
        [service("nginx", nginx), service("digest", origin)],
        [held("fast", response={"rate": "800KiB"}), held("slow", response={"rate": SLOW}),
         held("after", response={"rate": SLOW, "after": "500KiB"}),
         route("up", "digest", hosts=["up.test"], plugins={"bandwidth": {"request": {"rate": "800KiB"}}}),
         held("shared", response={"shared": {"rate": "2MiB"}}),
         held("shared-slow", response={"shared": {"rate": SLOW, "by": ["header:X-Key"]}}),
         held("both", response={"rate": "1GiB", "shared": {"rate": SLOW, "by": ["route"]}}),
         route("shared-up", "digest", hosts=["shared-up.test"],
               plugins={"bandwidth": {"request": {"shared": {"rate": "2MiB"}}}}),
         route("slow-up", "digest", hosts=["slow-up.test"], plugins={"bandwidth": {"request": {"rate": SLOW}}})])


class TestResponses:
    def test_all_of_it_arrives(self, gateway):
        with gateway.client(seconds=30) as client:
            for _ in range(2):
                assert client.exchange("GET", "/content", host="fast.test").body == CONTENT

    def test_all_of_it_arrives_by_http2(self, gateway):
        with gateway.http2(authority="fast.test", seconds=30) as client:
            numbers = [client.request("GET", "/content") for _ in range(3)]
            assert all(client.response(number).body == CONTENT for number in numbers)

    def test_all_of_it_arrives_by_tls(self, shared, nginx, gateway):
        authority = shared.authority()
        leaf = authority.issue("fast.test")
        secured = shared.gateway(
            [service("nginx", nginx)], [held("fast", response={"rate": "800KiB"})], tls={},
            certificates=[{"name": "fast", "certificate": str(leaf.chain), "key": str(leaf.key)}])
        with secured.tls_client("fast.test", authority=authority) as client:
            answer = client.exchange("GET", "/content", "Connection: close", host="fast.test")
            assert answer.body == CONTENT
            client.expect_end()

    def test_to_a_client_of_http_1_0(self, gateway):
        with gateway.client(seconds=30) as client:
            client.send(b"GET /content HTTP/1.0\r\nHost: fast.test\r\n\r\n")
            received = b""
            while data := client.socket.recv(65_536):
                received += data
            assert received.endswith(b"\r\n\r\n" + CONTENT)

    def test_heads_come_at_once_and_content_does_not(self, gateway):
        with gateway.client() as client, gateway.client() as other:
            client.request("GET", "/content", host="slow.test")
            assert client.head().value("content-length") == str(SIZE)
            # Others have their rate for themselves, and what is not limited is served meanwhile.
            for _ in range(50):
                assert other.exchange("GET", "/small", host="slow.test").status == 200
            client.socket.setblocking(False)
            received = len(client.buffer)
            try:
                while data := client.socket.recv(65_536):
                    received += len(data)
            except BlockingIOError:
                pass
            assert received < SIZE // 10

    def test_by_http2_as_well(self, gateway):
        with gateway.http2(authority="slow.test") as client:
            slow = client.request("GET", "/content")
            assert client.wait_for_head(slow).status == 200
            for _ in range(20):
                assert client.exchange("GET", "/small").status == 200
            assert len(client.streams[slow].body) < SIZE // 10
            client.reset(slow)
            assert client.exchange("GET", "/small").status == 200

    def test_what_comes_before_goes_at_once(self, gateway):
        with gateway.client() as client:
            client.request("GET", "/content", host="after.test")
            client.head()
            received = len(client.buffer)
            while received < 490 << 10:
                data = client.socket.recv(65_536)
                assert data
                received += len(data)

    def test_a_client_that_leaves_ends_it(self, gateway):
        with gateway.client() as client:
            client.request("GET", "/content", host="slow.test")
            client.head()
            wait_until(lambda: gateway.metrics().sum("penstock_requests_in_flight") >= 1, "it is under way")
            client.reset()
        wait_until(lambda: gateway.metrics().sum("penstock_requests_in_flight") == 0, "it is over")

    def test_head_and_nothing_new(self, gateway):
        with gateway.client() as client:
            assert client.exchange("HEAD", "/content", host="slow.test").value("content-length") == str(SIZE)
            tag = client.exchange("HEAD", "/content", host="slow.test").value("etag")
            assert client.exchange("GET", "/content", f"If-None-Match: {tag}", host="slow.test").status == 304


class TestRequests:
    DIGEST = hashlib.sha256(CONTENT).hexdigest()

    def test_all_of_it_arrives(self, gateway):
        with gateway.client(seconds=30) as client:
            for _ in range(2):
                assert client.exchange("POST", "/", body=CONTENT, host="up.test").text == self.DIGEST

    def test_in_chunks(self, gateway):
        with gateway.client(seconds=30) as client:
            client.send(b"POST / HTTP/1.1\r\nHost: up.test\r\nTransfer-Encoding: chunked\r\n\r\n")
            for start in range(0, SIZE, 10_000):
                client.send(b"2710\r\n" + CONTENT[start:start + 10_000] + b"\r\n")
            client.send(b"0\r\n\r\n")
            assert client.response().text == self.DIGEST

    def test_by_http2(self, gateway):
        with gateway.http2(authority="up.test", seconds=30) as client:
            assert client.exchange("POST", "/", body=CONTENT).text == self.DIGEST

    def test_a_client_that_sends_fast_is_held_back(self, gateway, origin):
        origin.forget()
        with gateway.client() as client:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
            client.request("POST", "/", f"Content-Length: {1 << 30}", host="slow-up.test")
            origin.wait_for_requests(1)
            client.socket.setblocking(False)
            sent = 0
            # What systems and the gateway hold between the two; without a limit there is no end to it.
            for _ in range(10_000):
                try:
                    sent += client.socket.send(CONTENT)
                except BlockingIOError:
                    assert gateway.get("/small", host="fast.test").status == 200
                    if sent > 0 and not self.is_taking(client.socket):
                        break
            assert 0 < sent < 64 << 20
            assert not origin.complete_requests
            client.reset()

    @staticmethod
    def is_taking(connection):
        return bool(select.select([], [connection], [], 0.2)[1])


def received(client) -> int:
    """All that has come until now."""
    client.socket.setblocking(False)
    count = len(client.buffer)
    try:
        while data := client.socket.recv(65_536):
            count += len(data)
    except BlockingIOError:
        pass
    return count


class TestShared:
    def test_all_of_it_arrives_on_all_connections(self, gateway):
        clients = [gateway.client(seconds=30) for _ in range(4)]
        for client in clients:
            client.request("GET", "/content", host="shared.test")
        assert all(client.response().body == CONTENT for client in clients)

    def test_all_of_it_arrives_on_all_streams(self, gateway):
        with gateway.http2(authority="shared.test", seconds=30) as client:
            numbers = [client.request("GET", "/content") for _ in range(4)]
            assert all(client.response(number).body == CONTENT for number in numbers)

    def test_requests_arrive(self, gateway, origin):
        origin.forget()
        origin.answer = digest
        expected = hashlib.sha256(CONTENT).hexdigest()
        clients = [gateway.client(seconds=30) for _ in range(3)]
        for client in clients:
            client.request("POST", "/", f"Content-Length: {SIZE}", host="shared-up.test")
        for client in clients:
            client.send(CONTENT)
        assert [client.response().text for client in clients] == [expected] * 3
        with gateway.http2(authority="shared-up.test", seconds=30) as client:
            numbers = [client.request("POST", "/", body=CONTENT) for _ in range(2)]
            assert all(client.response(number).text == expected for number in numbers)

    @pytest.mark.parametrize("host", ["shared-slow.test", "both.test"])
    def test_more_connections_get_no_more(self, gateway, host):
        clients = [gateway.client() for _ in range(20)]
        for client in clients:
            client.request("GET", "/content", "X-Key: a", host=host)
        # What the bucket holds comes at once, and a hundred bytes a second after that.
        wait_until(lambda: sum(len(client.buffer) + self.peeked(client) for client in clients) >= 900, "some has come")
        with gateway.client() as other:
            for _ in range(50):
                assert other.exchange("GET", "/small", host="fast.test").status == 200
        # Each with a rate of its own would have got a kilobyte at once.
        assert sum(received(client) for client in clients) < 12_000
        for client in clients:
            client.reset()
        wait_until(lambda: gateway.metrics().sum("penstock_requests_in_flight") == 0, "they are over")

    @staticmethod
    def peeked(client) -> int:
        try:
            return len(client.socket.recv(65_536, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except BlockingIOError:
            return 0

    def test_another_key_has_its_own(self, gateway):
        with gateway.client() as first, gateway.client() as second:
            first.request("GET", "/content", "X-Key: c", host="shared-slow.test")
            first.head()
            second.request("GET", "/content", "X-Key: d", host="shared-slow.test")
            second.head()

    def test_on_several_workers(self, shared, nginx):
        gateway = shared.gateway(
            [service("nginx", nginx)],
            [held("shared-slow", response={"shared": {"rate": SLOW, "by": ["route"]}})], workers=2)
        clients = [gateway.client() for _ in range(20)]
        for client in clients:
            client.request("GET", "/content", host="shared-slow.test")
        wait_until(lambda: sum(self.peeked(client) for client in clients) >= 900, "some has come")
        wait_until(lambda: gateway.metrics().sum("penstock_requests_in_flight") == 20, "all are under way")
        assert sum(received(client) for client in clients) < 12_000


@pytest.mark.parametrize("options, said", [
    ({}, "nothing is limited"),
    ({"response": {}}, "there is no rate"),
    ({"response": {"after": "1KiB", "shared": {"rate": "1KiB"}}}, "has no rate that this could be before"),
    ({"response": {"shared": {}}}, "\"rate\" is missing"),
    ({"response": {"shared": {"rate": "1KiB", "by": ["token"]}}}, "nothing that requests are told apart by"),
    ({"response": {"rate": 0}}, "rate"),
    ({"response": {"rate": "fast"}}, "is not a size"),
    ({"request": {"rate": "1KiB", "after": -1}}, "is not a size"),
    ({"rate": "1KiB"}, "rate"),
])
def test_options_that_are_wrong(tmp_path, options, said):
    assert said in check(tmp_path, "bandwidth", options)
