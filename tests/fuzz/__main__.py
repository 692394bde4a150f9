"""`python -m tests.fuzz SECONDS [TARGET ...]`: each target under Google's fuzzer (atheris, libFuzzer) for that long.

What it has found stays in `var/fuzz/` and is where the next run begins; an input that breaks a promise is written there
too, and ends the run. `python -m tests.fuzz --one TARGET OPTIONS` is one of these runs, with libFuzzer's own options.
"""

import subprocess
import sys
from pathlib import Path

_HERE = Path(__file__).parent
_SEEDS = _HERE.parent / "golden/rewrite"
_FOUND = Path("var/fuzz")
_SLOWEST_S = 10


def _one(target: str, options: list[str]) -> None:
    """Never returns: the fuzzer ends the process."""
    import atheris  # noqa: PLC0415 - before what it is to watch

    with atheris.instrument_imports(include=["relay"]):
        from tests.fuzz import targets  # noqa: PLC0415 - likewise
    test = targets.everything if target == "everything" else targets.TARGETS[target]
    atheris.Setup([sys.argv[0], *options], test)
    atheris.Fuzz()


def _all(seconds: int, wanted: list[str]) -> int:
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - not in a process that is instrumented

    failed = []
    for target in wanted or TARGETS:
        corpus = _FOUND / target
        corpus.mkdir(parents=True, exist_ok=True)
        options = [
            f"-max_total_time={seconds}",
            f"-timeout={_SLOWEST_S}",
            f"-artifact_prefix={_FOUND}/{target}-",
            f"-dict={_HERE / 'mail.dict'}",
            "-max_len=4096",
            str(corpus),
            str(_SEEDS),
        ]
        if subprocess.run([sys.executable, "-m", "tests.fuzz", "--one", target, *options], check=False).returncode:
            failed.append(target)
    sys.stderr.write(f"broken: {', '.join(failed)}; see {_FOUND}/\n" if failed else "all promises held\n")
    return len(failed)


if sys.argv[1:2] == ["--one"]:
    _one(sys.argv[2], sys.argv[3:])
else:
    sys.exit(_all(int(sys.argv[1]), sys.argv[2:]))
