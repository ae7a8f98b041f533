"""jwt-auth: issuers, and the servers that publish their keys: what these may do wrong, and how long it may take."""

import threading
import time

import pytest

from support.gateway import route, service
from support.http2_origin import server_context
from support.origin import answer_with
from support.tokens import SigningKey, bearer, key_set, shared_token, soon
from support.waiting import wait_until

SECRET = "a-secret-of-thirty-two-characters"
CONSUMERS = [{"name": "alice", "credentials": {"jwt-auth": [{"key": "alice", "secret": SECRET}]}}]


def token(**claims) -> str:
    """Of a consumer."""
    return shared_token(SECRET, **{"iss": "alice", "exp": soon(), **claims})


class KeyServer:
    """Answers with a set of keys, which a test may change."""

    def __init__(self, scenario, *keys, **options):
        self.keys = list(keys)
        self.answer = None
        self.origin = scenario.origin(self._answer, name="keys", **options)

    def _answer(self, exchange):
        if self.answer is not None:
            return self.answer(exchange)
        exchange.respond(200, key_set(*self.keys), "Content-Type: application/jwk-set+json")

    @property
    def count(self) -> int:
        return len(self.origin.requests)


ISSUER = "https://login.example"


def issued(key: SigningKey, **claims) -> str:
    headers = claims.pop("headers", None)
    return key.token(headers=headers, **{"iss": ISSUER, "exp": soon(), "aud": "shop", "sub": "anna", **claims})


@pytest.fixture
def start(scenario):
    def with_keys(jwks, *, origin=None, settings=None, workers=1, routes=(), **issuer):
        options = {"issuers": [{"issuer": ISSUER, "jwks": jwks, **issuer}], "claimsToHeaders": {"sub": "X-User"}}
        return scenario.gateway(
            [service("app", origin or scenario.origin())],
            [*routes, route("shop", "app", plugins={"jwt-auth": options})],
            settings={"consumers": CONSUMERS, **(settings or {})}, workers=workers)
    return with_keys


class TestIssuers:
    def test_keys_in_the_configuration(self, scenario, start):
        keys = [SigningKey("RS256", "r"), SigningKey("ES256", "e"), SigningKey("EdDSA", "d"), SigningKey("PS384", "p")]
        origin = scenario.origin()
        # Among them some that are of no use.
        text = key_set(*keys, {"kty": "oct", "k": "AAAA", "kid": "s"}, SigningKey("RS256").jwk(use="enc"), {"kty": "new"})
        gateway = start({"inline": text}, origin=origin, audiences=["shop", "api"])
        for key in keys:
            assert gateway.get("/", bearer(issued(key))).status == 200
            assert origin.last.value("x-user") == "anna" and not origin.last.has("x-consumer-username")
            assert gateway.get("/", bearer(issued(key, aud=["x", "api"]))).status == 200
            assert gateway.get("/", bearer(issued(key, aud="other"))).status == 401
            assert gateway.get("/", bearer(issued(key, iss="https://other.example"))).status == 401
            assert gateway.get("/", bearer(issued(key, exp=soon(-5)))).status == 401
            assert gateway.get("/", bearer(issued(key, headers={"kid": "x"}))).status == 401
        # One key's name does not make another's signature right.
        assert gateway.get("/", bearer(issued(keys[0], headers={"kid": "p"}))).status == 401
        # Consumers' tokens are as good as ever, and their secrets are no issuer's.
        assert gateway.get("/", bearer(token())).status == 200
        assert gateway.get("/", bearer(shared_token(SECRET, iss=ISSUER, exp=soon()))).status == 401

    def test_keys_without_a_name(self, start):
        keys = [SigningKey("ES256", None), SigningKey("ES256", None)]
        gateway = start({"inline": key_set(*keys)})
        for key in keys:
            assert gateway.get("/", bearer(issued(key))).status == 200
        assert gateway.get("/", bearer(issued(SigningKey("ES256", None)))).status == 401

    def test_only_some_algorithms(self, start):
        key = SigningKey("RS256", "r")
        gateway = start({"inline": key_set(key.jwk(alg=None))}, algorithms=["PS256"])
        assert gateway.get("/", bearer(issued(key))).status == 401
        assert gateway.get("/", bearer(key.token(algorithm="PS256", iss=ISSUER, exp=soon()))).status == 200

    def test_a_claim_that_names_the_consumer(self, scenario, start):
        key, origin = SigningKey("ES256"), scenario.origin()
        gateway = start({"inline": key_set(key)}, origin=origin, consumerClaim="sub")
        assert gateway.get("/", bearer(issued(key, sub="alice"))).status == 200
        assert origin.last.values("x-consumer-username") == ["alice"]
        assert gateway.get("/", bearer(issued(key, sub="nobody"))).status == 401
        assert gateway.get("/", bearer(issued(key, sub=["alice"]))).status == 401

    def test_a_file_is_followed(self, start, tmp_path):
        old, new = SigningKey("ES256", "old"), SigningKey("ES256", "new")
        file = tmp_path / "keys.json"
        file.write_text(key_set(old))
        gateway = start({"file": str(file)})
        assert gateway.get("/", bearer(issued(old))).status == 200
        assert gateway.get("/", bearer(issued(new))).status == 401
        known = bearer(issued(old))
        assert [gateway.get("/", known).status for _ in range(2)] == [200, 200]
        file.write_text(key_set(new))
        wait_until(lambda: gateway.get("/", bearer(issued(new))).status == 200, "the file was read again")
        assert gateway.get("/", known).status == 401
        file.write_text("no keys")
        wait_until(lambda: gateway.get("/", bearer(issued(new))).status == 200
                   and gateway.metrics().sum("penstock_plugin_failures_total") > 0, "the failure was counted")
        assert gateway.get("/", bearer(issued(new))).status == 200


