"""hmac-auth: signatures as Kong's and APISIX's clients make them, and what none of them may pass."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from support.gateway import route, routes_with, service
from support.plugin_options import check
from support.signing import apisix, date, kong

CONSUMERS = [{"name": "alice", "credentials": {"hmac-auth": [{"username": "alice", "secret": "secret"}]}},
             {"name": "robert", "credentials": {"hmac-auth": [
                 {"username": "bob", "secret": "another-secret"}, {"username": "bob-2", "secret": "third"}]}},
             {"name": "guest"}]


@pytest.fixture(scope="module")
def origin(shared):
    return shared.origin()


@pytest.fixture(scope="module")
def gateway(shared, origin):
    shop = routes_with("hmac-auth")
    return shared.gateway(
        [service("app", origin)],
        [shop("plain"), shop("hidden", hideCredentials=True), shop("guests", anonymous="guest", realm="shop"),
         shop("line", enforceHeaders=["request-line", "Host"]), shop("strong", algorithms=["hmac-sha512"]),
         shop("short", clockSkew="10s"),
         shop("open", publicPaths=[{"prefix": "/static"}, {"exact": "/"}])],
        settings={"consumers": CONSUMERS})


def get(gateway, authorization, fields=(), target="/", host="plain", method="GET", name="Authorization"):
    with gateway.client() as client:
        return client.exchange(method, target, *fields, (name, authorization), host=f"{host}.test")


class TestKongsForm:
    @pytest.mark.parametrize("algorithm", ["hmac-sha1", "hmac-sha256", "hmac-sha384", "hmac-sha512"])
    @pytest.mark.parametrize("field", ["Date", "X-Date"])
    def test_a_signed_date_passes(self, gateway, origin, algorithm, field):
        fields = [(field, date())]
        signed = kong("GET", "/", fields, f"{field.lower()} request-line", algorithm=algorithm)
        assert get(gateway, signed, fields).status == 200
        assert origin.last.values("x-consumer-username") == ["alice"]
        assert origin.last.values("x-credential-identifier") == ["alice"]
        assert origin.last.value("authorization") == signed

    @pytest.mark.parametrize("target", ["/", "/a/b?x=1&y=%20", "/a/../b", "/%61?", "//x"])
    def test_the_target_is_signed_as_it_is_sent(self, gateway, target):
        fields = [("Date", date())]
        for headers in ("date request-line", "date @request-target", "request-line date"):
            assert get(gateway, kong("GET", target, fields, headers), fields, target).status == 200
        signed = kong("GET", target + "x", fields, "date request-line")
        assert get(gateway, signed, fields, target).status == 401

    def test_by_http2(self, gateway):
        with gateway.http2(authority="plain.test") as client:
            fields = [("date", date()), ("host", "plain.test")]
            signed = kong("GET", "/a?b", fields, "date host request-line", protocol="HTTP/2.0")
            assert client.exchange("GET", "/a?b", fields[0], ("authorization", signed)).status == 200
            signed = kong("GET", "/a?b", fields, "date @request-target")
            assert client.exchange("GET", "/a?b", fields[0], ("authorization", signed)).status == 200
            assert client.exchange("GET", "/a?c", fields[0], ("authorization", signed)).status == 401
            assert client.exchange("GET", "/a?b").status == 401

    def test_the_field_for_proxies_goes_first(self, gateway, origin):
        fields = [("Date", date()), ("Authorization", "Bearer mine")]
        signed = kong("GET", "/", fields, "date")
        assert get(gateway, signed, fields, name="Proxy-Authorization", host="hidden").status == 200
        assert origin.last.value("authorization") == "Bearer mine" and not origin.last.has("proxy-authorization")

    def test_the_order_and_the_spaces_of_parameters_do_not_matter(self, gateway):
        fields = [("Date", date())]
        signed = kong("GET", "/", fields, "date")
        parts = signed.removeprefix("hmac ").split(", ")
        assert get(gateway, "HMAC " + ",".join(reversed(parts)), fields).status == 200
        assert get(gateway, "hmac   " + " ,  ".join(parts), fields).status == 200

    def test_fields_that_are_not_there_may_be_signed_as_such(self, gateway):
        fields = [("Date", date())]
        signed = kong("GET", "/", fields, "date x-missing")
        assert get(gateway, signed, fields).status == 200
        assert get(gateway, signed, [*fields, ("X-Missing", "1")]).status == 401


def test_the_commands_of_the_page(scenario, tmp_path):
    """docs/plugins/hmac-auth.md shows how a shell signs."""
    page = (Path(__file__).parents[2] / "docs" / "plugins" / "hmac-auth.md").read_text()
    [commands] = re.findall(r"^```sh\n(.*?)^```$", page, re.M | re.S)
    gateway = scenario.gateway(
        [service("app", scenario.origin())], [route("shop", "app", plugins={"hmac-auth": {}})],
        settings={"consumers": [{"name": "alice", "credentials": {"hmac-auth": [
            {"username": "alice", "secret": "c2VjcmV0LW9mLWFsaWNlLWZvci10aGVzZQ"}]}}]})
    script = commands.replace("127.0.0.1:8080", gateway.address)
    result = subprocess.run(["bash", "-ec", script], capture_output=True, text=True, timeout=30, check=True)
    assert json.loads(result.stdout)["target"] == "/orders", result


class TestAPISIXsForm:
    @pytest.mark.parametrize("algorithm", ["hmac-sha1", "hmac-sha256", "hmac-sha512"])
    def test_a_signed_date_passes(self, gateway, origin, algorithm):
        fields = [("Date", date()), ("X-Custom-A", "test")]
        signed = apisix("GET", "/a?b=1", fields, "@request-target date x-custom-a", algorithm=algorithm)
        assert get(gateway, signed, fields, "/a?b=1").status == 200
        assert origin.last.values("x-consumer-username") == ["alice"]
        assert get(gateway, signed, fields, "/a?b=2").status == 401
        assert get(gateway, signed, fields, "/a?b=1", method="POST").status == 401

    def test_fields_that_are_not_there_are_left_out(self, gateway):
        fields = [("Date", date())]
        assert get(gateway, apisix("GET", "/", fields, "date x-missing"), fields).status == 200

    def test_the_signature_is_for_one_key(self, gateway):
        fields = [("Date", date())]
        signed = apisix("GET", "/", fields, "date", username="bob", secret="another-secret")
        assert get(gateway, signed, fields).status == 200
        assert get(gateway, signed.replace('"bob"', '"bob-2"'), fields).status == 401

    def test_a_form_does_not_pass_as_the_other(self, gateway):
        fields = [("Date", date())]
        signed = apisix("GET", "/", fields, "date")
        assert get(gateway, signed.replace("Signature keyId", "hmac username"), fields).status == 401

    def test_by_http2(self, gateway):
        with gateway.http2(authority="plain.test") as client:
            field = ("date", date())
            signed = apisix("GET", "/x", [field], "@request-target date")
            assert client.exchange("GET", "/x", field, ("authorization", signed)).status == 200
            assert client.exchange("GET", "/y", field, ("authorization", signed)).status == 401


class TestRefusals:
    def test_what_shows_nothing_is_challenged(self, gateway):
        answer = gateway.get(host="plain.test")
        assert answer.status == 401 and answer.value("www-authenticate") == "hmac"
        assert gateway.get("/", "Authorization: Basic YTpi", host="plain.test").status == 401

    @pytest.mark.parametrize("change", [
        lambda text: text.replace("alice", "nobody"),
        lambda text: text.replace("alice", "bob"),
        lambda text: text.replace('signature="', 'signature="A'),
        lambda text: text.replace('="hmac-sha256"', '="hmac-sha512"'),
        lambda text: text.replace('="hmac-sha256"', '="hmac-md5"'),
        lambda text: text.replace('headers="date"', 'headers=""'),
        lambda text: text.replace('headers="date"', 'headers="date date"'),
        lambda text: text.replace('headers="date", ', ""),
        lambda text: text + ', username="alice"',
        lambda text: text + ",",
        lambda text: text[:-1],
        lambda text: text.replace('"alice"', "alice"),
        lambda text: text.replace('"alice"', '"al\\ice"'),
        lambda text: "hmac",
        lambda text: "hmac =",
        lambda text: "hmac username=",
        lambda text: 'hmac username="',
        lambda text: "hmac " + ",".join(f'a{index}="b"' for index in range(200)),
        lambda text: text.replace('headers="date"', 'headers="' + "date " * 100 + '"'),
    ])
    def test_what_was_changed_or_is_malformed(self, gateway, change):
        fields = [("Date", date())]
        signed = kong("GET", "/", fields, "date")
        assert get(gateway, signed, fields).status == 200
        assert get(gateway, change(signed), fields).status == 401
        gateway.check_health()

    def test_a_signed_field_may_not_change_nor_be_joined_by_another(self, gateway):
        fields = [("Date", date()), ("X-Amount", "5")]
        signed = kong("GET", "/", fields, "date x-amount")
        assert get(gateway, signed, fields).status == 200
        assert get(gateway, signed, [fields[0], ("X-Amount", "50")]).status == 401
        assert get(gateway, signed, [*fields, ("X-Amount", "50")]).status == 401
        assert get(gateway, signed, [fields[0]]).status == 401

    @pytest.mark.parametrize("offset, status", [(0, 200), (-8, 200), (8, 200), (-30, 401), (30, 401)])
    def test_the_date_must_be_near(self, gateway, offset, status):
        fields = [("Date", date(offset))]
        assert get(gateway, kong("GET", "/", fields, "date"), fields, host="short").status == status
        fields = [("X-Date", date(offset))]
        assert get(gateway, apisix("GET", "/", fields, "x-date"), fields, host="short").status == status

    def test_the_date_must_be_signed(self, gateway):
        fields = [("Date", date()), ("X-A", "1")]
        assert get(gateway, kong("GET", "/", fields, "x-a"), fields).status == 401
        assert get(gateway, apisix("GET", "/", fields, "x-a"), fields).status == 401

    @pytest.mark.parametrize("text", ["", "now", "Sun, 06 Nov 1994 08:49:37", "1792000000", "Thu, 99 Xxx 2026 25:00:00 GMT"])
    def test_what_is_no_date_is_none(self, gateway, text):
        fields = [("Date", text)] if text else []
        assert get(gateway, kong("GET", "/", fields, "date"), fields).status == 401

    def test_what_has_to_be_signed(self, gateway):
        fields = [("Date", date()), ("Host", "line.test")]
        def status(headers):
            with gateway.client() as client:
                signed = kong("GET", "/", fields, headers)
                return client.exchange("GET", "/", fields[0], ("Authorization", signed), host="line.test").status
        assert status("date request-line host") == 200
        assert status("Host date REQUEST-LINE".lower()) == 200
        assert status("date request-line") == 401
        assert status("date host @request-target") == 401

    def test_algorithms_that_are_not_allowed(self, gateway):
        fields = [("Date", date())]
        assert get(gateway, kong("GET", "/", fields, "date"), fields, host="strong").status == 401
        signed = kong("GET", "/", fields, "date", algorithm="hmac-sha512")
        assert get(gateway, signed, fields, host="strong").status == 200

    def test_who_shows_nothing_may_pass_as_somebody(self, gateway, origin):
        assert gateway.get(host="guests.test").status == 200
        assert origin.last.values("x-consumer-username") == ["guest"]
        assert gateway.get("/", "Authorization: hmac x", host="guests.test").status == 401
        answer = gateway.get("/", "Authorization: hmac x", host="guests.test")
        assert answer.value("www-authenticate") == 'hmac realm="shop"'


class TestPaths:
    @pytest.mark.parametrize("target, status", [
        ("/", 200), ("/static", 200), ("/static/a", 200), ("/%73tatic/a", 200), ("/a/../static/b", 200),
        ("/statically", 401), ("/a", 401), ("/static/../a", 401), ("/static/%2e%2e/a", 401)])
    def test_some_need_no_login(self, gateway, target, status):
        assert gateway.get(target, host="open.test").status == status

    def test_who_shows_one_is_known_there(self, gateway, origin):
        fields = [("Date", date())]
        assert get(gateway, kong("GET", "/static", fields, "date"), fields, "/static", host="open").status == 200
        assert origin.last.values("x-consumer-username") == ["alice"]
        assert get(gateway, kong("GET", "/x", fields, "x"), fields, "/static", host="open").status == 200
        assert not origin.last.has("x-consumer-username")


def test_bad_options(tmp_path):
    assert check(tmp_path, "hmac-auth", {}) == ""
    assert "at least one algorithm" in check(tmp_path, "hmac-auth", {"algorithms": []})
    assert "hmac-md5" in check(tmp_path, "hmac-auth", {"algorithms": ["hmac-md5"]})
    assert "out of range" in check(tmp_path, "hmac-auth", {"clockSkew": "10ms"})
    assert "not a field's name" in check(tmp_path, "hmac-auth", {"enforceHeaders": ["a b"]})
    assert "one of prefix and exact" in check(tmp_path, "hmac-auth", {"publicPaths": [{}]})
    assert "one of prefix and exact" in check(
        tmp_path, "hmac-auth", {"publicPaths": [{"prefix": "/a", "exact": "/a"}]})
    assert "listed twice" in check(
        tmp_path, "hmac-auth", {"publicPaths": [{"prefix": "/a"}], "loginPaths": [{"prefix": "/a"}]})
    assert "does not begin" in check(tmp_path, "hmac-auth", {"loginPaths": [{"exact": "a"}]})
    assert "not normalised" in check(tmp_path, "hmac-auth", {"loginPaths": [{"prefix": "/a/../b"}]})
