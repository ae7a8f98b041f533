"""traffic-split: which requests other services take, that users stay on their side, and changes while traffic flows."""

import json
import threading

import grpc
import pytest

from support.admin_api import AdminAPI, put
from support.command_line import CommandLine, gateway_with_store
from support.gateway import route, service
from support.grpc_peer import GRPCClient
from support.origin import answer_with
from support.plugin_options import check
from support.waiting import wait_until

OWN, NEXT = {"weight": 9}, {"service": "next", "weight": 1}
ALICE = {"name": "alice", "groups": ["beta"], "credentials": {"key-auth": [{"key": "alice-secret-key"}]}}
BOB = {"name": "bob", "credentials": {"key-auth": [{"key": "bob-secret-key"}]},
       "plugins": {"traffic-split": {"rules": [{"services": [{"service": "third"}]}]}}}


def split(name, target="app", plugins=None, **options):
    return route(name, target, hosts=[f"{name}.test"], plugins={"traffic-split": options, **(plugins or {})})


def rule(*services, **match):
    return {"services": list(services), **({"match": match} if match else {})}


@pytest.fixture(scope="module")
def origins(shared):
    return {name: shared.origin(name=name) for name in ("app", "next", "third")}


@pytest.fixture(scope="module")
def services(origins):
    return [service(name, origin) for name, origin in origins.items()]


@pytest.fixture(scope="module")
def gateway(shared, services):
    return shared.gateway(
        services + [service("split", services[0]["endpoints"][0],
                            plugins={"traffic-split": {"rules": [rule({"service": "third"})]}})],
        [split("rules", rules=[
            rule({"service": "next"}, headers={"X-Version": "2"}),
            rule({"service": "third"}, headerPatterns={"X-Version": "^3\\."}, method=["GET", "HEAD"]),
            rule({"service": "next"}, cookies={"beta": ""}, query={"v": "2"}),
            rule({}, queryPatterns={"stay": "^y"}),
            rule({"service": "third"}, query={"stay": ""})]),
         split("chance", rules=[rule(OWN, NEXT)]),
         split("percentage", rules=[rule({"service": "next"}, percentage="20%")]),
         split("user", by=["header:X-User"], rules=[rule({"service": "next", "weight": 3}, {"weight": 7})]),
         split("other-salt", by=["header:X-User"], salt="b",
               rules=[rule({"service": "next", "weight": 3}, {"weight": 7})]),
         split("address", by=["address"], rules=[rule({"service": "next"}, percentage="50%")]),
         split("cookie", by=["cookie:user"], canary={"service": "next", "weight": 500, "weightTotal": 1000}),
         split("known", plugins={"key-auth": {"anonymous": "nobody"}}, rules=[
             rule({"service": "next"}, groups=["beta"]), rule({"service": "third"}, consumers=["carol"])]),
         split("canary", canary={"service": "next", "header": "X-Canary", "cookie": "canary"}),
         split("value", canary={"service": "next", "header": "X-Canary", "headerValue": "yes", "cookie": "canary"}),
         split("all", canary={"service": "next", "weight": 100, "header": "X-Canary"}),
         route("of-the-service", "split", hosts=["of-the-service.test"])],
        settings={"consumers": [ALICE, BOB, {"name": "nobody"}]}, workers=2)


def taken(gateway, host, *fields, target="/", count=1, method="GET"):
    with gateway.client() as client:
        names = {client.exchange(method, target, *fields, host=f"{host}.test").value("x-origin")
                 for _ in range(count)}
    assert len(names) == 1, names
    return names.pop()


