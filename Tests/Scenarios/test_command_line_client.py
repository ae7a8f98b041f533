"""Commands that show and change a running gateway's resources: get, apply, delete, diff."""

import json
import re

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from support.command_line import CommandLine, gateway_with_store, shop, store_settings
from support.gateway import route, service
from support.tls import TLSClient


@pytest.fixture
def origin(scenario):
    return scenario.origin(name="first")


@pytest.fixture
def gateway(scenario, origin, tmp_path):
    return gateway_with_store(scenario, origin, tmp_path)


@pytest.fixture
def penstock(gateway, tmp_path):
    return CommandLine(gateway, tmp_path / "work")


class TestApply:
    def test_what_is_applied_is_served_when_the_command_ends(self, penstock, gateway, origin):
        penstock.file("shop.json", shop(origin))
        assert gateway.get(host="shop.test").status == 404
        output = penstock("apply", "-f", "shop.json")
        assert gateway.get(host="shop.test").status == 200
        assert output.splitlines() == [
            "services/shop created", "routes/shop created", f"revision {penstock.revision()}, served by every worker"]

    def test_the_same_again_changes_nothing(self, penstock, origin):
        penstock.file("shop.json", shop(origin))
        penstock("apply", "-f", "shop.json")
        before = penstock.revision()
        assert penstock("apply", "-f", "shop.json").splitlines() == [
            "services/shop unchanged", "routes/shop unchanged", f"revision {before}, as before"]

    def test_what_differs_is_replaced(self, penstock, gateway, origin):
        penstock.file("shop.json", shop(origin))
        penstock("apply", "-f", "shop.json")
        penstock.file("shop.json", shop(origin, "/new"))
        assert "routes/shop replaced\n" in penstock("apply", "-f", "shop.json")
        assert gateway.get("/", host="shop.test").status == 404
        assert gateway.get("/new", host="shop.test").status == 200

    def test_a_directory_is_one_change(self, penstock, gateway, origin):
        # The route comes before the service that it names.
        penstock.file("conf/a.yaml", "routes: [{name: shop, service: shop, hosts: [shop.test]}]")
        penstock.file("conf/b.json", {"services": [service("shop", origin)]})
        penstock.file("conf/.c.yaml", "nonsense: [")
        penstock("apply", "-f", "conf")
        assert gateway.get(host="shop.test").status == 200

    def test_standard_input(self, penstock, gateway, origin):
        assert "routes/shop created" in penstock("apply", "-f", "-", stdin=json.dumps(shop(origin)))
        assert gateway.get(host="shop.test").status == 200

    def test_dry_run_changes_nothing(self, penstock, gateway, origin):
        penstock.file("shop.json", shop(origin))
        before = penstock.revision()
        assert penstock("apply", "-f", "shop.json", "--dry-run").splitlines() == [
            "services/shop created (dry run)", "routes/shop created (dry run)",
            f"nothing was changed: the revision is {before}"]
        assert penstock.revision() == before
        assert gateway.get(host="shop.test").status == 404

    def test_a_mistake_anywhere_refuses_all_and_says_where_it_is(self, penstock, gateway, origin):
        penstock.file("shop.yaml", (
            "services:\n"
            f'  - {{name: shop, endpoints: ["{origin.address}"]}}\n'
            "routes:\n"
            "  - {name: shop, service: shop, hosts: [shop.test]}\n"
            "  - name: other\n"
            "    service: shopp\n"))
        before = penstock.revision()
        errors = penstock("apply", "-f", "shop.yaml", status=1)
        assert errors.startswith("shop.yaml:6:14: routes/other: service: "), errors
        assert '"shopp"' in errors and '"shop"' in errors
        assert penstock.revision() == before
        assert gateway.get(host="shop.test").status == 404

    def test_mistakes_of_shape_have_their_place_too(self, penstock):
        penstock.file("shop.yaml", "services:\n  - name: shop\n    endpoints: [\"127.0.0.1:80\"]\n    balanc: hash\n")
        errors = penstock("apply", "-f", "shop.yaml", status=1)
        assert re.search(r"^shop\.yaml:\d:\d+: services/shop: balanc: .*balance", errors), errors

    def test_what_a_file_owns_cannot_be_applied(self, penstock):
        penstock.file("own.yaml", "routes: [{name: of-the-file, service: app, hosts: [x.test]}]")
        errors = penstock("apply", "-f", "own.yaml", status=1)
        assert "routes/of-the-file" in errors and "penstock.yaml" in errors

    def test_settings_of_the_process_are_refused_without_asking(self, penstock, gateway):
        errors = penstock("apply", "-f", str(gateway.file), status=1)
        assert re.search(r"penstock\.yaml:\d+:\d+: admin: ", errors), errors

    def test_message_is_in_the_history(self, penstock, origin):
        penstock.file("shop.json", shop(origin))
        penstock("apply", "-f", "shop.json", "-m", "the new shop")
        assert "the new shop" in penstock("history", "--limit", "1")


