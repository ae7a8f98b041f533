"""Which requests go to which service: hosts, paths, methods, fields, queries, precedence, weights."""

import pytest

from support.gateway import route, service
from support.ports import free_port


@pytest.fixture(scope="module")
def start(shared):
    """A gateway for a table of routes; each route has a service of its own name."""
    origins = {}

    def with_routes(routes: dict[str, dict], **options):
        for name in routes:
            if name not in origins:
                origins[name] = shared.origin(name=name)
        services = [service(name, origins[name]) for name in routes]
        return shared.gateway(services, [route(name, name, **conditions) for name, conditions in routes.items()],
                              **options)
    return with_routes


def taken(gateway, target="/", *fields, method="GET", host="example.test") -> str:
    """The route that a request takes, or the status where there is none."""
    with gateway.client() as client:
        response = client.exchange(method, target, *fields, host=host)
        return response.value("x-origin") or str(response.status)


class TestHosts:
    @pytest.fixture(scope="class")
    def gateway(self, start):
        return start({
            "exact": {"hosts": ["api.example.com"]},
            "several": {"hosts": ["one.test", "two.test"]},
            "wide": {"hosts": ["*.example.com"]},
            "narrow": {"hosts": ["*.shop.example.com"]},
            "elsewhere": {"hosts": ["elsewhere.test"], "match": [{"path": "/only"}]},
        })

    @pytest.mark.parametrize("host, name", [
        ("api.example.com", "exact"), ("API.Example.COM", "exact"), ("api.example.com:8080", "exact"),
        ("api.example.com.", "exact"), ("one.test", "several"), ("two.test", "several"),
        ("www.example.com", "wide"), ("a.b.example.com", "wide"), ("shop.example.com", "wide"),
        ("x.shop.example.com", "narrow"), ("x.y.shop.example.com", "narrow"),
        ("example.com", "404"), ("xexample.com", "404"), ("three.test", "404"), ("api.example.com.evil.test", "404"),
        ("127.0.0.1", "404"),
    ])
    def test_host_takes_its_route(self, gateway, host, name):
        assert taken(gateway, host=host) == name

    def test_known_host_without_a_matching_path_is_404(self, gateway):
        assert taken(gateway, "/only", host="elsewhere.test") == "elsewhere"
        assert taken(gateway, "/other", host="elsewhere.test") == "404"

    def test_authority_of_the_absolute_form_counts(self, gateway):
        assert taken(gateway, "http://one.test/", host="one.test") == "several"


class TestPaths:
    @pytest.fixture(scope="class")
    def gateway(self, start):
        return start({
            "orders": {"match": [{"path": "/orders"}]},
            "order-items": {"match": [{"path": "/orders/items"}]},
            "exact": {"match": [{"path": {"exact": "/orders/items/first"}}]},
            "versions": {"match": [{"path": {"regex": "/v[0-9]+/.*"}}]},
            "either": {"match": [{"path": "/left"}, {"path": "/right"}]},
            "slash": {"match": [{"path": "/folder/"}]},
        })

    @pytest.mark.parametrize("path, name", [
        ("/orders", "orders"), ("/orders/", "orders"), ("/orders/1", "orders"), ("/orders?x=/orders/items", "orders"),
        ("/orders/items", "order-items"), ("/orders/items/second", "order-items"), ("/orders/itemsx", "orders"),
        ("/orders/items/first", "exact"), ("/orders/items/first/", "order-items"),
        ("/v1/x", "versions"), ("/v22/", "versions"), ("/v/x", "404"), ("/xv1/x", "404"), ("/v1", "404"),
        ("/left", "either"), ("/right/x", "either"),
        ("/folder", "slash"), ("/folder/x", "slash"), ("/folders", "404"),
        ("/ordersx", "404"), ("/Orders", "404"), ("/", "404"),
    ])
    def test_path_takes_its_route(self, gateway, path, name):
        assert taken(gateway, path) == name


class TestMethodsFieldsAndQueries:
    @pytest.fixture(scope="class")
    def gateway(self, start):
        return start({
            "readers": {"match": [{"path": "/m", "methods": ["GET", "HEAD"]}]},
            "purgers": {"match": [{"path": "/m", "methods": ["PURGE"]}]},
            "beta": {"match": [{"path": "/h", "headers": {"X-Beta": "1"}}]},
            "beta-eu": {"match": [{"path": "/h", "headers": {"X-Beta": "1", "X-Region": "eu"}}]},
            "mobile": {"match": [{"path": "/h", "headers": {"User-Agent": {"regex": ".*Mobile.*"}}}]},
            "version2": {"match": [{"path": "/q", "query": {"v": "2"}}]},
            "debug": {"match": [{"path": "/q", "query": {"debug": {"regex": "on|yes"}}}]},
            "spaced": {"match": [{"path": "/q", "query": {"name": "a b&c"}}]},
        })

    @pytest.mark.parametrize("method, name", [("GET", "readers"), ("HEAD", "readers"), ("PURGE", "purgers"),
                                              ("POST", "404"), ("get", "404"), ("PROPFIND", "404")])
    def test_methods(self, gateway, method, name):
        assert taken(gateway, "/m", method=method) == name

    @pytest.mark.parametrize("fields, name", [
        (["X-Beta: 1"], "beta"), (["x-beta: 1"], "beta"), (["X-Beta: 0"], "404"), (["X-Beta: 11"], "404"), ([], "404"),
        (["X-Beta: 1", "X-Region: eu"], "beta-eu"), (["X-Beta: 0", "X-Beta: 1"], "beta"),
        (["User-Agent: Mozilla (Mobile)"], "mobile"), (["User-Agent: mobile"], "404"),
    ])
    def test_fields(self, gateway, fields, name):
        assert taken(gateway, "/h", *fields) == name

    @pytest.mark.parametrize("query, name", [
        ("v=2", "version2"), ("a=1&v=2&b=3", "version2"), ("v=2&v=3", "version2"), ("v=3&v=2", "404"),
        ("v=%32", "version2"), ("%76=2", "version2"), ("V=2", "404"), ("v", "404"), ("xv=2", "404"),
        ("debug=yes", "debug"),
        ("debug=yesno", "404"), ("name=a%20b%26c", "spaced"), ("", "404"),
    ])
    def test_queries(self, gateway, query, name):
        assert taken(gateway, f"/q?{query}") == name


