"""Programs that a run needs: those of Debian, and those in `tools/`, which are built here."""

import shutil
import subprocess
from pathlib import Path

from process import BenchError

SOURCES = Path(__file__).resolve().parent / "tools"
BUILT = SOURCES.parent.parent / "build" / "bench" / "tools"
OPTIONS = ["-std=gnu17", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror"]
LIBRARIES = ["-lssl", "-lcrypto"]


def find_program(name: str) -> str:
    program = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise BenchError(f"{name} is not installed: scripts/bootstrap bench")
    return program


def built_tool(name: str) -> str:
    """The program of `tools/NAME.c`, built when the sources are newer."""
    program, sources = BUILT / name, [SOURCES / f"{name}.c", SOURCES / "common.h"]
    newest = max(source.stat().st_mtime for source in sources)
    if not program.exists() or program.stat().st_mtime < newest:
        BUILT.mkdir(parents=True, exist_ok=True)
        result = subprocess.run(
            [find_program("gcc"), *OPTIONS, "-o", str(program), str(sources[0]), *LIBRARIES],
            capture_output=True, text=True, timeout=60, check=False)
        if result.returncode != 0:
            raise BenchError(f"tools/{name}.c does not compile:\n{result.stderr}")
    return str(program)
