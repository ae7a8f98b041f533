"""The access log: one line for each request, whatever a stranger sends, and never a reason to wait."""

import json
import os
import re
import subprocess

import pytest

from support.gateway import service
from support.origin import answer_with
from support.waiting import wait_until

MEMBERS = {
    "time", "client", "method", "host", "path", "protocol", "userAgent", "referer", "status", "route", "service",
    "endpoint", "retries", "outcome", "requestId", "bytesReceived", "bytesSent", "requestBodyBytes",
    "responseBodyBytes", "durationMs", "headMs", "connectMs", "responseMs",
}


class Log:
    """A gateway with its access log in a file."""

    def __init__(self, scenario, origin=None, log_format="json", **settings):
        self.origin = origin or scenario.origin()
        self.gateway = scenario.gateway(
            [service("app", self.origin, **settings)], access_log={"format": log_format, "path": "access.log"})
        self.file = self.gateway.folder / "access.log"

    def lines(self, count) -> list[str]:
        """The log, when it has so many lines, none of them half written."""
        def complete():
            text = self.file.read_bytes().decode() if self.file.exists() else ""
            lines = text.split("\n")
            return lines[:-1] if len(lines) - 1 >= count and not lines[-1] else None

        lines = wait_until(complete, f"the log has {count} lines")
        assert len(lines) == count, lines[count:]
        return lines

    def entries(self, count) -> list[dict]:
        return [json.loads(line) for line in self.lines(count)]

    def entry(self) -> dict:
        return self.entries(1)[0]