class TestPrecedence:
    def test_more_specific_wins_whatever_the_order(self, start):
        gateway = start({
            "any": {},
            "prefix": {"match": [{"path": "/a"}]},
            "longer": {"match": [{"path": "/a/b"}]},
            "with-query": {"match": [{"path": "/a/b", "query": {"q": "1"}}]},
            "with-header": {"match": [{"path": "/a/b", "headers": {"X-H": "1"}}]},
            "with-method": {"match": [{"path": "/a/b", "methods": ["PUT"]}]},
            "exact": {"match": [{"path": {"exact": "/a/b"}}]},
            "wildcard-host": {"hosts": ["*.test"], "match": [{"path": "/a"}]},
            "host": {"hosts": ["host.test"], "match": [{"path": "/h"}]},
        })
        assert taken(gateway, "/", host="x") == "any"
        assert taken(gateway, "/a", host="x") == "prefix"
        assert taken(gateway, "/a/b/c", host="x") == "longer"
        assert taken(gateway, "/a/b/c?q=1", host="x") == "with-query"
        assert taken(gateway, "/a/b/c?q=1", "X-H: 1", host="x") == "with-header"
        assert taken(gateway, "/a/b/c?q=1", "X-H: 1", host="x", method="PUT") == "with-method"
        assert taken(gateway, "/a/b?q=1", "X-H: 1", host="x", method="PUT") == "exact"
        # A host decides before a path does.
        assert taken(gateway, "/a/b", host="other.test") == "wildcard-host"
        assert taken(gateway, "/h", host="host.test") == "host"

    def test_less_specific_host_is_tried_when_no_path_of_the_specific_one_matches(self, start):
        gateway = start({
            "host": {"hosts": ["host.test"], "match": [{"path": "/h"}]},
            "wildcard-host": {"hosts": ["*.test"], "match": [{"path": "/w"}]},
            "any": {},
        })
        assert taken(gateway, "/w", host="host.test") == "wildcard-host"
        assert taken(gateway, "/x", host="host.test") == "any"

    def test_order_of_the_file_decides_between_equals(self, start):
        gateway = start({
            "first": {"match": [{"path": "/", "headers": {"X-A": "1"}}]},
            "second": {"match": [{"path": "/", "headers": {"X-B": "1"}}]},
        })
        assert taken(gateway, "/", "X-B: 1", "X-A: 1") == "first"
        assert taken(gateway, "/", "X-B: 1") == "second"


def test_route_belongs_to_its_listeners(start):
    inside, outside = free_port(), free_port()
    gateway = start(
        {"internal": {"listeners": ["inside"], "match": [{"path": "/internal"}]},
         "public": {"match": [{"path": "/p"}]}},
        listeners=[{"name": "outside", "address": f"127.0.0.1:{outside}"},
                   {"name": "inside", "address": f"127.0.0.1:{inside}"}])
    gateway.port = outside
    assert (taken(gateway, "/internal"), taken(gateway, "/p")) == ("404", "public")
    gateway.port = inside
    assert (taken(gateway, "/internal"), taken(gateway, "/p")) == ("internal", "public")


def test_weights_share_out_requests(shared):
    many, few, none = (shared.origin(name=name) for name in ("many", "few", "none"))
    gateway = shared.gateway(
        [service("many", many), service("few", few), service("none", none)],
        [route("split", [{"service": "many", "weight": 90}, {"service": "few", "weight": 10},
                         {"service": "none", "weight": 0}])])
    seen = gateway.origins_of(1_000)
    assert set(seen) == {"many", "few"}
    # 100 expected with a standard deviation of 9.5: these bounds fail once in a million runs.
    assert 53 <= seen["few"] <= 147


def test_thousands_of_routes_do_not_get_mixed_up(shared):
    origin = shared.origin()
    services = [service("app", origin), service("dead", shared.dead_port(), retries="off")]
    routes = [route(f"r{n}", "app" if n % 7 == 0 else "dead", hosts=[f"h{n}.test"], match=[{"path": f"/p{n}"}])
              for n in range(3_000)]
    gateway = shared.gateway(services, routes)
    for number in range(0, 3_000, 331):
        expected = "200" if number % 7 == 0 else "502"
        assert str(gateway.get(f"/p{number}", host=f"h{number}.test").status) == expected
        assert gateway.get(f"/p{number + 1}", host=f"h{number}.test").status == 404
