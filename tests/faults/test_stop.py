"""SIGTERM in the middle of everything: what was answered 250 arrives once (R-UI-11)."""

import asyncio

from tests.faults import books
from tests.faults.conftest import Furnish, Stage
from tests.support.daemon import eventually
from tests.support.load import Notebook

_SESSIONS = 10


# R-UI-11, R-IN-03
async def test_a_stop_while_ten_sessions_send_loses_and_doubles_nothing(furnish: Furnish, notebook: Notebook) -> None:
    stage = await furnish(notebook)
    await asyncio.to_thread(stage.relay.start)
    async with stage.load(sessions=_SESSIONS, rest_s=0) as load:
        await eventually(lambda: len(load.accepted) > 10 * _SESSIONS)
        assert await asyncio.to_thread(stage.relay.stop) == 0
    assert not load.unanswered, "a message was cut off without an answer"

    await asyncio.to_thread(stage.relay.start)
    await stage.drained()
    assert stage.relay.stop() == 0
    assert notebook.copies() == dict.fromkeys(load.accepted, 1)
    assert {entry.state for entry in (await books.read(stage.relay)).values()} == {"accepted"}
    assert await books.item_states(stage.relay) == {"accepted": len(load.accepted)}


# R-UI-11
async def test_a_stop_right_after_ready_is_a_graceful_one(furnish: Furnish, notebook: Notebook) -> None:
    stage = await furnish(notebook)
    for _ in range(3):
        stage.relay.start()
        assert stage.relay.stop() == 0


# R-UI-11
async def test_a_stop_waits_for_the_answer_to_a_final_dot(furnish: Furnish, notebook: Notebook) -> None:
    stage = await furnish(notebook)
    await asyncio.to_thread(stage.relay.start)
    notebook.gate.clear()
    async with stage.load(sessions=2, rest_s=0) as load:
        await eventually(lambda: len(load.accepted) > 60)
        stopped = asyncio.create_task(asyncio.to_thread(stage.relay.stop))
        await eventually(lambda: load.refused or stopped.done() or load.port() is None or _doors_closed(stage))
        notebook.gate.set()
        assert await stopped == 0

    await asyncio.to_thread(stage.relay.start)
    await stage.drained()
    assert notebook.copies() == dict.fromkeys(load.accepted, 1)


async def _doors_closed(stage: Stage) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", stage.relay.mx)
    except OSError:
        return True
    writer.close()
    return False
