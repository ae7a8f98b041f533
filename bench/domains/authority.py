"""Many domains, each with a certificate and a key of its own, made once and kept under build/."""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from process import BenchError
from programs import BUILT, built_tool

FOLDER = BUILT.parent / "domains"
ALTERNATES = 2_000
MAKING_SECONDS_MAX = 900
DAYS_KEPT = 60  # of the 90 that the certificates are valid


@dataclass(frozen=True)
class Domain:
    """A host, its chain (leaf and intermediate) and its key as PEM."""

    name: str
    host: str
    chain: str
    key: str

    def leaf_digest(self) -> str:
        """SHA-256 of the leaf, as `activation_probe` wants it."""
        body = self.chain.partition("-----END")[0].partition("-----\n")[2]
        return hashlib.sha256(base64.b64decode(body)).hexdigest()


class Domains:
    """The domains of a run, by number. Lines are read when they are asked for: the file has 1.5 KB for each."""

    def __init__(self, count: int):
        self.folder = made_folder(count)
        self.count = count
        self.intermediate = (self.folder / "intermediate.pem").read_text()
        self._files = {name: IndexedLines(self.folder / f"{name}.jsonl") for name in ("domains", "alternates")}

    def __getitem__(self, number: int) -> Domain:
        return self._domain("domains", number)

    def alternate(self, number: int) -> Domain:
        """The same host with another certificate and key; of the first `ALTERNATES`."""
        return self._domain("alternates", number)

    def _domain(self, file: str, number: int) -> Domain:
        record = json.loads(self._files[file].line(number))
        host = record["host"]
        return Domain(host.partition(".")[0], host, record["certificate"] + self.intermediate, record["key"])


class IndexedLines:
    """Lines of a large file, by number."""

    def __init__(self, path: Path):
        self._file = open(path, "rb")
        self._offsets = [0]
        for line in self._file:
            self._offsets.append(self._offsets[-1] + len(line))

    def line(self, number: int) -> bytes:
        self._file.seek(self._offsets[number])
        return self._file.readline()


def made_folder(count: int) -> Path:
    """A folder with at least `count` domains whose certificates stay valid for a while."""
    for folder in sorted(FOLDER.glob("[0-9]*"), key=lambda folder: int(folder.name)):
        age_days = (time.time() - (folder / "root.pem").stat().st_mtime) / 86_400
        if age_days > DAYS_KEPT:
            shutil.rmtree(folder)
        elif int(folder.name) >= count:
            return folder
    return make_domains(count)


def make_domains(count: int) -> Path:
    print(f"making {count:,} keys and certificates (once; they are kept in {FOLDER})", flush=True)
    unfinished, folder = FOLDER / f"unfinished-{os.getpid()}", FOLDER / str(count)
    unfinished.mkdir(parents=True)
    threads = str(len(os.sched_getaffinity(0)))
    result = subprocess.run(
        [built_tool("make_certificates"), str(unfinished), str(count), str(min(ALTERNATES, count)), threads],
        capture_output=True, text=True, timeout=MAKING_SECONDS_MAX, check=False)
    if result.returncode != 0:
        shutil.rmtree(unfinished)
        raise BenchError(f"make_certificates failed:\n{result.stderr}")
    unfinished.rename(folder)
    return folder
