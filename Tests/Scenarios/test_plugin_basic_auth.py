"""basic-auth: passwords of consumers, of files and of the configuration; and what checking them may cost others."""

import base64
import json
import subprocess
import threading

import pytest

from support.admin_api import AdminAPI
from support.command_line import store_settings
from support.gateway import route, service
from support.programs import penstock_binary, run_to_end
from support.waiting import wait_until

# The password is "secret" everywhere.
HASHES = {
    "bcrypt": "$2b$04$i3f3eDBAsoIg7RyRDBBe.uAKRkwrzR3H3XAVWZR0I2tA/egR10hAG",
    "apr1": "$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/",
    "yescrypt": "$y$j9T$abcdefgh$IUWJt2doU4Kf6E/JP1UkAT3S5O3Q7SSA8SJirXIlEu9",
    "sha": "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
}
CHALLENGE = 'Basic realm="service", charset="UTF-8"'


def basic(user: str, password: str = "secret", scheme: str = "Basic") -> str:
    return f"Authorization: {scheme} " + base64.b64encode(f"{user}:{password}".encode()).decode()


def crypt(kind: str, password: str = "secret") -> str:
    """The hash that openssl makes of it."""
    return subprocess.run(["openssl", "passwd", kind, password], capture_output=True, text=True,
                          check=True).stdout.strip()


def consumer(name: str, password: str, username: str = "", **more) -> dict:
    credential = {"username": username or name, "password": password}
    return {"name": name, "credentials": {"basic-auth": [credential]}, **more}


def shop(name: str, plugin: dict | None = None, **plugins) -> dict:
    return route(name, "app", hosts=[f"{name}.test"], plugins={"basic-auth": plugin or {}, **plugins})


CONSUMERS = [
    consumer("anna", "secret", groups=["gold"]), consumer("mueller", "größe", "müller"), {"name": "guest"},
    consumer("long", "x" * 72), consumer("parallel", "secret"), consumer("colon", "a:b:"),
    {"name": "keyed", "credentials": {"key-auth": [{"key": "a-long-random-key"}]}},
]


@pytest.fixture(scope="module")
def origin(shared):
    return shared.origin()


@pytest.fixture(scope="module")
def gateway(shared, origin, tmp_path_factory):
    folder = tmp_path_factory.mktemp("passwords")
    (folder / "users").write_text(
        f"# comment\n\n  file:{HASHES['bcrypt']}\r\nnoted:{HASHES['sha']}:a comment\n"
        f"sha256:{crypt('-5')}\nsha512:{crypt('-6')}\n")
    kinds = [consumer(name, text) for name, text in HASHES.items()]
    kinds += [consumer("c5", crypt("-5")), consumer("c6", crypt("-6"))]
    guests = {"anonymous": "guest"}
    return shared.gateway(
        [service("app", origin)],
        [shop("plain"), shop("hidden", {"hideCredentials": True, "realm": 'the "shop"'}), shop("guests", guests),
         shop("file", {"htpasswd": str(folder / "users")}),
         shop("users", {"users": {"sha": HASHES["sha"], "slow": HASHES["bcrypt"]}}),
         shop("both", guests, **{"key-auth": guests})],
        settings={"consumers": CONSUMERS + kinds})


