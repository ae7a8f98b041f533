"""Requests that nobody thought of: whatever of them passes the gateway is read alike, and leaves in one form.

MUTANTS sets their number, SEED which ones; a failure names both and shows the bytes.
"""

import os
import re
import time
from collections import defaultdict
from dataclasses import replace

import pytest

import summary
from client import converse_all
from corpus import read_corpus
from mutation import Mutator
from readings import Reading

MUTANTS = int(os.environ.get("MUTANTS", "250"))
SEED = int(os.environ.get("SEED", "1"))
PASSED_MIN_OF_100 = 5
TOKEN = re.compile(r"m(\d{6})x")


def token_of(index: int) -> str:
    return f"m{index:06d}x"


def common(reading: Reading, listener: str) -> tuple:
    """Without what is known to differ: the listener's address for a host, and the sign of an empty query."""
    host = "listener" if reading.host == listener else reading.host
    return replace(reading, host=host, target=reading.target.removesuffix("?")).boundaries


def is_part(found: list, whole: list) -> bool:
    """Whether all of `found` stands in `whole`, in this order."""
    rest = iter(whole)
    return all(one in rest for one in found)


@pytest.fixture(scope="module")
def outcome(rig):
    """The bytes, and by mutant and origin the statuses and what was read, but for the asterisk."""
    mutator = Mutator(read_corpus(), SEED)
    mutants = [mutator.mutant(token_of(index)) for index in range(MUTANTS)]
    before = {name: len(journal) for name, journal in rig.journals().items()}
    jobs = [(index, name) for index in range(MUTANTS) for name in rig.origins]
    conversations = converse_all([(rig.through[name], [mutants[index]]) for index, name in jobs])
    statuses = {job: conversation.statuses for job, conversation in zip(jobs, conversations)}
    time.sleep(0.5)  # an origin that was told too much would write it down about now
    found = defaultdict(list)
    for name, journal in rig.journals().items():
        listener = f"127.0.0.1:{rig.through[name]}"
        for line, reading in journal[before[name]:]:
            # Apache answers the asterisk itself, and nginx refuses it.
            if reading.target != "*" and (number := TOKEN.search(line)):
                found[int(number[1]), name].append(common(reading, listener))
    return mutants, statuses, found


def test_mutants_that_pass_are_read_alike(rig, outcome):
    mutants, statuses, found = outcome
    problems = []
    for index, name in statuses:
        # What the strict parser finds is how it was meant; origins may refuse some of it, and no more than that.
        whole, part = found[index, "recorder"], found[index, name]
        answered = statuses[index, name].count(200)
        is_all = answered == statuses[index, "recorder"].count(200)
        if not is_part(part, whole) or is_all and part != whole:
            problems.append(f"mutant {index} of seed {SEED}: {name} read {part}, the recorder {whole}; "
                            f"{statuses[index, name]}: {mutants[index]!r}")
    passed = sum(bool(found[index, "recorder"]) for index in range(MUTANTS))
    summary.lines.append(f"of {MUTANTS} mutants of seed {SEED}, {passed} pass the gateway at least in part")
    assert not problems, "\n".join(problems)
    assert passed >= MUTANTS * PASSED_MIN_OF_100 // 100
    assert rig.origins["recorder"].violations == []
    rig.gateway.check_health()
