"""The pipeline of plugins: where they are set, which setting counts, their order, and what tells of them."""

import json

import grpc
import pytest

from support.admin_api import AdminAPI
from support.command_line import gateway_with_store
from support.gateway import route, service
from support.grpc_peer import GRPCClient
from support.origin import raw_answer
from support.waiting import wait_until

ALICE = {"name": "alice", "customID": "c-42", "groups": ["gold", "eu"],
         "credentials": {"key-auth": [{"key": "alice-secret-key"}, {"key": "alice-second-key"}]}}
BOB = {"name": "bob", "credentials": {"key-auth": [{"key": "bob-secret-key"}]},
       "plugins": {"rate-limit": {"limits": [{"requests": 2, "per": "1h", "by": ["consumer"]}]}}}
LOOSE = {"limits": [{"requests": 1000, "per": "1h"}]}
TIGHT = {"limits": [{"requests": 1, "per": "1h"}]}


def statuses(gateway, count, *fields, host="example.test"):
    return [gateway.get("/", *fields, host=host).status for _ in range(count)]


@pytest.fixture
def origin(scenario):
    return scenario.origin()


class TestScopes:
    def test_the_narrower_setting_takes_the_place_of_the_wider(self, scenario, origin):
        gateway = scenario.gateway(
            [service("plain", origin), service("own", origin, plugins={"rate-limit": LOOSE})],
            [route("everything", "plain", hosts=["everything.test"]),
             route("service", "own", hosts=["service.test"]),
             route("route", "own", hosts=["route.test"],
                   plugins={"rate-limit": {"limits": [{"requests": 2, "per": "1h"}]}}),
             route("off", "own", hosts=["off.test"], plugins={"rate-limit": {**TIGHT, "enabled": False}})],
            settings={"plugins": [{"name": "rate-limit", **TIGHT}]}, workers=2)
        assert statuses(gateway, 3, host="everything.test") == [200, 429, 429]
        assert statuses(gateway, 3, host="service.test") == [200, 200, 200]
        assert statuses(gateway, 3, host="route.test") == [200, 200, 429]
        assert statuses(gateway, 3, host="off.test") == [200, 200, 200]

    def test_a_consumers_own_setting_comes_in_when_it_is_known(self, scenario, origin):
        gateway = scenario.gateway(
            [service("app", origin)], [route("all", "app", plugins={"key-auth": {}, "rate-limit": LOOSE})],
            settings={"consumers": [ALICE, BOB]})
        assert statuses(gateway, 4, "apikey: alice-secret-key") == [200] * 4
        assert statuses(gateway, 4, "apikey: bob-secret-key") == [200, 200, 429, 429]
        # Who is refused before anybody knows who calls has used up nothing.
        assert statuses(gateway, 2) == [401, 401]

    def test_a_consumer_may_leave_nothing_of_a_routes_plugins(self, scenario, origin):
        off = {"key-auth": {"enabled": False}, "rate-limit": {**TIGHT, "enabled": False}}
        carol = {"name": "carol", "credentials": {"key-auth": [{"key": "carol-secret-key"}]}, "plugins": off}
        gateway = scenario.gateway(
            [service("app", origin)], [route("all", "app", plugins={"key-auth": {}, "rate-limit": TIGHT})],
            settings={"consumers": [ALICE, carol]})
        assert statuses(gateway, 2, "apikey: alice-secret-key") == [200, 429]
        assert statuses(gateway, 3, "apikey: carol-secret-key") == [200] * 3

    def test_no_plugin_is_met_where_no_route_is(self, scenario, origin):
        gateway = scenario.gateway([service("app", origin)], [route("one", "app", hosts=["one.test"])],
                                   settings={"plugins": [{"name": "key-auth"}]})
        assert gateway.get(host="two.test").status == 404
        assert gateway.get(host="one.test").status == 401