class TestPasswords:
    @pytest.mark.parametrize("fields, status", [
        ((), 401),
        ((basic("anna"),), 200),
        ((basic("anna", scheme="BASIC"),), 200),
        ((basic("anna", scheme="basic  "),), 200),
        ((basic("anna", "Secret"),), 401),
        ((basic("anna", "secret\0"),), 401),
        ((basic("anna", ""),), 401),
        ((basic("Anna"),), 401),
        ((basic(""),), 401),
        ((basic("nobody"),), 401),
        ((basic("müller", "größe"),), 200),
        ((basic("colon", "a:b:"),), 200),
        ((basic("long", "x" * 72),), 200),
        ((basic("long", "x" * 71),), 401),
        ((basic("anna", "x" * 2_000),), 401),
        (("Authorization: Basic",), 401),
        (("Authorization: Basic YW5uYQ==",), 401),
        (("Authorization: Basic %%%",), 401),
        (("Authorization: Basicanna",), 401),
        (("Authorization: Bearer YW5uYTpzZWNyZXQ=",), 401),
        (("Proxy-Authorization: Basic YW5uYTpzZWNyZXQ=",), 401),
        # It is not clear which of them the endpoint would go by.
        ((basic("anna"), basic("anna")), 400),
        ((basic("anna"), "Authorization: Bearer x"), 400),
        # Without padding.
        (("Authorization: Basic YW5uYTpzZWNyZXQ",), 200),
    ])
    def test_a_consumers_name_and_password_pass_and_nothing_else(self, gateway, fields, status):
        for _ in range(2):  # the second time it is known
            answer = gateway.get("/", *fields, host="plain.test")
            assert answer.status == status
            assert answer.value("www-authenticate") == (CHALLENGE if status == 401 else None)

    @pytest.mark.parametrize("user", [*HASHES, "c5", "c6"])
    def test_hashes_of_every_kind(self, gateway, user):
        assert gateway.get("/", basic(user), host="plain.test").status == 200
        assert gateway.get("/", basic(user, "secrets"), host="plain.test").status == 401
        hash = HASHES.get(user, "secret\n")
        assert gateway.get("/", basic(user, hash), host="plain.test").status == 401

    def test_by_http2(self, gateway):
        with gateway.http2(authority="plain.test") as client:
            assert client.exchange().status == 401
            field = ("authorization", basic("parallel").split(": ")[1])
            # More than may wait of one client, and all for the same check.
            numbers = [client.request("GET", "/", field) for _ in range(40)]
            assert {client.response(number).status for number in numbers} == {200}

    def test_content_that_comes_while_a_password_is_checked(self, gateway, origin):
        origin.forget()
        with gateway.client() as client:
            body = b"x" * 200_000
            assert client.exchange("POST", "/", basic("anna", "secret"), body=body, host="plain.test").status == 200
            assert client.exchange("POST", "/", basic("long", "x" * 72), body=body, host="plain.test").status == 200
        assert [request.body for request in origin.complete_requests] == [body, body]


class TestWhatGoesOn:
    def test_the_endpoint_is_told_who_calls(self, gateway, origin):
        gateway.get("/", basic("anna"), "X-Consumer-Username: root", host="plain.test")
        assert origin.last.value("x-consumer-username") == "anna"
        assert origin.last.value("x-consumer-groups") == "gold"
        assert origin.last.value("x-credential-identifier") == "anna"
        assert basic("anna") == "Authorization: " + origin.last.value("authorization")

    def test_the_password_is_hidden_where_that_is_asked_for(self, gateway, origin):
        assert gateway.get("/", basic("anna"), host="hidden.test").status == 200
        assert not origin.last.has("authorization")
        assert gateway.get("/", host="hidden.test").value("www-authenticate") == \
            'Basic realm="the \\"shop\\"", charset="UTF-8"'

    def test_who_shows_nothing_passes_as_anonymous(self, gateway, origin):
        assert gateway.get("/", host="guests.test").status == 200
        assert origin.last.value("x-consumer-username") == "guest"
        assert origin.last.value("x-anonymous-consumer") == "true"
        assert gateway.get("/", basic("anna"), host="guests.test").status == 200
        assert origin.last.value("x-consumer-username") == "anna"
        assert not origin.last.has("x-anonymous-consumer")
        assert gateway.get("/", basic("anna", "wrong"), host="guests.test").status == 401

    @pytest.mark.parametrize("fields, name", [
        ((), "guest"), ((basic("anna"),), "anna"), (("apikey: a-long-random-key",), "keyed"),
        (("apikey: a-long-random-key", basic("anna", "wrong")), "keyed"),
    ])
    def test_one_of_two_ways_to_say_who_calls_is_enough(self, gateway, origin, fields, name):
        assert gateway.get("/", *fields, host="both.test").status == 200
        assert origin.last.value("x-consumer-username") == name
        assert origin.last.has("x-anonymous-consumer") == (name == "guest")

    def test_the_plugins_of_who_shows_something_after_all_count(self, scenario):
        origin = scenario.origin()
        guest = {"name": "guest", "plugins": {"acl": {"allow": ["nobody"]}}}
        gateway = scenario.gateway(
            [service("app", origin)],
            [route("app", "app", plugins={"basic-auth": {"anonymous": "guest"}, "key-auth": {"anonymous": "guest"}})],
            settings={"consumers": [guest, consumer("anna", HASHES["sha"]), consumer(
                "bert", HASHES["sha"], plugins={"acl": {"denyConsumers": ["bert"]}})]})
        assert gateway.get("/").status == 403
        assert gateway.get("/", basic("anna")).status == 200
        assert gateway.get("/", basic("bert")).status == 403


