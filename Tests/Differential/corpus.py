"""The corpus: what is sent, what is to come of it, and why the case exists."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from notation import NotationError, decode, fill, join_lines, segments

CASES = Path(__file__).resolve().parent / "cases"
_CASE = re.compile(r"case ([a-z0-9][a-z0-9.-]*): ([0-9a-z| ]+)")
_READS = re.compile(r"reads (\S+) (\S+)(?: (\S+))?")
# The last request of each connection: it is answered only if everything before was read as meant.
LAST_REQUEST = "GET /{0}-last HTTP/1.1\r\nHost: {0}.test\r\nConnection: close\r\n\r\n"


@dataclass
class Expected:
    """A request as every origin has to read it."""

    method: str
    target: str
    host: str
    body: str = ""
    fields: list[tuple[str, str]] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)


@dataclass
class Case:
    """One connection's bytes and their outcome."""

    family: str
    name: str
    # For each answer, in order, the statuses that it may have; 0 is a stream of HTTP/2 that was reset.
    answers: list[set[int]]
    # After the answers the connection ends, though a further request was sent.
    ends: bool = False
    # The connection goes on though a request was refused.
    goes_on: bool = False
    # Nothing follows these bytes: what is missing never comes.
    is_bare: bool = False
    is_http2: bool = False
    why: str = ""
    decoded: str = ""
    fields: list[tuple[str, str]] = field(default_factory=list)
    trailers: list[tuple[str, str]] = field(default_factory=list)
    content: str | None = None
    expected: list[Expected] = field(default_factory=list)
    # Origins that may leave a field out that others read, with the reason.
    tolerated: dict[str, str] = field(default_factory=dict)
    # Origins that do not take such a request at all, with the reason.
    excused: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return f"{self.family}/{self.name}"

    @property
    def is_refused(self) -> bool:
        return not self.expected

    def segments(self, token: str) -> list[bytes]:
        """What the client sends, the last request included."""
        pieces = segments(self.decoded, token)
        if not self.is_bare:
            pieces[-1] += LAST_REQUEST.format(token).encode()
        return pieces

    @property
    def all_answers(self) -> list[set[int]]:
        """Those to the case and, where the connection goes on, that to the last request."""
        is_well = not self.ends and not self.is_bare and all(map(_is_passed, self.answers))
        goes_on = self.goes_on or self.is_http2 or is_well
        return self.answers + ([{200}] if goes_on else [])

    def readings(self, token: str) -> list[Expected]:
        """The expected requests, the last one included."""
        found = [
            Expected(one.method, fill(one.target, token), fill(one.host, token), fill(one.body, token),
                     [(name, fill(value, token)) for name, value in one.fields], one.absent)
            for one in self.expected]
        if len(self.all_answers) > len(self.answers):
            found.append(Expected("GET", f"/{token}-last", f"{token}.test"))
        return found


def _is_passed(statuses: set[int]) -> bool:
    return all(200 <= status < 300 for status in statuses)


@dataclass
class _Template:
    lines: list[str] = field(default_factory=list)
    expected: list[Expected] = field(default_factory=list)


class _Reader:
    """Reads one file."""

    def __init__(self, file: Path):
        self.family = file.stem
        self.cases: list[Case] = []
        self.is_http2 = file.stem.startswith("http2")
        self.template = _Template()
        self.case: Case | None = None
        self.inserted: list[str] = []
        self.whole: list[str] = []
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            try:
                self.take(line)
            except (NotationError, ValueError, AttributeError, IndexError) as error:
                raise ValueError(f"{file}:{number}: {error}") from error
        self.end_case()

    def take(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        if not line or word == "#":
            return
        if word == "template":
            self.end_case()
            self.template = _Template()
        elif word == "case":
            self.end_case()
            self.begin_case(line)
        elif word == "reads":
            self.take_expected(line)
        elif word in ("body", "field", "lacks"):
            self.take_detail(word, rest)
        elif word == "|":
            (self.whole if self.case else self.template.lines).append(rest)
        elif self.case is None:
            raise ValueError(f"'{word}' outside of a case")
        else:
            self.take_part(word, rest)

    def take_part(self, word: str, rest: str) -> None:
        case = self.case
        assert case is not None
        if word == "why":
            case.why = (case.why + " " + rest).strip()
        elif word in ("+", "=", "-", "trailer"):
            self.inserted.append(f"{word} {rest}")
        elif word == "content":
            case.content = decode(rest)
        elif word == "tolerates":
            origin, _, reason = rest.partition(": ")
            case.tolerated[origin] = reason
        elif word == "excuses":
            origin, _, reason = rest.partition(": ")
            case.excused[origin] = reason
        else:
            raise ValueError(f"there is no '{word}'")

    def begin_case(self, line: str) -> None:
        name, outcome = _CASE.fullmatch(line).groups()
        words = outcome.split()
        answers = [{0 if status == "reset" else int(status) for status in word.split("|")}
                   for word in words if word not in ("end", "bare", "on")]
        self.case = Case(self.family, name, answers, ends="end" in words, goes_on="on" in words,
                         is_bare="bare" in words, is_http2=self.is_http2)
        self.inserted, self.whole = [], []

    def take_expected(self, line: str) -> None:
        method, target, host = _READS.fullmatch(line).groups()
        one = Expected(method, decode(target), decode(host or "@.test"))
        (self.case.expected if self.case else self.template.expected).append(one)

    def take_detail(self, word: str, rest: str) -> None:
        one = (self.case.expected if self.case else self.template.expected)[-1]
        if word == "body":
            one.body = decode(rest)
        elif word == "field":
            name, _, value = rest.partition(":")
            one.fields.append((name, decode(value[1:])))
        else:
            one.absent.append(rest)

    def end_case(self) -> None:
        case = self.case
        if case is None:
            return
        self.case = None
        if not case.why:
            raise ValueError(f"{case.name} does not say why it exists")
        if case.is_http2:
            self.compose_fields(case)
        else:
            lines: list[str] = []
            inserted = [line[2:] for line in self.inserted]
            for line in self.whole or self.template.lines:
                lines += inserted if line == "%" else [line]
            case.decoded = join_lines(lines)
        passed = sum(map(_is_passed, case.answers))
        if passed and not case.expected:
            case.expected = list(self.template.expected)
        if passed != len(case.expected):
            raise ValueError(f"{case.name}: {passed} answers of 200, {len(case.expected)} requests to be read")
        self.cases.append(case)

    def compose_fields(self, case: Case) -> None:
        fields = [_pair(line) for line in self.whole or self.template.lines]
        for line in self.inserted:
            word, _, rest = line.partition(" ")
            if word == "+":
                fields.append(_pair(rest))
            elif word == "=":
                name, value = _pair(rest)
                fields = [(one, value if one == name else old) for one, old in fields]
            elif word == "-":
                fields = [pair for pair in fields if pair[0] != rest]
            else:
                case.trailers.append(_pair(rest))
        case.fields = fields


def _pair(line: str) -> tuple[str, str]:
    """`name: value`; a name may begin with a colon, and its escapes are resolved."""
    at = line.find(": ", 1)
    if at < 0:
        return decode(line.removesuffix(":")), ""
    return decode(line[:at]), decode(line[at + 2:])


def read_corpus(folder: Path = CASES) -> list[Case]:
    """All cases; names are unique in their family."""
    cases: list[Case] = []
    for file in sorted(folder.glob("*.txt")):
        cases += _Reader(file).cases
    seen: set[str] = set()
    for case in cases:
        if case.id in seen:
            raise ValueError(f"{case.id} stands there twice")
        seen.add(case.id)
    return cases
