"""The store's part for the history of a pair's mail: known Message-IDs, open questions and times."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from relay.core.mail.head import Automatic
from relay.core.model.facts import ThreadRef
from relay.core.model.pair import Pair
from relay.core.model.party import Role
from relay.core.response import Turn
from relay.store.base import StorePart, from_us, to_us
from relay.store.contents import message_key, open_meta
from relay.store.crypto import UnreadableError
from relay.store.engine import Row, Work
from relay.store.statements import spread

_RECORD_ID: Final = re.compile(r"[0-9a-z]{26}\Z")


class SqlThreads(StorePart):
    async def refs(self, pair: Pair, writer: Role, ids: Sequence[str]) -> Sequence[ThreadRef]:
        # The author of a message knows the message by its original id. The other side knows it by the id that the relay
        # has given, `<record id>@<domain of the author's alias>`. An original id of the other side is not looked up, so
        # that nobody can find out whether it exists.
        tokens = {local: each for each in ids for local, _, _ in [each.rpartition("@")] if _RECORD_ID.match(local)}
        found: dict[str, ThreadRef] = {}
        if tokens:
            sql, params = spread(self._sql["thread_refs_by_id"], (), list(tokens))
            for row in await self._engine.read(sql, *params):
                ref = self._ref_of_ours(pair, writer, tokens[row["id"]], row)
                if ref is not None:
                    found[ref.incoming_id] = ref
        rest = {self._vault.message_id_hash(pair.id, each): each for each in ids if each not in found}
        if rest:
            sql, params = spread(self._sql["thread_refs_by_original_id"], (writer.value,), list(rest))
            for row in await self._engine.read(sql, *params):
                incoming_id = rest[bytes(row["original_id_hash"])]
                outgoing_id = _our_id(pair, writer, row["id"])
                found[incoming_id] = ThreadRef(
                    incoming_id=incoming_id,
                    outgoing_id=outgoing_id,
                    author=writer,
                    order_id=row["order_id"],
                    at=from_us(row["received_at"]),
                )
        return [found[each] for each in ids if each in found]

    def _ref_of_ours(self, pair: Pair, writer: Role, incoming_id: str, row: Row) -> ThreadRef | None:
        if row["pair_id"] != pair.id or row["author_role"] is None:  # R-POL-05: never a message of another pair
            return None
        author = Role(row["author_role"])
        if incoming_id.lower() != _our_id(pair, author, row["id"]):
            return None
        outgoing_id = incoming_id
        if author is not writer:
            try:
                meta = open_meta(row["id"], row["sealed"], message_key(row["id"], row, self._vault))
            except UnreadableError:  # after an erasure the thread continues under the relay's id
                meta = None
            outgoing_id = (meta and meta.original_message_id) or incoming_id
        return ThreadRef(
            incoming_id=incoming_id,
            outgoing_id=outgoing_id,
            author=author,
            order_id=row["order_id"],
            at=from_us(row["received_at"]),
        )

    async def has_open_question(self, pair_id: str) -> bool:
        row = await self._first("open_question", pair_id)
        return row is not None and row["author_role"] == Role.BUYER

    async def auto_replies_since(self, pair_id: str, author: Role, since: datetime) -> int:
        return int((await self._read("auto_replies_since", pair_id, author.value, to_us(since)))[0]["replies"])

    async def last_at(self, pair_id: str, order_id: str | None) -> datetime | None:
        if order_id is None:
            row = (await self._read("thread_last_at", pair_id))[0]
        else:
            row = (await self._read("order_thread_last_at", pair_id, order_id))[0]
        if row["mail_at"] is None:
            return None
        return from_us(max(row["mail_at"], row["reopened_at"] or 0))

    async def times(self, pair_id: str) -> Mapping[str | None, datetime]:
        return {
            row["order_id"]: from_us(max(row["mail_at"], row["reopened_at"] or 0))
            for row in await self._read("thread_times", pair_id)
            if row["mail_at"] is not None
        }

    async def reopen(self, pair_id: str, by: str) -> None:
        line = (self._ids.new(), pair_id, to_us(self._clock.now()), by)

        def write() -> Work[None]:
            yield self._sql["reopen_thread"], line

        await self._engine.write(write)

    async def turns(self, seller_id: str, since: datetime) -> Sequence[Turn]:
        return [
            Turn(
                message_id=row["id"],
                pair_id=row["pair_id"],
                author=Role(row["author_role"]),
                at=from_us(row["received_at"]),
                automatic=Automatic(row["automatic"]) not in {Automatic.NO, Automatic.TYPED},
                no_reply_needed=bool(row["no_reply_needed"]),
            )
            for row in await self._engine.read_bulk(self._sql["turns"], seller_id, to_us(since))
        ]


def _our_id(pair: Pair, author: Role, record_id: str) -> str:
    return f"{record_id}@{pair.side(author).alias.domain}"
