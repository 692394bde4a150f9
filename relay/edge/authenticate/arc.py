"""ARC chains of incoming mail (RFC 8617 §5.2), verified by dkimpy.

An ARC set is the seal, the signature and the results that one server has added. Before the verification, the keys of
all seals and the key of the newest signature are fetched. Older signatures need not be valid.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

import dkim

from relay.core import taglist
from relay.core.dmarc import Identifier
from relay.edge.authenticate import keys
from relay.edge.authenticate.dkim import QUIET, OwnArithmetic, folded, has_expired, signed_by, signed_names
from relay.edge.authenticate.fields import Message, is_plain
from relay.edge.authenticate.keys import Keys
from relay.ports import Resolver

_MOST_SETS: Final = 50  # RFC 8617 §5.1.1.1 allows no more
_MOST_KEYS: Final = 12
"""The largest number of keys in one chain. A chain with more keys fails.

A real mail passes only a few servers, and each key costs the relay a DNS query for a stranger.
"""
_SEAL, _SIGNATURE, _RESULTS = b"arc-seal", b"arc-message-signature", b"arc-authentication-results"


class Seal(NamedTuple):
    """The folded domain that sealed a set, and the Authentication-Results in the set."""

    domain: str
    results: str


@dataclass(frozen=True, slots=True)
class Chain:
    """The result of a chain. `outcome` is "none", "pass", "fail" or "temperror".

    `seals` are the seals, the newest first, if the chain passes and covers From; otherwise the tuple is empty (RFC 8617
    §4.1.2, RFC 6376 §5.4). `newest` is then the signature of the newest set, which is the only one that covers the
    message in its present form.
    """

    outcome: str
    seals: tuple[Seal, ...] = ()
    newest: Identifier | None = None


class _Verifier(OwnArithmetic, dkim.ARC):  # type: ignore[misc]
    pass


async def verify(resolver: Resolver, message: Message, at: datetime) -> Chain:
    """Returns the result of the message's chain at the time `at`. A DNS fault gives "temperror".

    Raises nothing.
    """
    fields = [field for field in message.fields if field.name in {_SEAL, _SIGNATURE, _RESULTS}]
    if not fields:
        return Chain("none")
    if len(fields) > 3 * _MOST_SETS or not all(map(is_plain, fields)):
        return Chain("fail")
    seals, signatures = list(_tags(message, _SEAL)), list(_tags(message, _SIGNATURE))
    newest = max(map(_instance, signatures), default=0)
    last = [one for one in signatures if _instance(one) == newest]
    if any(has_expired(one, at) for one in last):
        return Chain("fail")
    weighed = (*seals, *last)
    wanted = {where for one in weighed if (where := keys.name(one))}
    if len(wanted) > _MOST_KEYS:
        return Chain("fail")
    fetched = await keys.fetch(resolver, wanted)
    chain = await message.apart(_verified, message, [*seals, *signatures], fetched)
    if chain.outcome == "fail" and None in fetched.values():
        return Chain("temperror")
    return chain


def _tags(message: Message, name: bytes) -> Iterator[Mapping[str, str]]:
    """Yields the tags of each readable seal or signature. dkimpy rejects the unreadable ones."""
    for field in message.named(name):
        try:
            yield taglist.read(field.value)
        except taglist.TagListError:
            continue


def _instance(tags: Mapping[str, str]) -> int:
    given = tags.get("i", "")
    return int(given) if given.isdecimal() and len(given) < 4 else 0


def _verified(message: Message, tags: list[Mapping[str, str]], fetched: Keys) -> Chain:
    names = {_SEAL, _SIGNATURE, _RESULTS}.union(*map(signed_names, tags)) - {b""}
    header = message.header(names) if message.named(b"from") else None
    if header is None:
        return Chain("fail")

    def record(name: bytes, timeout: int = 0) -> bytes:  # noqa: ARG001 - dkimpy requires this signature
        return fetched.get(name.decode("ascii").lower().rstrip("."), b"") or b""

    try:
        verifier = _Verifier(header, logger=QUIET)
        verifier.hashed = message
        outcome, sets, _ = verifier.verify(dnsfunc=record)
    except Exception:  # noqa: BLE001 - any exception that a hostile field causes in the library is a failure
        return Chain("fail")
    if outcome != dkim.CV_Pass:
        return Chain("none" if outcome == dkim.CV_None else "fail")
    newest = [one for one in tags if "h" in one and _instance(one) == len(sets)]
    if len(newest) != 1 or b"from" not in signed_names(newest[0]):
        return Chain("pass")
    return Chain(
        "pass",
        tuple(Seal(folded(one["as-domain"].decode()), one["aar-value"].decode()) for one in sets),
        Identifier("dkim", folded(newest[0].get("d", "")), "pass", signed_by(newest[0])),
    )
