"""Checks mail addresses, and folds them: a folded address has the form in which addresses are compared and hashed.

The grammar is RFC 5321 §4.1.2 (`Mailbox`) with two additions: UTF-8 (RFC 6531 §3.3), and the local parts with irregular
dots that Japanese carriers once gave out (`a..b@`, `a.@`, R-ADR-03). Address literals (`user@[192.0.2.1]`) are refused,
because no alias has one.
"""

import re
from typing import Final

import idna

_ATOMS: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\u0080-\U0010ffff-]+"
_LOCAL: Final = re.compile(rf"(?:{_ATOMS}|\"(?:[ !#-\[\]-~\u0080-\U0010ffff]|\\[ -~])*\")\Z")
_BARE: Final = re.compile(rf"{_ATOMS}\Z")
_QUOTED_PAIR: Final = re.compile(r"\\(.)")
_DOT_STRING: Final = re.compile(r"[^.]+(?:\.[^.]+)*\Z")
_LABEL: Final = r"[A-Za-z0-9\u0080-\U0010ffff](?:[A-Za-z0-9\u0080-\U0010ffff_-]{0,61}[A-Za-z0-9\u0080-\U0010ffff])?"
_DOMAIN: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\Z")


class AddressError(ValueError):
    """The text is not one mail address; the error message names the invalid part and does not repeat the text."""


def split(address: str) -> tuple[str, str]:
    """Returns the local part and the domain of a mail address, both as written.

    Raises AddressError if the text does not follow the grammar of this module, or if a part is longer than RFC 5321
    §4.5.3.1 allows.
    """
    local, at, domain = address.rpartition("@")
    if not at:
        raise AddressError("no @ in the address")
    if not 0 < len(local.encode()) <= 64 or not _LOCAL.match(local):
        raise AddressError("the local part is not valid")
    if not 0 < len(domain.encode()) <= 253 or not _DOMAIN.match(domain):
        raise AddressError("the domain is not valid")
    return local, domain


def sendable_local_part(local_part: str) -> str:
    """Returns a local part, as `split` returns it, in a form that other programs accept.

    A local part with irregular dots, such as `a..b`, is put in quotes. With and without quotes it names the same
    mailbox (RFC 5321 §4.1.2, RFC 5322 §3.4.1).
    """
    return local_part if local_part.startswith('"') or _DOT_STRING.match(local_part) else f'"{local_part}"'


def fold_domain(domain: str) -> str:
    """Returns the domain in lower case, as A-labels (RFC 5890), and without a final dot.

    Raises AddressError if a domain that is not ASCII cannot be written as A-labels. A domain in ASCII is not checked.
    """
    domain = domain.rstrip(".")
    if domain.isascii():
        return domain.lower()
    try:
        return idna.encode(domain, uts46=True).decode("ascii").lower()
    except idna.IDNAError as error:
        raise AddressError("the domain is not a valid international name") from error


def domain_of(address: str) -> str:
    """Returns the folded domain of an address. Raises AddressError as `split` and `fold_domain` do."""
    return fold_domain(split(address)[1])


def fold(address: str) -> str:
    """Returns an address in the form in which addresses are compared and hashed.

    Both parts are in lower case, the local part has quotes only if it needs them, and the domain is written as
    A-labels. Raises AddressError if the text is not one mail address.

    Local parts are formally case-sensitive (RFC 5321 §2.4), but the mailbox providers of our parties ignore the case.
    Quotes are removed because they do not change the mailbox (§4.1.2), and because some servers on the way put a local
    part such as `a..b` in quotes.
    """
    local, domain = split(address)
    bare = _QUOTED_PAIR.sub(r"\1", local[1:-1]) if local.startswith('"') else local
    return f"{_lower(bare if _BARE.match(bare) else local)}@{fold_domain(domain)}"


def fold_entry(address: str) -> str:
    """Returns the folded form of an entry of a list of senders: `local@domain`, or `@domain` for a whole domain.

    Raises AddressError if the text is neither.
    """
    return f"@{domain_of(f'any{address}')}" if address.startswith("@") else fold(address)


def _lower(local: str) -> str:
    """Returns the local part in lower case.

    A character stays as it is if it is not ASCII and its lower case is ASCII. Otherwise the Kelvin sign would become
    the letter `k`, and the address would be that of another mailbox.
    """
    if local.isascii():
        return local.lower()
    return "".join(char.lower() if char.isascii() or not char.lower().isascii() else char for char in local)
