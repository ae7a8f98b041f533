"""key-auth: where the key may be, and what becomes of it."""

import pytest

from support.gateway import route, routes_with, service

CONSUMERS = [{"name": "alice", "credentials": {"key-auth": [{"key": "alice-secret-key"}]}},
             {"name": "guest"},
             {"name": "digest", "credentials": {"key-auth": [
                 {"key": "sha256:2b7c2f1f2d3e5b1a7d3a4e9f0c8b6a5d4e3f2c1b0a9988776655443322110000"}]}}]


@pytest.fixture(scope="module")
def origin(shared):
    return shared.origin()


@pytest.fixture(scope="module")
def gateway(shared, origin):
    shop = routes_with("key-auth")
    return shared.gateway(
        [service("app", origin)],
        [shop("plain"), shop("hidden", hideCredentials=True, **{"in": ["header", "query", "cookie"]}),
         shop("names", names=["x-one", "x-two"], realm='a "realm"'), shop("guests", anonymous="guest"),
         shop("cookie", **{"in": ["cookie"]})],
        settings={"consumers": CONSUMERS})


class TestPlaces:
    @pytest.mark.parametrize("host, target, fields, status", [
        ("plain", "/", (), 401),
        ("plain", "/", ("apikey: alice-secret-key",), 200),
        ("plain", "/", ("APIKEY: alice-secret-key",), 200),
        ("plain", "/", ("apikey: alice-secret-keys",), 401),
        ("plain", "/", ("apikey: alice-secret-ke",), 401),
        ("plain", "/", ("apikey:",), 401),
        ("plain", "/?apikey=alice-secret-key", (), 200),
        ("plain", "/?%61pikey=alice%2dsecret%2Dkey&x", (), 200),
        ("plain", "/?APIKEY=alice-secret-key", (), 401),
        ("plain", "/", ("Cookie: apikey=alice-secret-key",), 401),
        ("cookie", "/", ("Cookie: a=b; apikey=alice-secret-key",), 200),
        ("cookie", "/", ("apikey: alice-secret-key",), 401),
        ("names", "/", ("X-Two: alice-secret-key",), 200),
        ("names", "/", ("X-One: wrong", "X-Two: alice-secret-key"), 401),
        # A digest is no key.
        ("plain", "/", ("apikey: sha256:2b7c2f1f2d3e5b1a7d3a4e9f0c8b6a5d4e3f2c1b0a9988776655443322110000",), 401),
    ])
    def test_the_key_is_looked_for_where_it_may_be(self, gateway, host, target, fields, status):
        for _ in range(2):  # the second time it is known
            assert gateway.get(target, *fields, host=f"{host}.test").status == status

    def test_by_http2(self, gateway):
        with gateway.http2(authority="plain.test") as client:
            assert client.exchange().status == 401
            assert client.exchange("GET", "/", ("apikey", "alice-secret-key")).status == 200


class TestWhatGoesOn:
    def test_the_key_goes_on_unless_it_is_hidden(self, gateway, origin):
        gateway.get("/a?apikey=alice-secret-key&b=1", host="plain.test")
        assert origin.last.target == "/a?apikey=alice-secret-key&b=1"
        gateway.get("/a?x=1&apikey=alice-secret-key&b=1", host="hidden.test")
        assert origin.last.target == "/a?x=1&b=1"
        gateway.get("/a?apikey=alice-secret-key", host="hidden.test")
        assert origin.last.target == "/a"
        gateway.get("/", "apikey: alice-secret-key", "X-Other: 1", host="hidden.test")
        assert not origin.last.has("apikey") and origin.last.value("x-other") == "1"
        gateway.get("/", "Cookie: a=1; apikey=alice-secret-key; b=2", host="hidden.test")
        assert origin.last.values("cookie") == ["a=1; b=2"]

    def test_every_cookie_that_might_hold_the_key_is_hidden(self, scenario, origin):
        gateway = scenario.gateway(
            [service("app", origin)],
            [route("all", "app", plugins={"key-auth": {"names": ["k1", "k2"], "in": ["cookie"], "hideCredentials": True}})],
            settings={"consumers": CONSUMERS})
        assert gateway.get("/", "Cookie: k1=alice-secret-key; a=1; k2=other").status == 200
        assert origin.last.values("cookie") == ["a=1"]

    def test_the_challenge(self, gateway):
        assert gateway.get(host="plain.test").value("www-authenticate") == "Key"
        assert gateway.get(host="names.test").value("www-authenticate") == 'Key realm="a \\"realm\\""'

    def test_who_shows_nothing_may_pass_as_somebody(self, gateway, origin):
        assert gateway.get("/", "X-Anonymous-Consumer: no", host="guests.test").status == 200
        assert origin.last.values("x-consumer-username") == ["guest"]
        assert origin.last.values("x-anonymous-consumer") == ["true"]
        # A key that is wrong is no missing one.
        assert gateway.get("/", "apikey: wrong", host="guests.test").status == 401
        gateway.get("/", "apikey: alice-secret-key", host="guests.test")
        assert origin.last.values("x-consumer-username") == ["alice"]
        assert not origin.last.has("x-anonymous-consumer")


