"""jwt-auth: tokens of consumers, as PyJWT signs them, and what may not pass; test_plugin_jwt_issuers.py has issuers."""

import base64
import hashlib
import hmac
import json

import pytest

from support.gateway import route, routes_with, service
from support.plugin_options import check
from support.programs import penstock_binary, run_to_end
from support.tokens import ASYMMETRIC, SigningKey, bearer, key_set, shared_token, soon
from support.waiting import wait_until

SECRET = "a-secret-of-thirty-two-characters"
KEYS = {algorithm: SigningKey(algorithm, kid=None) for algorithm in ("RS256", "ES256", "ES384", "ES512", "EdDSA")}
for _name in ("RS384", "RS512", "PS256", "PS384", "PS512"):
    KEYS[_name] = KEYS["RS256"]


def credential(algorithm: str) -> dict:
    return {"key": f"by-{algorithm}", "algorithm": algorithm, "publicKey": KEYS[algorithm].pem}


CONSUMERS = [
    {"name": "alice", "credentials": {"jwt-auth": [
        {"key": "alice", "secret": SECRET},
        {"key": "alice-384", "secret": SECRET * 2, "algorithm": "HS384"},
        {"key": "alice-512", "secret": base64.b64encode(SECRET.encode() * 2).decode(), "algorithm": "HS512",
         "secretIsBase64": True}]}},
    {"name": "keys", "credentials": {"jwt-auth": [credential(algorithm) for algorithm in ASYMMETRIC]}},
    {"name": "guest"}]


@pytest.fixture(scope="module")
def origin(shared):
    return shared.origin()


@pytest.fixture(scope="module")
def gateway(shared, origin):
    shop = routes_with("jwt-auth")
    return shared.gateway(
        [service("app", origin)],
        [shop("plain"), shop("realm", realm="shop"), shop("guests", anonymous="guest"),
         shop("places", headerNames=["x-token", "authorization"], queryNames=["t"], cookieNames=["session"],
              hideCredentials=True),
         shop("kid", keyClaimName="kid"), shop("short", maximumExpiration="60s"), shop("lenient", leeway="60s"),
         shop("strict", requiredClaims=["sub", "exp"]),
         shop("fields", claimsToHeaders={"sub": "X-User", "roles": "X-Roles", "n": "X-Number", "deep": "X-Deep"}),
         shop("open", publicPaths=[{"prefix": "/open"}], claimsToHeaders={"sub": "X-User"}, hideCredentials=True)],
        settings={"consumers": CONSUMERS})


def token(**claims) -> str:
    return shared_token(SECRET, **{"iss": "alice", "exp": soon(), **claims})


def part(content) -> str:
    content = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


class TestConsumers:
    @pytest.mark.parametrize("key, secret, algorithm", [
        ("alice", SECRET, "HS256"), ("alice-384", SECRET * 2, "HS384"), ("alice-512", SECRET * 2, "HS512")])
    def test_secrets(self, gateway, origin, key, secret, algorithm):
        signed = shared_token(secret, algorithm, iss=key, exp=soon())
        assert gateway.get("/", bearer(signed), host="plain.test").status == 200
        assert origin.last.values("x-consumer-username") == ["alice"]
        other = shared_token(secret + "x", algorithm, iss=key, exp=soon())
        assert gateway.get("/", bearer(other), host="plain.test").status == 401

    @pytest.mark.parametrize("algorithm", ASYMMETRIC)
    def test_public_keys(self, gateway, origin, algorithm):
        signed = KEYS[algorithm].token(algorithm=algorithm, iss=f"by-{algorithm}", exp=soon())
        for _ in range(2):
            assert gateway.get("/", bearer(signed), host="plain.test").status == 200
            assert origin.last.values("x-consumer-username") == ["keys"]
        with gateway.http2(authority="plain.test") as client:
            assert client.exchange("GET", "/", ("authorization", f"Bearer {signed}")).status == 200
            assert client.exchange("GET", "/", ("authorization", f"Bearer {signed[:-8]}AAAAAAAA")).status == 401
        other = SigningKey(algorithm, kid=None).token(iss=f"by-{algorithm}", exp=soon())
        assert gateway.get("/", bearer(other), host="plain.test").status == 401

    def test_the_credential_says_which_algorithm(self, gateway):
        for algorithm in ASYMMETRIC:
            for other in ("RS256", "PS256", "ES256", "EdDSA"):
                if other != algorithm:
                    signed = KEYS[other].token(algorithm=other, iss=f"by-{algorithm}", exp=soon())
                    assert gateway.get("/", bearer(signed), host="plain.test").status == 401

    def test_a_public_key_is_no_secret(self, gateway):
        """The oldest trick: HMAC with the text of the public key, which everybody knows."""
        for algorithm in ASYMMETRIC:
            for pem in (KEYS[algorithm].pem, KEYS[algorithm].pem.strip()):
                head = part({"alg": "HS256", "typ": "JWT"})
                claims = part({"iss": f"by-{algorithm}", "exp": soon()})
                code = hmac.new(pem.encode(), f"{head}.{claims}".encode(), hashlib.sha256).digest()
                assert gateway.get("/", bearer(f"{head}.{claims}.{part(code)}"), host="plain.test").status == 401

    @pytest.mark.parametrize("algorithm", ["none", "None", "nOnE", "NONE", ""])
    def test_none_is_no_algorithm(self, gateway, algorithm):
        text = f"{part({'alg': algorithm})}.{part({'iss': 'alice', 'exp': soon()})}."
        assert gateway.get("/", bearer(text), host="plain.test").status == 401
        assert gateway.get("/", bearer(text + "AAAA"), host="plain.test").status == 401

    def test_the_key_may_be_named_by_the_header(self, gateway):
        signed = shared_token(SECRET, headers={"kid": "alice"}, exp=soon())
        assert gateway.get("/", bearer(signed), host="kid.test").status == 200
        assert gateway.get("/", bearer(signed), host="plain.test").status == 401
        # The claim goes first.
        signed = shared_token(SECRET, headers={"kid": "alice"}, kid="alice-384", exp=soon())
        assert gateway.get("/", bearer(signed), host="kid.test").status == 401