class TestLive:
    def test_plugins_and_consumers_by_the_admin_api(self, scenario, origin, tmp_path):
        gateway = gateway_with_store(scenario, origin, tmp_path, workers=2)
        api = AdminAPI(gateway)
        api.put("/v1/routes/shop", {"hosts": ["shop.test"], "service": "app"}, status=201)
        assert gateway.get(host="shop.test").status == 200
        api.put("/v1/plugins/key-auth", {"names": ["x-key"]}, status=201)
        assert gateway.get(host="shop.test").status == 401
        api.put("/v1/consumers/alice", {"credentials": {"key-auth": [{"key": "a-key-of-alice"}]}}, status=201)
        assert gateway.get("/", "X-Key: a-key-of-alice", host="shop.test").status == 200

        # Another key; the old one is no longer good, on any worker.
        api.put("/v1/consumers/alice", {"credentials": {"key-auth": [{"key": "another-key"}]}}, status=200)
        assert statuses(gateway, 8, "X-Key: a-key-of-alice", host="shop.test") == [401] * 8
        assert statuses(gateway, 8, "X-Key: another-key", host="shop.test") == [200] * 8

        api.put("/v1/routes/shop", {"hosts": ["shop.test"], "service": "app", "plugins": {"key-auth": {"enabled": False}}},
                status=200)
        assert gateway.get(host="shop.test").status == 200
        api.delete("/v1/consumers/alice", status=200)
        api.delete("/v1/plugins/key-auth", status=200)
        assert gateway.get(host="shop.test").status == 200

    def test_keys_are_kept_as_digests_only(self, scenario, origin, tmp_path):
        gateway = gateway_with_store(scenario, origin, tmp_path)
        api = AdminAPI(gateway)
        api.put("/v1/routes/shop", {"hosts": ["shop.test"], "service": "app", "plugins": {"key-auth": {}}}, status=201)
        api.put("/v1/consumers/alice", {"credentials": {"key-auth": [{"key": "a-key-of-alice"}]}}, status=201)
        read = api("GET", "/v1/consumers/alice", status=200)
        assert "a-key-of-alice" not in str(read.json)
        [kept] = read.json["credentials"]["key-auth"]
        assert kept["key"].startswith("sha256:") and len(kept["key"]) == 71
        # What is read can be put again, and a patch of something else leaves it.
        api.put("/v1/consumers/alice", read.json, status=200)
        api("PATCH", "/v1/consumers/alice", {"groups": ["gold"]}, status=200)
        assert gateway.get("/", "apikey: a-key-of-alice", host="shop.test").status == 200
        for file in tmp_path.rglob("*"):
            if file.is_file():
                assert b"a-key-of-alice" not in file.read_bytes(), file

    def test_a_credential_may_go_from_one_consumer_to_another_in_one_change(self, scenario, origin):
        one, other = {"name": "one"}, {"name": "other"}
        credentials = {"key-auth": [{"key": "the-key-that-moves"}]}
        gateway = scenario.gateway(
            [service("app", origin)], [route("all", "app", plugins={"key-auth": {}})], workers=2,
            settings={"consumers": [one, other | {"credentials": credentials}]})
        for holder, consumers in (("one", [one | {"credentials": credentials}, other]),
                                  ("other", [one, other | {"credentials": credentials}])):
            gateway.configuration["consumers"] = consumers
            gateway.save()
            wait_until(lambda: gateway.get("/", "apikey: the-key-that-moves").status == 200
                       and origin.last.value("x-consumer-username") == holder, f"the key is that of {holder}")
            assert statuses(gateway, 6, "apikey: the-key-that-moves") == [200] * 6

    def test_another_limit_holds_from_the_change_on(self, scenario, origin):
        def limits(paths, requests):
            return {"paths": [{"prefix": path, "limits": [{"requests": requests, "per": "1h"}]} for path in paths]}

        gateway = scenario.gateway(
            [service("app", origin)],
            [route("one", "app", hosts=["one.test"]), route("two", "app", hosts=["two.test"])], workers=2,
            settings={"plugins": [{"name": "rate-limit", **limits(["/a"], 1000)}]})
        for host in ("one.test", "two.test") * 4:
            assert gateway.get("/a", host=host).status == 200
        # On one of the workers and routes the old one may still be known.
        gateway.configuration["plugins"] = [{"name": "rate-limit", **limits(["/a", "/b"], 2)}]
        gateway.save()
        wait_until(lambda: gateway.get("/b", host="two.test").value("x-ratelimit-limit") == "2", "the change is served")
        assert [gateway.get("/a", host="one.test").status for _ in range(4)] == [200, 200, 429, 429]
        assert gateway.get("/a", host="two.test").status == 429

    def test_state_outlives_a_change_of_something_else(self, scenario, origin, tmp_path):
        gateway = gateway_with_store(scenario, origin, tmp_path)
        api = AdminAPI(gateway)
        shop = {"hosts": ["shop.test"], "service": "app", "plugins": {"rate-limit": TIGHT}}
        api.put("/v1/routes/shop", shop, status=201)
        assert statuses(gateway, 2, host="shop.test") == [200, 429]
        api.put("/v1/routes/shop", {**shop, "hosts": ["shop.test", "www.shop.test"]}, status=200)
        assert gateway.get(host="www.shop.test").status == 429


