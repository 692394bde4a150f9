"""SIGTERM in the middle of everything: what was answered 250 arrives once (R-UI-11)."""

import asyncio

from tests.faults import record_state
from tests.faults.conftest import FaultEnv, MakeEnv
from tests.support.daemon import eventually
from tests.support.load import RecordingServer

_SESSIONS = 10


# R-UI-11, R-IN-03
async def test_a_stop_while_ten_sessions_send_loses_and_doubles_nothing(
    make_env: MakeEnv, mail_server: RecordingServer
) -> None:
    env = await make_env(mail_server)
    await asyncio.to_thread(env.relay.start)
    async with env.load(sessions=_SESSIONS, rest_s=0) as load:
        await eventually(lambda: len(load.accepted) > 10 * _SESSIONS)
        assert await asyncio.to_thread(env.relay.stop) == 0
    assert not load.unanswered, "a message was cut off without an answer"

    await asyncio.to_thread(env.relay.start)
    await env.drained()
    assert env.relay.stop() == 0
    assert mail_server.copies() == dict.fromkeys(load.accepted, 1)
    assert {entry.state for entry in (await record_state.read(env.relay)).values()} == {"accepted"}
    assert await record_state.item_states(env.relay) == {"accepted": len(load.accepted)}


# R-UI-11
async def test_a_stop_right_after_ready_is_a_graceful_one(make_env: MakeEnv, mail_server: RecordingServer) -> None:
    env = await make_env(mail_server)
    for _ in range(3):
        env.relay.start()
        assert env.relay.stop() == 0


# R-UI-11
async def test_a_stop_waits_for_the_answer_to_a_final_dot(make_env: MakeEnv, mail_server: RecordingServer) -> None:
    env = await make_env(mail_server)
    await asyncio.to_thread(env.relay.start)
    mail_server.gate.clear()
    async with env.load(sessions=2, rest_s=0) as load:
        await eventually(lambda: len(load.accepted) > 60)
        stopped = asyncio.create_task(asyncio.to_thread(env.relay.stop))
        await eventually(lambda: load.refused or stopped.done() or load.port() is None or _listeners_closed(env))
        mail_server.gate.set()
        assert await stopped == 0

    await asyncio.to_thread(env.relay.start)
    await env.drained()
    assert mail_server.copies() == dict.fromkeys(load.accepted, 1)


async def _listeners_closed(env: FaultEnv) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", env.relay.mx)
    except OSError:
        return True
    writer.close()
    return False
