"""rewrite: paths, queries and hosts with which requests go on."""

import pytest

from support.gateway import route, routes_with, service
from support.plugin_options import check


@pytest.fixture(scope="module")
def origin(shared):
    return shared.origin()


@pytest.fixture(scope="module")
def gateway(shared, origin):
    h2 = shared.http2_origin()
    shop = routes_with("rewrite")
    return shared.gateway(
        [service("app", origin), service("h2", h2, protocol="h2")],
        [shop("strip", stripPrefix="/api"), shop("replace", replacePrefix={"from": "/api/", "to": "/v2"}),
         shop("root", replacePrefix={"from": "/", "to": "/base"}),
         shop("regex", regex=[{"match": "/item/([0-9]+)(/.*)?", "to": "/items/$1$2?from=regex"},
                              {"match": "/cut/(.*)", "to": "/$1"}, {"match": "/bare(/.*)", "to": "$1"},
                              {"match": "/half/(.{2}).*", "to": "/x$1"}, {"match": "/(?P<a>up)/?(.*)", "to": "/$1/../../$2"}]),
         shop("uri", uri="/fixed/$http_x_part/$uri?a=$args"),
         shop("host", host="internal.test:8080"),
         shop("h2", "h2", host="internal.test", stripPrefix="/api"),
         shop("query", query={"remove": ["gone", "a b"], "set": {"s": "1 & 2"}, "add": {"who": "$http_x_who", "e": ""}}),
         shop("order", stripPrefix="/api", other={"headers": {"request": {"set": {"X-Path": "$uri"}}}}),
         route("long", "app", hosts=["long.test"], plugins={"rewrite": {
             "regex": {"match": "(.*)", "to": "$1" * 16}}})])


@pytest.mark.parametrize("host, target, sent", [
    ("strip", "/api/orders?x=1", "/orders?x=1"),
    ("strip", "/api", "/"),
    ("strip", "/api/", "/"),
    ("strip", "/apis/orders", "/apis/orders"),
    ("strip", "/other", "/other"),
    ("strip", "//api/./a%2fb", "/a%2Fb"),
    ("replace", "/api/orders", "/v2/orders"),
    ("replace", "/api", "/v2"),
    ("replace", "/apis", "/apis"),
    ("root", "/a", "/base/a"),
    ("root", "/", "/base/"),
    ("regex", "/item/7", "/items/7?from=regex"),
    ("regex", "/item/7/a%20b?page=2", "/items/7/a%20b?from=regex&page=2"),
    ("regex", "/item/x", "/item/x"),
    ("regex", "/ITEM/7", "/ITEM/7"),
    ("regex", "/cut//evil.test/x", "/evil.test/x"),
    ("regex", "/cut/", "/"),
    ("regex", "/bare/a", "/a"),
    ("uri", "/p?x=1", "/fixed/p?a=x=1&x=1"),
    ("query", "/?gone=1&b=2&a%20b=3&c&s=4&%67one=5", "/?b=2&c&s=1%20%26%202&who=&e="),
    ("query", "/", "/?s=1%20%26%202&who=&e="),
])
def test_what_goes_on(gateway, origin, host, target, sent):
    assert gateway.get(target, host=f"{host}.test").status == 200
    assert origin.last.target == sent


def test_what_a_request_says_stays_within_its_place(gateway, origin):
    gateway.get("/p", "X-Part: a/../b?c d#\"e", host="uri.test")
    assert origin.last.target == "/fixed/a%2F..%2Fb%3Fc%20d%23%22e/p?a="
    gateway.get("/", "X-Who: a&b=c d%00\x7f".replace("\x7f", ""), host="query.test")
    assert origin.last.target == "/?s=1%20%26%202&who=a%26b%3Dc%20d%2500&e="


def test_what_is_no_path_any_more_is_refused(gateway, origin):
    origin.forget()
    # Half a percent-encoding, and a way above the root.
    assert gateway.get("/half/%2Fab", host="regex.test").status == 400
    assert gateway.get("/up/x", host="regex.test").status == 400
    assert not origin.requests
    assert gateway.get("/" + "a" * 6_000, host="long.test").status == 414
    assert gateway.get("/a", host="long.test").status == 200
    assert origin.last.target == "/a" * 16


def test_the_host(gateway, origin):
    assert gateway.get("/a", host="host.test").status == 200
    assert origin.last.values("host") == ["internal.test:8080"] and origin.last.target == "/a"
    assert origin.last.value("x-forwarded-host") == "host.test"


def test_to_an_endpoint_of_http2(gateway):
    answer = gateway.get("/api/a?b", host="h2.test")
    assert answer.status == 200
    assert '"internal.test"' in answer.text and '"/a?b"' in answer.text


def test_by_http2(gateway, origin):
    with gateway.http2(authority="strip.test") as client:
        assert client.exchange("GET", "/api/orders?x").status == 200
    assert origin.last.target == "/orders?x"


def test_options_for_the_server_stays(gateway, origin):
    with gateway.client() as client:
        assert client.exchange("OPTIONS", "*", host="uri.test").status == 200
    assert origin.last.target == "*"


def test_variables_of_later_plugins_show_what_was_sent(gateway, origin):
    gateway.get("/api/a", host="order.test")
    assert origin.last.value("x-path") == "/api/a" and origin.last.target == "/a"


def test_a_retry_has_the_same_path(scenario):
    def once(exchange):
        exchange.read_body()
        exchange.respond(503 if exchange.request_number == 1 else 200)
    origin = scenario.origin(once)
    gateway = scenario.gateway(
        [service("app", origin, retries={"attempts": 2, "on": ["503"]})],
        [route("all", "app", plugins={"rewrite": {"stripPrefix": "/api", "host": "in.test"}})])
    gateway.get("/api/a")
    assert {(one.target, one.value("host")) for one in origin.requests} == {("/a", "in.test")}


@pytest.mark.parametrize("options, said", [
    ({}, "there is nothing to rewrite"),
    ({"stripPrefix": "api"}, 'write "/api"'),
    ({"stripPrefix": "/a//b"}, 'write "/a/b"'),
    ({"stripPrefix": "/a b"}, "this is not a path"),
    ({"stripPrefix": "/a", "uri": "/b"}, "stripPrefix and uri exclude each other"),
    ({"uri": "http://a/b"}, 'does not begin with "/"'),
    ({"uri": "/a b"}, "write it as %20"),
    ({"uri": "/ä"}, "a character that a URI cannot have"),
    ({"uri": "/$1"}, "there is no regular expression"),
    ({"uri": "$request_uri"}, "write $uri"),
    ({"regex": {"match": "/(a", "to": "/"}}, "is not a regular expression"),
    ({"regex": {"match": "/(a)", "to": "/$2"}}, "the last one is $1"),
    ({"regex": {"match": "/(a)"}}, '"to" is missing'),
    ({"regex": []}, "at least one expression"),
    ({"host": "a b"}, "this is not a host"),
    ({"host": "http://a"}, "this is not a host"),
    ({"host": "a:99999"}, "this is not a host"),
    ({"host": "a\r\nX: y"}, "one line"),
    ({"host": "[::g]"}, "this is not a host"),
    ({"query": {"set": {"a": "$b"}}}, "there is no variable $b"),
])
def test_options_that_are_wrong(tmp_path, options, said):
    assert said in check(tmp_path, "rewrite", options)


def test_options_that_are_right(tmp_path):
    for host in ("a", "a:1", "[::1]", "[::1]:8080", "10.0.0.1:80", "a_b.c-d.test"):
        assert check(tmp_path, "rewrite", {"host": host}) == ""
