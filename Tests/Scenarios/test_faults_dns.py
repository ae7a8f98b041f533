"""DNS that fails and lies: endpoints keep their last good addresses, forged answers change nothing, and it is over
when the resolver tells the truth again."""

import json
import time

import pytest

from support.client import try_get
from support.gateway import route, service
from support.name_server import (
    A, AAAA, FORMAT_ERROR, NO_SUCH_NAME, NOT_IMPLEMENTED, REFUSED, SERVER_FAILURE, NameServer, address, alias,
    binary_asking, encode_name, may_have_resolver)
from support.ports import free_port
from support.waiting import wait_until

SERVER = "127.53.0.54"
ANOTHER = "127.53.0.55"
# Where forged answers point to.
EVIL = "127.0.0.3"
UNRESOLVED = "the name does not resolve"


def forged(query, owner: str | None = None) -> tuple:
    return (address(owner or query.name, EVIL),) if query.kind == A else ()


def from_another(ip: str):
    def answer(query, asker):
        asker.send_from(ip, query.reply(*forged(query)))
    return answer


def truncated_without_tcp(query, asker):
    return None if asker.by_tcp else query.reply(*forged(query), flags=0x8380)


def question_of_another(query, _):
    other = encode_name("other.lies.test") + query.question[-4:]
    return query.reply(*forged(query, "other.lies.test"), question=other)


# Each name's server answers in its own way while it lies.
FAILURES = {
    "servfail": lambda query, _: query.reply(code=SERVER_FAILURE),
    "refused": lambda query, _: query.reply(code=REFUSED),
    "nxdomain": lambda query, _: query.reply(code=NO_SUCH_NAME),
    "formerr": lambda query, _: query.reply(code=FORMAT_ERROR),
    "notimp": lambda query, _: query.reply(code=NOT_IMPLEMENTED),
    "silence": lambda query, _: None,
    "no-records": lambda query, _: query.reply(),
    "garbage": lambda query, _: b"\xde\xad" * 20,
    "cut": lambda query, _: query.reply(*forged(query))[:-3] if query.kind == A else query.reply()[:7],
}
LIES = {
    "wrong-id": lambda query, _: query.reply(*forged(query), number=query.number ^ 1),
    "question-of-another": question_of_another,
    "from-another-address": from_another(ANOTHER),
    "from-another-port": from_another(SERVER),
    "alias-of-itself": lambda query, _: query.reply(alias(query.name, query.name)),
    "ring-of-aliases": lambda query, _: query.reply(
        alias(query.name, "a.lies.test"), alias("a.lies.test", "b.lies.test"), alias("b.lies.test", query.name)),
    "unspecified": lambda query, _: query.addresses("0.0.0.0", "0.1.2.3", "::"),
    "multicast": lambda query, _: query.addresses("224.0.0.1", "239.255.255.250", "ff02::1"),
    "broadcast": lambda query, _: query.addresses("255.255.255.255"),
    "mapped": lambda query, _: query.addresses("::ffff:0.0.0.0"),
}


@pytest.fixture
def name_server(scenario, tmp_path):
    reason = may_have_resolver(tmp_path)
    if reason:
        pytest.skip(reason)
    started = []

    def start(answer) -> NameServer:
        started.append(NameServer(SERVER, answer))
        return started[-1]

    yield start
    for server in started:
        server.stop()


class Twins:
    """The true origins, before and after a move, and the one that forged answers point to; all on one port."""

    def __init__(self, scenario):
        self.port = free_port()
        self.one = scenario.origin(name="one", port=self.port)
        self.two = scenario.origin(name="two", port=self.port, ip="127.0.0.2")
        self.evil = scenario.origin(name="evil", port=self.port, ip=EVIL)


def check_that_last_addresses_stay(scenario, name_server, tmp_path, lies: dict) -> None:
    """Names resolve, then their server fails or lies, then it tells the truth again, which has changed meanwhile."""
    twins = Twins(scenario)
    state = {"lies": False, "truth": "127.0.0.1"}

    def answer(query, asker):
        lie = lies.get(query.name.split(".")[0])
        return lie(query, asker) if state["lies"] and lie else query.addresses(state["truth"])

    server = name_server(answer)
    gateway = scenario.gateway(
        [service(name, f"{name}.lies.test:{twins.port}") for name in lies],
        [route(name, name, hosts=[f"{name}.test"]) for name in lies], binary=binary_asking(server, tmp_path))

    def origins() -> dict:
        return {name: gateway.origins_of(2, host=f"{name}.test") for name in lies}

    assert origins() == {name: {"one": 2} for name in lies}
    state.update(lies=True, truth="127.0.0.2")

    def silent_names() -> list[str]:
        lines = [line for line in gateway.stderr.splitlines() if UNRESOLVED in line]
        return [name for name in lies if not any(f"{name}.lies.test" in line for line in lines)]

    wait_until(lambda: not silent_names(), "each failure is logged", 30)
    asked = {name: server.count(f"{name}.lies.test") for name in lies}
    assert origins() == {name: {"one": 2} for name in lies}
    # They are asked again and again, and the log says it once.
    wait_until(lambda: all(server.count(f"{name}.lies.test") > asked[name] for name in lies), "asked again", 30)
    assert origins() == {name: {"one": 2} for name in lies}
    assert gateway.stderr.count(UNRESOLVED) == len(lies)
    assert gateway.is_ready() and twins.evil.requests == []

    state["lies"] = False
    wait_until(lambda: origins() == {name: {"two": 2} for name in lies}, "the truth is followed", 60)
    assert twins.evil.requests == []