class TestPlaces:
    def test_where_a_token_may_be(self, gateway, origin):
        good = token()
        for fields, target in (((bearer(good),), "/"), ((f"Authorization: {good}",), "/"), ((), f"/?jwt={good}"),
                               ((f"Authorization: bearer  {good}",), "/")):
            assert gateway.get(target, *fields, host="plain.test").status == 200
        assert gateway.get("/", f"Cookie: session={good}", host="plain.test").status == 401
        for fields, target in (((f"X-Token: {good}",), "/?a=1"), ((f"X-Token: Bearer {good}",), "/?a=1"),
                               ((), f"/?a=1&t={good}"), ((f"Cookie: session={good}; b=2",), "/?a=1"),
                               ((bearer(good),), "/?a=1")):
            assert gateway.get(target, *fields, "X-Other: 1", host="places.test").status == 200
            assert origin.last.target == "/?a=1" and not origin.last.has("x-token")
            assert not origin.last.has("authorization") and origin.last.value("x-other") == "1"
            assert good not in str(origin.last.values("cookie"))

    def test_other_schemes_are_others_business(self, gateway, origin):
        basic = "Authorization: Basic YTpi"
        assert gateway.get("/", basic, host="plain.test").status == 401
        assert gateway.get("/", basic, f"X-Token: {token()}", host="places.test").status == 200
        assert origin.last.value("authorization") == "Basic YTpi"
        assert gateway.get("/", basic, host="guests.test").status == 200
        assert origin.last.values("x-consumer-username") == ["guest"]

    def test_the_challenge(self, gateway):
        missing = gateway.get(host="realm.test")
        assert missing.status == 401 and missing.value("www-authenticate") == 'Bearer realm="shop"'
        late = gateway.get("/", bearer(token(exp=soon(-5))), host="realm.test")
        assert late.status == 401 and late.value("www-authenticate") == (
            'Bearer realm="shop", error="invalid_token", error_description="The token has expired."')
        # A token that is wrong is no missing one.
        assert gateway.get("/", bearer("a.b.c"), host="guests.test").status == 401


