"""Records, notices and events as rows of the database, with the encryption and decryption of their contents."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, NamedTuple, cast

import msgspec
from backports import zstd

from relay.core.mail.edits import Edit
from relay.core.model.event import Event, EventData, EventType
from relay.core.rewrite.plan import Change
from relay.ports import MessageRecord, RecordDetail, ReportSource, ServerAnswer
from relay.steps.offload import THREAD_BYTES
from relay.store.base import from_us, to_us
from relay.store.crypto import KEY_BYTES, Key, UnreadableError, Vault, content_hash, identity
from relay.store.engine import Row
from relay.store.statements import Table

MESSAGE: Final = Table(
    "message",
    (
        "id",
        "marketplace_id",
        "key_holder_id",
        "pair_id",
        "author_id",
        "author_role",
        "recipient_id",
        "sender_id",
        "order_id",
        "kind",
        "state",
        "automatic",
        "action",
        "to_operator",
        "received_at",
        "size_bytes",
        "policy_version",
        "original_id_hash",
        "content_hash",
        "detail",
        "shared_body_id",
    ),
)
MESSAGE_KEY: Final = Table("message_key", ("content_id", "holder_id", "wrapped"))
STRANGER: Final = "stranger"
"""The name of the part that holds a stranger's message, which is kept for a short time."""
ANSWER: Final = "answer"
"""The name of the part that holds the answer of a server to an attempt, under the id of the event."""
STRANGER_BODY: Final = Table("stranger_body", ("message_id", "kept_until"))
BODY: Final = Table("body", ("content_id", "part", "sealed"))
EVENT: Final = Table("event", ("id", "message_id", "at", "type", "data", "leaf_hash"))

_LEVEL: Final = 1
_COMPRESSOR: Final = zstd.ZstdCompressor(level=_LEVEL)
"""The compressor for small contents, which is reused because making one costs a third of compressing 5 KB.

A compressor has a lock. Therefore each big message, which is compressed in a thread, gets a compressor of its own.
"""


class Meta(msgspec.Struct, array_like=True, frozen=True):
    """The personal values of a message's session, envelope and header, and the key of a shared body (`SharedBody`)."""

    subject: str = ""
    mail_from: str = ""
    original_message_id: str = ""
    body_key: bytes = b""
    signing_domain: str = ""
    client_ip: str = ""


class RelayedForm(msgspec.Struct, array_like=True, frozen=True):
    header: bytes | None = None
    edits: tuple[Edit[bytes], ...] = ()
    changes: tuple[Change, ...] = ()


class Contents(NamedTuple):
    """The decrypted content of one message or notice."""

    original: bytes
    relayed: RelayedForm
    meta: Meta


class SealedContents(NamedTuple):
    key: tuple[object, ...]
    bodies: list[tuple[object, ...]]
    hash: bytes


class SharedBody(NamedTuple):
    """The original content of several records of one transaction, which is stored once.

    Each of these records has the secret of the body, encrypted with its own message key. Therefore the original can be
    read as long as one of the message keys exists, and destroying the keys of one record does not affect the other
    records.
    """

    id: str
    secret: bytes
    row: tuple[object, ...]


def seal_shared(body_id: str, original: bytes, vault: Vault) -> SharedBody:
    secret = vault.entropy(KEY_BYTES)
    sealed = vault.key(secret).seal(identity("body", body_id, "original"), _compress(original))
    return SharedBody(body_id, secret, (body_id, "original", sealed))


def seal_record(record: MessageRecord, vault: Vault, holder: Key, shared: SharedBody | None = None) -> SealedContents:
    """Returns the rows of a record's contents. If `shared` is given, the original is left out of them."""
    meta = Meta(
        whole(record.subject),
        whole(record.mail_from),
        whole(record.original_message_id),
        shared.secret if shared else b"",
        record.signing_domain,
        record.client_ip,
    )
    relayed = RelayedForm(record.header, record.edits, record.changes)
    parts = [("meta", msgspec.msgpack.encode(meta))]
    if shared is None:
        parts.append(("original", _compress(record.original)))
    if relayed != RelayedForm():
        parts.append(("relayed", _compress(msgspec.msgpack.encode(relayed))))
    if record.stranger_body:
        parts.append((STRANGER, _compress(record.stranger_body)))
    content = record.original or record.stranger_body
    return _seal(record.id, record.key_holder_id, content, parts, vault, holder)


def seal_notice(item_id: str, holder_id: str, content: bytes, vault: Vault, holder: Key) -> SealedContents:
    return _seal(item_id, holder_id, content, [("original", _compress(content))], vault, holder)


def seal_report(
    report_id: str, holder_id: str, content: bytes, source: ReportSource, vault: Vault, holder: Key
) -> SealedContents:
    plain = replace(source, helo=whole(source.helo), mail_from=whole(source.mail_from))
    parts = [("original", _compress(content)), ("source", msgspec.msgpack.encode(plain))]
    return _seal(report_id, holder_id, content, parts, vault, holder)


def seal_answer(event_id: str, holder_id: str, answer: ServerAnswer, vault: Vault, holder: Key) -> SealedContents:
    plain = msgspec.msgpack.encode(replace(answer, host=whole(answer.host), text=whole(answer.text)))
    return _seal(event_id, holder_id, b"", [(ANSWER, plain)], vault, holder)


def _compress(plain: bytes) -> bytes:
    if len(plain) > THREAD_BYTES:
        return zstd.compress(plain, _LEVEL)
    return _COMPRESSOR.compress(plain, zstd.ZstdCompressor.FLUSH_FRAME)