class TestRules:
    @pytest.mark.parametrize("fields, target, wanted", [
        ((), "/", "app"),
        (("X-Version: 2",), "/", "next"),
        (("X-Version: 3.1",), "/", "third"),
        (("X-Version: 2.3.1",), "/", "app"),
        (("Cookie: a=b; beta=1",), "/?v=2", "next"),
        (("Cookie: a=b; beta=1",), "/?v=3", "app"),
        (("X-Version: 2", "Cookie: beta=1"), "/?v=2&stay=yes", "next"),
        ((), "/?stay=yes", "app"),
        ((), "/?stay=no", "third"),
    ])
    def test_the_first_whose_conditions_hold_decides(self, gateway, fields, target, wanted):
        assert taken(gateway, "rules", *fields, target=target, count=3) == wanted
        with gateway.http2(authority="rules.test") as client:
            pairs = [tuple(field.lower().split(": ", 1)) for field in fields]
            assert client.exchange("GET", target, *pairs).value("x-origin") == wanted

    def test_a_method(self, gateway):
        assert taken(gateway, "rules", "X-Version: 3.1", method="PUT") == "app"

    def test_who_calls(self, gateway):
        assert taken(gateway, "known") == "app"
        assert taken(gateway, "known", "apikey: alice-secret-key") == "next"
        # The consumer's own setting takes the place of the route's.
        assert taken(gateway, "known", "apikey: bob-secret-key") == "third"

    def test_the_setting_of_a_service(self, gateway):
        assert taken(gateway, "of-the-service") == "third"


class TestShares:
    """Bounds are six standard deviations: one run of 500 million is outside."""

    def test_weights_by_chance(self, gateway):
        seen = gateway.origins_of(2_000, host="chance.test")
        assert set(seen) == {"app", "next"} and abs(seen["next"] - 200) < 81, seen

    def test_a_percentage_by_chance(self, gateway):
        seen = gateway.origins_of(2_000, host="percentage.test")
        assert set(seen) == {"app", "next"} and abs(seen["next"] - 400) < 108, seen

    def test_a_user_stays_on_a_side(self, gateway):
        sides = {}
        for number in range(400):
            sides[number] = taken(gateway, "user", f"X-User: user-{number}", count=2)
        seen = list(sides.values()).count("next")
        assert abs(seen - 120) < 55, seen
        # By another connection, which another worker may have, by HTTP/2 and in another order: the same.
        with gateway.http2(authority="user.test") as client:
            for number in reversed(range(0, 400, 7)):
                answer = client.exchange("GET", "/", ("x-user", f"user-{number}"))
                assert answer.value("x-origin") == sides[number]
        # With another salt, other users.
        others = {number: taken(gateway, "other-salt", f"X-User: user-{number}") for number in range(400)}
        assert abs(list(others.values()).count("next") - 120) < 55 and others != sides

    def test_who_has_no_key_is_drawn(self, gateway):
        seen = gateway.origins_of(600, host="user.test")
        assert set(seen) == {"app", "next"} and abs(seen["next"] - 180) < 68, seen

    def test_addresses(self, gateway):
        sides = set()
        for last in range(2, 30):
            with gateway.client(source=f"127.0.0.{last}") as client:
                found = {client.exchange("GET", "/", host="address.test").value("x-origin") for _ in range(4)}
            assert len(found) == 1
            sides |= found
        assert sides == {"app", "next"}

    def test_a_canarys_weight_holds_a_user_too(self, gateway):
        found = [taken(gateway, "cookie", f"Cookie: user={number}", count=2) for number in range(200)]
        assert abs(found.count("next") - 100) < 43


class TestCanary:
    """The order of ingress-nginx: the field, the cookie, the weight."""

    @pytest.mark.parametrize("host, field, cookie, wanted", [
        ("canary", None, None, "app"), ("canary", "always", "never", "next"), ("canary", "never", "always", "app"),
        ("canary", "other", "always", "next"), ("canary", "other", "never", "app"), ("canary", None, "always", "next"),
        ("canary", None, "other", "app"), ("value", "yes", "never", "next"), ("value", "always", None, "app"),
        ("value", "never", "always", "next"), ("all", None, None, "next"), ("all", "never", None, "app"),
        ("all", "other", None, "next"),
    ])
    def test_precedence(self, gateway, host, field, cookie, wanted):
        fields = ([("x-canary", field)] if field else []) + ([("cookie", f"canary={cookie}")] if cookie else [])
        assert taken(gateway, host, *[f"{name}: {value}" for name, value in fields], count=3) == wanted
        with gateway.http2(authority=f"{host}.test") as client:
            assert client.exchange("GET", "/", *fields).value("x-origin") == wanted


