"""Reads the mailbox of a From field strictly by RFC 5322 §3.4.

The relay determines the writer from this field. So it refuses each value in which two programs could read two different
people: `a@x <b@y>`, `alice@a)bob@b`, groups, routes, comments inside an address, control characters, several mailboxes.
"""

import re
from typing import Final, NamedTuple

from relay.core.mail import address, words

_MAX_BYTES: Final = 4_096
_DEEPEST_COMMENT: Final = 10
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_SPACE: Final = re.compile(r"[ \t]*")
_IN_BRACKETS: Final = re.compile(rb"<([^<>]*@[^<>]*)>")
_COMMENT_MARK: Final = re.compile(r"[^()\\]*(?:\\.[^()\\]*)*([()])")
# Dots may stand anywhere, as in the addresses of Japanese carriers (R-ADR-03); `address.fold` checks the address later.
_ATEXT: Final = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-"
_QUOTED: Final = r'"(?:[^"\\]|\\.)*"'
_ADDRESS: Final = re.compile(rf"(?:[{_ATEXT}.]+|{_QUOTED})@[{_ATEXT}.]+")
# Encoded words of real mail contain more characters than RFC 2047 §5 (3) allows, but none that delimits a mailbox.
_WORD: Final = re.compile(rf"=\?[^?\s]+\?[BbQq]\?[^?\s\"<>]*\?=|[{_ATEXT}.]+|({_QUOTED})")
_ADDRESS_AS_NAME: Final = re.compile(r"[!-~]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+\Z")


class MailboxError(ValueError):
    """The value is not exactly one mailbox, or programs may read it differently.

    The error message names the fault and does not repeat the value.
    """


class Mailbox(NamedTuple):
    """A mailbox: its decoded display name, "" if it has none, and its address, folded as by `address.fold`."""

    name: str
    address: str


def read(raw: bytes, near: str = "") -> Mailbox:
    """Returns the mailbox in an unfolded From value. `near` is the charset of the mail's first text, "" if unknown.

    Raises MailboxError if the value is longer than 4096 octets, is not exactly one mailbox, or has a display name that
    is another mail address. The display name may be in another charset than UTF-8; the address may not.
    """
    if len(raw) > _MAX_BYTES:
        raise MailboxError("it is too long")
    text = words.to_text(raw, "", near)
    is_utf_8 = text.encode("utf-8", "replace") == raw
    if _CONTROL.search(text):
        raise MailboxError("it holds control characters")
    name, addr_spec, position = _mailbox(text, _skip(text, 0))
    if _skip(text, position) != len(text):
        raise MailboxError("it holds more than one mailbox")
    try:
        folded = address.fold(addr_spec)
    except address.AddressError as error:
        raise MailboxError(str(error)) from error
    if not is_utf_8 and not _is_only_address(raw, addr_spec):
        raise MailboxError("it holds octets that are not UTF-8 around more than one address")
    _refuse_borrowed(name, folded)
    return Mailbox(name, folded)


def _mailbox(text: str, position: int) -> tuple[str, str, int]:
    """Returns the display name and the address, as written, of the mailbox at `position`, and the position after it."""
    pieces: list[str] = []
    while position < len(text):
        if text[position] == "<":
            return _name(pieces), *_in_brackets(text, position)
        found = _ADDRESS.match(text, position)
        if found:
            if pieces:
                raise MailboxError("words stand before an address without brackets")
            after = _skip(text, found.end())
            if text.startswith("<", after):
                return found[0], *_in_brackets(text, after)  # `_refuse_borrowed` compares the two
            return "", found[0], found.end()
        word = _WORD.match(text, position)
        if word is None:
            raise MailboxError("a character stands where none of its kind may")
        pieces.append(_unquoted(word[1]) if word[1] else word[0])
        after = _skip(text, word.end())
        if after > word.end():
            pieces.append(" ")
        position = after
    raise MailboxError("it holds no address")


def _is_only_address(raw: bytes, addr_spec: str) -> bool:
    """Whether a program that does not know the charset reads the same address in the octets."""
    in_brackets = _IN_BRACKETS.findall(raw)
    if not addr_spec.isascii() or (not in_brackets and raw.count(b"@") != 1):
        return False
    return not in_brackets or [found.strip() for found in in_brackets] == [addr_spec.encode("ascii")]


def _in_brackets(text: str, position: int) -> tuple[str, int]:
    start = _space(text, position + 1)
    found = _ADDRESS.match(text, start)
    if found is None:
        raise MailboxError("there is no address in the brackets")
    end = _space(text, found.end())
    if not text.startswith(">", end):
        raise MailboxError("there is more than an address in the brackets")
    return found[0], end + 1


def _space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _skip(text: str, position: int) -> int:
    """Returns the position after the white space and the comments at `position` (CFWS, RFC 5322 §3.2.2).

    Raises MailboxError if a comment has no end, or if comments are nested too deep.
    """
    depth = 0
    position = _space(text, position)
    while depth or text.startswith("(", position):
        mark = _COMMENT_MARK.match(text, position)
        if mark is None:
            raise MailboxError("a comment does not end")
        depth += 1 if mark[1] == "(" else -1
        if depth > _DEEPEST_COMMENT:
            raise MailboxError("comments are nested too deep")
        position = mark.end() if depth else _space(text, mark.end())
    return position


def _unquoted(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted[1:-1])


def _name(pieces: list[str]) -> str:
    """Returns the decoded display name that consists of these words.

    Encoded words in quotes are decoded too, because programs write them so, and decode them when they show the name.
    """
    return words.decode("".join(pieces).strip().encode())


def _refuse_borrowed(name: str, folded: str) -> None:
    """Raises MailboxError if the display name is another mail address: a reader would think it is the writer's address.

    `folded` is the writer's address.
    """
    shown = name.strip(" \t'\"<>")
    if not _ADDRESS_AS_NAME.match(shown):
        return
    try:
        same = address.fold(shown) == folded
    except address.AddressError:
        same = False
    if not same:
        raise MailboxError("the display name is another address")
