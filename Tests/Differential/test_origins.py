"""The corpus sent to the origins without the gateway: a corpus that all read alike would prove nothing."""

import re
import time

import pytest

import summary
from client import SILENCE_SECONDS, converse_all
from corpus import Case, read_corpus
from readings import Reading, departures, disagreements

CASES = [case for case in read_corpus() if not case.is_http2]
TOKEN = re.compile(r"d(\d{4})x")
# Far below what is found; versions of the servers differ in what they still take.
DIFFERING_MIN = 150
TAKEN_DIFFERENTLY_MIN = 30
FAILING_MIN = 200

Readings = dict[str, list[Reading]]


def token_of(index: int) -> str:
    return f"d{index:04d}x"


@pytest.fixture(scope="module")
def direct(rig) -> list[Readings]:
    """For each case what each origin read: those that read with a parser that others wrote."""
    names = [name for name in rig.origins if name != "recorder"]
    converse_all([(rig.origins[name].port, case.segments(token_of(index)))
                  for index, case in enumerate(CASES) for name in names], SILENCE_SECONDS)
    time.sleep(0.5)  # what was read last is written down about now
    found: list[Readings] = [{name: [] for name in names} for _ in CASES]
    journals = rig.journals()
    for name in names:
        for line, reading in journals[name]:
            for number in set(TOKEN.findall(line)):
                found[int(number)][name].append(reading)
    return found


def boundaries(found: list[Reading]) -> tuple:
    return tuple(one.boundaries for one in found)


def test_origins_disagree(direct):
    """Printed, and at least so often that the corpus means something."""
    differing = [case for case, readings in zip(CASES, direct) if len(set(map(boundaries, readings.values()))) > 1]
    taken = [case for case, readings in zip(CASES, direct)
             if len({boundaries(found) for found in readings.values() if found}) > 1]
    summary.lines.append(
        f"without the gateway, {len(differing)} of {len(CASES)} cases are read differently by {len(direct[0])} "
        f"origins, {len(taken)} of them even by origins that each take a part")
    families = sorted({case.family for case in CASES})
    summary.lines.append("  by family: " + ", ".join(
        f"{family} {sum(case.family == family for case in differing)}" for family in families))
    assert len(differing) >= DIFFERING_MIN
    assert len(taken) >= TAKEN_DIFFERENTLY_MIN


def problems_of(case: Case, index: int, readings: Readings) -> list[str]:
    """What the check of the gateway's cases would say to these readings."""
    wanted = case.readings(token_of(index))
    return [problem for name, found in readings.items() for problem in departures(name, found, wanted)] + (
        disagreements(readings, case.tolerated))


def test_check_fails_without_the_gateway(direct):
    """The comparison that all cases pass behind the gateway fails for most of them without it."""
    failing = [case.id for index, (case, readings) in enumerate(zip(CASES, direct))
               if problems_of(case, index, readings)]
    summary.lines.append(f"  the check that every case passes behind the gateway fails for {len(failing)} without it")
    assert len(failing) >= FAILING_MIN


@pytest.mark.parametrize("name", ["transfer-encoding/in-http10", "lines/space-before-colon", "hosts/twice"])
def test_known_disagreement_is_found(direct, name):
    """Servers of today differ here, and the comparison says so."""
    index = next(index for index, case in enumerate(CASES) if case.id == name)
    assert disagreements(direct[index])
