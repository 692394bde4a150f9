"""DKIM signatures of incoming mail (RFC 6376 §6), verified by dkimpy with keys that were fetched before.

This module itself checks the parts for which dkimpy is too lenient or too slow: `l=`, SHA-1, an unsigned From, the
expiry of a signature, keys that are unfit for mail, and bodies. Nothing is raised: each signature has an outcome of RFC
8601 §2.7.1.
"""

import base64
import binascii
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import dkim
from nacl.exceptions import BadSignatureError

from relay.core import coverage, taglist
from relay.core.dmarc import Identifier, SignedBy
from relay.core.mail import address
from relay.edge.authenticate import keys
from relay.edge.authenticate.fields import Message, SignedField, is_plain
from relay.edge.authenticate.keys import Keys, PublicKey
from relay.ports import Resolver

_MOST_SIGNATURES: Final = 8
_BEST_FIRST: Final = ("pass", "temperror", "fail", "policy", "permerror")
_ALGORITHMS: Final = {"rsa-sha256": "rsa", "ed25519-sha256": "ed25519"}
_LONGEST_TIME: Final = 12  # RFC 6376 §3.5: a time in `x=` needs no more digits
QUIET: Final = logging.Logger("dkim", logging.CRITICAL + 1)  # noqa: LOG001 - it has no parent logger, so that no handler gets its records
"""A logger without output, because dkimpy would log content of the mail."""


class _Key:
    """Gives a public key the interface of a PyNaCl key, which dkimpy uses to verify a signature."""

    def __init__(self, key: PublicKey) -> None:
        self._key = key

    def verify(self, digest: bytes, signature: bytes) -> None:
        if not keys.holds(self._key, digest, signature):
            raise BadSignatureError


class OwnArithmetic:
    """Replaces two operations of dkimpy's verifiers: the hash of the body and the check of a signature with the key.

    dkimpy's body hash takes quadratic time for a line of blanks. Its RSA is written in Python and holds the interpreter
    lock.
    """

    hashed: Message

    def verify_sig(self, sig: dict[bytes, bytes], include_headers: Any, sig_header: Any, dnsfunc: Any) -> bool:
        body_hash = sig.pop(b"bh", None)
        if body_hash is not None and not _is_of_body(self.hashed, sig.get(b"c", b"simple/simple"), body_hash):
            return False
        key = keys.public(dnsfunc(sig[b"s"] + b"._domainkey." + sig[b"d"]))
        if key is None:
            return False
        self.pk, self.ktag, self.seqtlsrpt = _Key(key), b"ed25519", False
        return bool(self.verify_sig_process(sig, include_headers, sig_header, dnsfunc))  # type: ignore[attr-defined]


class _Verifier(OwnArithmetic, dkim.DKIM):  # type: ignore[misc]
    pass


def _is_of_body(message: Message, canonicalization: bytes, body_hash: bytes) -> bool:
    body_form = canonicalization.partition(b"/")[2] or b"simple"
    if body_form not in {b"simple", b"relaxed"}:
        return False
    try:
        claimed = base64.b64decode(b"".join(body_hash.split()), validate=True)
    except binascii.Error:
        return False
    return claimed == message.body_hash(body_form.decode())


async def verify(resolver: Resolver, message: Message, at: datetime) -> list[Identifier]:
    """Returns the outcome of each signature at the time `at`, from the top of the header down.

    Signatures after the first `_MOST_SIGNATURES` are ignored. Raises nothing.
    """
    signatures = [_read(field, at) for field in message.named(b"dkim-signature")[:_MOST_SIGNATURES]]
    if not signatures:
        return []
    wanted = [where for tags, refused in signatures if not refused and (where := keys.name(tags))]
    fetched = await keys.fetch(resolver, wanted)
    return await message.apart(_verify_all, message, signatures, fetched)


def stated(message: Message, is_meant: Callable[[str], bool]) -> list[tuple[str, SignedBy]]:
    """Returns the folded domain of each signature for which `is_meant(domain)` is true, with the fields that it signs.

    No signature is verified.
    """
    found = []
    for field in message.named(b"dkim-signature"):
        try:
            tags = taglist.read(field.value) if is_plain(field) else {}
        except taglist.TagListError:
            continue
        if (domain := folded(tags.get("d", ""))) and is_meant(domain):
            found.append((domain, signed_by(tags)))
    return found