class TestJSON:
    def test_line_says_what_happened(self, scenario):
        log = Log(scenario, scenario.origin(answer_with(201, "created!")))
        with log.gateway.client() as client:
            client.exchange("POST", "/orders?id=1", "User-Agent: test/1.0", "Referer: http://a.test/", body=b"hello")
        entry = log.entry()
        assert MEMBERS <= set(entry)
        expected = {
            "client": "127.0.0.1", "method": "POST", "host": "example.test", "path": "/orders?id=1",
            "protocol": "HTTP/1.1", "userAgent": "test/1.0", "referer": "http://a.test/", "status": 201,
            "route": "everything", "service": "app", "endpoint": log.origin.address, "retries": 0,
            "outcome": "proxied", "requestBodyBytes": 5, "responseBodyBytes": 8,
        }
        assert {key: entry[key] for key in expected} == expected
        assert entry["requestId"] == log.origin.last.value("x-request-id")
        assert entry["bytesReceived"] > 100 and entry["bytesSent"] > 50
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry["time"])
        assert 0 <= entry["headMs"] <= entry["durationMs"] and 0 <= entry["responseMs"] <= entry["durationMs"]

    def test_every_request_of_a_connection_has_its_line_in_order(self, scenario):
        log = Log(scenario)
        with log.gateway.client() as client:
            for number in range(50):
                client.exchange("GET", f"/{number}")
        assert [entry["path"] for entry in log.entries(50)] == [f"/{number}" for number in range(50)]

    @pytest.mark.parametrize("field", [
        b'User-Agent: "quoted" \\ and \\" more', b"User-Agent: \xff\xfe\x80 not UTF-8",
        "User-Agent: caf\u00e9 \u2028 \u200b".encode(),
        b"User-Agent: tab\there", b"User-Agent: \xc2\x85 next line", b"User-Agent: " + b'"' * 5_000,
        b'Referer: "},{"status":200', b"X-Request-ID: ignored\\", b"User-Agent: \xed\xa0\x80 surrogate",
        b"User-Agent: {{7*7}} ${jndi:ldap://x} %n%s",
    ])
    def test_line_is_json_whatever_is_in_the_fields(self, scenario, field):
        log = Log(scenario)
        with log.gateway.client() as client:
            client.send(b"GET / HTTP/1.1\r\nHost: example.test\r\n" + field + b"\r\n\r\n")
            assert client.response().status == 200
        line = log.lines(1)[0]
        assert all(character.isprintable() or character == "\u200b" for character in line)
        entry = json.loads(line)
        assert MEMBERS <= set(entry) and entry["status"] == 200 and len(line) < 20_000

    def test_target_is_logged_as_it_was_sent(self, scenario):
        log = Log(scenario)
        target = '/a/../b"\\<script>%0a%0d?x="\\'
        with log.gateway.client() as client:
            client.exchange("GET", target)
        assert log.entry()["path"] == target

    def test_refused_request_has_a_line_too(self, scenario):
        log = Log(scenario)
        with log.gateway.client() as client:
            client.send(b'GET /"x"\x00\x1b[31m HTTP/1.1\r\n\r\n')
            assert client.response().status == 400
        entry = log.entry()
        assert entry["status"] == 400 and entry["outcome"] == "bad_request" and entry["method"] is None
        assert entry["received"].startswith('GET /"x"')

    def test_request_without_a_route_has_a_line(self, scenario):
        gateway = scenario.gateway(
            [service("app", scenario.dead_port())], [{"name": "r", "hosts": ["other.test"], "service": "app"}],
            access_log={"path": "access.log"})
        gateway.get()
        file = gateway.folder / "access.log"
        entry = json.loads(wait_until(lambda: file.exists() and file.read_text(), "the line is written"))
        assert (entry["status"], entry["outcome"], entry["route"], entry["service"]) == (404, "answered", None, None)

    def test_failures_say_which_they_were(self, scenario):
        log = Log(scenario, scenario.full_queue(), timeouts={"connect": "100ms"}, retries="off")
        log.gateway.get()
        entry = log.entry()
        assert (entry["status"], entry["outcome"], entry["responseMs"]) == (504, "connect_failure", None)
        assert entry["endpoint"] == log.origin.address and entry["connectMs"] >= 100

    def test_retries_show(self, scenario):
        good = scenario.origin()
        gateway = scenario.gateway([service("app", scenario.dead_port(), good, ejection="off")],
                                   access_log={"path": "access.log"})
        gateway.origins_of(2)
        file = gateway.folder / "access.log"
        wait_until(lambda: file.exists() and file.read_text().count("\n") == 2, "both lines are written")
        entries = [json.loads(line) for line in file.read_text().splitlines()]
        assert max(entry["retries"] for entry in entries) == 1
        assert {entry["endpoint"] for entry in entries} == {good.address}

    def test_client_that_leaves_is_499(self, scenario):
        origin = scenario.origin(lambda exchange: exchange.wait_for_end())
        log = Log(scenario, origin)
        client = log.gateway.client()
        client.request("GET", "/")
        origin.wait_for_requests(1)
        client.close()
        entry = log.entry()
        assert (entry["status"], entry["outcome"]) == (499, "client_closed")

    def test_client_behind_a_trusted_proxy_is_the_one_it_names(self, scenario):
        gateway = scenario.gateway(
            [service("app", scenario.origin())], access_log={"path": "access.log"},
            http={"forwarding": {"trustedNetworks": ["127.0.0.0/8", "10.0.0.0/8"]}})
        gateway.get("/", "X-Forwarded-For: 1.1.1.1, 203.0.113.7, 10.1.2.3")
        file = gateway.folder / "access.log"
        entry = json.loads(wait_until(lambda: file.exists() and file.read_text(), "the line is written"))
        assert entry["client"] == "203.0.113.7"


