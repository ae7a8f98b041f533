"""Reading what /metrics says, strictly: the text format of Prometheus, version 0.0.4."""

import re
from dataclasses import dataclass

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"'
NUMBER = r"NaN|[+-]?(?:Inf|[0-9.]+(?:e[+-]?[0-9]+)?)"
SAMPLE = re.compile(rf"({NAME})(?:\{{((?:{LABEL},?)*)\}})? ({NUMBER})(?: -?\d+)?", re.I)
TYPES = {"counter", "gauge", "histogram", "summary", "untyped"}
SUFFIXES = ("_bucket", "_sum", "_count")


@dataclass(frozen=True)
class Sample:
    name: str
    labels: tuple[tuple[str, str], ...]
    value: float

    def label(self, name: str) -> str | None:
        return dict(self.labels).get(name)


class Metrics:
    """All samples of one answer. Raises `AssertionError` for text that is not in the format."""

    def __init__(self, text: str):
        self.text = text
        self.types: dict[str, str] = {}
        self.samples: list[Sample] = []
        seen: set[tuple] = set()
        assert text.endswith("\n"), "the last line has no end"
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                assert kind in TYPES and name not in self.types, line
                self.types[name] = kind
            elif line and not line.startswith("#"):
                sample = self._read(line)
                assert (sample.name, sample.labels) not in seen, f"twice: {line}"
                seen.add((sample.name, sample.labels))
                assert self.family(sample.name) in self.types, f"no TYPE before: {line}"
                self.samples.append(sample)

    @staticmethod
    def _read(line: str) -> Sample:
        found = SAMPLE.fullmatch(line)
        assert found, f"not a sample: {line!r}"
        labels = re.findall(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"', found[2] or "")
        return Sample(found[1], tuple(labels), float(found[3]))

    def family(self, name: str) -> str:
        for suffix in SUFFIXES:
            base = name.removesuffix(suffix)
            if base != name and self.types.get(base) in ("histogram", "summary"):
                return base
        return name

    def named(self, name: str, **labels: str) -> list[Sample]:
        return [sample for sample in self.samples if sample.name == name
                and all(sample.label(key) == value for key, value in labels.items())]

    def sum(self, name: str, **labels: str) -> float:
        """The sum over all samples of this name with these labels; fails for a name that does not exist."""
        assert self.family(name) in self.types, f"no metric {name}; there are {sorted(self.types)}"
        return sum(sample.value for sample in self.named(name, **labels))
