"""ua-restriction: who passes by User-Agent."""

import json

import pytest

from support.gateway import route, service
from support.programs import penstock_binary, run_to_end

PLUGINS = {
    "deny": {"deny": ["(?i)bot", "^curl/7\\.", "\\Qa.b", "\\xff", "end$"]},
    "allow": {"allow": ["^Mozilla/5\\.0", "MyApp/[0-9]+"]},
    "except": {"allow": ["Googlebot"], "deny": ["(?i)bot"]},
    "missing": {"deny": ["(?i)bot"], "bypassMissing": True},
    "other": {"deny": ".", "status": 404, "message": "There is nothing here."},
    "many": {"deny": [f"Robot{number:04}(/|$)" for number in range(256)]},
}


@pytest.fixture(scope="module")
def gateway(shared):
    return shared.gateway(
        [service("app", shared.origin())],
        [route(name, "app", hosts=[f"{name}.test"], plugins={"ua-restriction": options})
         for name, options in PLUGINS.items()])


@pytest.mark.parametrize("host, agents, status", [
    ("deny", ["Mozilla/5.0"], 200),
    ("deny", ["Mozilla/5.0 (compatible; SomeBot/1.0)"], 403),
    ("deny", ["curl/7.88.1"], 403),
    ("deny", ["curl/8.0"], 200),
    ("deny", ["x curl/7.88.1"], 200),
    ("deny", ["x a.b y"], 403),
    ("deny", ["x aXb y"], 200),
    ("deny", ["\xff"], 403),
    ("deny", ["\xfe"], 200),
    ("deny", ["the end"], 403),
    ("deny", ["the ends"], 200),
    ("deny", [], 403),
    ("deny", [""], 200),
    # Whichever the endpoint reads.
    ("deny", ["Mozilla/5.0", "bot"], 403),
    ("deny", ["bot", "Mozilla/5.0"], 403),
    ("allow", ["Mozilla/5.0 (X11)"], 200),
    ("allow", ["x Mozilla/5.0"], 403),
    ("allow", ["the MyApp/3"], 200),
    ("allow", ["MyApp/"], 403),
    ("allow", [""], 403),
    ("allow", [], 403),
    ("allow", ["MyApp/3", "x"], 403),
    ("except", ["Googlebot/2.1"], 200),
    ("except", ["OtherBot/2.1"], 403),
    ("except", ["Mozilla/5.0"], 200),
    ("except", ["Googlebot", "OtherBot"], 403),
    ("missing", [], 200),
    ("missing", ["bot"], 403),
    ("many", ["Robot0255/1"], 403),
    ("many", ["Robot0000"], 403),
    ("many", ["Robot0256"], 200),
    ("many", ["Robot02551"], 200),
])
def test_who_passes(gateway, host, agents, status):
    fields = [("user-agent", agent) for agent in agents]
    assert gateway.get("/", *fields, host=f"{host}.test").status == status
    with gateway.http2(authority=f"{host}.test") as client:
        assert client.exchange("GET", "/", *fields).status == status


def test_a_long_name_costs_nothing_to_speak_of(gateway):
    assert gateway.get("/", "User-Agent: " + "a" * 12_000, host="deny.test").status == 200


def test_the_answer_says_so_and_may_be_another(gateway):
    assert gateway.get("/", host="deny.test").body == b"Your program is not allowed.\n"
    answer = gateway.get("/", "User-Agent: x", host="other.test")
    assert answer.status == 404 and answer.body == b"There is nothing here.\n"


@pytest.mark.parametrize("options, place, message", [
    ({}, "plugins.ua-restriction", "nothing is allowed or denied"),
    ({"deny": []}, "plugins.ua-restriction.deny", "the list is empty"),
    ({"deny": ["("]}, "plugins.ua-restriction.deny[0]", "is not a regular expression"),
    ({"deny": ["(?=a)"]}, "plugins.ua-restriction.deny[0]", "is not a regular expression"),
    ({"deny": ["a"], "status": 99}, "plugins.ua-restriction.status", "out of range"),
])
def test_bad_options_are_refused_with_their_place(tmp_path, options, place, message):
    file = tmp_path / "penstock.yaml"
    file.write_text(json.dumps({
        "listeners": [{"name": "web", "address": "127.0.0.1:8080"}],
        "services": [{"name": "app", "endpoints": ["127.0.0.1:9000"]}],
        "routes": [{"name": "app", "service": "app", "plugins": {"ua-restriction": options}}]}))
    result = run_to_end([penstock_binary(), "check", str(file)], tmp_path)
    text = result.stdout + result.stderr
    assert result.returncode != 0 and place in text and message in text, text