def test_failing_server_leaves_the_last_addresses_in_use(scenario, name_server, tmp_path):
    """For as long as it fails, which is logged once; the first good answer counts."""
    check_that_last_addresses_stay(scenario, name_server, tmp_path, FAILURES)


def test_lying_server_changes_nothing(scenario, name_server, tmp_path):
    """Answers that do not fit their question, or name no host, are taken for none."""
    check_that_last_addresses_stay(scenario, name_server, tmp_path, LIES)


def test_truncated_answer_without_the_rest_is_none(scenario, name_server, tmp_path):
    """What fits the datagram is not used, and the connection for the rest is closed without an answer."""
    check_that_last_addresses_stay(scenario, name_server, tmp_path, {"truncated": truncated_without_tcp})


def test_record_of_another_name_is_not_an_answer(scenario, name_server, tmp_path):
    """A response to the right question that holds an address of another name, as in a poisoned cache."""
    twins = Twins(scenario)
    server = name_server(lambda query, _: query.reply(*(
        record for record in (address("other.lies.test", EVIL), address(query.name, "127.0.0.1")) if query.kind == A)))
    gateway = scenario.gateway(
        [service("app", f"mixed.lies.test:{twins.port}")], binary=binary_asking(server, tmp_path))
    assert gateway.origins_of(10) == {"one": 10}
    assert twins.evil.requests == []


def test_one_family_that_fails_leaves_the_other(scenario, name_server, tmp_path):
    """Servers that fail for AAAA only are common; the addresses of A are used."""
    twins = Twins(scenario)
    server = name_server(
        lambda query, _: query.reply(code=SERVER_FAILURE) if query.kind == AAAA else query.addresses("127.0.0.1"))
    gateway = scenario.gateway([service("app", f"half.lies.test:{twins.port}")], binary=binary_asking(server, tmp_path))
    gateway.wait_for_origin("one")


def test_ttl_of_zero_is_asked_for_once_a_second(scenario, name_server, tmp_path):
    twins = Twins(scenario)
    server = name_server(lambda query, _: query.addresses("127.0.0.1", ttl=0))
    gateway = scenario.gateway([service("app", f"zero.lies.test:{twins.port}")], binary=binary_asking(server, tmp_path))
    assert gateway.origins_of(4) == {"one": 4}
    before = server.count("zero.lies.test")
    time.sleep(3)
    # Two questions each time, one for each family.
    assert server.count("zero.lies.test") - before <= 10


def test_huge_answer_comes_by_tcp_and_is_cut(scenario, name_server, tmp_path):
    """3,000 addresses do not fit a datagram; the first 256 in numerical order are used."""
    port = free_port()
    scenario.origin(name="all", port=port, ip="0.0.0.0")
    addresses = [f"127.1.{number // 250}.{number % 250 + 1}" for number in range(3_000)]
    server = name_server(lambda query, _: query.addresses(*addresses))
    gateway = scenario.gateway([service("app", f"huge.lies.test:{port}")], binary=binary_asking(server, tmp_path))
    gateway.wait_for_origin("all")
    assert server.tcp_count > 0
    (found,) = json.loads(gateway.endpoints())["services"]
    assert len(found["endpoints"]) == 256
    assert gateway.origins_of(300) == {"all": 300}


def test_name_that_points_to_the_gateway_itself_ends_and_harms_nobody_else(scenario, name_server, tmp_path):
    """Each pass adds a line of Via, so that the head grows until the limit of fields ends the round trip."""
    server = name_server(lambda query, _: query.addresses("127.0.0.1"))
    good = scenario.origin(name="good")
    gateway = scenario.gateway(
        [service("self", f"self.lies.test:{free_port()}", retries="off"), service("good", good)],
        [route("self", "self", hosts=["self.test"]), route("good", "good")], binary=binary_asking(server, tmp_path))
    gateway.configuration["services"][0]["endpoints"] = [f"self.lies.test:{gateway.port}"]
    gateway.save()
    wait_until(lambda: (answer := try_get(gateway.port, host="self.test", seconds=20)) is not None
               and answer.status not in (502, 503), "the change is live")
    before = gateway.metrics().sum("penstock_client_requests_total")
    response = gateway.get(host="self.test")
    assert response.status == 431, response.first_line
    passes = gateway.metrics().sum("penstock_client_requests_total") - before
    assert 1 < passes <= 101, passes
    assert gateway.origins_of(20) == {"good": 20}
    wait_until(lambda: gateway.metrics().sum("penstock_requests_in_flight") == 0, "nothing goes round any more")