class TestCertificates:
    @pytest.fixture
    def gateway(self, scenario, origin, tmp_path):
        default = scenario.authority("Default authority").issue("default.test")
        return scenario.gateway(
            [service("app", origin)], tls={}, settings=store_settings(tmp_path),
            certificates=[{"name": "default", "certificate": str(default.chain), "key": str(default.key)}])

    def test_files_are_read_here_and_sent(self, penstock, gateway, scenario):
        leaf = scenario.authority().issue("shop.test")
        penstock.file("tls/shop.pem", leaf.chain.read_text())
        penstock.file("tls/shop.key", leaf.key.read_text())
        penstock.file("shop.yaml", "certificates: [{name: shop, certificate: tls/shop.pem, key: tls/shop.key}]")
        assert "certificates/shop created" in penstock("apply", "-f", "shop.yaml")
        # The gateway does not need them any more.
        for name in ("shop.pem", "shop.key"):
            (penstock.folder / "tls" / name).unlink()
        with TLSClient(gateway.port, "shop.test") as client:
            assert client.certificate == leaf.certificate.public_bytes(Encoding.DER)

    def test_keys_are_never_shown(self, penstock, scenario):
        leaf = scenario.authority().issue("shop.test")
        content = {"certificates": [{"name": "shop", "certificate": str(leaf.chain), "key": str(leaf.key)}]}
        penstock.file("shop.json", content)
        shown = penstock("diff", "-f", "shop.json", status=1)
        penstock("apply", "-f", "shop.json")
        for command in (("get", "certificates", "-o", "yaml"), ("get", "certificate", "shop", "-o", "json"),
                        ("history", str(penstock.revision()))):
            shown += penstock(*command)
        assert "certificates/shop" in shown
        assert "PRIVATE KEY" not in shown
        assert not any(line in shown for line in leaf.key.read_text().splitlines()[1:-1])

    def test_what_is_got_keeps_its_key(self, penstock, gateway, scenario):
        leaf = scenario.authority().issue("shop.test")
        penstock.file("shop.json", {
            "certificates": [{"name": "shop", "certificate": str(leaf.chain), "key": str(leaf.key)}]})
        penstock("apply", "-f", "shop.json")
        text = penstock("get", "certificate", "shop", "-o", "yaml")
        assert "BEGIN CERTIFICATE" in text
        assert "certificates/shop unchanged" in penstock("apply", "-f", "-", stdin=text)
        with TLSClient(gateway.port, "shop.test") as client:
            assert client.certificate == leaf.certificate.public_bytes(Encoding.DER)

    def test_another_key_is_a_difference_that_is_not_shown(self, penstock, scenario):
        authority = scenario.authority()
        one, other = authority.issue("shop.test"), authority.issue("shop.test")
        content = {"certificates": [{"name": "shop", "certificate": str(one.chain), "key": str(one.key)}]}
        penstock.file("shop.json", content)
        penstock("apply", "-f", "shop.json")
        assert penstock("diff", "-f", "shop.json") == ""
        content["certificates"][0] |= {"certificate": str(other.chain), "key": str(other.key)}
        penstock.file("shop.json", content)
        shown = penstock("diff", "-f", "shop.json", status=1)
        assert "BEGIN CERTIFICATE" in shown and "PRIVATE KEY" not in shown

    def test_a_file_that_is_missing_has_its_place(self, penstock):
        penstock.file("shop.yaml", "certificates:\n  - {name: shop, certificate: no.pem, key: no.key}\n")
        errors = penstock("apply", "-f", "shop.yaml", status=1)
        assert errors.startswith("shop.yaml:2:31: certificates/shop: certificate: ./no.pem: No such file"), errors

    def test_a_key_of_another_certificate_is_refused(self, penstock, scenario):
        authority = scenario.authority()
        one, other = authority.issue("shop.test"), authority.issue("other.test")
        penstock.file("shop.yaml", f"certificates: [{{name: shop, certificate: {one.chain}, key: {other.key}}}]")
        errors = penstock("apply", "-f", "shop.yaml", status=1)
        assert "certificates/shop" in errors and "key" in errors


