"""Makes the golden ARC chains: `python -m tests.support.arc_chains` writes them anew.

Well-formed chains are dkimpy's. Those that dkimpy refuses to make, because no honest server would, are made here with
RFC 8617 §5.1 in hand, so that everything about them is right except the one fault that the case is about. The keys
are test data: they lie beside the chains and sign nothing else.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import dkim
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.support.signing import record

FOLDER = Path(__file__).parents[1] / "golden" / "arc"
DOMAINS = ("list.example", "forum.example", "school.example")
_AT = 1_700_000_000
"""When all was signed: long ago for every clock, and the same in each run, so that the same octets come out."""
_SEAL, _SIGNATURE, _RESULTS = b"ARC-Seal", b"ARC-Message-Signature", b"ARC-Authentication-Results"
_SET = (_RESULTS, _SIGNATURE, _SEAL)
_SIGNED = "from:to:subject:date:message-id"
MAIL = (
    b"From: Shop <me@shop.example>\r\nTo: you@relay.example\r\nSubject: About  the table\r\n"
    b"Date: Tue, 14 Nov 2023 22:00:00 +0000\r\nMessage-ID: <1@shop.example>\r\n\r\nGood  day \r\n\r\nBye\t\r\n\r\n\r\n"
)


@cache
def key(name: str) -> Any:
    return serialization.load_pem_private_key((FOLDER / "keys" / f"{name}.pem").read_bytes(), None)


def zone() -> dict[str, bytes]:
    """Returns the TXT record of each name. Each domain has a selector for each kind of key that there may be."""
    records = {
        "rsa": record(key("rsa")),
        "ed": record(key("ed25519")),
        "other": record(key("rsa-other")),
        "revoked": b"v=DKIM1; k=rsa; p=",
        "sha1only": record(key("rsa"), h="sha1"),
        "tlsrpt": record(key("rsa"), s="tlsrpt"),
    }
    return {f"{one}._domainkey.{domain}": text for domain in DOMAINS for one, text in records.items()}


# ---------------------------------------------------------------- dkimpy's chains


def sealed(mail: bytes, domain: str = "list.example") -> bytes:
    """Returns `mail` with dkimpy's set in front, which states that DMARC passed and that the chain so far is good.

    It seals with RSA only.
    """
    chain = "arc=pass" if _SEAL + b":" in mail else "arc=none"
    results = f"Authentication-Results: mx.{domain}; dmarc=pass; {chain}\r\n".encode()
    form = serialization.PrivateFormat.TraditionalOpenSSL
    private = key("rsa").private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    server = f"mx.{domain}".encode()
    return b"".join(dkim.arc_sign(results + mail, b"rsa", domain.encode(), private, server, timestamp=_AT)) + mail


# ---------------------------------------------------------------- chains made here


def made(
    mail: bytes,
    instance: int,
    *,
    cv: str = "",
    selector: str = "rsa",
    signature: Mapping[str, str | None] | None = None,
    seal: Mapping[str, str | None] | None = None,
    results: str = "mx.list.example; dmarc=pass",
    body: bytes | None = None,
    lengthy: bool = False,
) -> bytes:
    """Returns `mail` with one set in front.

    `signature` and `seal` replace tags of the set, or remove those that are None. `body` is the text whose hash the
    signature states, if it is not that of the mail.
    """
    head, _, own_body = mail.partition(b"\r\n\r\n")
    own_body = own_body if body is None else body
    common = {"i": str(instance), "a": _algorithm(selector), "d": "list.example", "s": selector, "t": str(_AT)}
    tags = common | {"c": "relaxed/relaxed", "h": _SIGNED, "bh": _body_hash(own_body)} | dict(signature or {})
    seal_tags = common | {"cv": cv or ("none" if instance == 1 else "pass")} | dict(seal or {})
    statement = _field(_RESULTS, f"i={instance}; {results}")
    fold = "\r\n\t" if lengthy else " "
    unsigned = _field(_SIGNATURE, _text(tags, fold) + "b=")
    covered = [field for name in str(tags["h"]).split(":") for field in _named(head, name.strip())[-1:]]
    signed = unsigned[:-2] + _signature(tags, [*covered, unsigned]) + b"\r\n"
    sets = {(_instance(field), name): field for name in _SET for field in _named(head, name.decode())}
    earlier = [sets[number, name] for number in range(1, instance) for name in _SET if (number, name) in sets]
    unsealed = _field(_SEAL, _text(seal_tags, fold) + "b=")
    seal_field = unsealed[:-2] + _signature(seal_tags, [*earlier, statement, signed, unsealed]) + b"\r\n"
    return seal_field + signed + statement + mail


def _algorithm(selector: str) -> str:
    return "ed25519-sha256" if selector == "ed" else "rsa-sha256"


def _text(tags: Mapping[str, str | None], fold: str) -> str:
    return "".join(f"{tag}={value};{fold}" for tag, value in tags.items() if value is not None)


def _field(name: bytes, value: str) -> bytes:
    return name + b": " + value.encode() + b"\r\n"


def _named(head: bytes, name: str) -> list[bytes]:
    pattern = rb"^%s:[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*" % re.escape(name.encode())
    return re.findall(pattern, head + b"\r\n", re.MULTILINE | re.IGNORECASE)


def _instance(field: bytes) -> int:
    found = re.search(rb"[:;]\s*i=(\d+);", field)
    return int(found[1]) if found else 0


def _relaxed(field: bytes) -> bytes:  # RFC 6376 §3.4.2
    name, _, value = field.partition(b":")
    return name.strip().lower() + b":" + re.sub(rb"[ \t]+", b" ", value.replace(b"\r\n", b"")).strip(b" \t") + b"\r\n"


def _relaxed_body(body: bytes) -> bytes:  # RFC 6376 §3.4.4
    lines = [re.sub(rb"[ \t]+", b" ", line).rstrip(b" ") for line in body.split(b"\r\n")]
    text = b"\r\n".join(lines).rstrip(b"\r\n")
    return text + b"\r\n" if text else b""


def _body_hash(body: bytes, hashed: Callable[..., Any] = hashlib.sha256) -> str:
    return base64.b64encode(hashed(_relaxed_body(body)).digest()).decode()


def _signature(tags: Mapping[str, str | None], fields: Sequence[bytes]) -> bytes:
    data = b"".join(map(_relaxed, fields))[:-2]
    if tags["a"] == "ed25519-sha256":
        return base64.b64encode(key("ed25519").sign(hashlib.sha256(data).digest()))
    private: rsa.RSAPrivateKey = key("rsa")
    digest = hashes.SHA1() if tags["a"] == "rsa-sha1" else hashes.SHA256()
    return base64.b64encode(private.sign(data, padding.PKCS1v15(), digest))


# ---------------------------------------------------------------- the cases


class Case(NamedTuple):
    """A mail, and the expected outcome of its chain.

    `seals` are the sealers that may be believed, the newest first; `alone` is dkimpy's own outcome, where the relay's
    is different on purpose.
    """

    why: str
    mail: bytes
    outcome: str
    seals: Sequence[str] = ()
    alone: str = ""


def _without(mail: bytes, name: bytes, instance: int) -> bytes:
    return _changed(mail, name, instance, lambda _: b"")


def _changed(mail: bytes, name: bytes, instance: int, change: Callable[[bytes], bytes]) -> bytes:
    """Returns `mail` with one field of one set changed after it was sealed."""
    head, gap, body = mail.partition(b"\r\n\r\n")
    for field in _named(head, name.decode()):
        if _instance(field) == instance:
            return (head + b"\r\n").replace(field, change(field), 1) + gap[2:] + body
    raise LookupError(name, instance)


def _twice(field: bytes) -> bytes:
    return field + field


def _flipped(field: bytes) -> bytes:
    """Returns the field with another octet near its end, where the signature is."""
    at = len(field) - 12
    return field[:at] + (b"A" if field[at : at + 1] != b"A" else b"B") + field[at + 1 :]


def cases() -> dict[str, Case]:
    """Returns the cases by name. The outcomes are written down from RFC 8617 and the relay's rules."""
    one, two, three = sealed(MAIL), sealed(sealed(MAIL), "forum.example"), MAIL
    for domain in DOMAINS:
        three = sealed(three, domain)
    mixed = sealed(made(sealed(MAIL), 2, selector="ed"), "school.example")
    first = made(MAIL, 1)
    second = made(first, 2)
    fifty = second
    for number in range(3, 51):
        fifty = made(fifty, number)
    listed = one.replace(b"\r\n\r\nGood", b"\r\n\r\nThe list greets you. Good")
    refolded = one.replace(b"Subject: About  the table", b"SUBJECT:\tAbout the\r\n table").replace(
        b"day \r\n", b"day\r\n"
    )
    failing = made(first, 2, cv="fail")
    body = MAIL.partition(b"\r\n\r\n")[2]
    lengthened = MAIL.rstrip() + b"\r\nThis line was added behind them.\r\n"

    def keyed(selector: str, why: str, outcome: str = "fail", *, alone: str = "") -> Case:
        tags = {"s": selector}
        return Case(why, made(MAIL, 1, signature=tags, seal=tags), outcome, alone=alone)

    return dict(
        _numbered(
            ("no-chain", Case("Mail without a set has no chain.", MAIL, "none")),
            ("one-set-rsa", Case("dkimpy seals with RSA.", one, "pass", ["list.example"])),
            ("two-sets-rsa", Case("Two servers seal.", two, "pass", ["forum.example", "list.example"])),
            ("three-sets-rsa", Case("Three servers seal.", three, "pass", list(reversed(DOMAINS)))),
            ("one-set-by-hand", Case("The signer of this script agrees with dkimpy's.", first, "pass", ["list.example"])),
            ("two-sets-by-hand", Case("A second set by hand covers the first.", second, "pass", ["list.example"] * 2)),
            ("by-hand-on-dkimpys", Case("A set by hand on dkimpy's covers its folded fields.", made(one, 2), "pass", ["list.example"] * 2)),
            ("dkimpy-on-by-hand", Case("A set of dkimpy's covers one by hand.", sealed(first, "forum.example"), "pass", ["forum.example", "list.example"])),
            ("folded-by-tab", Case("Every tag stands on a line of its own.", made(MAIL, 1, lengthy=True), "pass", ["list.example"])),
            ("refolded-on-the-way", Case("Folding, blanks and case of names may change after sealing.", refolded, "pass", ["list.example"])),
            ("results-with-comments", Case("The statement holds comments and quoted text.", made(MAIL, 1, results='mx.list.example (a "b" (c)); dmarc=pass (p=none) header.from="shop.example"'), "pass", ["list.example"])),
            ("unknown-tags", Case("Unknown tags are passed over (RFC 6376 §3.2).", made(MAIL, 1, signature={"zz": "1"}, seal={"zz": "1"}), "pass", ["list.example"])),
            ("no-timestamps", Case("The time of signing may be left out.", made(MAIL, 1, signature={"t": None}, seal={"t": None}), "pass", ["list.example"])),
            ("changed-between-the-sets", Case("Only the newest signature must hold (RFC 8617 §5.2): a list changed the body and sealed again.", sealed(listed, "forum.example"), "pass", ["forum.example", "list.example"])),
            ("from-not-signed", Case("The chain holds but does not cover From: it passes, and no sealer is believed.", made(MAIL, 1, signature={"h": "to:subject"}), "pass")),
            ("most-sets", Case("Fifty sets are granted (RFC 8617 §5.1.1.1).", fifty, "pass", ["list.example"] * 50)),
            ("too-many-sets", Case("Fifty-one sets are one too many.", made(fifty, 51), "fail", alone="pass")),
            ("body-changed", Case("The body was changed after the last seal.", listed, "fail")),
            ("body-emptied", Case("The body was cut off.", one.partition(b"\r\n\r\n")[0] + b"\r\n\r\n", "fail")),
            ("subject-changed", Case("A signed field was changed after the last seal.", one.replace(b"table", b"chair"), "fail")),
            ("from-changed", Case("The author was changed after the last seal.", one.replace(b"me@shop", b"you@shop"), "fail")),
            ("results-changed", Case("The first statement was changed after it was sealed.", two.replace(b"dmarc=pass", b"dmarc=fail"), "fail")),
            ("older-signature-changed", Case("The older signature need not hold, but its octets are sealed.", _changed(second, _SIGNATURE, 1, _flipped), "fail")),
            ("older-seal-changed", Case("The older seal does not hold.", _changed(second, _SEAL, 1, _flipped), "fail")),
            ("newest-signature-changed", Case("The newest signature does not hold.", _changed(second, _SIGNATURE, 2, _flipped), "fail")),
            ("newest-seal-changed", Case("The newest seal does not hold.", _changed(second, _SEAL, 2, _flipped), "fail")),
            ("body-hash-of-another-text", Case("All signatures hold, for another body.", made(MAIL, 1, body=b"Another text\r\n"), "fail")),
            ("first-says-pass", Case("The first seal can only say none.", made(MAIL, 1, cv="pass"), "fail")),
            ("second-says-none", Case("The second seal cannot say none.", made(first, 2, cv="none"), "fail")),
            ("first-says-fail", Case("A chain is over once a seal says fail.", made(MAIL, 1, cv="fail"), "fail")),
            ("second-says-fail", Case("The newest seal says that the chain before it failed.", failing, "fail")),
            ("fail-below-pass", Case("No later seal mends a chain that failed.", made(failing, 3), "fail")),
            ("unknown-state", Case("The seal's state is a word that no RFC knows.", made(first, 2, cv="good"), "fail")),
            ("state-missing", Case("The seal has no state.", made(MAIL, 1, seal={"cv": None}), "fail")),
            ("seal-missing", Case("Set 1 has no seal.", _without(second, _SEAL, 1), "fail")),
            ("signature-missing", Case("Set 1 has no signature.", _without(second, _SIGNATURE, 1), "fail")),
            ("results-missing", Case("Set 1 has no statement.", _without(second, _RESULTS, 1), "fail")),
            ("newest-seal-missing", Case("Set 2 has no seal.", _without(second, _SEAL, 2), "fail")),
            ("first-set-missing", Case("Set 1 was removed.", _whole_set_removed(second, 1), "fail")),
            ("gap-in-the-middle", Case("Set 2 of three was removed.", _whole_set_removed(three, 2), "fail")),
            ("gap-when-sealed", Case("The second server calls itself the third.", made(first, 3), "fail")),
            ("begins-at-two", Case("The only set is called the second.", made(MAIL, 2), "fail")),
            ("seal-twice", Case("Set 1 has two seals.", _changed(second, _SEAL, 1, _twice), "fail")),
            ("signature-twice", Case("Set 1 has two signatures.", _changed(second, _SIGNATURE, 1, _twice), "fail")),
            ("results-twice", Case("Set 1 has two statements.", _changed(second, _RESULTS, 1, _twice), "fail")),
            ("set-twice", Case("Two servers call themselves the first.", made(first, 1), "fail")),
            ("instance-zero", Case("Sets are numbered from 1: fields without such a number are no set.", made(MAIL, 0), "none")),
            ("instance-huge", Case("No set has a number of this size.", made(MAIL, 99_999, cv="none"), "fail")),
            ("instance-no-number", Case("A word is no number either.", _renumbered(first, b"one"), "none")),
            ("key-absent", keyed("absent", "There is no key under the selector.")),
            ("key-revoked", keyed("revoked", "The key was revoked (RFC 6376 §3.6.1: empty p=).")),
            ("key-of-another", keyed("other", "The key under the selector is another one.")),
            ("key-for-sha1-only", keyed("sha1only", "The key may be used with SHA-1 only.", alone="pass")),
            ("key-for-tls-reports", keyed("tlsrpt", "The key is for reports about TLS, not for mail.")),
            ("key-out-of-reach", keyed("silent", "DNS does not answer, so nothing is known.", "temperror", alone="fail")),
            ("signature-not-yet-expired", Case("The signature is good for many years (x=).", made(MAIL, 1, signature={"x": "9999999999"}), "pass", ["list.example"])),
            ("signature-expired", Case("The signature was good for an hour (x=).", made(MAIL, 1, signature={"x": str(_AT + 3_600)}), "fail")),
            ("length-with-text-behind", Case("l= leaves the last line unsigned, so it proves nothing.", made(lengthened, 1, signature={"l": str(len(_relaxed_body(body)))}, body=body), "fail", alone="pass")),
            ("signature-by-sha1", Case("SHA-1 proves nothing (RFC 8301 §3.1).", made(MAIL, 1, signature={"a": "rsa-sha1", "bh": _body_hash(body, hashlib.sha1)}), "fail")),
            ("seal-by-sha1", Case("A seal by SHA-1 proves nothing either.", made(MAIL, 1, seal={"a": "rsa-sha1"}), "fail")),
            ("seal-names-fields", Case("A seal must not have h= (RFC 8617 §4.1.3).", made(MAIL, 1, seal={"h": "from"}), "fail")),
            ("signature-covers-seal", Case("A signature must not cover seals (RFC 8617 §4.1.2).", made(first, 2, signature={"h": "from:arc-seal"}), "fail")),
            ("tag-twice", Case("A tag that stands twice makes the seal unreadable (RFC 6376 §3.2).", made(MAIL, 1, seal={"t": f"{_AT}; t={_AT}"}), "fail")),
            ("domain-missing", Case("The seal names no domain.", made(MAIL, 1, seal={"d": None}), "fail")),
            ("domain-no-name", Case("The seal's domain is no name.", made(MAIL, 1, seal={"d": "list..example"}), "fail")),
            ("one-set-ed25519", Case("A chain may use rsa-sha256 alone, though DKIM knows Ed25519 (RFC 8463).", made(MAIL, 1, selector="ed"), "fail")),
            ("rsa-over-ed25519", Case("A set with Ed25519 breaks the chain below a good one.", mixed, "fail")),
            ("unknown-algorithm", Case("The algorithm is one that no RFC knows.", made(MAIL, 1, signature={"a": "rsa-md5"}), "fail")),
        )
    )  # fmt: skip


