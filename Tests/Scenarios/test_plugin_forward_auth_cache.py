"""forward-auth: answers that are remembered, and one question for many requests that come at once."""

import threading

import pytest

from support.auth_service import GOOD, auth, begin_anew, decide, is_quiet, origin, side_requests
from support.gateway import route, service
from support.waiting import wait_until


@pytest.fixture(scope="module")
def gateway(shared, origin, auth):
    def guarded(name, **options):
        return route(name, "app", hosts=[f"{name}.test"], plugins={"forward-auth": {"service": "auth", **options}})
    return shared.gateway(
        [service("app", origin), service("auth", auth, retries="off", ejection="off")],
        [guarded("cached", upstreamHeaders=["x-user"],
                 cache={"by": ["header:Authorization", "path"], "ttl": "1h", "statuses": [200, 302, 403]}),
         guarded("brief", cache={"by": ["header:Authorization"], "ttl": "100ms"}),
         guarded("together", upstreamHeaders=["x-user"], timeout="20s",
                 cache={"by": ["header:Authorization", "header:X-Test"], "ttl": "100ms", "statuses": [200]}),
         guarded("together-post", requestMethod="POST", timeout="20s", cache={"by": ["host"], "ttl": "100ms"}),
         guarded("together-brief", timeout="500ms", cache={"by": ["header:Authorization"], "ttl": "1h"})])


class TestCache:
    def test_answers_are_remembered_by_their_key(self, gateway, auth, origin):
        for target in ("/a", "/a", "/b", "/a?query"):
            assert gateway.get(target, GOOD, ("X-User", "mallory"), host="cached.test").status == 200
            assert origin.last.values("x-user") == ["alice"]
        assert len(auth.requests) == 2
        forbidden = ("Authorization", "Bearer forbidden")
        for _ in range(2):
            answer = gateway.get("/a", forbidden, host="cached.test")
            assert answer.status == 403 and answer.text == "alice may not"
        assert len(auth.requests) == 3
        with gateway.http2(authority="cached.test") as client:
            assert client.exchange("GET", "/a", ("authorization", "Bearer good")).status == 200
        assert len(auth.requests) == 3

    def test_answers_that_set_cookies_are_one_clients(self, gateway, auth):
        for _ in range(2):
            assert gateway.get("/", host="cached.test").status == 302
        assert len(auth.requests) == 2

    def test_failures_are_not_remembered(self, gateway, auth):
        auth.answer = lambda exchange: exchange.reset()
        assert gateway.get("/fails", GOOD, host="cached.test").status == 403
        auth.answer = decide
        assert gateway.get("/fails", GOOD, host="cached.test").status == 200

    def test_they_are_forgotten(self, gateway, auth):
        assert gateway.get("/", GOOD, host="brief.test").status == 200

        def asked_again():
            assert gateway.get("/", GOOD, host="brief.test").status == 200
            return len(auth.requests) >= 2
        wait_until(asked_again, "it asks again")


class Held:
    """An auth service that answers when it is told to."""

    def __init__(self, answer=decide):
        self.release = threading.Event()
        self.answer = answer

    def __call__(self, exchange):
        exchange.read_body()
        self.release.wait(20)
        self.answer(exchange)


@pytest.fixture
def held(auth):
    service = auth.answer = Held()
    yield service
    service.release.set()


@pytest.fixture
def mark(request):
    """What another test has had remembered is another question."""
    return ("X-Test", request.node.name)


def wait_until_waiting(gateway, count):
    wait_until(lambda: gateway.metrics().sum("penstock_requests_at_plugins") == count, f"{count} wait")


