"""The system calls themselves: a kill test cannot see a missing sync, a trace can (R-IN-03)."""

import re
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from tests.faults.conftest import MakeEnv
from tests.support.daemon import eventually
from tests.support.load import RecordingServer

_CALLS = "read,recvfrom,recvmsg,write,writev,sendto,sendmsg,pwrite64,fsync,fdatasync"
_LINE = re.compile(r"(?P<pid>\d+) +(?:<\.\.\. )?(?P<name>\w+)(?P<rest>.*)")


@dataclass(frozen=True)
class Call:
    """`begun` and `ended` are positions in the trace: another thread's calls may lie between the two."""

    name: str
    text: str
    begun: int
    ended: int


def calls(trace: str) -> list[Call]:
    """In the order in which they ended."""
    found = []
    pending: dict[str, tuple[int, str]] = {}
    for position, line in zip(count(), trace.splitlines(), strict=False):
        if (match := _LINE.match(line)) is None:
            continue
        pid, name, rest = match["pid"], match["name"], match["rest"]
        if rest.endswith("<unfinished ...>"):
            pending[pid] = (position, rest)
        else:
            begun, before = pending.pop(pid, (position, ""))
            found.append(Call(name, before + rest, begun, position))
    return found


# R-IN-03
@pytest.mark.peer("strace")
async def test_the_log_is_synced_after_the_data_came_and_before_250_leaves(
    make_env: MakeEnv, mail_server: RecordingServer, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    tracer = ("strace", "-D", "-f", "-yy", "-s", "400", "-e", f"trace={_CALLS}", "-o", str(trace))
    env = await make_env(mail_server, under=tracer)
    env.relay.start()
    async with env.load(sessions=1, body_bytes=100, rest_s=60) as load:
        await eventually(lambda: load.accepted)
    (token,) = load.accepted
    assert env.relay.stop() == 0

    made = calls(trace.read_text("latin-1"))
    came = next(
        call for call in made if "TCP" in call.text and call.name.startswith(("read", "recv")) and token in call.text
    )
    said = next(
        call
        for call in made
        if call.begun > came.ended and '"250 2.0.0 ' in call.text and f":{env.relay.mx}->" in call.text
    )
    between = [
        call for call in made if came.ended < call.begun and call.ended < said.begun and "relay.db-wal>" in call.text
    ]
    written = [call for call in between if call.name == "pwrite64"]
    synced = [call for call in between if call.name in {"fsync", "fdatasync"} and call.text.endswith("= 0")]
    assert written, "nothing was written before 250"
    assert any(sync.begun > written[-1].ended for sync in synced), "250 was said before the log was synced"
