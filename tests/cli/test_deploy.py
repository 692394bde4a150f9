"""What is shipped for operators: the unit and the image, as far as they can be told without systemd and Docker running."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

from relay.cli import main

ROOT = Path(__file__).parents[2]
UNIT = (ROOT / "deploy/relay.service").read_text(encoding="utf-8")
IMAGE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def _is_a_verb(name: str) -> bool:
    return main.get_command(click.Context(main), name) is not None


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    # R-UI-11; the paths of a real installation are not here
    unit = tmp_path / "relay.service"
    unit.write_text(UNIT.replace("/opt/relay/bin/relay", sys.executable), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_unit_starts_a_verb_reloads_by_hup_and_needs_no_root() -> None:
    command = re.search(r"(?m)^ExecStart=.* (\S+)$", UNIT)
    assert command
    assert _is_a_verb(command[1])
    assert "User=relay" in UNIT
    assert "Type=notify" in UNIT
    assert "ExecReload=/bin/kill -HUP" in UNIT


def test_the_image_runs_as_a_user_without_rights_and_its_commands_exist() -> None:
    # R-UI-11
    last_stage = IMAGE[IMAGE.rindex("\nFROM ") :]
    assert re.search(r"(?m)^USER relay$", last_stage)
    assert 'CMD ["relay", "check", "--live"]' in last_stage
    assert 'CMD ["serve"]' in last_stage
    assert _is_a_verb("serve")
    assert _is_a_verb("check")


def test_whatever_the_image_copies_is_sent_to_the_builder() -> None:
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        name.removeprefix("./") for line in re.findall(r"(?m)^COPY (?!--from)(.+) \S+$", IMAGE) for name in line.split()
    }
    assert copied == sent


# R-REC-04
def test_no_dump_of_a_commands_memory_or_of_its_childrens_can_be_written() -> None:
    limit = "import resource; print(resource.getrlimit(resource.RLIMIT_CORE))"
    program = f"""
import ctypes, subprocess, sys
from relay.cli import main
main(["queue", "list", "--help"], standalone_mode=False)
subprocess.run([sys.executable, "-c", {limit!r}], check=True)
print("dumpable", ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert "(0, 0)" in done.stdout
    assert "dumpable 0" in done.stdout
    assert "LimitCORE=0" in UNIT


@pytest.mark.parametrize(
    ("name", "extras"), [("run", ()), ("image", ("pdf", "postgres")), ("dev", ("pdf", "postgres", "dev"))]
)
def test_every_package_is_locked_with_hashes_and_without_a_host(name: str, extras: tuple[str, ...]) -> None:
    lock = (ROOT / f"requirements/{name}.txt").read_text(encoding="ascii")
    assert "://" not in lock
    entries = re.split(r"\n(?=\S)", lock.strip())
    assert not [entry for entry in entries if not re.match(r"\S+==\S+", entry) or "--hash=sha256:" not in entry]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(one for extra in extras for one in project["optional-dependencies"][extra])]
    locked = {_normalized(entry.partition("==")[0]) for entry in entries}
    missing = {_normalized(re.split(r"[\[<>=; ]", one)[0]) for one in wanted} - locked - {"relay"}
    assert not missing, "run `make lock` after a change of the dependencies in pyproject.toml"


def _normalized(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()