class TestErrors:
    @pytest.mark.parametrize("plugins, field, message", [
        ({"key-aut": {}}, "plugins.key-aut", 'did you mean "key-auth"?'),
        ({"key-auth": {"nmaes": []}}, "plugins.key-auth.nmaes", 'did you mean "names"?'),
        ({"key-auth": {"in": ["body"]}}, "plugins.key-auth.in[0]", "one of header, query, cookie"),
        ({"rate-limit": {}}, "plugins.rate-limit", "at least one limit is needed"),
        ({"rate-limit": {"limits": [{"requests": 0}]}}, "plugins.rate-limit.limits[0].requests", "from 1 to"),
        ({"rate-limit": {"limits": [{"per": "1s"}]}}, "plugins.rate-limit.limits[0]", '"requests" is missing'),
        ({"rate-limit": {"limits": [{"requests": 1, "by": ["colour"]}]}}, "plugins.rate-limit.limits[0].by[0]",
         "address, consumer"),
        ({"key-auth": {"enabled": "perhaps"}}, "plugins.key-auth.enabled", "true or false"),
    ])
    def test_what_is_wrong_with_an_option_is_said_at_its_place(self, scenario, origin, tmp_path, plugins, field,
                                                              message):
        gateway = gateway_with_store(scenario, origin, tmp_path)
        answer = AdminAPI(gateway).put(
            "/v1/routes/shop", {"hosts": ["shop.test"], "service": "app", "plugins": plugins}, status=422)
        assert field.replace(".", "/").replace("[", "/").replace("]", "") in str(answer.json), answer
        assert message in str(answer.json).replace('\\"', '"'), answer

    def test_two_consumers_cannot_have_the_same_key(self, scenario, origin, tmp_path):
        gateway = gateway_with_store(scenario, origin, tmp_path)
        api = AdminAPI(gateway)
        same = {"credentials": {"key-auth": [{"key": "one-and-the-same"}]}}
        api.put("/v1/consumers/alice", same, status=201)
        answer = api.put("/v1/consumers/bob", same, status=422)
        assert 'consumer "alice" has the same credential' in answer.errors[0]["detail"], answer
        # A consumer may take the place of another in one change.
        api.delete("/v1/consumers/alice", status=200)
        api.put("/v1/consumers/bob", same, status=201)

    def test_a_plugin_that_fails_answers_500_and_is_counted(self, scenario, origin):
        gateway = scenario.gateway([service("app", origin)],
                                   [route("all", "app", plugins={"key-auth": {"anonymous": "nobody"}})])
        assert gateway.get().status == 500
        assert gateway.metrics().sum("penstock_plugin_failures_total", plugin="key-auth") == 1
        assert "there is no consumer nobody" in gateway.stderr


class TestAnswers:
    def test_edits_of_a_response_that_fails_are_made_once(self, scenario, origin):
        """The gateway's own answer takes the place of one whose head had been edited."""
        origin.answer = raw_answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", closes=True)
        gateway = scenario.gateway(
            [service("app", origin)],
            [route("all", "app", plugins={"headers": {"response": {"add": {"X-Added": "1"}}}})])
        response = gateway.get()
        assert response.status == 502
        assert response.values("x-added") == ["1"]

    @pytest.mark.parametrize("plugins, code", [
        ({"rate-limit": TIGHT}, grpc.StatusCode.UNAVAILABLE),
        ({"mock": {"status": 404, "body": "no"}}, grpc.StatusCode.UNIMPLEMENTED),
        ({"mock": {"status": 413, "body": "no"}}, grpc.StatusCode.RESOURCE_EXHAUSTED),
        ({"mock": {"status": 400, "body": "no"}}, grpc.StatusCode.INTERNAL),
        ({"key-auth": {}}, grpc.StatusCode.UNAUTHENTICATED),
    ])
    def test_calls_of_grpc_are_answered_by_statuses_and_with_all_fields(self, scenario, plugins, code):
        server = scenario.grpc_server()
        gateway = scenario.gateway(
            [service("app", server, protocol="h2")],
            [route("all", "app", plugins={**plugins, "headers": {"response": {"add": {"X-Added": "1"}}}})])
        with GRPCClient(gateway.port) as client:
            if "rate-limit" in plugins:
                assert client.unary()(b"hello", timeout=10) == b"hello"
            error = client.status("Unary")
        assert error.code() is code
        fields = dict(error.trailing_metadata())
        assert fields["x-added"] == "1"
        assert ("retry-after" in fields) == ("rate-limit" in plugins)
        assert ("www-authenticate" in fields) == ("key-auth" in plugins)