class TestClaims:
    # Times are those of the test, and not of when it was collected.
    @pytest.mark.parametrize("host, claims, status", [
        ("plain", lambda: {}, 200), ("plain", lambda: {"exp": soon(-1)}, 401),
        ("plain", lambda: {"exp": str(soon())}, 401), ("plain", lambda: {"nbf": soon(-10)}, 200),
        ("plain", lambda: {"nbf": soon(30)}, 401), ("plain", lambda: {"exp": soon() + 0.5}, 200),
        ("lenient", lambda: {"exp": soon(-30)}, 200), ("lenient", lambda: {"exp": soon(-90)}, 401),
        ("lenient", lambda: {"nbf": soon(30)}, 200), ("short", lambda: {"exp": soon(30)}, 200),
        ("short", lambda: {"exp": soon(90)}, 401), ("strict", lambda: {}, 401),
        ("strict", lambda: {"sub": "a"}, 200)])
    def test_what_they_have_to_say(self, gateway, host, claims, status):
        # PyJWT refuses some of these itself.
        head, body = part({"alg": "HS256"}), part({"iss": "alice", "exp": soon(), **claims()})
        code = hmac.new(SECRET.encode(), f"{head}.{body}".encode(), hashlib.sha256).digest()
        assert gateway.get("/", bearer(f"{head}.{body}.{part(code)}"), host=f"{host}.test").status == status

    def test_a_token_without_an_end(self, gateway):
        endless = shared_token(SECRET, iss="alice")
        assert gateway.get("/", bearer(endless), host="plain.test").status == 200
        assert gateway.get("/", bearer(endless), host="short.test").status == 401
        assert gateway.get("/", bearer(endless), host="strict.test").status == 401

    def test_claims_as_fields(self, gateway, origin):
        signed = token(sub="Ana\u00efs", roles=["a", "b"], n=5, deep={"x": 1})
        assert gateway.get("/", bearer(signed), "X-User: root", "X_Roles: root", "X-Deep: 1", host="fields.test").status == 200
        assert origin.last.value("x-user").encode("latin-1").decode() == "Ana\u00efs"
        assert origin.last.value("x-roles") == "a, b" and origin.last.value("x-number") == "5"
        assert not origin.last.has("x-deep") and not origin.last.has("x_roles")
        # A line cannot be smuggled in, and what is not claimed is nobody's to send.
        signed = token(sub="a\r\nX-Admin: 1")
        assert gateway.get("/", bearer(signed), "X-User: root", host="fields.test").status == 200
        assert not origin.last.has("x-user") and not origin.last.has("x-admin")

    def test_paths_without_a_login(self, gateway, origin):
        assert gateway.get("/closed", host="open.test").status == 401
        for fields in ((), (bearer("a.b.c"),), (bearer(token(exp=soon(-9))),)):
            assert gateway.get("/open", *fields, "X-User: root", host="open.test").status == 200
            assert not origin.last.has("x-user") and not origin.last.has("x-consumer-username")
            assert not origin.last.has("authorization")
        assert gateway.get("/open", bearer(token(sub="a")), host="open.test").status == 200
        assert origin.last.value("x-user") == "a" and origin.last.value("x-consumer-username") == "alice"


class TestKnownTokens:
    """A token that was verified is not verified again, but never holds longer for that."""

    def test_one_that_ends(self, gateway, origin):
        signed = bearer(token(exp=soon(2), sub="a"))
        for _ in range(3):
            assert gateway.get("/", signed, host="fields.test").status == 200
            assert origin.last.value("x-user") == "a" and origin.last.value("x-consumer-username") == "alice"
        wait_until(lambda: gateway.get("/", signed, host="fields.test").status == 401, "the token has expired")

    def test_one_whose_consumer_changes(self, scenario):
        consumer = {"name": "alice", "credentials": {"jwt-auth": [{"key": "alice", "secret": SECRET}]}}
        gateway = scenario.gateway(
            [service("app", scenario.origin())], [route("shop", "app", plugins={"jwt-auth": {}})],
            settings={"consumers": [consumer]}, workers=2)
        signed = bearer(token())
        assert [gateway.get("/", signed).status for _ in range(6)] == [200] * 6
        consumer["credentials"]["jwt-auth"][0]["secret"] = "another-secret-of-its-own-length"
        gateway.save()
        # One worker may have it before the other.
        wait_until(lambda: [gateway.get("/", signed).status for _ in range(6)] == [401] * 6, "the change is there")
        assert [gateway.get("/", signed).status for _ in range(6)] == [401] * 6

    def test_each_route_has_its_own_rules(self, gateway):
        signed = bearer(token(exp=soon(90)))
        for _ in range(2):
            assert gateway.get("/", signed, host="plain.test").status == 200
            assert gateway.get("/", signed, host="short.test").status == 401
            assert gateway.get("/", signed[:-1] + ("A" if signed[-1] != "A" else "Q"), host="plain.test").status == 401