class TestTheServiceThatTakesIt:
    """Retries, health, limits, metrics and the log are those of the service that takes a request."""

    def test_retries_and_what_is_counted_and_logged(self, scenario, origins, tmp_path):
        log = tmp_path / "access.log"
        gateway = scenario.gateway(
            [service("app", origins["app"]),
             service("next", scenario.dead_port(), origins["next"], retries={"attempts": 2, "on": ["connect-failure"]})],
            [split("all", rules=[rule({"service": "next"})])], access_log={"path": str(log), "format": "json"})
        seen = gateway.origins_of(6, host="all.test")
        assert seen == {"next": 6}
        metrics = gateway.metrics()
        assert metrics.sum("penstock_requests_total", route="all", service="next", status="200") == 6
        assert not metrics.named("penstock_requests_total", route="all", service="app")
        assert metrics.sum("penstock_retries_total") > 0
        lines = wait_until(lambda: len(lines := log.read_text().splitlines()) == 6 and lines, "six lines")
        assert {json.loads(line)["service"] for line in lines} == {"next"}
        assert {json.loads(line)["endpoint"] for line in lines} == {origins["next"].address}

    def test_its_limit(self, scenario, origins):
        release, begun = threading.Event(), threading.Semaphore(0)

        def slow(exchange):
            begun.release()
            release.wait(20)
            exchange.respond(200)

        gateway = scenario.gateway(
            [service("app", origins["app"]),
             service("next", scenario.origin(slow), limits={"inFlight": 1, "pending": 0})],
            [split("all", rules=[rule({"service": "next"}, headers={"X-Next": "1"})])])
        with gateway.client() as first:
            first.request("GET", "/", "X-Next: 1", host="all.test")
            assert begun.acquire(timeout=10)
            assert gateway.get("/", "X-Next: 1", host="all.test").status == 503
            assert gateway.get(host="all.test").value("x-origin") == "app"
            release.set()
            assert first.response().status == 200

    def test_none_of_its_endpoints_is_there(self, scenario, origins):
        gateway = scenario.gateway(
            [service("app", origins["app"]), service("next", scenario.dead_port())],
            [split("all", rules=[rule({"service": "next"}, headers={"X-Next": "1"})])])
        assert gateway.get("/", "X-Next: 1", host="all.test").status == 502
        assert gateway.get(host="all.test").status == 200

    def test_plugins_stay_those_of_the_routes_service(self, scenario, origins):
        fields = {name: {"response": {"set": {"X-Of": name}}} for name in ("app", "next")}
        gateway = scenario.gateway(
            [service(name, origins[name], plugins={"headers": fields[name]}) for name in ("app", "next")],
            [split("all", rules=[rule({"service": "next"})])])
        answer = gateway.get(host="all.test")
        assert (answer.value("x-origin"), answer.value("x-of")) == ("next", "app")

    def test_content_goes_to_it(self, gateway):
        with gateway.client() as client:
            answer = client.exchange("PUT", "/", "X-Version: 2", host="rules.test", body=b"x" * 300_000)
        assert json.loads(answer.body)["body"] == "x" * 300_000 and answer.value("x-origin") == "next"


