#!/usr/bin/env python3
"""Measures what plugins cost, and how exact limits are, against their bars. README.md says how."""

import argparse
import json
import os
import re
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import ready
from instructions import counted, counting, stripped
from load import run_to_result
from measure import cpu_time
from origin import start_origin, user_directive
from process import BenchError, Server, free_port, raise_descriptor_limit
from plugin_peers import write_envoy, write_nginx_lua
from plugin_signatures import run_services, run_signatures
from programs import find_program
from proxies import REPOSITORY, find_envoy, penstock_binary
from report import Results, judge, print_table, print_verdicts
from run import machine, names_in

SCRIPT = Path(__file__).parent / "lua" / "consumers.lua"
PATH = "/api/small"
CONNECTIONS = 64
DESCRIPTORS = 8_192

# What each plain plugin is set to where it has something to do and lets the request pass.
PLAIN = {
    "acl": {"allow": ["all"]},
    "api-breaker": {"breakResponseCode": 503},
    "bandwidth": {"response": {"rate": "100GiB"}},
    "cors": {"origins": ["https://app.example.com"]},
    "fault": {"abort": {"status": 503, "percentage": "0%"}},
    "headers": {"request": {"set": {"X-Set": "value"}}, "response": {"set": {"X-Set": "value"}}},
    "ip-restriction": {"allow": ["127.0.0.0/8", "10.0.0.0/8"]},
    "key-auth": {},
    "limit-concurrency": {"requests": 10_000},
    "rate-limit": {"limits": [{"requests": 1_000_000_000, "per": "1s"}]},
    "request-id": {},
    "request-size": {"limit": "1MiB"},
    "response-size": {"limit": "1MiB"},
    "traffic-split": {"canary": {"service": "app", "header": "X-Canary"}},
    "rewrite": {"replacePrefix": {"from": "/api", "to": "/v2"}},
    "ua-restriction": {"deny": ["curl", "(?i)bot"]},
}
# Without a consumer there is nothing to do for it; what is measured is both together, less the other alone.
BEHIND = {"acl": "key-auth"}
PLAIN_MICROSECONDS_MAX = 0.2

ROUTES, CONSUMERS = 20_000, 10_000
NGINX_MAX, NGINX_LUA_MAX, ENVOY_MAX = 1.0, 0.65, 0.40
CALLER_LIMIT = 1_000_000

LIMIT, LIMIT_SECONDS, LIMIT_DIFFERENCE_MAX = 1_000, 10, 0.01
GATEWAYS, REDIS_DIFFERENCE_MAX = 3, 0.03

# What is stored, and how much of nginx's CPU a hit may take.
CACHED = {"small": PATH, "64 KiB": "/api/large"}
CACHE_MAX = 0.90

NGINX = """
daemon off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000000;
  {http}
  upstream origin {{ server 127.0.0.1:{origin}; keepalive 128; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://origin; {location} }}
  }}
}}
"""


@dataclass(frozen=True)
class Cost:
    """Of one request, in microseconds of CPU."""

    total: float
    user: float


