"""HTTP/2 with clients and origins that others wrote: curl, nghttp, h2load, nghttpd and nginx."""

import json
import re
import subprocess

import pytest

from support.gateway import service
from support.nghttpd import CONTENT
from support.programs import find_program
from support.tls import curl


@pytest.fixture(scope="module")
def authority(shared):
    return shared.authority()


@pytest.fixture(scope="module")
def origin(shared):
    return shared.origin()


@pytest.fixture(scope="module")
def plain(shared, origin):
    return shared.gateway([service("app", origin)])


@pytest.fixture(scope="module")
def secure(shared, origin, authority):
    return shared.gateway([service("app", origin)], tls={}, certificates=[
        authority.issue("example.test").described("example")])


def run(name, *arguments, seconds=60) -> str:
    program = find_program(name)
    assert program, f"{name} is not installed: scripts/bootstrap test"
    result = subprocess.run(
        [program, *arguments], capture_output=True, text=True, timeout=seconds, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


class TestCurl:
    FORMAT = "\n%{http_version} %{response_code} %{num_connects}"

    def exchange(self, gateway, authority, tmp_path, *arguments, target="/path?query"):
        scheme = "https" if "tls" in gateway.configuration["listeners"][0] else "http"
        result = curl(tmp_path, "--cacert", str(authority.file), "--connect-to", f"::127.0.0.1:{gateway.port}",
                      "--write-out", self.FORMAT, *arguments, f"{scheme}://example.test{target}")
        assert result.returncode == 0, result.stderr
        content, _, tail = result.stdout.rpartition(b"\n")
        version, status, _ = tail.decode().split()
        return version, int(status), content

    @pytest.mark.parametrize("argument, gateway, version", [
        ("--http1.1", "plain", "1.1"), ("--http1.1", "secure", "1.1"), ("--http2", "secure", "2"),
        ("--http2-prior-knowledge", "plain", "2"),
        ("--http2", "plain", "1.1"),  # Upgrade: h2c is not offered (RFC 9113 section 3.1)
    ])
    def test_versions(self, request, authority, origin, tmp_path, argument, gateway, version):
        answer = self.exchange(request.getfixturevalue(gateway), authority, tmp_path, argument)
        assert answer[:2] == (version, 200)
        seen = json.loads(answer[2])
        assert (seen["method"], seen["target"], seen["version"]) == ("GET", "/path?query", "HTTP/1.1")
        assert not origin.last.has("upgrade") and not origin.last.has("http2-settings")

    @pytest.mark.parametrize("argument", ["--http1.1", "--http2"])
    def test_upload_and_download(self, shared, authority, tmp_path, argument):
        origin = shared.origin(lambda exchange: exchange.respond(200, exchange.read_body()))
        gateway = shared.gateway([service("app", origin)], tls={}, certificates=[
            authority.issue("example.test").described("example")])
        (tmp_path / "content").write_bytes(bytes(range(256)) * 20_000)
        answer = self.exchange(gateway, authority, tmp_path, argument, "--data-binary", "@content")
        assert answer == (argument[-1].replace("1", "1.1"), 200, (tmp_path / "content").read_bytes())

    def test_head_has_no_content(self, secure, authority, tmp_path):
        version, status, head = self.exchange(secure, authority, tmp_path, "--http2", "--head")
        assert (version, status) == ("2", 200) and b"content-length: " in head

    def test_many_at_once_share_a_connection(self, secure, authority, tmp_path):
        result = curl(tmp_path, "--cacert", str(authority.file), "--connect-to", f"::127.0.0.1:{secure.port}",
                      "--http2", "--parallel", "--parallel-max", "50", "--output", "/dev/null",
                      "--write-out", "%{response_code} %{num_connects}\n", "https://example.test/[1-200]")
        lines = result.stdout.decode().split("\n")[:-1]
        assert len(lines) == 200 and all(line.startswith("200 ") for line in lines), result.stderr
        assert sum(int(line.split()[1]) for line in lines) <= 3


class TestNghttp:
    def test_exchange_in_clear_text(self, plain):
        output = run("nghttp", "--verbose", "--no-dep", f"http://127.0.0.1:{plain.port}/a")
        assert ":status: 200" in output and '"target": "/a"' in output

    def test_priorities_do_no_harm(self, plain):
        """The deprecated PRIORITY frames that nghttp begins with (RFC 9113 section 5.3.2)."""
        output = run("nghttp", "--verbose", f"http://127.0.0.1:{plain.port}/a")
        assert ":status: 200" in output and "RST_STREAM" not in output

    def test_continuation_of_a_large_head(self, shared):
        """The fields that nghttp adds make 27 KB: two frames."""
        origin = shared.origin()
        gateway = shared.gateway([service("app", origin)], http={"limits": {"headBytes": "64KiB"}})
        output = run("nghttp", "--verbose", "--no-dep", "--continuation", f"http://127.0.0.1:{gateway.port}/a")
        assert ":status: 200" in output
        assert sum(len(value) for name, value in origin.last.fields if name.startswith("continuation-test")) > 20_000

    def test_padding(self, plain):
        output = run("nghttp", "--verbose", "--no-dep", "--padding=200", f"http://127.0.0.1:{plain.port}/a")
        assert ":status: 200" in output

    def test_trailers_of_a_request(self, shared, tmp_path):
        origin = shared.origin()
        gateway = shared.gateway([service("app", origin)])
        (tmp_path / "content").write_bytes(b"content")
        run("nghttp", "--no-dep", "--no-content-length", f"--data={tmp_path / 'content'}", "--trailer=x-check: 1",
            f"http://127.0.0.1:{gateway.port}/a")
        assert origin.last.body == b"content" and origin.last.trailers == [("x-check", "1")]

    def test_small_windows(self, shared):
        origin = shared.nginx("location = /large { alias large; }")
        (origin.folder / "large").write_bytes(b"x" * 500_000)
        gateway = shared.gateway([service("app", origin)])
        output = run("nghttp", "--no-dep", "--window-bits=10", "--connection-window-bits=12", "--stat",
                     "--null-out", f"http://127.0.0.1:{gateway.port}/large")
        assert re.search(r"\b200\b.*\b488K\b|\b200\b.*\b500000\b", output), output


class TestH2load:
    @pytest.mark.parametrize("scheme, gateway", [("http", "plain"), ("https", "secure")])
    def test_not_one_request_fails(self, request, scheme, gateway):
        nginx = request.getfixturevalue("shared").nginx()
        started = request.getfixturevalue(gateway)
        found = request.getfixturevalue("shared").gateway(
            [service("app", nginx)], tls=started.configuration["listeners"][0].get("tls"),
            certificates=started.configuration.get("certificates"))
        output = run("h2load", "-n", "20000", "-c", "8", "-m", "32",
                     f"--connect-to=127.0.0.1:{found.port}", f"{scheme}://example.test/small")
        assert "20000 succeeded, 0 failed, 0 errored, 0 timeout" in output, output
        assert "20000 2xx" in output, output
        found.check_health()
        assert found.metrics().sum("penstock_requests_total") == 20_000

    def test_uploads(self, shared, plain, tmp_path):
        (tmp_path / "content").write_bytes(b"x" * 100_000)
        output = run("h2load", "-n", "300", "-c", "4", "-m", "10", f"--data={tmp_path / 'content'}",
                     f"http://127.0.0.1:{plain.port}/upload")
        assert "300 succeeded, 0 failed" in output, output


class TestOrigins:
    """Origins of HTTP/2 in clear text and by TLS, for clients of both versions."""

    @pytest.fixture(scope="module", params=["clear text", "TLS"])
    def certificate(self, request, authority):
        return authority.issue("127.0.0.1") if request.param == "TLS" else None

    @pytest.fixture(scope="module")
    def nghttpd(self, shared, certificate):
        return shared.nghttpd(certificate=certificate, trailer="x-check: 1")

    @pytest.fixture(scope="module")
    def gateway(self, shared, authority, certificate, nghttpd):
        tls = {"tls": {"ca": str(authority.file)}} if certificate else {}
        return shared.gateway([service("app", nghttpd, protocol="h2", **tls)])

    def test_nghttpd_for_http1(self, gateway, nghttpd):
        with gateway.client() as client:
            response = client.exchange("GET", "/?q", "X-Own: Value", "Connection: X-Gone", "X-Gone: 1")
            assert response.status == 200 and response.body.decode() == CONTENT
        fields = nghttpd.received_fields()
        assert (":method", "GET") in fields and (":path", "/?q") in fields and ("x-own", "Value") in fields
        assert (":authority", "example.test") in fields and ("via", "1.1 penstock") in fields
        assert (":scheme", "https" if "tls" in gateway.configuration["services"][0] else "http") in fields
        assert not {"host", "connection", "x-gone", "keep-alive", "transfer-encoding"} & {name for name, _ in fields}

    def test_nghttpd_for_http2(self, gateway):
        with gateway.http2() as client:
            response = client.exchange()
            assert response.status == 200 and response.body.decode() == CONTENT
            assert response.trailers == [("x-check", "1")]

    def test_nginx(self, shared, authority, certificate):
        nginx = shared.nginx(http2=True, certificate=certificate)
        tls = {"tls": {"ca": str(authority.file)}} if certificate else {}
        gateway = shared.gateway([service("app", nginx, protocol="h2", **tls)])
        assert gateway.origins_of(50, "/small") == {"nginx": 50}
        with gateway.http2() as client:
            streams = [client.request("GET", "/small") for _ in range(100)]
            assert {client.response(stream).status for stream in streams} == {200}

    def test_echo_of_a_large_upload(self, shared, authority, certificate):
        nghttpd = shared.nghttpd(certificate=certificate, echoes=True)
        tls = {"tls": {"ca": str(authority.file)}} if certificate else {}
        gateway = shared.gateway([service("app", nghttpd, protocol="h2", **tls)])
        body = bytes(range(256)) * 10_000
        with gateway.http2(seconds=30) as client:
            assert client.exchange("POST", "/", body=body).body == body
        with gateway.client(seconds=30) as client:
            assert client.exchange("POST", "/", body=body).body == body