class TestGet:
    @pytest.fixture(autouse=True)
    def resources(self, penstock, origin):
        penstock.file("shop.json", shop(origin, "/cart"))
        penstock("apply", "-f", "shop.json")

    def test_table_has_a_line_for_each(self, penstock):
        lines = [line.split() for line in penstock("get", "routes").splitlines()]
        assert lines[0] == ["NAME", "HOSTS", "PATHS", "SERVICE", "REVISION", "OWNER"]
        assert lines[1][:4] == ["of-the-file", "file.test", "/", "app"] and lines[1][5].startswith("file:")
        assert lines[2] == ["shop", "shop.test", "/cart", "shop", str(penstock.revision()), "store"]

    def test_kinds_may_be_singular(self, penstock):
        for kind in ("listener", "service", "route", "listeners", "services", "routes"):
            assert penstock("get", kind).startswith("NAME")

    @pytest.mark.parametrize("form", ["yaml", "json"])
    def test_what_is_got_can_be_applied(self, penstock, form):
        for kind in ("services", "routes"):
            text = penstock("get", kind, "shop", "-o", form)
            assert f"{kind}/shop unchanged" in penstock("apply", "-f", "-", stdin=text)

    def test_json_has_all_of_it(self, penstock):
        routes = json.loads(penstock("get", "routes", "shop", "-o", "json"))["routes"]
        assert [one["name"] for one in routes] == ["shop"] and routes[0]["hosts"] == ["shop.test"]

    def test_filters(self, penstock):
        def names(*arguments: str) -> list[str]:
            return [line.split()[0] for line in penstock("get", "routes", *arguments).splitlines()[1:]]

        assert names("--host", "shop.test") == ["shop"]
        assert names("--service", "app") == ["of-the-file"]
        assert names("--prefix", "sh") == ["shop"]
        assert names("--owner", "store") == ["shop"]
        assert names("--owner", "file") == ["of-the-file"]

    def test_none_is_said_and_no_failure(self, penstock):
        result = penstock.run("get", "routes", "--prefix", "zzz")
        assert (result.returncode, result.stdout) == (0, "") and "no such routes" in result.stderr

    def test_missing_resource_is_a_failure(self, penstock):
        assert "There is no routes/sho." in penstock("get", "route", "sho", status=1)

    def test_all_pages_are_followed(self, penstock):
        count = 2_345
        penstock.file("many.json", {"routes": [
            route(f"many-{number:05}", "shop", hosts=[f"h{number}.test"]) for number in range(count)]})
        penstock("apply", "-f", "many.json")
        names = [line.split()[0] for line in penstock("get", "routes", "--prefix", "many-").splitlines()[1:]]
        assert names == [f"many-{number:05}" for number in range(count)]


class TestDelete:
    @pytest.fixture(autouse=True)
    def resources(self, penstock, origin):
        penstock.file("shop.json", shop(origin))
        penstock("apply", "-f", "shop.json")

    def test_by_name(self, penstock, gateway):
        assert "routes/shop deleted" in penstock("delete", "route", "shop")
        assert gateway.get(host="shop.test").status == 404

    def test_by_file(self, penstock, gateway):
        assert penstock("delete", "-f", "shop.json").splitlines()[:2] == [
            "routes/shop deleted", "services/shop deleted"]
        assert gateway.get(host="shop.test").status == 404

    def test_dry_run(self, penstock, gateway):
        assert "routes/shop deleted (dry run)" in penstock("delete", "route", "shop", "--dry-run")
        assert gateway.get(host="shop.test").status == 200

    def test_all_or_none(self, penstock, gateway):
        errors = penstock("delete", "routes", "shop", "gone", status=1)
        assert "routes/gone" in errors
        assert gateway.get(host="shop.test").status == 200

    def test_what_is_used_stays_and_the_user_is_named(self, penstock):
        assert "routes/shop" in penstock("delete", "service", "shop", status=1)

    def test_names_are_needed(self, penstock):
        assert penstock.run("delete", "route").returncode == 64
        assert penstock.run("delete").returncode == 64
        assert penstock.run("delete", "shop", "x").returncode == 64


class TestDiff:
    def test_no_difference_is_0_and_a_difference_1(self, penstock, origin):
        penstock.file("shop.json", shop(origin))
        created = penstock("diff", "-f", "shop.json", status=1)
        assert "--- /dev/null\n+++ routes/shop (shop.json:" in created
        penstock("apply", "-f", "shop.json")
        assert penstock("diff", "-f", "shop.json") == ""
        penstock.file("shop.json", shop(origin, "/new"))
        lines = penstock("diff", "-f", "shop.json", status=1).splitlines()
        assert [line.strip("+- ") for line in lines if re.match(r"[-+] ", line)] == ["prefix: /", "prefix: /new"]

    def test_shorter_words_for_the_same_are_no_difference(self, penstock, origin):
        penstock.file("long.yaml", (
            f'services: [{{name: shop, endpoints: [{{address: "{origin.address}", weight: 1}}]}}]\n'
            "routes: [{name: shop, backends: [{service: shop}], match: [{path: {prefix: /}}]}]\n"))
        penstock("apply", "-f", "long.yaml")
        penstock.file("short.yaml", (
            f'services: [{{name: shop, endpoints: ["{origin.address}"]}}]\n'
            "routes: [{name: shop, service: shop}]\n"))
        result = penstock.run("diff", "-f", "short.yaml")
        assert not re.search("^[-+]", result.stdout, re.MULTILINE), result.stdout

    def test_mistakes_are_2(self, penstock):
        penstock.file("bad.yaml", "routes: [{name: x, service: nobody}]")
        assert "bad.yaml:1:" in penstock("diff", "-f", "bad.yaml", status=2)
        assert penstock.run("diff", "-f", "missing.yaml").returncode == 2

    def test_between_revisions(self, penstock, origin):
        start = penstock.revision()
        penstock.file("shop.json", shop(origin))
        penstock("apply", "-f", "shop.json")
        middle = penstock.revision()
        penstock("delete", "route", "shop")
        assert "+++ routes/shop" in penstock("diff", str(start), str(middle), status=1)
        assert "+++ /dev/null" in penstock("diff", str(middle), status=1)
        assert penstock("diff", str(middle), str(middle)) == ""
        assert "no revision 999999" in penstock("diff", "999999", status=2)