def _read(field: SignedField, at: datetime) -> tuple[Mapping[str, str], str]:
    """Returns the tags of a signature, and its outcome if no key is needed for it; the outcome is "" otherwise."""
    if not is_plain(field):
        return {}, "permerror"
    try:
        tags = taglist.read(field.value)
    except taglist.TagListError:
        return {}, "permerror"
    return tags, _refused(tags, at)


def _refused(tags: Mapping[str, str], at: datetime) -> str:
    if keys.name(tags) is None or b"from" not in signed_names(tags):
        return "permerror"  # RFC 6376 §6.1.1
    if "l" in tags or tags.get("a") == "rsa-sha1":
        return "policy"  # a signature over a part of the body, or with SHA-1, proves nothing (RFC 8301 §3.1)
    if has_expired(tags, at):
        return "permerror"
    return "" if tags.get("a") in _ALGORITHMS else "permerror"


def has_expired(tags: Mapping[str, str], at: datetime) -> bool:
    """Returns whether the time in `x=` has passed or cannot be read (RFC 6376 §3.5). There is no tolerance."""
    expires = tags.get("x")
    if expires is None:
        return False
    is_time = expires.isascii() and expires.isdecimal() and len(expires) <= _LONGEST_TIME
    return not is_time or at.timestamp() > int(expires)


def signed_by(tags: Mapping[str, str]) -> SignedBy:
    """Returns the selector and the value of a signature and the fields that it signs.

    The value is empty if it cannot be read.
    """
    try:
        value = base64.b64decode("".join(tags.get("b", "").split()), validate=True)
    except (binascii.Error, ValueError):
        value = b""
    return SignedBy(tags.get("s", "").lower(), value, coverage.signed_fields(tags.get("h", "")))


def signed_names(tags: Mapping[str, str]) -> set[bytes]:
    """Returns the names of the fields in `h=`, in lower case."""
    return {name.strip().lower().encode() for name in tags.get("h", "").split(":")}


def _verify_all(
    message: Message, signatures: Sequence[tuple[Mapping[str, str], str]], fetched: Keys
) -> list[Identifier]:
    return [
        Identifier(
            "dkim", folded(tags.get("d", "")), refused or _verified(message, position, tags, fetched), signed_by(tags)
        )
        for position, (tags, refused) in enumerate(signatures)
    ]


def folded(domain: str) -> str:
    """Returns the folded domain, or "" if the text is not a domain name."""
    try:
        return address.fold_domain(domain)
    except address.AddressError:
        return ""


def _verified(message: Message, position: int, tags: Mapping[str, str], fetched: Keys) -> str:
    record = fetched[keys.name(tags) or ""]
    if record is None:
        return "temperror"
    if not record or _key_type(record) != _ALGORITHMS[tags["a"]] or not _is_of_domain(tags, record):
        return "permerror"
    # A field such as `From : x`, which only lenient readers accept as From, is not the signed field.
    header = message.header({b"dkim-signature", *signed_names(tags)}) if message.named(b"from") else None
    if header is None:
        return "permerror"
    try:
        verifier = _Verifier(header, logger=QUIET)
        verifier.hashed = message
        return "pass" if verifier.verify(position, dnsfunc=lambda *_, **__: record) else "fail"
    except Exception:  # noqa: BLE001 - any exception that a hostile field causes in the library is a failure
        return "permerror"


def _key_type(record: bytes) -> str:
    return taglist.read(record.decode()).get("k", "rsa")


def _is_of_domain(tags: Mapping[str, str], record: bytes) -> bool:
    identity = tags.get("i", "").rpartition("@")[2] or tags["d"]
    return identity.lower() == tags["d"].lower() or not keys.is_strict(record)


def best_outcome(signatures: Sequence[Identifier]) -> str:
    """Returns the best outcome of all signatures; "none" if there are no signatures."""
    outcomes = {one.outcome for one in signatures}
    return next((outcome for outcome in _BEST_FIRST if outcome in outcomes), "none")