class TestUsers:
    @pytest.mark.parametrize("user", ["file", "noted", "sha256", "sha512"])
    def test_users_of_a_file(self, gateway, origin, user):
        assert gateway.get("/", basic(user), "X-Credential-Identifier: root", host="file.test").status == 200
        assert origin.last.values("x-credential-identifier") == [user]
        assert not origin.last.has("x-consumer-username")
        assert gateway.get("/", basic(user, "wrong"), host="file.test").status == 401

    def test_users_of_the_configuration(self, gateway):
        assert gateway.get("/", basic("sha"), host="users.test").status == 200
        assert gateway.get("/", basic("slow"), host="users.test").status == 200
        assert gateway.get("/", basic("slow", "wrong"), host="users.test").status == 401

    @pytest.mark.parametrize("host", ["file", "users"])
    def test_consumers_are_not_asked_where_there_are_users(self, gateway, host):
        assert gateway.get("/", basic("anna"), host=f"{host}.test").status == 401

    def test_a_change_of_the_file_counts_without_a_reload(self, scenario, tmp_path):
        file = tmp_path / "users"
        file.write_text(f"anna:{HASHES['bcrypt']}\n")
        gateway = scenario.gateway(
            [service("app", scenario.origin())], [route("app", "app", plugins={"basic-auth": {"htpasswd": str(file)}})])
        assert gateway.get("/", basic("anna")).status == 200
        file.write_text(f"bert:{HASHES['apr1']}\n")
        wait_until(lambda: gateway.get("/", basic("bert")).status == 200, "the new file counts")
        assert gateway.get("/", basic("anna")).status == 401
        # What cannot be read changes nothing, and is told of.
        file.write_text("bert\n")
        wait_until(lambda: gateway.get("/", basic("bert")) and "line 1: there is no colon" in gateway.stderr,
                   "the log tells of it")
        assert gateway.get("/", basic("bert")).status == 200


class TestChanges:
    def test_a_new_password_counts_at_once_and_the_old_one_no_more(self, scenario, tmp_path):
        gateway = scenario.gateway(
            [service("app", scenario.origin())], [route("app", "app", plugins={"basic-auth": {}})], workers=2,
            settings=store_settings(tmp_path))
        api = AdminAPI(gateway)
        for password in ["first-password", "second-password"]:
            answer = api.put("/v1/consumers/anna", consumer("anna", password))
            assert answer.status in (200, 201), answer
            kept = api.get("/v1/consumers/anna")
            text = str(kept)
            assert "$2b$10$" in text and password not in text
            assert gateway.get("/", basic("anna", password)).status == 200
        assert gateway.get("/", basic("anna", "first-password")).status == 401
        api.delete("/v1/consumers/anna")
        assert gateway.get("/", basic("anna", "second-password")).status == 401

    def test_a_reload_leaves_passwords_that_stand_in_plain_as_they_are(self, scenario):
        gateway = scenario.gateway(
            [service("app", scenario.origin())], [route("app", "app", plugins={"basic-auth": {}})],
            settings={"consumers": [consumer("anna", "secret")]})
        before = gateway.admin("/config").text
        assert "$2b$10$" in before and "password: secret" not in before
        gateway.configuration["consumers"].append(consumer("bert", "secret"))
        gateway.save()
        gateway.wait_for_revision("bert")
        hashes = [line for line in gateway.admin("/config").text.splitlines() if "$2b$" in line]
        assert [line for line in before.splitlines() if "$2b$" in line][0] in hashes


class TestCosts:
    def test_a_flood_of_wrong_passwords_keeps_neither_traffic_nor_logins_out(self, scenario):
        gateway = scenario.gateway(
            [service("app", scenario.origin())],
            [shop("login"), route("open", "app")], settings={"consumers": [consumer("anna", "secret")]})
        statuses: list[int] = []

        def try_out(number: int) -> None:
            with gateway.client(source="127.0.0.2") as client:
                for attempt in range(3):
                    password = f"{number} {attempt}"
                    statuses.append(client.exchange("GET", "/", basic("anna", password), host="login.test").status)

        threads = [threading.Thread(target=try_out, args=(number,)) for number in range(60)]
        for thread in threads:
            thread.start()
        wait_until(lambda: 503 in statuses, "there are more than may wait")
        assert gateway.get("/", basic("anna"), host="login.test").status == 200
        assert gateway.get("/").status == 200
        for thread in threads:
            thread.join()
        assert set(statuses) == {401, 503} and len(statuses) == 180

    def test_a_client_that_waits_too_long_is_told_when_to_come_again(self, scenario):
        slow = "$2b$11$" + HASHES["bcrypt"][7:]
        gateway = scenario.gateway(
            [service("app", scenario.origin())], [shop("login")], settings={"consumers": [consumer("anna", slow)]})
        clients = [gateway.client() for _ in range(40)]
        try:
            for number, client in enumerate(clients):
                client.request("GET", "/", basic("anna", str(number)), host="login.test")
            answers = [client.response() for client in clients]
        finally:
            for client in clients:
                client.close()
        assert {answer.status for answer in answers} == {401, 503}
        assert {answer.value("retry-after") for answer in answers if answer.status == 503} == {"1"}

    def test_clients_that_leave_while_they_wait(self, scenario):
        gateway = scenario.gateway(
            [service("app", scenario.origin())], [shop("login")],
            settings={"consumers": [consumer("anna", "secret")]})
        for number in range(10):
            client = gateway.client()
            client.request("GET", "/", basic("anna", str(number)), host="login.test")
            client.reset()
        assert gateway.get("/", basic("anna"), host="login.test").status == 200