class TestWhatTells:
    def test_explain_names_the_plugins_in_their_order(self, scenario, origin):
        gateway = scenario.gateway(
            [service("app", origin, plugins={"limit-concurrency": {"requests": 5}})],
            [route("all", "app", plugins={"rate-limit": LOOSE, "key-auth": {}})],
            settings={"plugins": [{"name": "rate-limit", **TIGHT}]})
        answer = gateway.admin("/v1/explain?url=http://example.test/")
        plugins = json.loads(answer.text)["plugins"]
        assert [(one["name"], one["scope"]) for one in plugins] == [
            ("key-auth", "route all"), ("rate-limit", "route all"), ("limit-concurrency", "service app")]

    def test_explain_says_that_a_plugin_answers(self, scenario, origin):
        gateway = scenario.gateway(
            [service("app", origin)], [{"name": "away", "plugins": {"redirect": {"uri": "https://other.test/"}}}])
        explained = json.loads(gateway.admin("/v1/explain?url=http://example.test/").text)
        assert (explained["outcome"], explained["summary"]) == ("answered", "The plugin redirect answers it.")

    def test_the_log_and_the_metrics(self, scenario, origin, tmp_path):
        log = tmp_path / "access.log"
        gateway = scenario.gateway(
            [service("app", origin)], [route("all", "app", plugins={"key-auth": {}})],
            settings={"consumers": [ALICE]}, access_log={"path": str(log)})
        assert gateway.get("/", "apikey: alice-secret-key").status == 200
        assert gateway.get().status == 401
        gateway.stop()
        first, second = [json.loads(line) for line in log.read_text().splitlines()]
        assert first["consumer"] == "alice"
        assert "consumer" not in second and second["status"] == 401 and second["route"] == "all"


class TestIdentity:
    def test_the_endpoint_learns_who_calls_and_from_nobody_else(self, scenario, origin):
        gateway = scenario.gateway(
            [service("app", origin)],
            [route("open", "app", hosts=["open.test"]), route("shop", "app", hosts=["shop.test"], plugins={"key-auth": {}})],
            settings={"consumers": [ALICE, BOB]})
        forged = ("X-Consumer-Username: root", "X_Consumer_Groups: admin", "x-credential-identifier: 1",
                  "X-Authenticated-Groups: admin", "X-Anonymous-Consumer: false")
        gateway.get("/", "apikey: alice-secret-key", *forged, host="shop.test")
        seen = origin.last
        assert seen.values("x-consumer-username") == ["alice"]
        assert seen.values("x-consumer-custom-id") == ["c-42"]
        assert seen.values("x-consumer-groups") == ["gold, eu"]
        assert not any(seen.has(name) for name in ("x_consumer_groups", "x-credential-identifier",
                                                   "x-authenticated-groups", "x-anonymous-consumer"))
        # Nor behind the content, which some servers take for fields of the head.
        with gateway.client() as client:
            client.send(b"POST / HTTP/1.1\r\nHost: open.test\r\nTransfer-Encoding: chunked\r\n\r\n"
                        b"1\r\nx\r\n0\r\nX-Consumer-Username: root\r\nX-Trailer: 1\r\n\r\n")
            assert client.response().status == 200
        assert ("X-Trailer", "1") in origin.last.trailers
        assert not any("consumer" in name.lower() for name, _ in origin.last.trailers)
        # Also where no plugin asks who calls.
        gateway.get("/", *forged, host="open.test")
        assert not any(name.lower().replace("_", "-").startswith("x-consumer") for name, _ in origin.last.fields)
