"""What hmac-auth and jwt-auth cost: signatures, beside the bare check of libcrypto, and requests that another service
is asked about or gets a copy of."""

import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "Tests" / "Scenarios"))

from load import run_to_result
from process import BenchError
from programs import built_tool, find_program
from report import judge, print_table, print_verdicts

SCRIPT = Path(__file__).parent / "lua" / "heads.lua"
SECRET = "a-secret-of-thirty-two-characters"
HMAC_MICROSECONDS_MAX = 3.0
# Of the bare check.
VERIFICATION_MAX = 1.15
CONNECTIONS = 64
# What the plugin remembers of tokens, and what each takes beside its text: more tokens than it remembers are shown in
# turn, so that each is verified.
REMEMBERED_BYTES, TOKEN_BYTES = 8 << 20, 192


@dataclass(frozen=True)
class Case:
    name: str
    plugin: dict
    credential: dict
    # A line for each request.
    heads: list[str]
    # Of `bare_checks`; None: the bar is of another kind.
    bare: list[str] | None


class Tokens:
    """As many for one key as it takes that none is remembered when it comes again."""

    def __init__(self, algorithm: str):
        from support.tokens import SigningKey, shared_token, soon
        self.algorithm = algorithm
        self.key = None if algorithm == "HS256" else SigningKey(algorithm, None)
        claims = {"iss": "alice", "exp": soon(86_400), "iat": soon(0), "sub": "9f1c2a4e-77a0", "aud": "shop",
                  "name": "Anna Example"}

        def token(number: int) -> str:
            own = {**claims, "jti": f"{number:08d}"}
            return shared_token(SECRET, **own) if self.key is None else self.key.token(**own)
        first = token(0)
        count = REMEMBERED_BYTES // (len(first) + TOKEN_BYTES) + 1_000
        self.texts = [first, *(token(number) for number in range(1, count))]

    @property
    def credential(self) -> dict:
        if self.key is None:
            return {"key": "alice", "secret": SECRET}
        return {"key": "alice", "algorithm": self.algorithm, "publicKey": self.key.pem}

    def write(self, folder: Path) -> list[str]:
        """The key and the signed texts, as `bare_checks` reads them."""
        from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
        from jwt.utils import base64url_decode
        key, texts = folder / f"key-{self.algorithm}", folder / f"signed-{self.algorithm}"
        key.write_text(SECRET if self.key is None else self.key.pem)
        with texts.open("wb") as file:
            for token in self.texts:
                text, _, encoded = token.rpartition(".")
                signature = base64url_decode(encoded)
                if self.algorithm == "ES256":
                    signature = encode_dss_signature(*(int.from_bytes(half) for half in (signature[:32], signature[32:])))
                for part in (text.encode(), signature):
                    file.write(struct.pack(">I", len(part)) + part)
        return [self.algorithm, str(key), str(texts)]


def hmac_case(path: str) -> Case:
    from support.signing import date, kong
    fields = [("Date", date())]
    signed = kong("GET", path, fields, "date request-line", secret=SECRET)
    return Case("hmac-auth", {"hmac-auth": {"clockSkew": "1d"}}, {"hmac-auth": [{"username": "alice", "secret": SECRET}]},
                [f"Date: {fields[0][1]}|Authorization: {signed}"], None)


def cases(setup: Any, path: str):
    yield hmac_case(path)
    for algorithm in ("HS256", "RS256", "ES256", "EdDSA"):
        tokens = Tokens(algorithm)
        yield Case(f"jwt-auth {algorithm}", {"jwt-auth": {}}, {"jwt-auth": [tokens.credential]},
                   [f"Authorization: Bearer {text}" for text in tokens.texts], tokens.write(setup.folder))


class Load:
    """Shows a server heads in turn, also from one load to the next: so each comes behind all others."""

    def __init__(self, setup: Any, path: str, file: Path):
        self._setup, self._path, self._file = setup, path, file
        self._positions: dict[int, int] = {}

    def run(self, server: Any, seconds: float) -> dict:
        position = self._positions.get(server.port, 0)
        result = run_to_result(
            [find_program("wrk"), "-t", "1", "-c", str(CONNECTIONS), "-d", f"{seconds}s", "-s", str(SCRIPT),
             f"http://127.0.0.1:{server.port}{self._path}", "--", self._path, str(self._file), str(position)],
            int(seconds) + 1, {self._setup.load_core})
        if result["statusErrors"] or result["socketErrors"] or not result["requests"]:
            raise BenchError(f"requests to {server.folder.name} failed, the figures would mean nothing: {result}")
        self._positions[server.port] = position + result["requests"] + CONNECTIONS
        return result