class TestProtocols:
    @pytest.fixture(scope="class")
    def servers(self, shared):
        return {name: shared.grpc_server(name=name) for name in ("stable", "canary")}

    @pytest.fixture(scope="class")
    def calls(self, shared, servers, origins):
        services = [service(name, server, protocol="h2", retries="off") for name, server in servers.items()]
        return shared.gateway(
            [*services, service("plain", origins["next"]), service("app", origins["app"])],
            [route("grpc", "stable", plugins={"traffic-split": {
                "canary": {"service": "canary", "header": "x-canary"}}}),
             split("up", target="app", rules=[rule({"service": "stable"}, headers={"X-To": "h2"})]),
             split("down", target="stable", rules=[rule({"service": "plain"})])])

    def taken(self, call) -> str:
        return dict(call.trailing_metadata())["x-origin"]

    @pytest.mark.parametrize("metadata, wanted", [
        ((), "stable"), ((("x-canary", "always"),), "canary"), ((("x-canary", "never"),), "stable"),
        ((("x-canary", "ALWAYS"),), "stable"), ((("x-canary", "always"), ("x-other", "1")), "canary")])
    def test_calls_of_every_kind(self, calls, servers, metadata, wanted):
        with GRPCClient(calls.port) as client:
            answer, call = client.unary().with_call(b"hello", timeout=10, metadata=metadata)
            assert (answer, self.taken(call)) == (b"hello", wanted)
            stream = client.server_stream()(b"100", timeout=20, metadata=metadata)
            assert list(stream) == [b"message %d" % number for number in range(100)] and self.taken(stream) == wanted
            sent = [b"%d" % number * 1_000 for number in range(200)]
            answer, call = client.client_stream().with_call(iter(sent), timeout=20, metadata=metadata)
            assert answer == b"|".join(sent) and self.taken(call) == wanted
            both = client.both()(iter(sent), timeout=20, metadata=metadata)
            assert list(both) == sent and self.taken(both) == wanted
        assert len(servers[wanted].calls) >= 4

    def test_one_connection_is_split_by_its_calls(self, calls):
        with GRPCClient(calls.port) as client:
            for number in range(20):
                metadata = (("x-canary", "always"),) if number % 2 else ()
                answer, call = client.unary().with_call(b"%d" % number, timeout=10, metadata=metadata)
                assert (answer, self.taken(call)) == (b"%d" % number, "canary" if number % 2 else "stable")

    def test_a_canary_that_is_gone(self, scenario, servers):
        gateway = scenario.gateway(
            [service("stable", servers["stable"], protocol="h2"),
             service("canary", scenario.dead_port(), protocol="h2", retries="off")],
            [route("grpc", "stable", plugins={"traffic-split": {"canary": {"service": "canary", "header": "x-canary"}}})])
        with GRPCClient(gateway.port) as client:
            with pytest.raises(grpc.RpcError) as failure:
                client.unary()(b"hello", timeout=10, metadata=(("x-canary", "always"),))
            assert failure.value.code() == grpc.StatusCode.UNAVAILABLE
            assert client.unary()(b"hello", timeout=10) == b"hello"

    def test_http2_with_content(self, gateway):
        with gateway.http2(authority="rules.test") as client:
            numbers = [client.request("PUT", "/", ("x-version", "2" if number % 2 else "1"), body=b"x" * 50_000)
                       for number in range(10)]
            answers = [client.response(number) for number in numbers]
        assert [answer.value("x-origin") for answer in answers] == ["app", "next"] * 5
        assert all(len(json.loads(answer.body)["body"]) == 50_000 for answer in answers)

    @pytest.mark.parametrize("value, wanted", [("always", "next"), ("never", "app"), ("maybe", "app")])
    def test_a_canarys_field_by_http2(self, gateway, value, wanted):
        with gateway.http2(authority="canary.test") as client:
            assert client.exchange("GET", "/", ("x-canary", value)).value("x-origin") == wanted
            # A cookie may come in pieces (RFC 9113 §8.2.3).
            assert client.exchange("GET", "/", ("cookie", "a=b"), ("cookie", f"canary={value}")).value(
                "x-origin") == wanted

    def test_from_a_service_of_one_protocol_to_one_of_another(self, calls):
        """What was written for the route's own service is not what goes to the other."""
        with calls.client() as client:
            # Of gRPC it understands no GET, and says so by HTTP/2; a service of HTTP/1.1 would not answer at all.
            answer = client.exchange("POST", "/nothing", "X-To: h2", "Content-Type: application/grpc", "TE: trailers",
                                     body=b"\0\0\0\0\0", host="up.test")
            assert answer.status == 200 and answer.value("grpc-status") == "12"
            answer = client.exchange("PUT", "/", body=b"x" * 100_000, host="down.test")
            assert answer.value("x-origin") == "next" and len(json.loads(answer.body)["body"]) == 100_000
        with calls.http2(authority="down.test") as client:
            assert client.exchange("PUT", "/", body=b"abc").value("x-origin") == "next"


