"""Heavy mail through the real daemon: others are answered meanwhile, and a worker that dies costs a 451 (R-IN-06)."""

import os
import select
import signal
import time
from pathlib import Path
from urllib.request import urlopen

from tests.e2e.relay_env import RelayEnv
from tests.support.daemon import BUYER, SELLER
from tests.support.dialogue import Dialogue
from tests.support.peers import until

_HEAD = f"From: {SELLER}\r\nSubject: heavy\r\nContent-Type: text/html\r\n\r\n".encode()
_PROGRAM = b"relay.edge.workers.process"


def begin(env: RelayEnv, client: Dialogue, body: bytes) -> None:
    """Sends a mail up to its final dot."""
    client.reply()
    client.ask("EHLO client.example")
    client.ask(f"MAIL FROM:<{SELLER}>")
    for tag in range(50):
        client.ask(f"RCPT TO:<{env.buyer_alias.replace('@', f'+{tag}@')}>")
    assert client.ask("DATA").startswith("354")
    client.send(_HEAD + body + b"\r\n.\r\n")


def workers(env: RelayEnv) -> list[int]:
    """Returns the ids of the daemon's worker processes."""
    assert env.relay.process is not None
    daemon = env.relay.process.pid
    children = [int(one) for one in Path(f"/proc/{daemon}/task/{daemon}/children").read_text().split()]
    return [child for child in children if _PROGRAM in Path(f"/proc/{child}/cmdline").read_bytes()]


def is_answered(client: Dialogue) -> bool:
    """Whether a reply has come that was not read yet."""
    readable, _, _ = select.select([client._socket], [], [], 0)
    return bool(readable)


def cpu_ticks(pid: int) -> int:
    """Returns the CPU time of a process, in ticks. Raises OSError when it has ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def idle_workers(env: RelayEnv) -> dict[int, int]:
    """Returns the CPU time of each worker; nothing while one of them is at work or starts."""
    before = {worker: cpu_ticks(worker) for worker in workers(env)}
    time.sleep(0.5)
    return before if before == {worker: cpu_ticks(worker) for worker in workers(env)} else {}


def test_others_are_answered_while_a_heavy_mail_is_at_work(env: RelayEnv) -> None:
    until(lambda: workers(env))
    with Dialogue(env.relay.mx) as heavy, Dialogue(env.relay.mx) as other:
        other.reply()
        begin(env, heavy, b"<style>" * 100_000)
        for _ in range(50):
            assert other.ask("NOOP").startswith("250")
        assert not is_answered(heavy)
        assert heavy.reply().startswith("250")
    env.mail(BUYER, "heavy")
    with urlopen(f"http://127.0.0.1:{env.relay.web}/metrics") as page:
        assert b'relay_heavy_work_total{outcome="done"}' in page.read()


def test_a_worker_that_is_killed_costs_a_451_and_the_next_mail_passes(env: RelayEnv) -> None:
    idle = until(lambda: idle_workers(env))
    with Dialogue(env.relay.mx) as client:
        begin(env, client, b"<style>" * 180_000)
        [at_work, *_] = until(lambda: [one for one, ticks in idle.items() if cpu_ticks(one) > ticks], step_s=0.005)
        os.kill(at_work, signal.SIGKILL)
        assert client.reply() == "451 4.3.2 the message could not be checked now, try again later"
    with Dialogue(env.relay.mx) as client:
        begin(env, client, b"<b>Good day</b>" * 2_000)
        assert client.reply().startswith("250")
    assert '"heavy_work_failed"' in env.relay.log()


def test_the_workers_end_with_the_daemon(env: RelayEnv) -> None:
    until(lambda: workers(env))
    before = workers(env)
    env.relay.kill()
    until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in before))
    env.relay.start()
    until(lambda: workers(env))
    before = workers(env)
    assert env.relay.stop() == 0
    assert not any(Path(f"/proc/{worker}").exists() for worker in before)
    env.relay.start()
