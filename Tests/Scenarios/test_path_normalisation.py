"""Paths have one form: routes are matched with it, and it is what endpoints get."""

import pytest

from support.gateway import route, service
from support.origin import answer_with

FORMS = [
    # sent, forwarded
    ("/", "/"),
    ("/a/b", "/a/b"),
    ("/a/./b", "/a/b"),
    ("/a/.", "/a/"),
    ("/a/../b", "/b"),
    ("/a/b/..", "/a/"),
    ("/a/b/../", "/a/"),
    ("/a//b", "/a/b"),
    ("//a", "/a"),
    ("///", "/"),
    ("/a/%2e%2e/b", "/b"),
    ("/a/.%2E/b", "/b"),
    ("/a/%2E/b", "/a/b"),
    ("/%61%62c", "/abc"),
    ("/%7Euser", "/~user"),
    ("/a%2fb", "/a%2Fb"),
    ("/a%2Fb", "/a%2Fb"),
    ("/a%5cb", "/a%5Cb"),
    ("/a\\b", "/a%5Cb"),
    ("/a%20b", "/a%20b"),
    ("/a+b", "/a+b"),
    ("/%c3%a9", "/%C3%A9"),
    ("/a;v=1/b", "/a;v=1/b"),
    ("/a|b", "/a%7Cb"),
    ('/a"b', "/a%22b"),
    ("/...", "/..."),
    ("/.hidden", "/.hidden"),
    ("/a..b", "/a..b"),
    ("/%252e%252e/", "/%252e%252e/"),
    ("/a/../b?x=/../%2e&y=//", "/b?x=/../%2e&y=//"),
    ("/a?", "/a?"),
    ("/a??b", "/a??b"),
]


@pytest.fixture(scope="module")
def origin(shared):
    return shared.origin()


@pytest.fixture(scope="module")
def gateway(shared, origin):
    public = shared.origin(name="public")
    admin = shared.origin(answer_with(200), name="admin")
    services = [service("echo", origin), service("public", public), service("admin", admin)]
    return shared.gateway(services, [
        route("admin", "admin", hosts=["site.test"], match=[{"path": "/admin"}]),
        route("public", "public", hosts=["site.test"]),
        route("echo", "echo"),
    ])


@pytest.mark.parametrize("sent, forwarded", FORMS)
def test_endpoint_gets_the_canonical_form(gateway, origin, sent, forwarded):
    with gateway.client() as client:
        assert client.exchange("GET", sent).status == 200
    assert origin.last.target == forwarded


@pytest.mark.parametrize("sent, forwarded", FORMS)
def test_canonical_form_stays_as_it_is(gateway, origin, sent, forwarded):
    with gateway.client() as client:
        assert client.exchange("GET", forwarded).status == 200
    assert origin.last.target == forwarded


@pytest.mark.parametrize("target", [
    "/admin", "/admin/", "/admin/users", "//admin", "/public/../admin", "/./admin", "/%61dmin",
    "/%61%64%6d%69%6e/users", "/public/%2e%2e/admin", "/public/.%2e//admin", "http://site.test/x/../admin",
])
def test_no_spelling_of_a_path_gets_around_its_route(gateway, target):
    assert gateway.get(target, host="site.test").value("x-origin") == "admin"


@pytest.mark.parametrize("target", ["/administrator", "/admin%2Fusers", "/Admin", "/admin;x", "/public/admin"])
def test_other_paths_are_other_paths(gateway, target):
    assert gateway.get(target, host="site.test").value("x-origin") == "public"