def bare_check(setup: Any, arguments: list[str], seconds: float) -> float:
    """Microseconds, on the proxy's core."""
    return run_to_result([built_tool("bare_checks"), *arguments, str(seconds)], int(seconds) + 1,
                         {setup.proxy_core})["microseconds"]


def run_signatures(setup: Any, path: str) -> None:
    """Each beside a gateway without it that gets the same requests, and the bare check in between."""
    rows = [("plugin", "CPU µs/request", "more user time", "bare check", "beside it")]
    verdicts, figures = [], {}
    for number, case in enumerate(cases(setup, path)):
        file = setup.folder / f"heads-{number}"
        file.write_text("\n".join(case.heads) + "\n")
        consumers = [{"name": "alice", "credentials": case.credential}]
        plain = {"name": "plain", "hosts": ["plain.bench.test"], "service": "app"}
        one = {"name": "one", "hosts": ["h0.bench.test"], "service": "app"}
        without = setup.penstock(f"without-{number}", [plain, one], consumers=consumers)
        server = setup.penstock(f"with-{number}", [plain, {**one, "plugins": case.plugin}], consumers=consumers)
        seconds = 1 if setup.options.quick else 2
        load = Load(setup, path, file)
        rounds = []
        for round_number in range(3 if setup.options.quick else 9):
            costs = [setup.cost_of(each, lambda each=each: load.run(each, seconds))
                     for each in (without, server)]
            bare = bare_check(setup, case.bare, seconds / 2) if case.bare else None
            if round_number > 0:
                rounds.append((*costs, bare))
        more = median(b.user - a.user for a, b, _ in rounds)
        bare = median(one[2] for one in rounds) if case.bare else None
        rows.append((case.name, f"{median(b.total for _, b, _ in rounds):.2f}", f"{more:+.2f}",
                     "" if bare is None else f"{bare:.2f}", "" if bare is None else f"{more - bare:+.2f}"))
        figures[case.name] = {"more": more, "bare": bare}
        if bare is None:
            verdicts.append(judge(f"µs of user time that {case.name} adds", more, HMAC_MICROSECONDS_MAX))
        else:
            verdicts.append(judge(f"first verification with {case.name}, in bare checks", more / bare, VERIFICATION_MAX))
        without.stop()
        server.stop()
    print("\nsignatures: keep-alive, 100-byte response, one worker; no token comes again while it is remembered")
    print_table(rows)
    print_verdicts(verdicts)
    setup.results.add("signatures", figures, verdicts)


ASKED = {"service": "auth", "path": "$request_uri"}
SERVICES = {
    "forward-auth": {"forward-auth": ASKED},
    "forward-auth, remembered": {"forward-auth": {**ASKED, "cache": {"by": ["header:User-Agent"]}}},
    "mirror": {"mirror": {"service": "auth"}},
}


def run_services(setup: Any) -> None:
    """A question or a copy is a request of its own, which has no bar: what it costs beside the request it is for."""
    names = {"none": {}, **SERVICES}
    servers = {
        name: setup.penstock(
            f"asking-{number}",
            [{"name": "plain", "hosts": ["plain.bench.test"], "service": "app"},
             {"name": "one", "hosts": ["h0.bench.test"], "service": "app", "plugins": plugins}],
            services=[{"name": name, "endpoints": [f"127.0.0.1:{setup.origin.port}"]} for name in ("app", "auth")])
        for number, (name, plugins) in enumerate(names.items())}
    rounds: dict[str, list] = {name: [] for name in servers}
    for number in range(3 if setup.options.quick else 8):
        for name, server in servers.items():
            cost = setup.cost(server, 1, 0, 1 if setup.options.quick else 3)
            if number > 0:
                rounds[name].append(cost)
    rows = [("", "CPU µs/request", "of it user", "in requests without")]
    for name, costs in rounds.items():
        ratio = median(a.total / b.total for a, b in zip(costs, rounds["none"], strict=True))
        rows.append((name, f"{median(one.total for one in costs):.2f}", f"{median(one.user for one in costs):.2f}",
                     f"{ratio:.2f}"))
    print("\nservices: requests that another service, on the same origin, is asked about or gets a copy of")
    print_table(rows)
    setup.results.add("services", {name: [vars(one) for one in costs] for name, costs in rounds.items()}, [])
    for server in servers.values():
        server.stop()