class TestKeyServers:
    def test_keys_are_fetched_once(self, scenario, start):
        key = SigningKey("RS256")
        server = KeyServer(scenario, key)
        gateway = start({"url": f"http://{server.origin.address}/keys?x=1"}, workers=2)
        for _ in range(20):
            assert gateway.get("/", bearer(issued(key))).status == 200
        assert server.count == 1
        request = server.origin.last
        assert request.target == "/keys?x=1" and request.value("host") == server.origin.address

    def test_by_name_with_chunks_and_over_http2(self, scenario, start):
        key = SigningKey("ES256")
        server = KeyServer(scenario, key)

        def chunks(exchange):
            exchange.read_body()
            text = key_set(key).encode()
            exchange.send(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for start_ in range(0, len(text), 20):
                exchange.send_chunk(text[start_:start_ + 20])
            exchange.send(b"0\r\n\r\n")
        server.answer = chunks
        gateway = start({"url": f"http://localhost:{server.origin.port}/"})
        with gateway.http2() as client:
            assert client.exchange("GET", "/", ("authorization", f"Bearer {issued(key)}")).status == 200

    def test_by_https_the_server_is_verified(self, scenario, start):
        key, authority = SigningKey("ES256"), scenario.authority()
        server = KeyServer(scenario, key, tls=server_context(authority.issue("localhost", "127.0.0.1")))
        for host in ("localhost", "127.0.0.1"):
            gateway = start({"url": f"https://{host}:{server.origin.port}/", "ca": str(authority.file)})
            assert gateway.get("/", bearer(issued(key))).status == 200
        # Another authority's, and the system's.
        for trusted in ({"ca": str(scenario.authority("Another authority").file)}, {}):
            gateway = start({"url": f"https://localhost:{server.origin.port}/", **trusted})
            assert gateway.get("/", bearer(issued(key))).status == 503
        other = KeyServer(scenario, key, tls=server_context(authority.issue("other.test")))
        gateway = start({"url": f"https://localhost:{other.origin.port}/", "ca": str(authority.file)})
        assert gateway.get("/", bearer(issued(key))).status == 503
        assert other.count == 0

    def test_rotation(self, scenario, start):
        old, new = SigningKey("ES256", "old"), SigningKey("ES256", "new")
        server = KeyServer(scenario, old)
        gateway = start({"url": f"http://{server.origin.address}/", "pause": "200ms"}, workers=2)
        known = bearer(issued(old))
        for _ in range(4):
            assert gateway.get("/", known).status == 200
        assert gateway.get("/", bearer(issued(SigningKey("ES256", "forged")))).status == 401
        server.keys = [new]
        wait_until(lambda: gateway.get("/", bearer(issued(new))).status == 200, "the new key was fetched")
        # What was verified by the old key is verified no more, on any worker.
        for _ in range(4):
            assert gateway.get("/", known).status == 401

    def test_unknown_keys_do_not_make_for_a_flood(self, scenario, start):
        key = SigningKey("ES256")
        server = KeyServer(scenario, key)
        gateway = start({"url": f"http://{server.origin.address}/", "pause": "30s"}, workers=2)
        assert gateway.get("/", bearer(issued(key))).status == 200
        other = SigningKey("ES256", "unknown")
        with gateway.client() as client:
            for number in range(50):
                signed = issued(other, headers={"kid": f"unknown-{number}"})
                assert client.exchange("GET", "/", bearer(signed)).status == 401
        assert server.count == 1

    def test_keys_are_fetched_again_after_a_time(self, scenario, start):
        key = SigningKey("ES256")
        server = KeyServer(scenario, key)
        gateway = start({"url": f"http://{server.origin.address}/", "refresh": "10s", "pause": "1s"})
        assert gateway.get("/", bearer(issued(key))).status == 200
        server.keys = [SigningKey("ES256", "another")]
        # Without any request that would ask for it.
        wait_until(lambda: server.count >= 2, "the keys were fetched again", 20)
        wait_until(lambda: gateway.get("/", bearer(issued(key))).status == 401, "the old key is gone")

    def test_what_was_fetched_last_stays_when_the_server_fails(self, scenario, start):
        key = SigningKey("ES256")
        server = KeyServer(scenario, key)
        gateway = start({"url": f"http://{server.origin.address}/", "pause": "200ms", "timeout": "500ms"})
        assert gateway.get("/", bearer(issued(key))).status == 200
        unknown = issued(SigningKey("ES256", "unknown"))
        def times_out(exchange):
            exchange.wait_for_end(2)
        for number, answer in enumerate([
                answer_with(500, "no"), answer_with(200, "<html>"), answer_with(200, '{"keys": []}'), answer_with(302, "", "Location: /x"),
                answer_with(200, b"x" * (2 << 20)), times_out, lambda exchange: exchange.reset(),
                lambda exchange: (exchange.read_body(), exchange.send(b"garbage\r\n\r\n"), exchange.close()),
                lambda exchange: (exchange.read_body(), exchange.send(
                    b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"), exchange.close()),
                lambda exchange: (exchange.read_body(), exchange.send(
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), exchange.wait_for_end(2))]):
            server.answer = answer
            before = server.count
            wait_until(lambda: gateway.get("/", bearer(unknown)).status == 401 and server.count > before,
                       f"answer {number} was asked for")
            assert gateway.get("/", bearer(issued(key))).status == 200
        server.answer = None
        new = SigningKey("ES256", "new")
        server.keys = [key, new]
        wait_until(lambda: gateway.get("/", bearer(issued(new))).status == 200, "the server is back")
        gateway.check_health()

    def test_no_keys_at_all(self, scenario, start):
        gateway = start({"url": f"http://{scenario.dead_port()}/", "pause": "200ms", "timeout": "500ms"})
        key = SigningKey("ES256")
        answer = gateway.get("/", bearer(issued(key)))
        assert answer.status == 503 and answer.value("retry-after") == "5"
        assert gateway.get().status == 401
        # Others are not touched.
        assert gateway.get("/", bearer(token())).status == 200
        wait_until(lambda: gateway.metrics().sum("penstock_plugin_failures_total") > 0, "it was counted")

    def test_a_name_that_nobody_knows(self, start):
        gateway = start({"url": "http://keys.invalid/", "timeout": "2s"})
        assert gateway.get("/", bearer(issued(SigningKey("ES256")))).status == 503

    def test_many_wait_for_the_first_keys_together(self, scenario, start):
        key = SigningKey("ES256")
        server = KeyServer(scenario, key)
        release = threading.Event()

        def held(exchange):
            release.wait(10)
            exchange.respond(200, key_set(key))
        server.answer = held
        gateway = start({"url": f"http://{server.origin.address}/"}, workers=2)
        signed = bearer(issued(key))
        statuses: list[int] = []
        threads = [threading.Thread(target=lambda: statuses.append(gateway.get("/", signed).status)) for _ in range(20)]
        for thread in threads:
            thread.start()
        wait_until(lambda: server.origin.connection_count >= 1, "the keys were asked for")
        # Others are served meanwhile.
        assert gateway.get("/", bearer(token())).status == 200
        # One that gives up meanwhile costs nothing.
        with gateway.client() as client:
            client.request("GET", "/", signed)
        time.sleep(0.05)
        release.set()
        for thread in threads:
            thread.join()
        assert statuses == [200] * 20 and server.count == 1
        gateway.check_health()

    @pytest.mark.parametrize("how", ["closed", "reset", "h2"])
    def test_a_client_that_leaves_waits_no_more(self, scenario, start, how):
        server = KeyServer(scenario)
        release = threading.Event()
        server.answer = lambda exchange: (release.wait(20), exchange.respond(200, key_set(SigningKey("ES256"))))
        gateway = start({"url": f"http://{server.origin.address}/", "timeout": "60s"})
        signed = issued(SigningKey("ES256"))

        def waits_for_keys() -> bool:
            waiting = gateway.metrics().sum("penstock_requests_at_plugins")
            return waiting == 1 and server.origin.connection_count == 1

        try:
            if how == "h2":
                with gateway.http2() as client:
                    number = client.request("GET", "/", ("authorization", f"Bearer {signed}"))
                    wait_until(waits_for_keys, "it waits")
                    client.reset(number)
                    wait_until(lambda: gateway.metrics().sum("penstock_requests_at_plugins") == 0, "it is over")
            else:
                client = gateway.client()
                client.request("GET", "/", bearer(signed))
                wait_until(waits_for_keys, "it waits")
                client.reset() if how == "reset" else client.close()
                wait_until(lambda: gateway.metrics().sum("penstock_requests_at_plugins") == 0, "it is over")
            # The keys have still not come.
            assert not release.is_set() and server.origin.connection_count == 1
        finally:
            release.set()
        gateway.check_health()

    def test_a_clients_own_deadline_ends_its_wait(self, scenario, start):
        server = KeyServer(scenario)
        release = threading.Event()
        server.answer = lambda exchange: (release.wait(20), exchange.respond(200, key_set(SigningKey("ES256"))))
        gateway = start({"url": f"http://{server.origin.address}/", "timeout": "60s"})
        try:
            with gateway.http2() as client:
                answer = client.exchange(
                    "POST", "/", ("authorization", f"Bearer {issued(SigningKey('ES256'))}"),
                    ("content-type", "application/grpc"), ("grpc-timeout", "300m"), body=b"x")
                assert answer.value("grpc-status") == "4" and not release.is_set()
        finally:
            release.set()

    def test_a_new_key_is_fetched_as_soon_as_it_may_be(self, scenario, start):
        """Whoever asks when the pause is just over does not wait for the next time of its own."""
        key = SigningKey("ES256", "0")
        server = KeyServer(scenario, key)
        gateway = start({"url": f"http://{server.origin.address}/", "pause": "100ms", "refresh": "7d"}, workers=2)
        assert gateway.get("/", bearer(issued(key))).status == 200
        for number in range(1, 21):
            key = SigningKey("ES256", str(number))
            server.keys = [key]
            signed = bearer(issued(key))
            wait_until(lambda: gateway.get("/", signed).status == 200, f"key {number} was fetched", seconds=5)
        # No more often than somebody had to wait for it.
        assert server.count == 21

    def test_a_reload_neither_fetches_nor_forgets(self, scenario, start):
        key = SigningKey("ES256")
        server = KeyServer(scenario, key)
        gateway = start({"url": f"http://{server.origin.address}/"})
        assert gateway.get("/", bearer(issued(key))).status == 200
        server.origin.stop()
        gateway.configuration["routes"][0]["plugins"]["jwt-auth"]["realm"] = "changed"
        gateway.save()
        wait_until(lambda: "changed" in (gateway.get().value("www-authenticate") or ""), "the change is there")
        assert gateway.get("/", bearer(issued(key))).status == 200