class TestChanges:
    def test_what_a_plugin_names_has_to_be_there(self, scenario, origins, tmp_path):
        gateway = gateway_with_store(scenario, origins["app"], tmp_path, workers=2)
        api = AdminAPI(gateway)
        shop = {"hosts": ["shop.test"], "service": "app",
                "plugins": {"traffic-split": {"rules": [rule({"weight": 1}, NEXT)]}}}
        refused = api.put("/v1/routes/shop", shop, status=422)
        assert refused.errors[0]["field"] == "plugins.traffic-split.rules[0].services[1].service"
        assert "no service is named \"next\"" in refused.errors[0]["detail"]
        # Both in one change, in any order.
        next_service = {"endpoints": [origins["next"].address]}
        api.transact(put("routes/shop", shop), put("services/next", next_service))
        assert [item["name"] for item in api.get("/v1/routes", service="next")["items"]] == ["shop"]
        removed = api.delete("/v1/services/next", status=422)
        assert "it is used by routes/shop" in json.dumps(removed.json)
        api.put("/v1/routes/shop", {"hosts": ["shop.test"], "service": "app"}, status=200)
        api.delete("/v1/services/next", status=200)

    def test_splits_and_services_change_while_traffic_flows(self, scenario, origins, tmp_path):
        gateway = gateway_with_store(scenario, origins["app"], tmp_path, workers=2)
        api = AdminAPI(gateway)
        spare = scenario.origin(answer_with(200), name="spare")

        def shop(*services):
            return {"hosts": ["shop.test"], "service": "app",
                    **({"plugins": {"traffic-split": {"rules": [rule(*services)]}}} if services else {})}

        def next_service(origin):
            return {"endpoints": [origin.address]}

        api.transact(put("services/next", next_service(origins["next"])), put("routes/shop", shop(NEXT)))
        statuses, stopping = [], threading.Event()

        def ask():
            with gateway.client() as client:
                while not stopping.is_set():
                    answer = client.exchange("GET", "/", host="shop.test")
                    statuses.append((answer.status, answer.value("x-origin")))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            # A service that is replaced works on.
            for origin in [spare, origins["next"]] * 6:
                api.put("/v1/services/next", next_service(origin), status=200)
                assert {name for name in gateway.origins_of(6, host="shop.test")} == {origin.name}
            # It goes and comes again, together with what names it.
            for _ in range(6):
                api.transact({"op": "delete", "kind": "services", "name": "next"}, put("routes/shop", shop()))
                assert set(gateway.origins_of(4, host="shop.test")) == {"app"}
                api.transact(put("services/next", next_service(spare)), put("routes/shop", shop(NEXT)))
                assert set(gateway.origins_of(4, host="shop.test")) == {"spare"}
        finally:
            stopping.set()
            for thread in threads:
                thread.join()
        assert len(statuses) > 50 and {status for status, _ in statuses} == {200}
        assert {name for _, name in statuses} <= {"app", "next", "spare"}
        assert gateway.metrics().sum("penstock_plugin_failures_total") == 0


    @pytest.mark.parametrize("is_used_before", [True, False])
    def test_a_request_that_waits_while_its_service_is_taken_away(self, scenario, origins, tmp_path, is_used_before):
        """It has met the split before the change, and so all of it is as before."""
        gateway = gateway_with_store(scenario, origins["app"], tmp_path)
        api = AdminAPI(gateway)
        shop = {"hosts": ["shop.test"], "service": "app"}
        api.transact(
            put("services/next", {"endpoints": [origins["next"].address]}),
            put("routes/shop", {**shop, "plugins": {
                "traffic-split": {"rules": [rule({"service": "next"})]},
                "fault": {"delay": {"duration": "2s"}, "trigger": {"headers": {"X-Wait": ""}}}}}))
        if is_used_before:
            assert gateway.get(host="shop.test").value("x-origin") == "next"
        with gateway.client() as client:
            client.request("GET", "/", "X-Wait: 1", host="shop.test")
            # The only worker reads what has come before what comes later.
            assert gateway.get(host="file.test").status == 200
            api.transact({"op": "delete", "kind": "services", "name": "next"}, put("routes/shop", shop))
            assert gateway.get(host="shop.test").value("x-origin") == "app"
            answer = client.response()
        assert (answer.status, answer.value("x-origin")) == (200, "next")
        assert gateway.metrics().sum("penstock_plugin_failures_total") == 0


