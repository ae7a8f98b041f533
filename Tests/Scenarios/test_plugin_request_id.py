"""request-id: how requests are named, whose names are kept, and who is told."""

import json
import re

import pytest

from support.gateway import route, service
from support.plugin_options import check
from support.waiting import wait_until

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
FORMS = {
    "uuid": UUID, "uuid#counter": UUID + r"#\d+",
    "uuid-v7": r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
    "nanoid": r"[A-Za-z0-9_-]{21}", "ksuid": r"[A-Za-z0-9]{27}", "hexadecimal": r"[0-9a-f]{32}",
}


def named(name, **options):
    return route(name, "app", hosts=[f"{name}.test"], plugins={"request-id": options})


ROUTES = [
    *(named(f"form{number}", generator=form) for number, form in enumerate(FORMS)),
    named("other", headerName="Kong-Request-ID"), named("quiet", includeInResponse=False),
    named("all", keep="all"), named("none", keep="none"), named("trusted"),
    route("refused", "app", hosts=["refused.test"], plugins={
        "request-id": {}, "ip-restriction": {"deny": ["0.0.0.0/0"]}}),
    route("variable", "app", hosts=["variable.test"], plugins={
        "request-id": {"headerName": "X-Trace"}, "headers": {"request": {"set": {"X-Copy": "$request_id"}}}}),
]


@pytest.fixture(scope="module")
def origin(shared):
    return shared.origin()


@pytest.fixture(scope="module")
def gateway(shared, origin):
    return shared.gateway([service("app", origin)], ROUTES)


def ask(gateway, origin, host, *fields):
    """The answer, and what the origin has got."""
    answer = gateway.get("/", *fields, host=f"{host}.test")
    return answer, origin.last


@pytest.mark.parametrize("number, form", enumerate(FORMS))
def test_forms(gateway, origin, number, form):
    names = set()
    for _ in range(3):
        answer, request = ask(gateway, origin, f"form{number}")
        name = answer.value("x-request-id")
        assert re.fullmatch(FORMS[form], name)
        assert request.values("x-request-id") == [name]
        names.add(name)
    assert len(names) == 3


def test_a_counter_counts(gateway, origin):
    numbers = [int(ask(gateway, origin, "form1")[0].value("x-request-id").split("#")[1]) for _ in range(3)]
    assert numbers == list(range(numbers[0], numbers[0] + 3))


def test_by_http2(gateway, origin):
    with gateway.http2(authority="form0.test") as client:
        answers = [client.exchange("GET", "/", ("x-request-id", "mine")) for _ in range(2)]
    names = [answer.value("x-request-id") for answer in answers]
    assert all(re.fullmatch(UUID, name) for name in names) and names[0] != names[1]
    assert origin.last.values("x-request-id") == [names[1]]


def test_another_field(gateway, origin):
    answer, request = ask(gateway, origin, "other", "Kong-Request-ID: mine", "kong_request_id: mine as well")
    name = answer.value("kong-request-id")
    assert re.fullmatch(UUID, name)
    # One request has one name: the gateway's own field says the same.
    assert request.values("kong-request-id") == [name] and request.values("x-request-id") == [name]
    assert not request.values("kong_request_id") and not answer.has("x-request-id")


def test_clients_need_not_be_told(gateway, origin):
    answer, request = ask(gateway, origin, "quiet")
    assert not answer.has("x-request-id") and re.fullmatch(UUID, request.value("x-request-id"))


@pytest.mark.parametrize("host, is_kept", [("all", True), ("none", False), ("trusted", False)])
def test_whose_names_are_kept(gateway, origin, host, is_kept):
    answer, request = ask(gateway, origin, host, "X-Request-ID: mine-1")
    assert (answer.value("x-request-id") == "mine-1") == is_kept
    assert request.values("x-request-id") == [answer.value("x-request-id")]


@pytest.mark.parametrize("name", ["", "a b", "x" * 257, "ä"])
def test_names_that_are_none_are_not_kept(gateway, origin, name):
    answer, request = ask(gateway, origin, "all", f"X-Request-ID: {name}")
    assert re.fullmatch(UUID, answer.value("x-request-id"))
    assert request.values("x-request-id") == [answer.value("x-request-id")]


def test_trusted_peers(scenario, origin):
    def start(keep):
        return scenario.gateway([service("app", origin)], [
            route("a", "app", plugins={"request-id": {"keep": keep}})], http={"forwarding": {"trustedNetworks": ["127.0.0.1"]}})
    assert start("trusted").get("/", "X-Request-ID: theirs").value("x-request-id") == "theirs"
    assert start("none").get("/", "X-Request-ID: theirs").value("x-request-id") != "theirs"


def test_answers_of_plugins_have_it_too(gateway):
    answer = gateway.get(host="refused.test")
    assert answer.status == 403 and re.fullmatch(UUID, answer.value("x-request-id"))


def test_the_log_and_texts_have_the_same(gateway, origin, scenario):
    answer, request = ask(gateway, origin, "variable")
    assert request.value("x-copy") == answer.value("x-trace") == request.value("x-trace")
    log = scenario.folder / "access.log"
    logging = scenario.gateway([service("app", origin)], [named("a", headerName="X-Trace")],
                               access_log={"path": str(log)})
    name = logging.get(host="a.test").value("x-trace")
    line = wait_until(lambda: log.exists() and log.read_text(), "the request is logged")
    assert json.loads(line)["requestId"] == name


def test_where_the_gateway_names_none(scenario, origin):
    gateway = scenario.gateway([service("app", origin)], [route("a", "app", plugins={"request-id": {}})],
                               http={"forwarding": {"requestId": False, "trustedNetworks": ["127.0.0.1"]}})
    name = gateway.get().value("x-request-id")
    assert re.fullmatch(UUID, name) and origin.last.values("x-request-id") == [name]
    assert gateway.get("/", "X-Request-ID: theirs").value("x-request-id") == "theirs"
    assert origin.last.values("x-request-id") == ["theirs"]


def test_an_origins_own_is_replaced(scenario):
    def answer(exchange):
        exchange.respond(200, b"", "X-Request-ID: the origin's")
    gateway = scenario.gateway([service("app", scenario.origin(answer))], [
        route("a", "app", plugins={"request-id": {}})])
    assert len(gateway.get().values("x-request-id")) == 1
    assert re.fullmatch(UUID, gateway.get().value("x-request-id"))


@pytest.mark.parametrize("options, said", [
    ({"headerName": "Host"}, "the field Host is the gateway's own"),
    ({"headerName": "Content-Length"}, "gateway's own"),
    ({"headerName": "a b"}, "headerName"),
    ({"generator": "tracker"}, "uuid"),
    ({"keep": "some"}, "trusted"),
])
def test_options_that_are_wrong(tmp_path, options, said):
    assert said in check(tmp_path, "request-id", options)
