"""The verbs that list messages and held mail (R-UI-10)."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from relay import installation
from relay.config import load
from relay.core.model.item import Hold, Item, ItemKind, ItemState
from relay.core.model.message import MessageState
from relay.core.model.party import Role
from relay.core.model.reason import ReasonCode
from relay.edge.system import SystemIds
from relay.ports import Acceptance, MessageRecord, RecordAction, RecordDetail, RecordedReason
from tests.cli.conftest import Installation
from tests.support.narrowing import not_none

NOW = datetime.now(UTC)


def put(seeded: Installation, *reasons: ReasonCode, hold: Hold | None = None, **more: Any) -> str:
    """Stores a message of the seller of `seeded`, held if `hold` is given, and returns its id."""
    message_id = SystemIds().new()
    pair_id = seeded.json("pair", "list")[0]["id"]

    async def write() -> None:
        async with installation.opened(load(seeded.config), seeded.directory) as store:
            pair = not_none(await store.pairs.get(pair_id))
            codes = tuple(RecordedReason(code=code, rule=code.rule) for code in reasons)
            detail = RecordDetail(action=RecordAction.HOLD if hold else RecordAction.RETURN, reasons=codes)
            values: dict[str, Any] = {
                "id": message_id,
                "marketplace_id": pair.marketplace_id,
                "key_holder_id": pair.seller.party.id,
                "pair_id": pair.id,
                "author_id": pair.seller.party.id,
                "author_role": Role.SELLER,
                "recipient_id": pair.buyer.party.id,
                "state": MessageState.HELD if hold else MessageState.RETURNED,
                "received_at": NOW,
                "mail_from": "owner@private.example",
                "original": b"Subject: x\r\n\r\nx\r\n",
                "detail": detail,
            }
            record = MessageRecord(**values | more)
            item = Item(
                id=SystemIds().new(),
                message_id=message_id,
                marketplace_id=pair.marketplace_id,
                kind=ItemKind.RELAY,
                state=ItemState.HELD,
                recipient_id=pair.buyer.party.id,
                address=None,
                destination="other",
                queued_at=NOW,
                due_at=NOW + timedelta(days=14),
                hold=hold,
            )
            await store.acceptances.add(
                Acceptance(
                    records=(record,),
                    items=(item,) if hold else (),
                    owner="test",
                    lease_until=NOW,
                )
            )

    asyncio.run(write())
    return message_id


def test_held_mail_is_listed_by_whose_decision_it_waits_for(seeded: Installation) -> None:  # R-SND-02
    staff = put(seeded, ReasonCode.CONTACT_DISGUISED, hold=Hold.DECISION)
    owner = put(seeded, ReasonCode.SENDER_UNPROVEN, hold=Hold.DECISION)
    timed = put(seeded, ReasonCode.QUOTA_PAIR, hold=Hold.TIME)
    (line,) = seeded.json("hold", "list")
    assert (line["id"], line["waits_for"], line["reasons"]) == (staff, "staff", ["contact_disguised"])
    assert datetime.fromisoformat(line["until"]) - datetime.fromisoformat(line["since"]) == timedelta(days=14)
    assert [one["id"] for one in seeded.json("hold", "list", "--for", "owner")] == [owner]
    assert [one["id"] for one in seeded.json("hold", "list", "--for", "nobody")] == [timed]
    assert {one["id"] for one in seeded.json("hold", "list", "--for", "anybody")} == {staff, owner, timed}
    assert "contact_disguised" in seeded.relay("hold", "list").stdout
    seeded.relay("hold", "release", staff)
    assert "nothing waits" in seeded.relay("hold", "list").stderr


def test_messages_are_found_by_what_is_known_of_them(seeded: Installation) -> None:  # R-REC-01, R-SND-06
    seeded.relay("party", "add", "--role", "buyer", "--ref", "B2", "--mailbox", "jiro@private.example")
    seeded.relay("order", "add", "250-1", "--buyer", "B1", "--seller", "S1")
    pair = seeded.json("pair", "list")[0]["id"]
    sender = seeded.json("sender", "add", "--role", "seller", "--ref", "S1", "sato@private.example")["id"]
    first = put(seeded, ReasonCode.CONTACT_DATA)
    second = put(seeded, ReasonCode.EXTERNAL_LINK, order_id=order_id(seeded, "250-1"), sender_id=sender)
    refused = put(seeded, ReasonCode.SENDER_BLOCKED, state=MessageState.REFUSED, author_role=None, recipient_id=None)
    everything = {first, second, refused}
    for options, expected in (
        ([], everything),
        (["--pair", pair], everything),
        (["--pair", "none"], set()),
        (["--buyer", "B1"], everything),
        (["--seller", "S1"], everything),
        (["--buyer", "B1", "--seller", "S1", "--state", "refused"], {refused}),
        (["--buyer", "B2"], set()),
        (["--order", "250-1"], {second}),
        (["--order", "250-2"], set()),
        (["--reason", "contact_data"], {first}),
        (["--reason", "sender_blocked"], {refused}),
        (["--reason", "mailbox_unknown"], set()),
        (["--sender", sender], {second}),
        (["--seller", "S1", "--sender", "Sato@Private.Example"], {second}),
    ):
        assert {one["id"] for one in seeded.json("message", "list", *options)} == expected, options
    by_id = {one["id"]: one for one in seeded.json("message", "list")}
    assert (by_id[second]["sender"], by_id[second]["reasons"]) == ("s…o@private.example", ["external_link"])
    assert [(by_id[one]["author"], by_id[one]["ref"]) for one in (first, refused)] == [("seller", "S1")] * 2
    shown = seeded.json("message", "show", second)
    assert (shown["author_ref"], shown["sender"], shown["sender_id"]) == ("S1", "s…o@private.example", sender)


@pytest.mark.parametrize(
    ("options", "exit_code", "said"),
    [
        (["--buyer", "B9"], 1, 'no buyer "B9"'),
        (["--sender", "sato@private.example"], 2, "needs --buyer or --seller"),
        (["--seller", "S1", "--sender", "nobody@private.example"], 1, "does not have"),
        (["--all", "--buyer", "B1"], 2, "leave --all out"),
        (["--reason", "nothing"], 2, "nothing"),
    ],
)
def test_a_search_for_something_unknown_says_so(
    seeded: Installation, options: list[str], exit_code: int, said: str
) -> None:
    assert said in seeded.relay("message", "list", *options, exit_code=exit_code).stderr


def order_id(seeded: Installation, external_id: str) -> str:
    async def read() -> str:
        async with installation.opened(load(seeded.config), seeded.directory) as store:
            return not_none(await store.orders.get("shop", external_id)).id

    return asyncio.run(read())