BAD = [
    ({"htpasswd": "missing"}, "plugins.basic-auth.htpasswd", "No such file"),
    ({"htpasswd": "broken"}, "plugins.basic-auth.htpasswd", "line 2: this is not a password's hash"),
    ({"users": {}}, "plugins.basic-auth.users", "at least one user"),
    ({"users": {"anna": "secret"}}, "plugins.basic-auth.users.anna", "not a password's hash"),
    ({"users": {"an:na": HASHES["sha"]}}, "plugins.basic-auth.users", "cannot be a user's name"),
    ({"users": {"anna": "$1$abc$def"}}, "plugins.basic-auth.users.anna", "kind $1$ are not taken"),
    ({"users": {"anna": "$2b$31$" + HASHES["bcrypt"][7:]}}, "plugins.basic-auth.users.anna", "cost 31 is out of range"),
    ({"users": {"anna": "$6$rounds=99999999$abc$" + "a" * 86}}, "plugins.basic-auth.users.anna", "out of range"),
    ({"users": {"anna": HASHES["bcrypt"][:-1]}}, "plugins.basic-auth.users.anna", "not whole"),
    ({"realm": "a\nb"}, "plugins.basic-auth.realm", "not a field's value"),
    ({"hideCredential": True}, "plugins.basic-auth", "hideCredentials"),
]


@pytest.mark.parametrize("options, place, message", BAD)
def test_bad_options_are_refused_with_their_place(tmp_path, options, place, message):
    (tmp_path / "broken").write_text(f"anna:{HASHES['sha']}\nbert:secret\n")
    result = check(tmp_path, [], options)
    assert place in result and message in result, result


@pytest.mark.parametrize("credential, place, message", [
    ({"username": "anna"}, "credentials.basic-auth", '"password" is missing'),
    ({"username": "an:na", "password": "secret"}, "basic-auth[0].username", "cannot be a user's name"),
    ({"username": " anna", "password": "secret"}, "basic-auth[0].username", "cannot be a user's name"),
    ({"username": "anna", "password": "x" * 73}, "basic-auth[0].password", "the password has 73 bytes"),
    ({"username": "anna", "password": "$2b$10$short"}, "basic-auth[0].password", "not whole"),
])
def test_bad_credentials_are_refused_with_their_place(tmp_path, credential, place, message):
    result = check(tmp_path, [{"name": "anna", "credentials": {"basic-auth": [credential]}}], {})
    assert place in result and message in result, result


def check(folder, consumers: list[dict], options: dict) -> str:
    file = folder / "penstock.yaml"
    file.write_text(json.dumps({
        "listeners": [{"name": "web", "address": "127.0.0.1:8080"}], "consumers": consumers,
        "services": [{"name": "app", "endpoints": ["127.0.0.1:9000"]}],
        "routes": [{"name": "app", "service": "app", "plugins": {"basic-auth": options}}]}))
    result = run_to_end([penstock_binary(), "check", str(file)], folder)
    assert result.returncode != 0
    return result.stdout + result.stderr


def test_some_paths_need_no_login(scenario):
    origin = scenario.origin()
    gateway = scenario.gateway(
        [service("app", origin)],
        [route("shop", "app", plugins={"basic-auth": {"publicPaths": [{"prefix": "/open"}], "hideCredentials": True}})],
        settings={"consumers": [consumer("anna", HASHES["bcrypt"])]})
    assert gateway.get("/closed").status == 401
    assert gateway.get("/open").status == 200
    for password in ("wrong", "wrong"):  # once by bcrypt, once known
        assert gateway.get("/open", basic("anna", password)).status == 200
        assert not origin.last.has("authorization") and not origin.last.has("x-consumer-username")
        assert gateway.get("/closed", basic("anna", password)).status == 401
    for _ in range(2):
        assert gateway.get("/open", basic("anna")).status == 200
        assert origin.last.values("x-consumer-username") == ["anna"]