class TestTogether:
    """Of many requests with the same question, one asks."""

    def start(self, gateway, auth, count, mark, shown=GOOD, host="together.test"):
        """The first asks; the others come when the question is under way."""
        before = len(auth.requests)
        clients = [gateway.client() for _ in range(count)]
        for number, client in enumerate(clients):
            client.request("GET", f"/{number}", shown, mark, host=host)
            if number == 0:
                auth.wait_for_requests(before + 1)
        wait_until_waiting(gateway, count)
        return clients

    def test_one_question_for_all(self, gateway, auth, origin, held, mark):
        clients = self.start(gateway, auth, 20, mark)
        assert len(auth.requests) == 1
        # Another question is another question.
        other = gateway.client()
        other.request("GET", "/", ("Authorization", "Bearer other"), mark, host="together.test")
        auth.wait_for_requests(2)
        held.release.set()
        assert [client.response().status for client in clients] == [200] * 20
        assert other.response().status == 302
        assert len(auth.requests) == 2
        assert {tuple(request.values("x-user")) for request in origin.requests} == {("alice",)}
        is_quiet(gateway)

    def test_by_http2(self, gateway, auth, origin, held, mark):
        with gateway.http2(authority="together.test") as client:
            shown = (("authorization", "Bearer good"), ("x-test", mark[1]))
            numbers = [client.request("GET", f"/{number}", *shown) for number in range(20)]
            wait_until_waiting(gateway, 20)
            # Content that comes meanwhile ends no wait.
            upload = client.open(client.head("POST", "/upload", *shown, ("content-length", "3")), end=False)
            client.send_content(upload, b"abc")
            wait_until_waiting(gateway, 21)
            auth.wait_for_requests(1)
            assert len(auth.requests) == 1
            # One that leaves while it waits.
            client.reset(numbers.pop())
            wait_until_waiting(gateway, 20)
            held.release.set()
            assert [client.response(number).status for number in [*numbers, upload]] == [200] * 20
        assert len(auth.requests) == 1

    def test_when_the_one_that_asks_leaves_the_next_does(self, gateway, auth, origin, held, mark):
        clients = self.start(gateway, auth, 10, mark)
        # Some that wait leave as well, among them the next.
        clients[3].close()
        clients[1].reset()
        wait_until_waiting(gateway, 8)
        clients[0].close()
        auth.wait_for_requests(2)
        wait_until_waiting(gateway, 7)
        clients[2].close()
        auth.wait_for_requests(3)
        held.release.set()
        assert [client.response().status for client in clients[4:]] == [200] * 6
        assert len(auth.requests) == 3
        is_quiet(gateway)

    def test_the_deadline_of_the_one_that_asks_is_its_own(self, gateway, auth, origin, held, mark):
        with gateway.http2(authority="together.test") as hasty:
            call = hasty.request(
                "POST", "/", ("authorization", "Bearer good"), ("x-test", mark[1]), ("content-type", "application/grpc"),
                ("grpc-timeout", "700m"), body=b"x")
            auth.wait_for_requests(1)
            client = gateway.client()
            client.request("GET", "/", GOOD, mark, host="together.test")
            assert hasty.response(call).value("grpc-status") == "4"
            auth.wait_for_requests(2)
        held.release.set()
        assert client.response().status == 200

    def test_a_failure_is_everybodys(self, gateway, auth, origin, held, mark):
        held.answer = lambda exchange: exchange.reset()
        clients = self.start(gateway, auth, 10, mark)
        failures = side_requests(gateway, "upstream_failure")
        held.release.set()
        assert [client.response().status for client in clients] == [403] * 10
        assert origin.requests == []
        # One question, though a connection that had been idle may have made for another attempt at it.
        assert side_requests(gateway, "upstream_failure") == failures + 1
        # It is not remembered.
        auth.answer = decide
        assert gateway.get("/", GOOD, mark, host="together.test").status == 200

    def test_an_answer_that_is_not_remembered_is_one_clients(self, gateway, auth, origin, held, mark):
        clients = self.start(gateway, auth, 10, mark, ("Authorization", "Bearer forbidden"))
        assert len(auth.requests) == 1
        held.release.set()
        assert [client.response().status for client in clients] == [403] * 10
        assert len(auth.requests) == 10

    def test_a_slow_service_is_waited_for_no_longer_than_its_time(self, gateway, auth, origin, held, mark):
        clients = self.start(gateway, auth, 5, mark, host="together-brief.test")
        assert [client.response().status for client in clients] == [403] * 5
        assert origin.requests == [] and not held.release.is_set()
        is_quiet(gateway)

    def test_nobody_waits_for_content_of_another(self, gateway, auth, origin):
        with gateway.client() as slow, gateway.client() as client:
            slow.request("POST", "/slow", "Content-Length: 10", GOOD, host="together-post.test")
            wait_until_waiting(gateway, 1)
            assert client.exchange("POST", "/", GOOD, body=b"abc", host="together-post.test").status == 200
            slow.send(b"0123456789")
            assert slow.response().status == 200

    def test_too_many_ask_by_themselves(self, gateway, auth, origin, held, mark):
        clients = self.start(gateway, auth, 1_030, mark)
        # One asks, 1,024 wait, and five do neither.
        auth.wait_for_requests(6)
        assert len(auth.requests) == 6
        held.release.set()
        assert {client.response().status for client in clients} == {200}
        for client in clients:
            client.close()
        assert len(auth.requests) == 6
