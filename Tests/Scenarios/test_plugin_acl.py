"""acl: who passes by groups and names."""

import json

import pytest

from support.gateway import route, service
from support.programs import penstock_binary, run_to_end
from support.waiting import wait_until

CONSUMERS = [{"name": name, "groups": groups, "credentials": {"key-auth": [{"key": f"the-key-of-{name}"}]}}
             for name, groups in [("gold", ["gold", "all"]), ("silver", ["silver", "all"]), ("none", []),
                                  ("both", ["gold", "silver"]), ("golden", ["golden"])]]

PLUGINS = {
    "gold": {"allow": ["gold"]},
    "not-silver": {"deny": ["silver"]},
    "gold-but-silver": {"allow": ["gold"], "deny": ["silver"]},
    "names": {"allow": "gold", "allowConsumers": ["none"], "denyConsumers": ["both"]},
    "other": {"deny": ["all"], "status": 404, "message": "There is nothing here."},
    "hidden": {"allow": ["all"], "hideGroups": True},
}


@pytest.fixture(scope="module")
def origin(shared):
    return shared.origin()


@pytest.fixture(scope="module")
def gateway(shared, origin):
    return shared.gateway(
        [service("app", origin)],
        [route(name, "app", hosts=[f"{name}.test"], plugins={"key-auth": {}, "acl": options})
         for name, options in PLUGINS.items()]
        + [route("unknown", "app", hosts=["unknown.test"], plugins={"acl": {"deny": ["gold"]}})],
        settings={"consumers": CONSUMERS})


@pytest.mark.parametrize("host, passing", [
    ("gold", {"gold", "both"}), ("not-silver", {"gold", "none", "golden"}), ("gold-but-silver", {"gold"}),
    ("names", {"gold", "none"}), ("hidden", {"gold", "silver"}),
])
def test_who_passes(gateway, host, passing):
    with gateway.http2(authority=f"{host}.test") as client:
        for consumer in CONSUMERS:
            name = consumer["name"]
            answer = gateway.get("/", f"apikey: the-key-of-{name}", host=f"{host}.test")
            assert answer.status == (200 if name in passing else 403), name
            if answer.status == 403:
                assert answer.body == b"You cannot consume this service.\n"
            assert client.exchange("GET", "/", ("apikey", f"the-key-of-{name}")).status == answer.status


def test_who_shows_nothing_is_asked_for_credentials_first(gateway):
    assert gateway.get("/", host="gold.test").status == 401


def test_the_answer_may_be_another(gateway):
    answer = gateway.get("/", "apikey: the-key-of-gold", host="other.test")
    assert answer.status == 404 and answer.body == b"There is nothing here.\n"
    assert gateway.get("/", "apikey: the-key-of-none", host="other.test").status == 200


def test_the_endpoint_is_told_the_groups_unless_they_are_hidden(gateway, origin):
    gateway.get("/", "apikey: the-key-of-gold", host="gold.test")
    assert origin.last.value("x-consumer-groups") == "gold, all"
    gateway.get("/", "apikey: the-key-of-gold", "X-Consumer-Groups: admin", host="hidden.test")
    assert not origin.last.has("x-consumer-groups") and origin.last.value("x-consumer-username") == "gold"


def test_without_a_plugin_that_asks_nobody_passes_and_the_log_says_why(gateway):
    assert gateway.get("/", "apikey: the-key-of-silver", host="unknown.test").status == 403
    wait_until(lambda: "nothing says who calls" in gateway.stderr, "the log says why")


@pytest.mark.parametrize("options, place, message", [
    ({}, "plugins.acl", "nobody is allowed or denied"),
    ({"allow": []}, "plugins.acl.allow", "the list is empty"),
    ({"allow": ["a"], "deny": ["a"]}, "plugins.acl.deny", '"a" is in allow as well'),
    ({"allow": ["a"], "status": 200}, "plugins.acl.status", "out of range"),
    ({"whitelist": ["a"]}, "plugins.acl", "whitelist"),
])
def test_bad_options_are_refused_with_their_place(tmp_path, options, place, message):
    file = tmp_path / "penstock.yaml"
    file.write_text(json.dumps({
        "listeners": [{"name": "web", "address": "127.0.0.1:8080"}],
        "services": [{"name": "app", "endpoints": ["127.0.0.1:9000"]}],
        "routes": [{"name": "app", "service": "app", "plugins": {"acl": options}}]}))
    result = run_to_end([penstock_binary(), "check", str(file)], tmp_path)
    text = result.stdout + result.stderr
    assert result.returncode != 0 and place in text and message in text, text