class TestPaths:
    """Which paths need a login is the same for all plugins that ask for one; test_plugin_hmac_auth.py has more."""

    @pytest.fixture(scope="class")
    def gateway(self, shared, origin):
        return shared.gateway(
            [service("app", origin)],
            [route("shop", "app", plugins={"key-auth": {
                "loginPaths": [{"prefix": "/admin"}], "publicPaths": [{"exact": "/admin/login"}],
                "hideCredentials": True}}),
             route("open", "app", hosts=["open.test"], plugins={"key-auth": {"publicPaths": [{"prefix": "/open"}]}})],
            settings={"consumers": CONSUMERS})

    @pytest.mark.parametrize("target, status", [
        ("/", 200), ("/administrator", 200), ("/admin", 401), ("/admin/a", 401), ("/admin/login", 200),
        ("/admin/login/x", 401), ("/x/../admin", 401), ("/%61dmin", 401)])
    def test_some_need_a_login(self, gateway, origin, target, status):
        assert gateway.get(target).status == status
        assert gateway.get(target, "apikey: wrong").status == status
        if status == 200:
            assert not origin.last.has("apikey") and not origin.last.has("x-consumer-username")
        assert gateway.get(target, "apikey: alice-secret-key").status == 200
        assert origin.last.values("x-consumer-username") == ["alice"]

    @pytest.mark.parametrize("target, status", [
        ("/open", 200), ("/open/", 200), ("/open/a", 200), ("/opened", 401), ("/Open", 401), ("/", 401),
        # What comes to another path is another path.
        ("/open/../admin", 401), ("/open/%2e%2e/admin", 401), ("/open/.%2E/admin", 401), ("/open/./../admin", 401),
        ("/admin/../open/a", 200), ("/%6fpen/%61", 200), ("//open/a", 200), ("/open/..", 401), ("/open//..", 401),
        # What a service may read otherwise.
        ("/open/..;/admin", 401), ("/open;/a", 401), ("/open/a;b=c", 401), ("/open/;", 401), ("/open/%3b", 401),
        ("/open/..%2Fadmin", 401), ("/open/..%2fadmin", 401), ("/open/a%2Fb", 401), ("/open/..%5Cadmin", 401),
        ("/open/%252F", 200), ("/open/a?b=;&c=%2F..", 200)])
    @pytest.mark.parametrize("protocol", ["http/1.1", "h2"])
    def test_none_gets_past_by_its_spelling(self, gateway, origin, target, status, protocol):
        origin.forget()
        if protocol == "h2":
            with gateway.http2(authority="open.test") as client:
                assert client.exchange("GET", target).status == status
                assert client.exchange("GET", target, ("apikey", "alice-secret-key")).status == 200
        else:
            assert gateway.get(target, host="open.test").status == status
            assert gateway.get(target, "apikey: alice-secret-key", host="open.test").status == 200
        assert len(origin.requests) == (2 if status == 200 else 1)