def test_what_is_no_token(gateway):
    good = token()
    head, claims, code = good.split(".")
    texts = [
        "", ".", "..", "...", "a", "a.b", good + ".", good + ".x.y", f"{head}..{code}", f".{claims}.{code}", f"{head}.{claims}.",
        f"{head}=.{claims}.{code}", f"{head}.{claims}.{code}=", f"{head}.{claims}.{code[:-1]}", f"{claims}.{head}.{code}",
        f"{part([])}.{claims}.{code}", f"{part({})}.{claims}.{code}", f"{part({'alg': 5})}.{claims}.{code}",
        f"{part({'alg': 'HS256', 'crit': ['exp']})}.{claims}.{code}", f"{part(b'{' * 9_000)}.{claims}.{code}",
        f"{head}.{part(b'{' + b' ' * 10_000 + b'}')}.{code}", f"{head}.{part(b'[' * 9_000)}.{code}", "\xff" * 50, "a" * 15_000,
        f"{part(bytes(range(256)))}.{claims}.{code}",
    ]
    with gateway.client() as client:
        for text in texts:
            assert client.exchange("GET", "/", ("X-Token", text or "x"), host="places.test").status == 401, text[:80]
        assert client.exchange("GET", "/", ("X-Token", good), host="places.test").status == 200
    gateway.check_health()


def test_bad_options(tmp_path):
    def said(**options):
        return check(tmp_path, "jwt-auth", options)
    good = {"issuer": "a", "jwks": {"inline": key_set(SigningKey("ES256"))}}
    assert said() == "" and said(issuers=[good]) == ""
    assert said(issuers=[{"issuer": "a", "jwks": {"url": "https://a.example/keys"}}]) == ""
    assert '"issuer" is missing' in said(issuers=[{"jwks": {"url": "https://a/"}}])
    assert '"jwks" is missing' in said(issuers=[{"issuer": "a"}])
    assert "one of url, file and inline" in said(issuers=[{"issuer": "a", "jwks": {}}])
    assert "one of url, file and inline" in said(issuers=[{"issuer": "a", "jwks": {"url": "https://a/", "file": "x"}}])
    assert "listed twice" in said(issuers=[good, good])
    assert "neither https:// nor http://" in said(issuers=[{"issuer": "a", "jwks": {"url": "ftp://a/"}}])
    assert "no JSON Web Key Set" in said(issuers=[{"issuer": "a", "jwks": {"inline": "{"}}])
    assert "no key that signatures" in said(issuers=[{"issuer": "a", "jwks": {"inline": '{"keys": [{}]}'}}])
    assert "cannot read" in said(issuers=[{"issuer": "a", "jwks": {"file": str(tmp_path / "missing")}}])
    assert "HS256" in said(issuers=[{**good, "algorithms": ["HS256"]}])
    assert "gateway's own" in said(claimsToHeaders={"sub": "Connection"})
    assert "who the consumer is" in said(claimsToHeaders={"sub": "X-Consumer-Username"})
    assert "at least one place" in said(headerNames=[], queryNames=[], cookieNames=[])


def test_bad_credentials(tmp_path):
    def said(**credential):
        file = tmp_path / "credentials.yaml"
        file.write_text(json.dumps({
            "listeners": [{"name": "web", "address": "127.0.0.1:8080"}], "services": [{"name": "a", "endpoints": ["127.0.0.1:9"]}],
            "routes": [{"name": "r", "service": "a"}],
            "consumers": [{"name": "x", "credentials": {"jwt-auth": [{"key": "k", **credential}]}}]}))
        result = run_to_end([penstock_binary(), "check", str(file)], tmp_path)
        return "" if result.returncode == 0 else result.stdout + result.stderr
    rsa, ec = KEYS["RS256"].pem, KEYS["ES256"].pem
    assert said(secret="x" * 32) == "" and said(algorithm="PS512", publicKey=rsa) == ""
    assert "it is missing" in said() and "it is missing" in said(algorithm="RS256")
    assert "goes by a secret" in said(secret="x", publicKey=rsa)
    assert "goes by a public key" in said(algorithm="RS256", secret="x", publicKey=rsa)
    assert "not one for RS256" in said(algorithm="RS256", publicKey=ec)
    assert "not one for ES384" in said(algorithm="ES384", publicKey=ec)
    assert "no public key in PEM" in said(algorithm="RS256", publicKey="x")
    assert "2048" in said(algorithm="RS256", publicKey=SigningKey("RS256", bits=1_024).pem)
    assert "not base64" in said(secret="%%%", secretIsBase64=True)
