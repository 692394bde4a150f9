"""The fuzz targets hold: over the golden mails changed at random, and for a while under the fuzzer itself.

`make fuzz` looks longer. What it found once stands in `found/`, named TARGET-what.
"""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

_HERE = Path(__file__).parent
_SEEDS = [path.read_bytes() for path in sorted((_HERE.parent / "golden/rewrite").glob("*.eml"))]
_WORDS = [
    line[1:-1].encode("latin-1").decode("unicode_escape").encode("latin-1")
    for line in (_HERE / "mail.dict").read_text("latin-1").splitlines()
    if line.startswith('"')
]


def _mutant(chance: random.Random) -> bytes:
    """A piece of a golden mail, cut, doubled and strewn with words."""
    data = bytearray(chance.choice(_SEEDS)[:2_000])
    for _ in range(chance.randint(0, 12)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(4):
            case 0:
                data[at:at] = chance.choice(_WORDS)
            case 1:
                del data[at : at + chance.randint(1, 200)]
            case 2:
                data[at : at + 1] = bytes([chance.randrange(256)])
            case _:
                data[at:at] = data[at : at + chance.randint(1, 200)]
    return bytes(chance.randrange(256) for _ in range(4)) + bytes(data)


# R-IN-06, R-REW-01, R-REW-10
@pytest.mark.parametrize("mutants", [100, pytest.param(2_000, marks=pytest.mark.more)])
@pytest.mark.parametrize("name", TARGETS)
def test_golden_mails_changed_at_random_break_no_promise(name: str, mutants: int) -> None:
    chance = random.Random(name)
    for number in range(mutants):
        data = _mutant(chance)
        try:
            TARGETS[name](data)
        except Exception as error:
            raise AssertionError(f"mutant {number}: {data!r}") from error


@pytest.mark.parametrize("path", sorted((_HERE / "found").glob("*")), ids=lambda path: path.name)
def test_what_the_fuzzer_found_once_is_found_no_more(path: Path) -> None:
    TARGETS[path.name.partition("-")[0]](path.read_bytes())


@pytest.mark.parametrize("runs", [1_000, pytest.param(10_000, marks=pytest.mark.more)])
def test_the_fuzzer_finds_nothing_in_a_short_run(tmp_path: Path, runs: int) -> None:
    pytest.importorskip("atheris", reason="atheris has no wheel for this platform")
    options = [
        f"-runs={runs}",
        "-seed=1",
        f"-dict={_HERE / 'mail.dict'}",
        "-max_len=1024",
        f"-artifact_prefix={tmp_path}/",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--one", "everything", *options],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-3_000:]
    assert "DONE" in done.stderr