class TestCommon:
    LINE = re.compile(
        r'(\S+) - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\] "((?:[^"\\]|\\.)*)" (\d{3}) (\d+) '
        r'"((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)" (.*)')

    def test_line_is_that_of_every_other_server(self, scenario):
        log = Log(scenario, scenario.origin(answer_with(200, "12345")), log_format="common")
        log.gateway.get("/path?q", "User-Agent: test/1.0", "Referer: http://a.test/")
        found = self.LINE.fullmatch(log.lines(1)[0])
        assert found and found.groups()[:6] == (
            "127.0.0.1", "GET /path?q HTTP/1.1", "200", "5", "http://a.test/", "test/1.0")
        assert "outcome=proxied" in found[7] and "durationMs=" in found[7]

    def test_hostile_text_cannot_end_a_field_or_line(self, scenario):
        log = Log(scenario, log_format="common")
        with log.gateway.client() as client:
            client.send(b'GET /"%0a HTTP/1.1\r\nHost: example.test\r\nUser-Agent: a" 200 "b\\\xff\r\n\r\n')
            assert client.response().status == 200
        line = log.lines(1)[0]
        found = self.LINE.fullmatch(line)
        assert found and found[3] == "200" and line.isascii() and line.isprintable()


class TestDestination:
    def test_rotated_file_is_followed_by_a_new_one_on_hangup(self, scenario):
        log = Log(scenario)
        log.gateway.get("/before")
        log.lines(1)
        rotated = log.file.with_suffix(".1")
        os.rename(log.file, rotated)
        log.gateway.get("/still-the-old-one")
        wait_until(lambda: rotated.read_text().count("\n") == 2, "the renamed file is still written")
        log.gateway.hang_up()
        wait_until(log.file.exists, "the new file is there")
        log.gateway.get("/after")
        assert [entry["path"] for entry in log.entries(1)] == ["/after"]
        assert rotated.read_text().count("\n") == 2

    def test_standard_output_is_a_destination(self, scenario):
        gateway = scenario.gateway([service("app", scenario.origin())], access_log={"format": "json", "path": "-"})
        gateway.get("/to-stdout")
        wait_until(lambda: "/to-stdout" in gateway.stdout, "the line is printed")
        assert all(json.loads(line) for line in gateway.stdout.splitlines())

    def test_pipe_that_nobody_reads_blocks_nothing_and_drops_are_counted(self, scenario):
        reader, writer = os.pipe()
        nginx = scenario.nginx()
        gateway = scenario.gateway([service("app", nginx)], access_log={"format": "json", "path": "-"}, stdout=writer)
        os.close(writer)
        agent = "User-Agent: " + "x" * 1_000
        try:
            with gateway.client() as client:
                for _ in range(80):
                    # 100 at a time: 8,000 lines of 1,500 bytes are more than pipe and queue hold.
                    client.send(f"GET /small HTTP/1.1\r\nHost: a.test\r\n{agent}\r\n\r\n".encode() * 100)
                    for _ in range(100):
                        assert client.response().status == 200
            dropped = wait_until(
                lambda: gateway.metrics().sum("penstock_access_log_dropped_total"), "lines are dropped and counted")
            assert dropped > 100
        finally:
            os.close(reader)  # the writer's end must not wait for a reader at the stop

    def test_log_that_cannot_be_written_is_reported_and_traffic_goes_on(self, scenario):
        origin = scenario.origin()
        gateway = scenario.gateway([service("app", origin)], access_log={"path": "/dev/full"})
        assert gateway.origins_of(20) == {"origin": 20}
        gateway.wait_for_output("/dev/full")

    def test_log_can_be_moved_by_a_reload(self, scenario):
        log = Log(scenario)
        log.gateway.get("/first")
        log.lines(1)
        log.gateway.configuration["accessLog"]["path"] = "second.log"
        log.gateway.save()
        second = log.gateway.folder / "second.log"
        wait_until(second.exists, "the second file is there")
        wait_until(lambda: log.gateway.get("/second") and second.read_text(), "it is written")
        assert all(json.loads(line)["path"] == "/second" for line in second.read_text().splitlines())


def test_curl_is_logged_with_its_name(scenario):
    log = Log(scenario)
    result = subprocess.run(
        ["curl", "--silent", "--fail", "--max-time", "10", f"http://{log.gateway.address}/curl"], capture_output=True,
        check=False)
    assert result.returncode == 0 and json.loads(result.stdout)["target"] == "/curl"
    assert log.entry()["userAgent"].startswith("curl/")
