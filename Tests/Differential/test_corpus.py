"""What passes the gateway is read alike by all origins, and what may not pass reaches none of them."""

import re
import time
from collections import defaultdict
from dataclasses import dataclass, field, replace

import pytest

from client import Conversation, converse_all
from corpus import read_corpus
from http2_client import exchange_all
from readings import Reading, departures, disagreements

CASES = read_corpus()
CASES_MIN = 300
TOKEN = re.compile(r"g(\d{4})x")


@dataclass
class Outcome:
    """A case's answers and readings, by origin."""

    statuses: dict[str, list[int]] = field(default_factory=dict)
    received: dict[str, bytes] = field(default_factory=dict)
    readings: dict[str, list[Reading]] = field(default_factory=lambda: defaultdict(list))


def token_of(index: int) -> str:
    """In every request of the case, so that what arrives can be told from the others."""
    return f"g{index:04d}x"


@dataclass
class Run:
    outcomes: list[Outcome]
    # Readings in which no case's token is found.
    strangers: list[str]


@pytest.fixture(scope="module")
def run(rig) -> Run:
    """Everything is sent once, in parallel; each test below looks at one case."""
    outcomes = [Outcome() for _ in CASES]
    before = {name: len(journal) for name, journal in rig.journals().items()}
    jobs = [(index, name) for index in range(len(CASES)) for name in rig.origins]
    plain = [job for job in jobs if not CASES[job[0]].is_http2]
    conversations: list[Conversation] = converse_all(
        [(rig.through[name], CASES[index].segments(token_of(index))) for index, name in plain])
    for (index, name), conversation in zip(plain, conversations):
        outcomes[index].statuses[name] = conversation.statuses + ([] if conversation.was_closed else [-1])
        outcomes[index].received[name] = conversation.received
    streams = [job for job in jobs if CASES[job[0]].is_http2]
    answers = exchange_all([(rig.through[name], CASES[index], token_of(index)) for index, name in streams])
    for (index, name), statuses in zip(streams, answers):
        outcomes[index].statuses[name] = statuses
    return Run(outcomes, collect(rig, outcomes, before))


def collect(rig, outcomes: list[Outcome], before: dict[str, int]) -> list[str]:
    """Attributes the journals' new lines to cases; those that belong to none are returned."""
    time.sleep(0.5)  # an origin that was told too much would write it down about now
    strangers = []
    for name, journal in rig.journals().items():
        address = f"127.0.0.1:{rig.through[name]}"
        for line, reading in journal[before[name]:]:
            found = set(TOKEN.findall(line))
            if len(found) != 1:
                strangers.append(f"{name}: {line}")
                continue
            if reading.host == address:
                reading = replace(reading, host="listener")
            outcomes[int(found.pop())].readings[name].append(reading)
    return strangers


@pytest.mark.parametrize("index", [pytest.param(index, id=case.id) for index, case in enumerate(CASES)])
def test_case(rig, run: Run, index: int):
    case, outcome = CASES[index], run.outcomes[index]
    problems = []
    for name, statuses in outcome.statuses.items():
        expected = case.all_answers
        if name in case.excused:
            continue
        if len(statuses) != len(expected) or any(one not in may for one, may in zip(statuses, expected)):
            problems.append(f"before {name} the answers were {statuses}, not {expected}: "
                            f"{outcome.received.get(name, b'')[:600]!r}")
    wanted = case.readings(token_of(index))
    readings = {name: outcome.readings[name] for name in rig.origins}
    for name in case.excused:
        # What an origin does not take must not shift what it reads of the rest.
        found = readings.pop(name)
        problems += [] if found[-1:] and len(found) <= len(wanted) else [f"{name} lost its place: {found}"]
        problems += departures(name, found[-1:], wanted[-1:])
    for name, found in readings.items():
        problems += departures(name, found, wanted)
    problems += disagreements(readings, case.tolerated)
    assert not problems, f"{case.why}\n" + "\n".join(problems)


def test_nothing_else_arrives(run: Run):
    assert run.strangers == []


def test_strict_parser_finds_nothing_in_what_the_gateway_sends(rig, run: Run):
    assert rig.origins["recorder"].violations == []


def test_gateway_is_well(rig, run: Run):
    rig.gateway.check_health()


def test_corpus_is_large_enough():
    refused = sum(1 for case in CASES if case.is_refused)
    assert len(CASES) >= CASES_MIN and refused >= CASES_MIN // 3 and len(CASES) - refused >= CASES_MIN // 3
