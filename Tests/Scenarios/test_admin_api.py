"""Resources through the admin API: one by one, together, with conditions, and how the gateway serves them."""

import json
import shutil
import ssl
import subprocess

import pytest

from support.admin_api import AdminAPI, EventStream, delete, put
from support.command_line import gateway_with_store, store_settings
from support.gateway import route, service
from support.waiting import wait_until


@pytest.fixture
def origin(scenario):
    return scenario.origin(name="first")


@pytest.fixture
def gateway(scenario, origin, tmp_path):
    return gateway_with_store(scenario, origin, tmp_path, workers=2)


@pytest.fixture
def api(gateway):
    return AdminAPI(gateway)


def host(name: str, target: str = "app") -> dict:
    return {"hosts": [name], "service": target}


class TestResources:
    def test_a_route_is_served_when_the_answer_comes(self, api, gateway):
        assert gateway.get(host="shop.test").status == 404
        answer = api.put("/v1/routes/shop", host("shop.test"), status=201)
        assert gateway.get(host="shop.test").status == 200
        assert answer.fields["location"] == "/v1/routes/shop"
        assert answer.fields["preference-applied"] == "wait"
        revision = answer.json["revision"]
        assert answer.fields["penstock-revision"] == str(revision)
        assert answer.fields["etag"] == f'"{revision}"'
        assert answer.json["results"] == [{"id": "routes/shop", "outcome": "created", "revision": revision}]
        assert answer.json["served"] is True

        api.delete("/v1/routes/shop", status=200)
        assert gateway.get(host="shop.test").status == 404
        assert api("GET", "/v1/routes/shop", status=404).problem == "resource-not-found"

    def test_what_is_read_can_be_put_again(self, api):
        for path, resource in [
            ("services/other", {"endpoints": ["127.0.0.1:1"], "balance": {"hash": {"header": "X-User"}}}),
            ("routes/shop", {"hosts": ["shop.test"], "match": [{"path": {"exact": "/a"}, "headers": {"X-A": "1"}}],
                             "backends": [{"service": "app", "weight": 3}, {"service": "other", "weight": 1}]}),
        ]:
            api.put(f"/v1/{path}", resource, status=201)
            read = api("GET", f"/v1/{path}", status=200)
            again = api.put(f"/v1/{path}", read.json, status=200)
            assert again.json["results"][0]["outcome"] == "unchanged"
            assert api("GET", f"/v1/{path}").fields["etag"] == read.fields["etag"]

    def test_a_patch_changes_what_it_names(self, api, gateway):
        api.put("/v1/routes/shop", {**host("shop.test"), "match": [{"path": "/a"}]}, status=201)
        api("PATCH", "/v1/routes/shop", {"hosts": ["other.test"]}, status=200, Prefer="wait")
        assert gateway.get("/a", host="other.test").status == 200
        assert gateway.get("/a", host="shop.test").status == 404
        api("PATCH", "/v1/routes/shop", {"match": None}, status=200, Prefer="wait")
        assert gateway.get("/b", host="other.test").status == 200
        assert api("PATCH", "/v1/routes/none", {"hosts": []}).status == 404
        assert api("PATCH", "/v1/routes/shop", {"service": None}).problem == "invalid-resource"

    def test_yaml_is_taken_too(self, api, gateway):
        api("PUT", "/v1/routes/shop", "hosts: [shop.test]\nservice: app\n", status=201, Prefer="wait",
            Content_Type="application/yaml")
        assert gateway.get(host="shop.test").status == 200

    def test_curl_does_it(self, gateway, tmp_path):
        if shutil.which("curl") is None:
            pytest.skip("there is no curl")
        (tmp_path / "shop.json").write_text(json.dumps(host("shop.test")))
        result = subprocess.run(
            ["curl", "--silent", "--show-error", "--fail-with-body", "--max-time", "20", "-H", "Prefer: wait",
             "-T", str(tmp_path / "shop.json"), f"http://127.0.0.1:{gateway.admin_port}/v1/routes/shop"],
            capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
        assert json.loads(result.stdout)["served"] is True
        assert gateway.get(host="shop.test").status == 200

    def test_what_a_file_owns_cannot_be_changed(self, api, gateway):
        answer = api("GET", "/v1/routes/of-the-file", status=200)
        assert answer.fields["penstock-owner"] == f"file:{gateway.file}"
        for method, body in [("PUT", host("shop.test")), ("PATCH", {"hosts": ["a.test"]}), ("DELETE", None)]:
            refused = api(method, "/v1/routes/of-the-file", body, status=409)
            assert refused.problem == "not-owned"
            assert refused.errors[0]["id"] == "routes/of-the-file"
            assert str(gateway.file) in refused.content.decode()
        assert gateway.get(host="file.test").status == 200

    def test_every_mistake_is_named_with_what_would_be_right(self, api, gateway):
        before = api.revision
        answer = api.put("/v1/routes/shop", {"hosts": ["SHOP .test"], "servce": "app", "upgrades": "websocket"})
        assert answer.status == 422 and answer.problem == "invalid-resource"
        by_field = {error.get("field", ""): error for error in answer.errors}
        assert set(by_field) >= {"hosts[0]", "servce", "upgrades"}, answer
        assert by_field["servce"]["pointer"] == "/servce"
        assert "service" in by_field["servce"]["hint"]
        unknown = api.put("/v1/routes/shop", host("shop.test", "ap"), status=422)
        assert unknown.errors[0]["field"] == "service" and "app" in unknown.errors[0]["hint"], unknown
        twice = api.put("/v1/routes/shop", host("file.test"), status=422)
        assert "of-the-file" in json.dumps(twice.errors)
        assert api.revision == before

    def test_a_service_in_use_cannot_be_deleted(self, api, gateway):
        api.put("/v1/services/mine", {"endpoints": ["127.0.0.1:1"]}, status=201)
        api.put("/v1/routes/shop", host("shop.test", "mine"), status=201)
        assert api.delete("/v1/services/mine").problem == "invalid-resource"
        api.delete("/v1/routes/shop", status=200)
        api.delete("/v1/services/mine", status=200)

    def test_without_a_store_changes_are_refused_and_the_rest_works(self, scenario, origin):
        gateway = scenario.gateway([service("app", origin)])
        api = AdminAPI(gateway)
        refused = api.put("/v1/routes/shop", host("shop.test"), status=503)
        assert refused.problem == "store-unavailable" and "retry-after" in refused.fields
        assert [item["name"] for item in api.get("/v1/routes")["items"]] == ["everything"]
        assert api.get("/v1/status")["store"]["state"] == "none"


class TestConditions:
    def test_two_editors_do_not_overwrite_each_other(self, api, gateway):
        api.put("/v1/routes/shop", host("shop.test"), status=201)
        first = api("GET", "/v1/routes/shop").fields["etag"]
        api.put("/v1/routes/shop", host("a.test"), status=200, If_Match=first)
        late = api.put("/v1/routes/shop", host("b.test"), status=412, If_Match=first)
        assert late.problem == "condition-failed"
        assert api("DELETE", "/v1/routes/shop", If_Match=first).status == 412
        assert gateway.get(host="a.test").status == 200

    def test_a_name_is_taken_once(self, api):
        api.put("/v1/routes/shop", host("shop.test"), status=201, If_None_Match="*")
        api.put("/v1/routes/shop", host("other.test"), status=412, If_None_Match="*")
        api.put("/v1/routes/none", host("none.test"), status=412, If_Match="*")

    def test_an_unchanged_resource_is_304(self, api):
        api.put("/v1/routes/shop", host("shop.test"), status=201)
        tag = api("GET", "/v1/routes/shop").fields["etag"]
        assert api("GET", "/v1/routes/shop", If_None_Match=tag).status == 304
        api.put("/v1/routes/other", host("other.test"), status=201)
        assert api("GET", "/v1/routes/shop", If_None_Match=tag).status == 304


class TestLists:
    def test_pages_have_everything_once(self, api):
        api.transact(*(put(f"routes/r{index:03}", host(f"h{index}.test")) for index in range(120)))
        names, after = [], None
        while True:
            page = api.get("/v1/routes", limit=50, owner="store", **({"after": after} if after else {}))
            names += [item["name"] for item in page["items"]]
            assert all(item["owner"] == "store" and item["resource"]["name"] == item["name"] for item in page["items"])
            after = page.get("next")
            if after is None:
                break
        assert names == [f"r{index:03}" for index in range(120)]

    def test_filters(self, api, gateway):
        api.put("/v1/services/mine", {"endpoints": ["127.0.0.1:1"]}, status=201)
        api.put("/v1/routes/shop-a", host("a.test", "mine"), status=201)
        api.put("/v1/routes/shop-b", {"hosts": ["b.test", "*.b.test"], "service": "app"}, status=201)

        def names(**query) -> list[str]:
            return [item["name"] for item in api.get("/v1/routes", **query)["items"]]

        assert names() == ["of-the-file", "shop-a", "shop-b"]
        assert names(name="shop-") == ["shop-a", "shop-b"]
        assert names(host="*.b.test") == ["shop-b"]
        assert names(host="A.test") == ["shop-a"]
        assert names(service="mine") == ["shop-a"]
        assert names(owner="file") == ["of-the-file"]
        assert names(owner=f"file:{gateway.file}") == ["of-the-file"]
        assert names(service="mine", owner="file") == []
        assert names(name="shop-", service="app") == ["shop-b"]


class TestTransactions:
    def test_all_or_nothing(self, api, gateway, origin):
        refused = api.transact(
            put("services/mine", service("mine", origin)), put("routes/a", host("a.test", "mine")),
            put("routes/b", host("b.test", "nine")), status=422)
        assert [(error["operation"], error["field"]) for error in refused.errors] == [(2, "service")]
        assert api("GET", "/v1/services/mine").status == 404

        answer = api.transact(
            put("routes/a", host("a.test", "mine")), put("services/mine", service("mine", origin)),
            message="a shop")
        assert [result["outcome"] for result in answer.json["results"]] == ["created", "created"]
        assert gateway.get(host="a.test").status == 200
        # A service and the route that uses it go together.
        api.transact(delete("services/mine"), delete("routes/a"))
        assert gateway.get(host="a.test").status == 404

    def test_a_dry_run_changes_nothing(self, api, gateway):
        before = api.revision
        answer = api.transact(put("routes/a", host("a.test")), query="?dryRun=true")
        assert answer.json["dryRun"] is True and answer.json["results"][0]["outcome"] == "created"
        api.transact(put("routes/a", host("a.test", "none")), query="?dryRun=true", status=422)
        assert api.revision == before
        assert gateway.get(host="a.test").status == 404
        assert api.get("/v1/history")["items"] == []

    def test_a_document_as_in_files(self, api, gateway):
        api("POST", "/v1/transactions", "routes: [{name: a, hosts: [a.test], service: app}]\n", status=200,
            Content_Type="application/yaml", Prefer="wait")
        assert gateway.get(host="a.test").status == 200

    def test_what_does_not_exist_cannot_be_deleted(self, api):
        assert api.transact(delete("routes/none"), status=409).problem == "missing-resource"


class TestCertificates:
    def test_a_domain_is_added_with_its_key_which_nobody_sees_again(self, scenario, origin, tmp_path):
        authority = scenario.authority()
        base, shop = authority.issue("base.test"), authority.issue("shop.test")
        gateway = scenario.gateway([service("app", origin)], tls={}, settings=store_settings(tmp_path),
                                   certificates=[base.described("base")])
        api = AdminAPI(gateway)
        key = shop.key.read_text()
        api.put("/v1/certificates/shop", {"certificate": shop.chain.read_text(), "key": key}, status=201)
        with gateway.tls_client("shop.test") as client:
            assert client.socket.getpeercert(binary_form=True) == shop.der
        secret = key.splitlines()[1]
        for path in ("/v1/certificates/shop", "/v1/certificates", "/v1/history", f"/v1/history/{api.revision}",
                     "/v1/diff?from=0", "/v1/audit", "/config"):
            assert secret not in api("GET", path).content.decode(), path
        assert "key" not in api.get("/v1/certificates/shop")
        wrong = api.put("/v1/certificates/other", {"certificate": shop.chain.read_text(),
                                                   "key": base.key.read_text()}, status=422)
        assert "key" in json.dumps(wrong.errors)
        api.delete("/v1/certificates/shop", status=200)
        with pytest.raises(ssl.SSLError):
            gateway.tls_client("shop.test").close()


class TestEvents:
    def test_changes_come_as_they_are_made_and_can_be_resumed(self, api):
        with EventStream(api) as events:
            first = api.put("/v1/routes/a", host("a.test"), status=201).json["revision"]
            event = next(events)
            assert event["id"] == first and event["event"] == "change"
            assert event["data"]["resources"] == [{"id": "routes/a", "outcome": "created"}]
            assert event["data"]["owner"] == "store"
        second = api.delete("/v1/routes/a", status=200).json["revision"]
        with EventStream(api, Last_Event_ID=str(first)) as events:
            assert next(events)["id"] == second
        with EventStream(api, f"/v1/events?after={first}") as events:
            assert next(events)["data"]["resources"] == [{"id": "routes/a", "outcome": "deleted"}]

    def test_an_edited_file_is_an_event_too(self, api, gateway):
        with EventStream(api) as events:
            gateway.configuration["routes"].append(route("more", "app", hosts=["more.test"]))
            gateway.save()
            event = next(events)
            assert event["data"]["owner"] == f"file:{gateway.file}"
            assert {"id": "routes/more", "outcome": "created"} in event["data"]["resources"]

    def test_streams_are_bounded_and_end_with_the_gateway(self, api, gateway):
        streams = [EventStream(api) for _ in range(16)]
        assert [stream.status for stream in streams] == [200] * 16
        refused = api("GET", "/v1/events", status=503)
        assert refused.problem == "too-many-streams" and "retry-after" in refused.fields
        streams.pop().close()
        wait_until(lambda: can_stream(api), "the place of a client that is gone is free")
        gateway.stop()
        for stream in streams:
            stream.close()


def can_stream(api: AdminAPI) -> bool:
    stream = EventStream(api)
    stream.close()
    return stream.status == 200


class TestHistory:
    def test_changes_are_kept_with_who_and_why(self, api):
        api("PUT", "/v1/routes/a?message=first%20shop", host("a.test"), status=201)
        api.put("/v1/routes/a", host("b.test"), status=200)
        newest, oldest = api.get("/v1/history")["items"]
        assert oldest["message"] == "first shop" and oldest["actor"] == "anonymous"
        assert newest["revision"] > oldest["revision"]
        change = api.get(f"/v1/history/{newest['revision']}")["changes"][0]
        assert change["id"] == "routes/a"
        assert change["before"]["hosts"] == ["a.test"] and change["after"]["hosts"] == ["b.test"]
        difference = api.get("/v1/diff", **{"from": oldest["revision"], "to": newest["revision"]})["changes"]
        assert [item["id"] for item in difference] == ["routes/a"]
        assert api("GET", "/v1/history/999999").status == 404

    def test_a_rollback_brings_back_what_was(self, api, gateway):
        good = api.put("/v1/routes/a", host("a.test"), status=201).json["revision"]
        api.put("/v1/routes/a", host("b.test"), status=200)
        api.put("/v1/routes/c", host("c.test"), status=201)
        dry = api("POST", "/v1/rollback?dryRun=true", {"revision": good}, status=200)
        assert {result["outcome"] for result in dry.json["results"]} == {"replaced", "deleted"}
        assert gateway.get(host="b.test").status == 200
        api("POST", "/v1/rollback", {"revision": good, "message": "back"}, status=200, Prefer="wait")
        assert gateway.get(host="a.test").status == 200
        assert gateway.get(host="b.test").status == gateway.get(host="c.test").status == 404
        assert api.get("/v1/history")["items"][0]["message"] == "back"
        assert api("POST", "/v1/rollback", {"revision": 999_999}).problem == "revision-not-found"

    def test_the_audit_trail_has_refusals_too(self, api):
        api.put("/v1/routes/a", host("a.test"), status=201)
        api.put("/v1/routes/b", host("b.test", "none"), status=422)
        entries = api.get("/v1/audit")["items"]
        assert [entry["outcome"] for entry in entries[:2]] == ["refused", "applied"]
        assert all(entry["remote"].startswith("127.0.0.1:") for entry in entries)

    def test_a_restart_loses_nothing(self, api, gateway):
        revision = api.put("/v1/routes/a", host("a.test"), status=201).json["revision"]
        gateway.process.kill()
        gateway.process.wait()
        gateway.revive()
        assert gateway.get(host="a.test").status == 200
        assert api("GET", "/v1/routes/a").fields["etag"] == f'"{revision}"'


class TestToken:
    TOKEN = "scenario-token-0123456789"

    @pytest.fixture
    def file(self, tmp_path):
        file = tmp_path / "admin.token"
        file.write_text(self.TOKEN + "\n")
        return file

    @pytest.fixture
    def guarded(self, gateway, file):
        """The gateway, from the moment at which it wants the token."""
        gateway.configuration["admin"]["token"] = {"file": str(file)}
        gateway.save()
        wait_until(lambda: unguarded_status(gateway) == 401, "the token is wanted")
        return gateway

    def test_without_the_token_nothing_is_answered(self, guarded):
        for token in (None, "wrong-token-0123456789abc"):
            answer = AdminAPI(guarded, token)("GET", "/v1/routes", status=401)
            assert answer.fields["www-authenticate"].startswith("Bearer")
        assert guarded.admin("/config").status == 401
        api = AdminAPI(guarded, self.TOKEN)
        api.put("/v1/routes/a", host("a.test"), status=201)
        assert api.get("/v1/history")["items"][0]["actor"] == "token"

    def test_a_lost_token_lets_nobody_in_and_traffic_goes_on(self, guarded, file):
        api = AdminAPI(guarded, self.TOKEN)
        api.put("/v1/routes/a", host("a.test"), status=201)
        file.unlink()
        assert api("GET", "/v1/routes", status=503).problem == "token-lost"
        assert guarded.get(host="a.test").status == 200
        assert guarded.admin("/metrics").status == 200
        assert "token" in guarded.admin("/readyz").text
        file.write_text("another-token-0123456789")
        assert api("GET", "/v1/routes").status == 401
        assert AdminAPI(guarded, "another-token-0123456789")("GET", "/v1/routes").status == 200

    def test_web_pages_are_kept_out(self, api, gateway):
        assert api("GET", "/v1/routes", Host="evil.test", status=403).problem == "forbidden-host"
        for fields in ({"Origin": "http://evil.test"}, {"Sec_Fetch_Site": "cross-site"}):
            assert api("DELETE", "/v1/routes/of-the-file", status=403, **fields).problem == "forbidden-origin"
        assert api("GET", "/v1/routes", Origin=f"http://127.0.0.1:{gateway.admin_port}").status == 200


def unguarded_status(gateway) -> int | None:
    answer = gateway.admin("/v1/status")
    return None if answer is None else answer.status