class TestExplanations:
    def explain(self, gateway, host, *fields):
        query = "".join(f"&header={field.replace(': ', '%3A')}" for field in fields)
        found = json.loads(gateway.admin(f"/v1/explain?url=http://{host}.test/{query}").text)
        return {backend["service"]: (round(backend["share"], 6), backend.get("chosenBy"))
                for backend in found["backends"]}, found

    def test_which_service_would_get_it(self, gateway):
        backends, found = self.explain(gateway, "rules", "X-Version: 2")
        assert backends == {"app": (0, None), "next": (1, "traffic-split of route rules, rules[0]")}
        assert found["summary"] == "Route rules sends it to next."
        assert self.explain(gateway, "rules")[0] == {"app": (1, None)}
        assert self.explain(gateway, "canary", "X-Canary: always")[0]["next"] == \
            (1, "traffic-split of route canary, canary by header")

    def test_the_split(self, gateway):
        assert self.explain(gateway, "chance")[0] == {
            "app": (0.9, None), "next": (0.1, "traffic-split of route chance, rules[0]")}
        assert self.explain(gateway, "cookie")[0]["next"] == \
            (0.5, "traffic-split of route cookie, canary by weight")

    def test_the_side_of_a_user(self, gateway):
        for number in range(6):
            name = taken(gateway, "user", f"X-User: user-{number}")
            backends, _ = self.explain(gateway, "user", f"X-User: user-{number}")
            assert backends[name][0] == 1, backends

    def test_in_words(self, gateway, tmp_path):
        output = CommandLine(gateway, tmp_path).run("explain", "http://chance.test/").stdout
        assert "next: 10 % of the requests, chosen by traffic-split of route chance, rules[0]" in output, output


class TestOptions:
    @pytest.mark.parametrize("options, message", [
        ({}, "nothing is split: such as canary: {service: next, weight: 10}, or rules"),
        ({"canary": {"service": "apps", "weight": 1}},
         'plugins.traffic-split.canary.service: no service is named "apps": did you mean "app"?'),
        ({"rules": [{"services": [{"service": "apps"}]}]},
         'rules[0].services[0].service: no service is named "apps": did you mean "app"?'),
        ({"canary": {"service": "app", "weight": 5, "weightTotal": 4}}, "5 is more than the whole, which is 4"),
    ])
    def test_wrong(self, tmp_path, options, message):
        assert message in check(tmp_path, "traffic-split", options)

    def test_right(self, tmp_path):
        assert check(tmp_path, "traffic-split", {"canary": {"service": "app", "weight": 5}}) == ""
