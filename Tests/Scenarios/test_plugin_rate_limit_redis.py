"""rate-limit with Redis: gateways that count together, and what they do while Redis is gone."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from support.gateway import route, service
from support.plugin_options import check
from support.waiting import wait_until

HOUR = {"requests": 3, "per": "1h"}


def limited(redis, *limits, **options):
    """A route with limits that Redis counts. Waits are long where it answers: machines may be slow."""
    server = redis if isinstance(redis, dict) else redis.options
    return route("limited", "app", plugins={"rate-limit": {
        "limits": list(limits) or [HOUR], "policy": "redis", "redis": {"timeout": "5s", **server}, **options}})


def statuses(gateway, count, *fields, target="/"):
    """Each request on a connection of its own, so that all workers see some."""
    return [gateway.get(target, *fields).status for _ in range(count)]


@pytest.fixture(scope="module")
def origin(shared):
    return shared.origin()


@pytest.fixture
def redis(scenario):
    return scenario.redis()


@pytest.fixture
def gateways(scenario, origin):
    def start(count, *routes, **options):
        return [scenario.gateway([service("app", origin)], list(routes), **options) for _ in range(count)]
    return start


class TestTogether:
    def test_several_gateways_have_one_limit(self, redis, gateways):
        first, second, third = gateways(3, limited(redis), workers=2)
        assert statuses(first, 2) == [200, 200]
        assert statuses(second, 2) == [200, 429]
        assert statuses(third, 1) == [429]
        assert statuses(first, 1) == [429]

    def test_answers_tell_what_is_left_for_all(self, redis, gateways):
        first, second = gateways(2, limited(redis, {"requests": 3, "per": "1m"}))
        assert first.get().value("x-ratelimit-remaining") == "2"
        answer = second.get()
        assert answer.value("x-ratelimit-remaining") == "1"
        assert answer.value("ratelimit").startswith('"default";r=1;t=')
        first.get()
        refused = second.get()
        assert refused.status == 429 and 1 <= int(refused.value("retry-after")) <= 20

    def test_by_http2(self, redis, gateways):
        first, second = gateways(2, limited(redis))
        with first.http2() as client:
            assert [client.exchange().status for _ in range(2)] == [200, 200]
        with second.http2() as client:
            numbers = [client.request() for _ in range(4)]
            assert sorted(client.response(number).status for number in numbers) == [200, 429, 429, 429]

    def test_keys_are_told_apart_and_say_nothing_of_who_calls(self, redis, gateways):
        first, second = gateways(2, limited(redis, {**HOUR, "requests": 1, "by": ["header:X-User", "path"]}))
        for gateway, status in ((first, 200), (second, 429)):
            assert statuses(gateway, 1, "X-User: alice") == [status]
            assert statuses(gateway, 1, "X-User: bob") == [status]
            assert statuses(gateway, 1) == [status]
            assert statuses(gateway, 1, "X-User: alice", target="/b") == [status]
        keys = redis.keys()
        assert len(keys) == 4
        assert all(key.startswith("penstock:rate-limit:") and "alice" not in key for key in keys)

    def test_several_limits_and_paths(self, redis, gateways):
        first, second = gateways(2, limited(
            redis, {"requests": 5, "per": "1h"}, {"requests": 2, "per": "1h", "by": ["header:X-User"]},
            paths=[{"prefix": "/login", "limits": [{"requests": 1, "per": "1h"}]}]))
        assert statuses(first, 1, "X-User: a") == [200]
        assert statuses(second, 2, "X-User: a") == [200, 429]
        assert statuses(second, 2, "X-User: b") == [200, 200]
        # The refused one has been counted by the first limit.
        assert statuses(first, 1, "X-User: c") == [429]
        assert statuses(first, 1, target="/login") == [200]
        assert statuses(second, 1, target="/login/x") == [429]

    def test_another_prefix_or_database_is_another_count(self, redis, gateways):
        for options in ({}, {"prefix": "other"}, {"database": 1}):
            gateway, = gateways(1, limited({**redis.options, **options}))
            assert statuses(gateway, 4) == [200, 200, 200, 429]
        assert sorted(key.split(":")[0] for key in redis.keys()) == ["other", "penstock"]
        assert len(redis.keys(database=1)) == 1

    def test_another_limit_is_another_count(self, redis, gateways):
        gateway, = gateways(1, limited(redis))
        assert statuses(gateway, 4) == [200, 200, 200, 429]
        other, = gateways(1, limited(redis, {"requests": 2, "per": "1h"}))
        assert statuses(other, 3) == [200, 200, 429]

    def test_keys_expire_with_what_they_count(self, redis, gateways):
        gateway, = gateways(1, limited(redis, {"requests": 10, "per": "1s"}))
        assert statuses(gateway, 1) == [200]
        wait_until(lambda: not redis.keys(), "the bucket is full again, and its key gone")

    def test_a_bucket_fills_again(self, redis, gateways):
        first, second = gateways(2, limited(redis, {"requests": 3600, "per": "1h", "burst": 2}))
        assert statuses(first, 1) + statuses(second, 1) == [200, 200]
        assert statuses(second, 1) == [429]
        wait_until(lambda: statuses(first, 1) == [200], "another second's worth has come")

    def test_many_at_once_pass_exactly_as_often_as_the_limit_says(self, redis, gateways):
        limit, count = 400, 2_400
        started = gateways(3, limited(redis, {"requests": limit, "per": "24h"}), workers=2)

        def ask(number):
            with started[number % 3].client(seconds=30) as client:
                return sum(client.exchange("GET", "/").status == 200 for _ in range(count // 12))

        with ThreadPoolExecutor(12) as pool:
            passed = sum(pool.map(ask, range(12)))
        # What a gateway holds and has not used is at most a sixteenth of the burst.
        assert limit - 3 * limit // 16 <= passed <= limit

    def test_what_was_not_used_goes_back(self, redis, gateways):
        limit = 100
        gateway, = gateways(1, limited(redis, {"requests": limit, "per": "24h"}))
        passed = 0

        def more():
            nonlocal passed
            status = gateway.get().status
            passed += status == 200
            return status == 429

        wait_until(more, "the limit is used up", seconds=30)
        # The last ones after a second, when what the worker held has been given back.
        wait_until(lambda: more() and passed >= limit - limit // 16, "all of it has passed", seconds=10)
        assert passed <= limit


class TestServers:
    @pytest.mark.parametrize("user", ["", "gateway"])
    def test_a_password(self, scenario, gateways, tmp_path, user):
        redis = scenario.redis(password="opensesame", user=user)
        known = {**redis.options, "password": "opensesame", **({"username": user} if user else {})}
        file = tmp_path / "password"
        file.write_text("opensesame\n")
        from_file = {**known, "passwordFile": str(file)}
        del from_file["password"]
        first, = gateways(1, limited(known))
        second, = gateways(1, limited(from_file))
        assert statuses(first, 2) == [200, 200]
        assert statuses(second, 2) == [200, 429]

    def test_a_wrong_password_is_told(self, scenario, gateways):
        redis = scenario.redis(password="opensesame")
        gateway, = gateways(
            1, limited({**redis.options, "password": "sesame"}, whenRedisIsGone="refuse"))
        wait_until(lambda: gateway.get().status == 503, "what cannot be counted is refused")
        gateway.wait_for_output("refuses AUTH")
        assert "sesame" not in gateway.output

    def test_no_password_where_one_is_needed(self, scenario, gateways):
        redis = scenario.redis(password="opensesame")
        gateway, = gateways(1, limited(redis, whenRedisIsGone="refuse"))
        assert gateway.get().status == 503
        gateway.wait_for_output("NOAUTH")

    def test_tls(self, scenario, gateways):
        authority = scenario.authority()
        redis = scenario.redis(certificate=authority.issue("redis.test"), password="opensesame")
        first, second = gateways(2, limited(
            {**redis.options, "password": "opensesame", "tls": {"ca": str(authority.file), "serverName": "redis.test"}}))
        assert statuses(first, 2) == [200, 200]
        assert statuses(second, 2) == [200, 429]
        third, = gateways(1, limited({**redis.options, "password": "opensesame", "tls": {"verify": False}}))
        assert statuses(third, 1) == [429]
        redis.restart()
        wait_until(lambda: statuses(third, 1) == [200], "there is another connection")

    def test_another_authority_in_the_same_file(self, scenario, gateways, tmp_path):
        first, second = scenario.authority(), scenario.authority("Another")
        known = tmp_path / "ca.pem"
        known.write_bytes(first.file.read_bytes())
        leaf = first.issue("redis.test")
        redis = scenario.redis(certificate=leaf)
        gateway, = gateways(1, limited(
            {**redis.options, "tls": {"ca": str(known), "serverName": "redis.test"}}, {"requests": 1_000, "per": "1h"},
            whenRedisIsGone="refuse"))
        assert gateway.get().status == 200
        other = second.issue("redis.test")
        leaf.chain.write_bytes(other.chain.read_bytes())
        leaf.key.write_bytes(other.key.read_bytes())
        redis.restart()
        # A failure is logged every ten seconds: the first may be that the connection has ended.
        wait_until(lambda: gateway.get().status == 503 and "cannot be spoken to by TLS" in gateway.output,
                   "the server is not trusted", seconds=30)
        # What cannot be read changes nothing, and ends nothing.
        known.write_text("no certificates")
        assert gateway.get().status == 503
        known.write_bytes(second.file.read_bytes())
        wait_until(lambda: gateway.get().status == 200, "the server is trusted", seconds=20)

    @pytest.mark.parametrize("name, knows", [("redis.test", False), ("other.test", True)])
    def test_tls_with_somebody_else(self, scenario, gateways, name, knows):
        authority = scenario.authority()
        other = authority if knows else scenario.authority("Another")
        redis = scenario.redis(certificate=authority.issue("redis.test"))
        gateway, = gateways(1, limited(
            {**redis.options, "tls": {"ca": str(other.file), "serverName": name}}, whenRedisIsGone="refuse"))
        assert gateway.get().status == 503
        gateway.wait_for_output("cannot be spoken to by TLS")
        assert not redis.keys()

    def test_tls_with_one_that_speaks_none(self, redis, gateways):
        gateway, = gateways(1, limited({**redis.options, "tls": {"verify": False}}, whenRedisIsGone="refuse"))
        assert gateway.get().status == 503
        plain, = gateways(1, limited(redis))
        assert plain.get().status == 200

    def test_connections_end_with_what_they_are_for(self, redis, gateways):
        gateway, = gateways(1, limited(redis), workers=2)

        def connections():
            return redis.ask("CLIENT", "LIST", "TYPE", "NORMAL").count(b"id=") - 1

        wait_until(lambda: gateway.get().status and connections() == 2, "each worker has one")
        other = limited(redis, {"requests": 5, "per": "1h"})
        gateway.configuration["routes"] = [other, {**other, "name": "more", "hosts": ["more.test"]}]
        gateway.save()
        gateway.hang_up()
        wait_until(lambda: gateway.get().value("x-ratelimit-limit") == "5", "the change is in force")
        for _ in range(20):
            gateway.get(host="more.test")
        assert connections() == 2
        gateway.configuration["routes"] = [route("limited", "app")]
        gateway.save()
        gateway.hang_up()
        wait_until(lambda: not gateway.get().has("x-ratelimit-limit") and connections() == 0, "they are closed")

    def test_a_name(self, redis, gateways):
        gateway, = gateways(1, limited({**redis.options, "host": "localhost"}))
        assert statuses(gateway, 4) == [200, 200, 200, 429]

    def test_a_name_that_nobody_has(self, gateways):
        gateway, = gateways(1, limited({"host": "nobody.invalid", "timeout": "50ms"}, whenRedisIsGone="refuse"))
        assert gateway.get().status == 503
        wait_until(lambda: gateway.get().status == 503 and "cannot be resolved" in gateway.output,
                   "the log says why", seconds=30)

    def test_a_key_that_holds_something_else(self, redis, gateways):
        gateway, = gateways(1, limited(redis, whenRedisIsGone="refuse"))
        assert gateway.get().status == 200
        key, = redis.keys()
        redis.ask("DEL", key)
        redis.ask("LPUSH", key, "x")
        assert gateway.get().status == 503
        gateway.wait_for_output("WRONGTYPE")
        redis.ask("SET", key, "garbage")
        assert statuses(gateway, 4) == [200, 200, 200, 429]


class TestFailures:
    """Redis that is gone: nobody waits for it for long, and what becomes of requests is what is set."""

    @pytest.mark.parametrize("choice, expected", [
        ("local", [200, 200, 200, 429]), ("allow", [200] * 4), ("refuse", [503] * 4)])
    def test_it_was_never_there(self, scenario, gateways, choice, expected):
        port = int(scenario.dead_port().split(":")[1])
        gateway, = gateways(1, limited({"host": "127.0.0.1", "port": port}, whenRedisIsGone=choice))
        answers = [gateway.get() for _ in range(4)]
        assert [answer.status for answer in answers] == expected
        if choice == "refuse":
            assert answers[0].value("retry-after") == "1"
            assert answers[0].text == "Requests cannot be counted for the moment.\n"
        gateway.wait_for_output(f"Redis at 127.0.0.1:{port} cannot be connected to")
        assert gateway.metrics().sum("penstock_plugin_failures_total", plugin="rate-limit") == 4

    def test_it_dies_and_comes_again(self, scenario, gateways, redis):
        limit = {"requests": 3, "per": "1h", "by": ["header:X-User"]}
        gateway, = gateways(1, limited(redis, limit, whenRedisIsGone="refuse"))
        assert statuses(gateway, 1, "X-User: a") == [200]
        redis.process.kill()
        redis.process.wait()
        wait_until(lambda: statuses(gateway, 1, "X-User: b") == [503], "it is noticed")
        # It comes with nothing: neither the scripts nor what it has counted.
        redis.restart()
        wait_until(lambda: statuses(gateway, 1, "X-User: c") == [200], "it is used again")
        assert statuses(gateway, 4, "X-User: d") == [200, 200, 200, 429]

    def test_scripts_are_removed(self, redis, gateways):
        gateway, = gateways(1, limited(redis))
        assert statuses(gateway, 2) == [200, 200]
        assert redis.ask("SCRIPT", "FLUSH") == b"+OK\r\n"
        assert statuses(gateway, 2) == [200, 429]

    def test_a_key_is_deleted(self, redis, gateways):
        gateway, = gateways(1, limited(redis))
        assert statuses(gateway, 4) == [200, 200, 200, 429]
        assert 1_000 < int(gateway.get().value("retry-after")) <= 1_200
        redis.ask("FLUSHALL")
        wait_until(lambda: statuses(gateway, 1) == [200], "the gateway has asked again")

    def test_connections_are_cut(self, redis, gateways):
        gateway, = gateways(1, limited(redis, {"requests": 1000, "per": "1h", "burst": 15}, whenRedisIsGone="refuse"))
        assert statuses(gateway, 1) == [200]
        redis.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        wait_until(lambda: statuses(gateway, 1) == [200], "there is another connection")
        assert gateway.metrics().sum("penstock_plugin_failures_total", plugin="rate-limit") <= 100

    def test_it_stands_still(self, redis, gateways):
        limit = {"requests": 3, "per": "1h", "by": ["header:X-User"]}
        gateway, = gateways(1, limited({**redis.options, "timeout": "100ms"}, limit))
        assert statuses(gateway, 1, "X-User: a") == [200]
        redis.pause()
        # The first waits in vain, the others not at all: each gateway counts for itself.
        assert statuses(gateway, 4, "X-User: b") == [200, 200, 200, 429]
        gateway.wait_for_output("does not answer in time")
        redis.resume()
        wait_until(lambda: statuses(gateway, 1, "X-User: c") == [200] and len(redis.keys()) >= 2,
                   "requests are counted in Redis again")

    def test_many_wait_for_one_that_stands_still(self, redis, gateways):
        gateway, = gateways(1, limited({**redis.options, "timeout": "200ms"}, whenRedisIsGone="allow"))
        assert gateway.get().status == 200
        redis.pause()
        with ThreadPoolExecutor(32) as pool:
            assert list(pool.map(lambda _: gateway.get().status, range(128))) == [200] * 128

    def test_clients_that_leave_while_they_wait(self, redis, gateways):
        gateway, = gateways(1, limited({**redis.options, "timeout": "10s"}))
        assert gateway.get().status == 200
        redis.pause()
        clients = [gateway.client() for _ in range(8)]
        for client in clients:
            client.request("GET", "/")
        wait_until(lambda: gateway.metrics().sum("penstock_connections_active") >= 8, "they wait")
        for client in clients:
            client.reset()
        redis.resume()
        wait_until(lambda: statuses(gateway, 1)[0] in (200, 429), "others are served")


class TestHostileServers:
    """What is not Redis, or not well: requests are answered, and memory stays bounded."""

    @pytest.mark.parametrize("garbage", [
        b"HTTP/1.1 400 Bad Request\r\n\r\n", b"$99999999999\r\n", b"*1000000\r\n" + b":1\r\n" * 1000,
        b"*1\r\n" * 10_000, b":" + b"1" * 100_000, b"$5\r\nabcdefgh", b"+OK\r\n" * 10_000, b"\x00" * 65_536,
        b"$-1\r\n", b"*-1\r\n", b"*3\r\n:1\r\n:2\r\n:3\r\n", b""],
        ids=range(12))
    def test_it_answers_garbage(self, scenario, gateways, garbage):
        def serve(connection, _):
            connection.recv(65_536)
            connection.sendall(garbage)
            connection.settimeout(20)
            try:
                while connection.recv(65_536):
                    pass
            except OSError:
                pass

        server = scenario.raw_origin(serve)
        port = int(server.address.split(":")[1])
        gateway, = gateways(
            1, limited({"host": "127.0.0.1", "port": port, "timeout": "100ms"}, whenRedisIsGone="refuse"))
        assert statuses(gateway, 3) == [503] * 3
        assert gateway.memory("VmHWM") < 400 << 20

    @pytest.mark.parametrize("answer", [
        b"*3\r\n:99\r\n:0\r\n:0\r\n", b"*3\r\n:-1\r\n:0\r\n:0\r\n", b"*3\r\n:1\r\n:9223372036854775807\r\n:0\r\n",
        b"*3\r\n:0\r\n:0\r\n:-5\r\n", b"*2\r\n:1\r\n:0\r\n", b":1\r\n", b"*3\r\n+a\r\n+b\r\n+c\r\n", b"$-1\r\n",
        b"-OOM command not allowed\r\n", b"-NOSCRIPT No matching script.\r\n"], ids=range(10))
    def test_it_answers_the_script_with_something_else(self, scenario, gateways, answer):
        digest = b"$40\r\n" + b"a" * 40 + b"\r\n"

        def serve(connection, _):
            connection.recv(65_536)
            connection.sendall(digest)
            while connection.recv(65_536):
                connection.sendall(answer)

        server = scenario.raw_origin(serve)
        port = int(server.address.split(":")[1])
        gateway, = gateways(1, limited({"host": "127.0.0.1", "port": port}, whenRedisIsGone="refuse"))
        assert statuses(gateway, 3) == [503] * 3

    def test_waits_beyond_all_measure_are_cut(self, scenario, gateways):
        def serve(connection, _):
            connection.recv(65_536)
            connection.sendall(b"$40\r\n" + b"a" * 40 + b"\r\n")
            while connection.recv(65_536):
                connection.sendall(b"*3\r\n:0\r\n:0\r\n:9223372036854775807\r\n")

        server = scenario.raw_origin(serve)
        port = int(server.address.split(":")[1])
        gateway, = gateways(1, limited({"host": "127.0.0.1", "port": port}))
        assert statuses(gateway, 3) == [429] * 3


@pytest.mark.parametrize("options, said", [
    ({"policy": "redis"}, "such as redis: {host: 10.0.0.5}"),
    ({"redis": {"host": "a"}}, "policy: redis uses the server"),
    ({"policy": "cluster"}, "local"),
    ({"policy": "redis", "redis": {}}, "\"host\" is missing"),
    ({"policy": "redis", "redis": {"host": "redis://a"}}, "is not a host"),
    ({"policy": "redis", "redis": {"host": "a", "port": 0}}, "out of range"),
    ({"policy": "redis", "redis": {"host": "a", "username": "b"}}, "add password or passwordFile"),
    ({"policy": "redis", "redis": {"host": "a", "password": "b", "passwordFile": "/c"}}, "leave one of the two out"),
    ({"policy": "redis", "redis": {"host": "a", "passwordFile": "/not/there"}}, "/not/there"),
    ({"policy": "redis", "redis": {"host": "a", "timeout": "1m"}}, "10s"),
    ({"policy": "redis", "redis": {"host": "a", "tls": {"ca": "/not/there"}}}, "cannot read /not/there"),
    ({"policy": "redis", "redis": {"host": "a", "tls": {"ca": "/etc/hostname"}}}, "it must be in PEM"),
    ({"policy": "redis", "redis": {"host": "a", "tls": {"ca": "/etc/hostname", "verify": False}}}, "verify: false out"),
    ({"policy": "redis", "redis": {"host": "a"}, "whenRedisIsGone": "wait"}, "refuse"),
])
def test_options_that_are_wrong(tmp_path, options, said):
    assert said in check(tmp_path, "rate-limit", {"limits": [HOUR], **options})