def _whole_set_removed(mail: bytes, instance: int) -> bytes:
    for name in _SET:
        mail = _without(mail, name, instance)
    return mail


def _renumbered(mail: bytes, number: bytes) -> bytes:
    return mail.replace(b"i=1;", b"i=" + number + b";")


def _numbered(*given: tuple[str, Case]) -> list[tuple[str, Case]]:
    return [(f"{number:02}-{name}", case) for number, (name, case) in enumerate(given, 1)]


def files() -> dict[str, bytes]:
    """Returns the content of each file by its name: the chains, the judgement beside each, and the zone.

    They have LF line ends and are read as mail with CRLF.
    """
    records = (f'"{name}" = "{text.decode()}"\n' for name, text in zone().items())
    written = {"zone.toml": "".join(records).encode()}
    for name, case in cases().items():
        why = case.why.replace('"', '\\"')
        seals = ", ".join(f'"{domain}"' for domain in case.seals)
        alone = f'alone = "{case.alone}"\n' if case.alone else ""
        written[f"{name}.eml"] = case.mail.replace(b"\r\n", b"\n")
        written[f"{name}.toml"] = f'why = "{why}"\noutcome = "{case.outcome}"\nseals = [{seals}]\n{alone}'.encode()
    return written


def write() -> None:
    """Replaces all files but the keys."""
    for old in FOLDER.glob("*.*"):
        old.unlink()
    for name, content in files().items():
        (FOLDER / name).write_bytes(content)


if __name__ == "__main__":
    write()