class Setup:
    """Where everything runs: load and origin on one core, the proxy on another."""

    def __init__(self, folder: Path, options: argparse.Namespace, results: Results, stack: ExitStack):
        self.folder, self.options, self.results, self._stack = folder, options, results, stack
        self.load_core, self.proxy_core = sorted(os.sched_getaffinity(0))[:2]
        self.origin = start_origin("http", folder / "origin", {self.load_core})
        stack.callback(self.origin.stop)

    def penstock(self, name: str, routes: list[dict], workers: int = 1, log: bool = False, counts: bool = False,
                 **more) -> Server:
        """`counts`: its instructions are counted, and it is fifty times as slow."""
        folder = self.folder / name
        folder.mkdir()
        port = free_port()
        configuration = {
            "listeners": [{"name": "web", "address": f"127.0.0.1:{port}"}],
            "admin": {"address": f"127.0.0.1:{free_port()}"},
            "services": [{"name": "app", "endpoints": [f"127.0.0.1:{self.origin.port}"]}],
            "routes": routes, **more}
        if log:
            # Beside the configuration, each write of it would wake the thread that watches the folder.
            (folder / "log").mkdir()
            configuration["accessLog"] = {"path": str(folder / "log" / "access.log")}
        # JSON is YAML too.
        (folder / "penstock.yaml").write_text(json.dumps(configuration))
        cores = {self.proxy_core} if workers == 1 else {self.load_core, self.proxy_core}
        options = ["run", "-c", str(folder / "penstock.yaml"), "--workers", str(workers)]
        if counts:
            command = counting([str(stripped(penstock_binary(), folder)), *options], folder)
        else:
            command = [str(penstock_binary()), *options]
        return self._start(Server("penstock", command, folder, cores, port), "plain.bench.test")

    def nginx(self, name: str = "nginx", http: str = "", location: str = "") -> Server:
        folder = self.folder / name
        folder.mkdir()
        port = free_port()
        (folder / "nginx.conf").write_text(NGINX.format(
            user=user_directive(), folder=folder, origin=self.origin.port, port=port,
            http=http.replace("FOLDER", str(folder)), location=location))
        return self._start_nginx(folder, port)

    def nginx_lua(self, routes: list[str], callers: int) -> Server:
        folder = self.folder / "nginx-lua"
        folder.mkdir()
        port = free_port()
        write_nginx_lua(folder, port, self.origin.port, user_directive(), routes, callers, CALLER_LIMIT)
        return self._start_nginx(folder, port)

    def _start_nginx(self, folder: Path, port: int) -> Server:
        return self._start(Server(
            folder.name, [find_program("nginx"), "-p", str(folder), "-c", "nginx.conf", "-e", str(folder / "error.log")],
            folder, {self.proxy_core}, port), "plain.bench.test")

    def redis(self) -> Server:
        folder = self.folder / "redis"
        folder.mkdir()
        port = free_port()
        server = Server("redis", [find_program("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "",
                                  "--appendonly", "no"], folder, {self.load_core}, port)
        self._stack.callback(server.stop)
        server.wait_until_ready(lambda: redis_status(port))
        return server

    def envoy(self, routes: list[str], callers: int) -> Server:
        folder = self.folder / "envoy"
        folder.mkdir()
        port = free_port()
        write_envoy(folder, port, free_port(), self.origin.port, routes, callers, CALLER_LIMIT)
        return self._start(Server(
            "envoy", [str(find_envoy()), "-c", str(folder / "envoy.json"), "--concurrency", "1", "--disable-hot-restart",
                      "--log-level", "error"], folder, {self.proxy_core}, port), "plain.bench.test")

    def _start(self, server: Server, host: str) -> Server:
        self._stack.callback(server.stop)
        server.wait_until_ready(lambda: ready.status_of("http", server.port, host, PATH))
        return server

    def load(self, server: Server, hosts: int, keys: int, seconds: float, path: str = PATH,
             connections: int = CONNECTIONS) -> dict:
        return run_to_result(
            [find_program("wrk"), "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "-s", str(SCRIPT),
             f"http://127.0.0.1:{server.port}{path}", "--", path, str(hosts), str(keys)],
            int(seconds) + 1, {self.load_core})

    def cost(self, server: Server, hosts: int, keys: int, seconds: float, path: str = PATH) -> Cost:
        return self.cost_of(server, lambda: self.load(server, hosts, keys, seconds, path))

    def cost_of(self, server: Server, load: Callable[[], dict]) -> Cost:
        before = {pid: cpu_time([pid]) for pid in server.pids()}
        result = load()
        time.sleep(0.05)
        # nginx has a process that ends when it has looked through the cache's files.
        used = [cpu_time([pid]).since(before[pid]) for pid in server.pids() if pid in before]
        server.truncate_logs()
        if result["statusErrors"] or result["socketErrors"] or not result["requests"]:
            raise BenchError(f"requests to {server.folder.name} failed, the figures would mean nothing: {result}")
        return Cost(*(sum(times) * 1e6 / result["requests"] for times in (
            [one.total for one in used], [one.user for one in used])))


def consumers(count: int) -> list[dict]:
    return [{"name": f"consumer-{number}", "groups": ["all"],
             "credentials": {"key-auth": [{"key": f"key-of-consumer-{number}"}]}} for number in range(count)]


def plain_plugins() -> dict[str, list[str]]:
    """What a request meets, by the plugin that is measured."""
    return {"none": [], **{name: [BEHIND[name], name] if name in BEHIND else [name] for name in PLAIN}}


def plain_routes(plugins: list[str]) -> list[dict]:
    attached = {plugin: PLAIN[plugin] for plugin in plugins}
    return [{"name": "plain", "hosts": ["plain.bench.test"], "service": "app"},
            {"name": "one", "hosts": ["h0.bench.test"], "service": "app", "plugins": attached}]


def run_plain(setup: Setup) -> None:
    """Each plugin on a gateway of its own, keys are sent to all of them: instructions, by one connection, and what
    time they take where they are not counted."""
    counts: dict[str, float] = {}
    for name, plugins in plain_plugins().items():
        server = setup.penstock(f"plain-{name}", plain_routes(plugins), counts=True, consumers=consumers(1))

        def load(server: Server = server) -> int:
            result = setup.load(server, 1, 1, 2, connections=1)
            if result["statusErrors"] or result["socketErrors"]:
                raise BenchError(f"requests to {server.folder.name} failed: {result}")
            return result["requests"]

        counts[name] = counted(server, load)
        server.stop()
    server = setup.penstock("plain-timed", plain_routes([]), consumers=consumers(1))
    setup.cost(server, 1, 1, 1)
    timed = [setup.cost(server, 1, 1, 1 if setup.options.quick else 2) for _ in range(5)]
    server.stop()
    nanoseconds = median(one.user for one in timed) * 1e3 / counts["none"]
    rows, verdicts = [("plugin", "instructions/request", "more than without", "µs of user time")], []
    for name, count in counts.items():
        more = count - counts[BEHIND.get(name, "none")]
        time_more = more * nanoseconds / 1e3
        rows.append((name, f"{count:,.0f}", f"{more:+,.0f}", f"{time_more:+.2f}"))
        if name != "none":
            verdicts.append(judge(f"µs of user time that {name} adds", time_more, PLAIN_MICROSECONDS_MAX))
    print(f"\nplain: one plugin at a time; {nanoseconds:.2f} ns for an instruction, as without plugins and 64 connections")
    print_table(rows)
    print_verdicts(verdicts)
    setup.results.add("plain", {"instructions": counts, "nanosecondsPerInstruction": nanoseconds}, verdicts)


def run_whole(setup: Setup) -> None:
    """20,000 routes, key-auth with 10,000 consumers, a limit for each, metrics and a log, against nginx with nothing,
    and against nginx with Lua and Envoy with the same."""
    count, callers = (2_000, 1_000) if setup.options.quick else (ROUTES, CONSUMERS)
    plugins = [{"name": "key-auth"},
               {"name": "rate-limit", "limits": [{"requests": CALLER_LIMIT, "per": "1s", "by": ["consumer"]}]}]
    hosts = [f"h{number}.bench.test" for number in range(count)]
    routes = [{"name": f"r{number}", "hosts": [host], "service": "app"} for number, host in enumerate(hosts)]
    routes.append({"name": "plain", "hosts": ["plain.bench.test"], "service": "app",
                   "plugins": {"key-auth": {"enabled": False}}})
    hosts.append("plain.bench.test")
    servers = {
        "penstock": setup.penstock("whole", routes, log=True, consumers=consumers(callers), plugins=plugins),
        "nginx": setup.nginx(),
        "nginx-lua": setup.nginx_lua(hosts, callers),
        "envoy": setup.envoy(hosts, callers),
    }
    rounds: dict[str, list[Cost]] = {name: [] for name in servers}
    # Short turns, there and back: a machine's slow moments are longer than one, and fall upon all.
    for number in range(7 if setup.options.quick else 17):
        for name, server in list(servers.items())[::1 if number % 2 else -1]:
            cost = setup.cost(server, count, callers, 1 if setup.options.quick else 2)
            if number > 0:
                rounds[name].append(cost)
    print(f"\nwhole: {count:,} routes, key-auth with {callers:,} consumers, a rate limit for each, metrics and JSON log; "
          "nginx has none of it")
    print_table([("", "CPU µs/request", "of it user")] + [
        (name, f"{median(one.total for one in costs):.2f}", f"{median(one.user for one in costs):.2f}")
        for name, costs in rounds.items()])
    verdicts = [
        judge(f"CPU / that of {text}",
              median(a.total / b.total for a, b in zip(rounds["penstock"], rounds[peer], strict=True)), limit)
        for peer, text, limit in (("nginx", "nginx without features and log", NGINX_MAX),
                                  ("nginx-lua", "nginx with Lua and the same", NGINX_LUA_MAX),
                                  ("envoy", "Envoy with the same", ENVOY_MAX))]
    print_verdicts(verdicts)
    setup.results.add("whole", {name: [vars(one) for one in costs] for name, costs in rounds.items()}, verdicts)
    for server in servers.values():
        server.stop()


def run_exact(setup: Setup) -> None:
    """Two workers and one limit, offered several times as much: what passes in ten seconds."""
    limit = {"requests": LIMIT, "per": "1s", "burst": LIMIT // 100}
    server = setup.penstock(
        "exact", [{"name": "plain", "hosts": ["plain.bench.test"], "service": "app"},
                  {"name": "one", "hosts": ["h0.bench.test"], "service": "app",
                   "plugins": {"rate-limit": {"limits": [limit | {"by": ["route"]}]}}}], workers=2)
    setup.load(server, 1, 0, 1)
    result = setup.load(server, 1, 0, LIMIT_SECONDS)
    passed = result["requests"] - result["statusErrors"]
    wanted = LIMIT * result["seconds"]
    print(f"\nexact: {LIMIT:,} a second, two workers, {result['requests']:,} requests in {result['seconds']:.1f} s: "
          f"{passed:,} have passed, {wanted:,.0f} were to")
    verdicts = [judge("difference from the limit", abs(passed - wanted) / wanted, LIMIT_DIFFERENCE_MAX)]
    print_verdicts(verdicts)
    setup.results.add("exact", {"passed": passed, "wanted": wanted}, verdicts)
    server.stop()


def run_cache(setup: Setup) -> None:
    """Hits, beside nginx's proxy_cache with its files in memory and open; both say Age or the like in a field."""
    if not str(setup.folder).startswith("/dev/shm"):
        raise BenchError("nginx's files have to be in /dev/shm")
    ours = setup.penstock("cache", [
        {"name": "plain", "hosts": ["plain.bench.test"], "service": "app"},
        {"name": "one", "hosts": ["h0.bench.test"], "service": "app", "plugins": {"cache": {"ttl": "1h"}}}])
    theirs = setup.nginx(
        "nginx-cache",
        "proxy_cache_path FOLDER/cache levels=1:2 keys_zone=all:10m max_size=64m inactive=1h use_temp_path=off; "
        "sendfile on; tcp_nopush on; open_file_cache max=1000 inactive=1h; open_file_cache_valid 1h;",
        "proxy_cache all; proxy_cache_valid 200 1h; proxy_cache_key $scheme$host$request_uri; "
        "add_header X-Cache-Status $upstream_cache_status always;")
    rows = [("", "penstock CPU µs/request", "of it user", "nginx", "of it user", "ratio")]
    verdicts, figures = [], {}
    for name, path in CACHED.items():
        rounds: dict[str, list[Cost]] = {"penstock": [], "nginx": []}
        for number in range(3 if setup.options.quick else 8):
            for which, server in (("penstock", ours), ("nginx", theirs)):
                cost = setup.cost(server, 1, 0, 1 if setup.options.quick else 3, path)
                if number > 0:
                    rounds[which].append(cost)
        ratio = median(a.total / b.total for a, b in zip(rounds["penstock"], rounds["nginx"], strict=True))
        rows.append((name, *(f"{median(value):.2f}" for costs in rounds.values()
                             for value in ([one.total for one in costs], [one.user for one in costs])), f"{ratio:.2f}"))
        verdicts.append(judge(f"CPU of a hit ({name}) / that of nginx's", ratio, CACHE_MAX))
        figures[name] = {which: [vars(one) for one in costs] for which, costs in rounds.items()}
    print("\ncache: hits, keep-alive, one worker")
    print_table(rows)
    print_verdicts(verdicts)
    setup.results.add("cache", figures, verdicts)
    ours.stop()
    theirs.stop()


def run_redis(setup: Setup) -> None:
    """Three gateways and one Redis, all offered several times as much: what passes in ten seconds."""
    store = setup.redis()
    redis = store.port
    limit = {"requests": LIMIT, "per": "1s", "burst": LIMIT // 10, "by": ["header:X-Limit"]}
    plugin = {"limits": [limit], "policy": "redis", "redis": {"host": "127.0.0.1", "port": redis},
              "whenRedisIsGone": "refuse"}
    routes = [{"name": "plain", "hosts": ["plain.bench.test"], "service": "app"},
              {"name": "one", "hosts": ["h0.bench.test"], "service": "app", "plugins": {"rate-limit": plugin}}]
    servers = [setup.penstock(f"redis-{number}", routes, workers=2) for number in range(1, GATEWAYS + 1)]
    with ThreadPoolExecutor(GATEWAYS) as pool:
        list(pool.map(lambda server: setup.load(server, 1, 0, 1), servers))
        asked = commands_of(redis)
        results = list(pool.map(lambda server: setup.load(server, 1, 0, LIMIT_SECONDS), servers))
        asked = commands_of(redis) - asked
    requests = sum(result["requests"] for result in results)
    passed = requests - sum(result["statusErrors"] for result in results)
    seconds = max(result["seconds"] for result in results)
    wanted = LIMIT * seconds
    print(f"\nredis: {LIMIT:,} a second, {GATEWAYS} gateways with two workers each and one Redis, {requests:,} requests "
          f"in {seconds:.1f} s: {passed:,} have passed, {wanted:,.0f} were to; Redis was asked {asked:,} times")
    verdicts = [judge("difference from the limit", abs(passed - wanted) / wanted, REDIS_DIFFERENCE_MAX)]
    print_verdicts(verdicts)
    setup.results.add("redis", {"passed": passed, "wanted": wanted, "requests": requests, "asked": asked}, verdicts)
    for server in [*servers, store]:
        server.stop()


def ask_redis(port: int, command: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(command + b"\r\n")
        return connection.recv(65_536)


def redis_status(port: int) -> str:
    """As that of an answer of HTTP."""
    try:
        return "PING 200" if ask_redis(port, b"PING") == b"+PONG\r\n" else "another answer"
    except OSError as error:
        return str(error)


def commands_of(port: int) -> int:
    """Calls of scripts so far."""
    found = re.search(rb"cmdstat_evalsha:calls=(\d+)", ask_redis(port, b"INFO commandstats"))
    return int(found.group(1)) if found else 0


PARTS = {"plain": run_plain, "whole": run_whole, "signatures": lambda setup: run_signatures(setup, PATH),
         "services": run_services, "exact": run_exact, "redis": run_redis, "cache": run_cache}


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less of everything: a look, not a result")
    parser.add_argument("--only", type=names_in(list(PARTS)), default=list(PARTS), metavar="A,B",
                        help=", ".join(PARTS))
    parser.add_argument("--json", type=Path, default=REPOSITORY / "build" / "bench" / "plugins.json",
                        help="where the results go")
    return parser.parse_args()


def main() -> int:
    options = parse_options()
    results = Results(machine())
    folder = Path(tempfile.mkdtemp(prefix="plugins-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
    try:
        if not penstock_binary().is_file():
            raise BenchError(f"no binary at {penstock_binary()}: `make build`, or set PENSTOCK_BINARY")
        if len(os.sched_getaffinity(0)) < 2:
            raise BenchError("two cores are needed")
        raise_descriptor_limit(DESCRIPTORS)
        with ExitStack() as stack:
            setup = Setup(folder, options, results, stack)
            for name in options.only:
                PARTS[name](setup)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    finally:
        results.write(options.json)
        shutil.rmtree(folder, ignore_errors=True)
    results.print_bars()
    print(f"\nresults: {options.json}")
    return 0 if results.print_summary() else 1


if __name__ == "__main__":
    sys.exit(main())
