"""The thread map both ways, and what a decision asks of a pair's past."""

from datetime import timedelta
from typing import Any

import pytest

from relay.core.mail.head import Automatic
from relay.core.model.facts import ThreadRef
from relay.core.model.message import MessageState
from relay.core.model.party import Role
from relay.ports import MessageRecord, RecordDetail
from tests.store.store_env import START, StoreEnv, make_pair


async def kept(env: StoreEnv, author: Role, own_id: str = "", **more: Any) -> MessageRecord:
    record = env.record(author, original_message_id=own_id, **more)
    await env.store.acceptances.add(env.acceptance(record))
    return record


def ours(env: StoreEnv, record: MessageRecord, author: Role) -> str:
    return f"{record.id}@{env.pair.side(author).alias.domain}"


async def test_an_id_that_we_gave_becomes_the_authors_own_on_the_authors_side(env: StoreEnv) -> None:  # R-REW-03
    question = await kept(env, Role.BUYER, "q1@phone.example")
    token = ours(env, question, Role.BUYER)
    assert await env.store.threads.refs(env.pair, Role.SELLER, [token]) == [
        ThreadRef(incoming_id=token, outgoing_id="q1@phone.example", author=Role.BUYER, at=env.database.clock.now())
    ]
    assert await env.store.threads.refs(env.pair, Role.BUYER, [token]) == [
        ThreadRef(incoming_id=token, outgoing_id=token, author=Role.BUYER, at=env.database.clock.now())
    ]


async def test_an_id_that_the_writer_gave_becomes_ours_on_the_other_side(env: StoreEnv) -> None:  # R-REW-03
    mine = await kept(env, Role.BUYER, "q1@phone.example")
    assert await env.store.threads.refs(env.pair, Role.BUYER, ["q1@phone.example"]) == [
        ThreadRef(
            incoming_id="q1@phone.example",
            outgoing_id=ours(env, mine, Role.BUYER),
            author=Role.BUYER,
            at=env.database.clock.now(),
        )
    ]


async def test_the_other_sides_own_ids_are_never_confirmed(env: StoreEnv) -> None:  # R-REW-01 R-POL-05
    await kept(env, Role.BUYER, "q1@phone.example")
    assert await env.store.threads.refs(env.pair, Role.SELLER, ["q1@phone.example"]) == []


async def test_another_pairs_ids_are_unknown(env: StoreEnv) -> None:  # R-POL-05
    question = await kept(env, Role.BUYER, "q1@phone.example")
    token = ours(env, question, Role.BUYER)
    for other in (
        await make_pair(env.store, seller="s-2"),
        await make_pair(env.store, buyer="b-2"),
        await make_pair(env.store, marketplace="other"),
    ):
        for writer in Role:
            assert await env.store.threads.refs(other, writer, [token, "q1@phone.example"]) == []


async def test_only_the_exact_id_under_the_authors_domain_is_ours(env: StoreEnv) -> None:  # R-POL-05
    question = await kept(env, Role.BUYER, "q1@phone.example")
    wrong = [f"{question.id}@m.market.example", f"{question.id}@evil.example", question.id, f"@{question.id}", "@", ""]
    assert await env.store.threads.refs(env.pair, Role.SELLER, wrong) == []


async def test_a_thread_of_many_ids_keeps_its_order(env: StoreEnv) -> None:  # R-REW-03
    ids = []
    for number in range(25):
        question = await kept(env, Role.BUYER, f"q{number}@phone.example")
        ids.append(ours(env, question, Role.BUYER))
        await kept(env, Role.SELLER, f"a{number}@seller.example")
        ids.append(f"a{number}@seller.example")
    refs = await env.store.threads.refs(env.pair, Role.SELLER, ids)
    assert [ref.incoming_id for ref in refs] == ids
    assert [ref.outgoing_id for ref in refs[::2]] == [f"q{number}@phone.example" for number in range(25)]
    assert await env.store.threads.refs(env.pair, Role.SELLER, []) == []


async def test_a_record_without_an_id_of_its_own_keeps_ours(env: StoreEnv) -> None:
    question = await kept(env, Role.BUYER)
    token = ours(env, question, Role.BUYER)
    (ref,) = await env.store.threads.refs(env.pair, Role.SELLER, [token])
    assert ref.outgoing_id == token


async def test_a_question_is_open_until_the_seller_answers(env: StoreEnv) -> None:  # R-POL-04
    assert not await env.store.threads.has_open_question(env.pair.id)
    await kept(env, Role.BUYER)
    assert await env.store.threads.has_open_question(env.pair.id)
    await kept(env, Role.SELLER, state=MessageState.RETURNED)
    await kept(env, Role.SELLER, automatic=Automatic.REPLY)
    await kept(env, Role.SELLER, detail=RecordDetail(to_operator=True))
    await kept(env, Role.SELLER, pair=await make_pair(env.store, buyer="b-2"))
    assert await env.store.threads.has_open_question(env.pair.id)
    await kept(env, Role.SELLER)
    assert not await env.store.threads.has_open_question(env.pair.id)


@pytest.mark.parametrize("state", [MessageState.RETURNED, MessageState.REFUSED, MessageState.HELD])
async def test_a_question_that_was_not_relayed_is_not_open(env: StoreEnv, state: MessageState) -> None:
    await kept(env, Role.BUYER, state=state)
    assert not await env.store.threads.has_open_question(env.pair.id)


async def test_relayed_auto_replies_of_one_side_are_counted(env: StoreEnv) -> None:  # R-POL-14
    await kept(env, Role.BUYER, automatic=Automatic.REPLY)
    await kept(env, Role.BUYER, automatic=Automatic.REPLY, state=MessageState.RETURNED)
    await kept(env, Role.BUYER)
    await kept(env, Role.BUYER, automatic=Automatic.BULK)
    await kept(env, Role.SELLER, automatic=Automatic.REPLY)
    count = env.store.threads.auto_replies_since
    assert await count(env.pair.id, Role.BUYER, START) == 1
    assert await count(env.pair.id, Role.BUYER, START + timedelta(microseconds=1)) == 0
