"""The examples in docs/plugins do what they say: each page's configuration is started, and its commands are run."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from support.client import try_get
from support.ports import free_port
from support.programs import penstock_binary

PAGES = sorted((Path(__file__).parents[2] / "docs" / "plugins").glob("*.md"))
EXAMPLES = [page for page in PAGES if "```console" in page.read_text()]
GATEWAY, ORIGIN = "127.0.0.1:8080", "127.0.0.1:9000"
# Of examples with two services.
OTHER_ORIGIN = re.compile(r"penstock origin --port 9001 --name (\w+)")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def steps(console: str) -> list[tuple[str, list[str]]]:
    """Each command with the lines that its output has."""
    found: list[tuple[str, list[str]]] = []
    for line in console.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


def check(command: str, wanted: list[str], output: str) -> None:
    """The lines in their order; where `...` stands between two, there may be others."""
    lines = [line.rstrip() for line in output.rstrip().splitlines()]
    position, may_skip = 0, False
    for line in wanted:
        if line.strip() == "...":
            may_skip = True
            continue
        place = lines.index(line.rstrip(), position) if line.rstrip() in lines[position:] else None
        assert place is not None and (may_skip or place == position), \
            f"{command}\nwanted {line!r} at line {position + 1} of:\n{output}"
        position, may_skip = place + 1, False
    assert may_skip or position == len(lines), f"{command}\nfurther lines:\n{output}"


def test_every_plugin_has_a_page(shared):
    listed = subprocess.run([penstock_binary(), "plugins"], capture_output=True, text=True, check=True)
    rows = [line.split()[:2] for line in listed.stdout.splitlines()]
    names = {name for name, _ in rows}
    assert names, listed
    assert names == {page.stem for page in PAGES} - {"README"} == {page.stem for page in EXAMPLES}
    # In their order, as the table says.
    readme = next(page for page in PAGES if page.stem == "README").read_text()
    assert re.findall(r"^\| (\d+) \| \[([a-z-]+)\]", readme, re.M) == [(priority, name) for name, priority in rows]


@pytest.mark.parametrize("page", EXAMPLES, ids=[page.stem for page in EXAMPLES])
def test_example(page, scenario, tmp_path):
    text = page.read_text()
    [configuration] = blocks(text, "yaml")[-1:]
    name = re.search(r"penstock origin --port 9000 --name (\w+)", text)
    origin = scenario.echo_origin(name=name[1] if name else "origin")
    port = free_port()
    replaced = {GATEWAY: f"127.0.0.1:{port}", ORIGIN: origin.address}
    if other := OTHER_ORIGIN.search(text):
        replaced["127.0.0.1:9001"] = scenario.echo_origin(name=other[1]).address

    def adapted(text: str) -> str:
        for written, real in replaced.items():
            text = text.replace(written, real)
        return text

    file = tmp_path / "example.yaml"
    file.write_text(adapted(configuration))
    program = scenario.program([penstock_binary(), "run", "-c", str(file)], "penstock")
    program.wait_until_ready(lambda: try_get(port) is not None)
    for command, wanted in steps("".join(blocks(text, "console"))):
        arguments = shlex.split(adapted(command))
        assert arguments[0] == "curl", command
        ran = subprocess.run(arguments, capture_output=True, text=True, timeout=30, cwd=tmp_path, check=False)
        check(command, [adapted(line) for line in wanted], ran.stdout)
