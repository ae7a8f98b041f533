"""Medians, ratios paired by round, tables and verdicts."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from scenarios import Scenario


@dataclass(frozen=True)
class Round:
    """One proxy's figures in one round."""

    cpu_microseconds: float
    user_microseconds: float
    system_microseconds: float
    requests_per_second: float
    p50_microseconds: float | None  # None where the load does not tell
    p99_microseconds: float | None
    busy: float  # CPU seconds per second of the round


@dataclass(frozen=True)
class Verdict:
    """Whether a measured value is within its bar; `passed` is None where nothing was measured."""

    what: str
    value: float | None
    limit: float
    passed: bool | None


def paired_ratio(ours: list[Round], theirs: list[Round]) -> float:
    """The median over rounds of our CPU per request as a share of theirs in the same round."""
    return median(a.cpu_microseconds / b.cpu_microseconds for a, b in zip(ours, theirs, strict=True))


def paired_user_ratio(ours: list[Round], theirs: list[Round]) -> float:
    """The same for user time. The kernel's tick sees it only roughly, so the rounds are added up."""
    return sum(one.user_microseconds for one in ours) / sum(one.user_microseconds for one in theirs)


def judge(what: str, value: float | None, limit: float) -> Verdict:
    return Verdict(what, value, limit, None if value is None else value <= limit)


def scenario_verdicts(scenario: Scenario, rounds: dict[str, list[Round]]) -> list[Verdict]:
    ours = rounds.get("penstock")
    kinds = [("CPU", scenario.bars, paired_ratio), ("user time", scenario.user_bars, paired_user_ratio)]
    return [
        judge(f"{what} / {peer}'s", ratio(ours, rounds[peer]) if ours and peer in rounds else None, bar)
        for what, bars, ratio in kinds for peer, bar in bars.items()]


COLUMNS = ("proxy", "CPU µs/request", "lowest-highest", "user", "system", "penstock/it", "requests/s",
           "p50 µs", "p99 µs", "busy")


def print_scenario(title: str, rounds: dict[str, list[Round]], verdicts: list[Verdict]) -> None:
    print(f"\n{title}")
    rows = [COLUMNS]
    ours = rounds.get("penstock")
    for name, results in rounds.items():
        cpu = [r.cpu_microseconds for r in results]
        rows.append((
            name, f"{median(cpu):.2f}", f"{min(cpu):.2f}-{max(cpu):.2f}",
            f"{median(r.user_microseconds for r in results):.2f}",
            f"{median(r.system_microseconds for r in results):.2f}",
            f"{paired_ratio(ours, results):.3f}" if ours and name != "penstock" else "",
            f"{median(r.requests_per_second for r in results):,.0f}",
            median_text([r.p50_microseconds for r in results]),
            median_text([r.p99_microseconds for r in results]),
            f"{median(r.busy for r in results):.0%}"))
    print_table(rows)
    print_verdicts(verdicts)


def median_text(values: list[float | None]) -> str:
    return "" if None in values else f"{median(values):,.0f}"


def print_table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        first = row[0].ljust(widths[0])
        print("  " + "  ".join([first] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]))


def print_verdicts(verdicts: list[Verdict]) -> None:
    for verdict in verdicts:
        word = {True: "pass", False: "FAIL", None: "not measured"}[verdict.passed]
        value = "" if verdict.value is None else f"{verdict.value:.3f}, "
        print(f"  {word}: {verdict.what}: {value}at most {verdict.limit:g}", flush=True)


class Results:
    """Everything measured in a run, for people and for programs."""

    def __init__(self, machine: dict):
        self._document = {"machine": machine, "scenarios": {}}
        self._verdicts: list[tuple[str, Verdict]] = []

    def add(self, scenario: str, measured: dict, verdicts: list[Verdict]) -> None:
        self._document["scenarios"][scenario] = {
            "measured": measured, "verdicts": [asdict(verdict) for verdict in verdicts]}
        self._verdicts += [(scenario, verdict) for verdict in verdicts]

    def write(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(self._document, indent=2) + "\n")

    def print_bars(self) -> None:
        """Every bar of the run in one table."""
        if not self._verdicts:
            return
        words = {True: "held", False: "NOT HELD", None: "not measured"}
        print()
        print_table([("scenario", "bar", "at most", "measured", "")] + [
            (name, verdict.what, f"{verdict.limit:g}",
             "" if verdict.value is None else f"{verdict.value:.3f}", words[verdict.passed])
            for name, verdict in self._verdicts])

    def print_summary(self) -> bool:
        """Prints how many bars were held; returns whether none was missed."""
        failed = [(name, verdict) for name, verdict in self._verdicts if verdict.passed is False]
        passed = sum(verdict.passed is True for _, verdict in self._verdicts)
        unmeasured = sum(verdict.passed is None for _, verdict in self._verdicts)
        print(f"\n{passed} bars held, {len(failed)} missed, {unmeasured} not measured")
        for name, verdict in failed:
            print(f"  missed: {name}: {verdict.what}: {verdict.value:.3f}, at most {verdict.limit:g}")
        return not failed
