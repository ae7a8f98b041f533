"""A service that other requests are asked about, and what is left when nobody asks any more."""

import pytest

from .waiting import wait_until

GOOD = ("Authorization", "Bearer good")


def decide(exchange):
    """An auth service that goes by the client's Authorization."""
    exchange.read_body()
    shown = exchange.request.value("authorization")
    if shown == "Bearer good":
        exchange.respond(200, "ignored", "X-User: alice", "X-Other: kept-here", "Set-Cookie: session=fresh")
    elif shown == "Bearer forbidden":
        exchange.respond(403, "alice may not", "X-Reason: policy", "Content-Type: text/x-refusal", "X-Hidden: yes")
    else:
        exchange.respond(302, "<a href>log in</a>", "Location: https://login.test/?rd=1", "Set-Cookie: state=1; Path=/",
                         "Set-Cookie: other=2", "Content-Type: text/html")


# For tests of one service behind it; a file that imports one of these fixtures imports all three.

@pytest.fixture(scope="module")
def origin(shared):
    return shared.origin()


@pytest.fixture(scope="module")
def auth(shared):
    return shared.origin(decide, name="auth")


@pytest.fixture(autouse=True)
def begin_anew(origin, auth):
    origin.forget()
    auth.forget()
    auth.answer = decide


def side_requests(gateway, result, plugin="forward-auth"):
    return gateway.metrics().sum("penstock_side_requests_total", plugin=plugin, result=result)


def is_quiet(gateway):
    """No side request is left, nor what it held."""
    wait_until(lambda: gateway.metrics().sum("penstock_side_requests_in_flight") == 0, "side requests end")
    wait_until(lambda: gateway.metrics().sum("penstock_requests_at_plugins") == 0, "no request waits")
    wait_until(lambda: gateway.metrics().sum("penstock_requests_in_flight") == 0, "requests end")