def _seal(
    content_id: str, holder_id: str, original: bytes, parts: list[tuple[str, bytes]], vault: Vault, holder: Key
) -> SealedContents:
    secret = vault.entropy(KEY_BYTES)
    sealed = vault.key(secret).seal_all([(identity("body", content_id, part), plain) for part, plain in parts])
    return SealedContents(
        key=(content_id, holder_id, holder.seal(identity("message_key", content_id), secret)),
        bodies=[(content_id, part, value) for (part, _), value in zip(parts, sealed, strict=True)],
        hash=content_hash(secret, original),
    )


def message_key(content_id: str, row: Row, vault: Vault) -> Key:
    """Returns the key of a message, from a row with the columns `wrapped_key`, `holder_id` and `wrapped`.

    `wrapped` is the encrypted key of the holder. Raises UnreadableError if the holder's key is destroyed.
    """
    holder = vault.holder(row["holder_id"], row["wrapped"])
    return vault.key(holder.open(identity("message_key", content_id), row["wrapped_key"]))


def open_meta(content_id: str, sealed: bytes, key: Key) -> Meta:
    return msgspec.msgpack.decode(key.open(identity("body", content_id, "meta"), sealed), type=Meta)


def open_contents(content_id: str, rows: Sequence[Row], vault: Vault) -> Contents:
    """Returns the decrypted content from the rows of the query `content`.

    Raises UnreadableError if the key is destroyed, or a part is missing or damaged.
    """
    key, sealed = _sealed_parts(content_id, rows, vault)
    original = sealed.pop("original")
    try:
        plain = _opened(content_id, key, sealed)
        meta = msgspec.msgpack.decode(plain["meta"], type=Meta) if "meta" in plain else Meta()
        body_key = vault.key(meta.body_key) if meta.body_key else key
        return Contents(
            original=zstd.decompress(
                plain.get(STRANGER)
                or body_key.open(identity("body", original["content_id"], "original"), original["sealed"])
            ),
            relayed=_decode_relayed(zstd.decompress(plain["relayed"])) if "relayed" in plain else RelayedForm(),
            meta=meta,
        )
    except (zstd.ZstdError, msgspec.MsgspecError) as error:
        raise UnreadableError("a sealed body is damaged") from error


def open_report(report_id: str, rows: Sequence[Row], vault: Vault) -> tuple[bytes, ReportSource]:
    """Returns the decrypted bytes and the source of a report from the rows of the query `content`.

    Raises UnreadableError if the key is destroyed, or a part is missing or damaged.
    """
    plain = _opened(report_id, *_sealed_parts(report_id, rows, vault))
    try:
        return zstd.decompress(plain["original"]), msgspec.msgpack.decode(plain["source"], type=ReportSource)
    except (zstd.ZstdError, msgspec.MsgspecError, KeyError) as error:
        raise UnreadableError("a sealed report is damaged") from error


def open_answer(row: Row, vault: Vault) -> ServerAnswer:
    """Returns the answer of a row of `answers`. Raises UnreadableError."""
    key = message_key(row["id"], row, vault)
    return msgspec.msgpack.decode(key.open(identity("body", row["id"], ANSWER), row["sealed"]), type=ServerAnswer)


def seal_meta(content_id: str, meta: Meta, key: Key) -> bytes:
    return key.seal(identity("body", content_id, "meta"), msgspec.msgpack.encode(meta))


def _sealed_parts(content_id: str, rows: Sequence[Row], vault: Vault) -> tuple[Key, dict[str, Row]]:
    """Returns the key of a content and its rows by the name of the part.

    The part "original" is always among them. Raises UnreadableError if that part is missing or the key is destroyed.
    """
    sealed = {row["part"]: row for row in rows}
    if "original" not in sealed:
        raise UnreadableError("the body is missing")
    return message_key(content_id, rows[0], vault), sealed


def _opened(content_id: str, key: Key, sealed: Mapping[str, Row]) -> dict[str, bytes]:
    return {part: key.open(identity("body", content_id, part), row["sealed"]) for part, row in sealed.items()}


_decode_relayed = partial(msgspec.msgpack.decode, type=RelayedForm)


def event_row(event: Event, salted_hash: bytes = b"") -> tuple[object, ...]:
    """Returns the row of an event.

    The last column is a leaf hash for a later ledger (RFC 9162 §2.1.1) over the other columns. For the event of a
    record's reception it also covers the content, by the record's salted hash.
    """
    row = event.id, event.message_id, to_us(event.at), event.type.value, _to_json(event.data)
    leaf = msgspec.json.encode((*row, salted_hash.hex()))
    return *row, hashlib.sha256(b"\0" + leaf).digest()


def event_of(row: Row) -> Event:
    """Returns the event of a row of the table `event`."""
    return Event(
        id=row["id"],
        message_id=row["message_id"],
        at=from_us(row["at"]),
        type=EventType(row["type"]),
        data=decode_event_data(row["data"]),
    )


def decode_event_data(text: str) -> EventData:
    """Returns the data of an event from its JSON text. Keys that only earlier versions wrote are kept."""
    return cast("EventData", msgspec.json.decode(text, type=dict[str, str | int]))


def encode_detail(detail: RecordDetail) -> str:
    """Returns the detail of a record as JSON text."""
    return _to_json(detail)


decode_detail = msgspec.json.Decoder(RecordDetail).decode
"""Returns the detail of a record from its JSON text. A key that an earlier version did not write gets its default."""


def _to_json(value: RecordDetail | EventData) -> str:
    """Returns the value as JSON text that every engine can store.

    Characters of a broken mail that cannot be encoded are replaced.
    """
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError:
        return whole(json.dumps(msgspec.to_builtins(value), ensure_ascii=False))


def whole(text: str) -> str:
    """Returns the text with `?` in place of each lone surrogate, because a surrogate cannot be encoded in UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
