"""The strict grammar for the arguments of SMTP commands (RFC 5321 §4.1.2), as functions from text to values.

Every function takes the argument as the client sent it, and raises `ProtocolFault` with the reply for the client. A
reply never repeats text of the client.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from relay.core.mail import address
from relay.core.model.reply import Reply


class ProtocolFault(Exception):  # noqa: N818 (it is an answer to the client and not an error of the relay)
    """Raised if the client has violated the protocol or a limit. `reason` is the label in the metrics."""

    def __init__(self, code: int, enhanced: str, text: str, *, reason: str = "syntax") -> None:
        super().__init__(text)
        self.reply = Reply(code, enhanced, text)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class MailFrom:
    """The arguments of the command MAIL.

    `address` is "" for the null sender. `size` is the size in bytes that the client has declared, or 0.
    """

    address: str
    size: int
    smtputf8: bool


# A quoted local part may contain angle brackets. Each character fits only one alternative, so nothing is tried twice.
_PATH: Final = re.compile(r'<((?>(?:"(?>(?:[^"\\]|\\.)*)"|[^<>"])*))>')
_PARAMETER: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^\x00-\x20\x7f]+))?\Z")
_GREETING_NAME: Final = re.compile(r"(?:[\w.:-]{1,255}|\[[A-Za-z0-9.:_-]{1,64}\])\Z")
_NOTIFY: Final = r"NEVER|(?:SUCCESS|FAILURE|DELAY)(?:,(?:SUCCESS|FAILURE|DELAY))*"
_NO_VALUE: Final = ""

# DSN (RFC 3461) is not offered, but some senders use its parameters nevertheless. They are checked and then ignored,
# because the policy decides about notices and a refusal would help nobody.
_MAIL_PARAMETERS: Final = {
    "SIZE": r"[0-9]{1,20}",  # RFC 1870
    "BODY": r"7BIT|8BITMIME",  # RFC 6152
    "SMTPUTF8": _NO_VALUE,  # RFC 6531 §3.4
    "RET": r"FULL|HDRS",
    "ENVID": r".{1,100}",
}
# RFC 4954 §5: AUTH= must be accepted and may be ignored.
_LOGGED_IN_PARAMETERS: Final = _MAIL_PARAMETERS | {"AUTH": r".{1,500}"}
_RCPT_PARAMETERS: Final = {"NOTIFY": _NOTIFY, "ORCPT": r"[A-Za-z0-9-]+;.{1,500}"}


def mail_from(argument: str, *, extended: bool, logged_in: bool) -> MailFrom:
    """Returns the values of `FROM:<path> [parameters]`. Raises ProtocolFault.

    `extended` means that the client has sent EHLO or LHLO, so that parameters are allowed.
    """
    path, words = _path_and_words(argument, "FROM:", "syntax: MAIL FROM:<address> [parameters]")
    parameters = _parameters(words, _LOGGED_IN_PARAMETERS if logged_in else _MAIL_PARAMETERS, extended=extended)
    smtputf8 = "SMTPUTF8" in parameters
    if path:
        _check(path, "5.1.7", smtputf8=smtputf8)
    return MailFrom(path, int(parameters.get("SIZE", 0)), smtputf8)


def rcpt_to(argument: str, *, extended: bool, smtputf8: bool, hostname: str) -> str:
    """Returns the address of `TO:<path> [parameters]` as it was written. Raises ProtocolFault.

    `<postmaster>` without a domain is the postmaster of this server (RFC 5321 §4.5.1).
    """
    path, words = _path_and_words(argument, "TO:", "syntax: RCPT TO:<address> [parameters]")
    _parameters(words, _RCPT_PARAMETERS, extended=extended)
    if path.lower() == "postmaster":
        path = f"{path}@{hostname}"
    _check(path, "5.1.3", smtputf8=smtputf8)
    return path


def greeting_name(argument: str) -> str:
    """Returns the name after HELO, EHLO or LHLO: a domain or an address literal (RFC 5321 §4.1.1.1).

    Raises ProtocolFault.
    """
    if not _GREETING_NAME.match(argument):
        raise ProtocolFault(501, "5.5.4", "a host name or an address literal is needed")
    return argument


def no_argument(argument: str) -> None:
    """Raises ProtocolFault if the command has an argument."""
    if argument:
        raise ProtocolFault(501, "5.5.4", "this command takes no argument")


def _path_and_words(argument: str, keyword: str, syntax: str) -> tuple[str, list[str]]:
    """Returns the path between the angle brackets after `keyword`, and the words after it. Raises ProtocolFault.

    The function takes linear time. The grammar allows no spaces after the colon, but real clients send them.
    """
    if argument[: len(keyword)].upper() == keyword:
        rest = argument[len(keyword) :].lstrip(" ")
        match = _PATH.match(rest)
        if match is not None and rest[match.end() : match.end() + 1] in {"", " "}:
            return match[1], rest[match.end() :].split()
    raise ProtocolFault(501, "5.5.4", syntax)


def _parameters(words: Sequence[str], known: dict[str, str], *, extended: bool) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in words:
        match = _PARAMETER.match(word)
        name, value = (match[1].upper(), match[2] or "") if match else ("", "")
        if not match or name in found:
            raise ProtocolFault(501, "5.5.4", "malformed or repeated parameter")
        if name not in known or not extended:
            raise ProtocolFault(555, "5.5.4", "parameter not recognised or not offered")
        if not re.fullmatch(known[name], value, re.IGNORECASE):
            raise ProtocolFault(501, "5.5.4", f"{name} has a value that is not allowed")
        found[name] = value
    return found


def _check(path: str, enhanced: str, *, smtputf8: bool) -> None:
    """Raises ProtocolFault for an invalid address.

    Source routes are refused too, as RFC 5321 appendix C allows.
    """
    try:
        address.split(path)
    except address.AddressError as error:
        raise ProtocolFault(501, enhanced, str(error)) from None
    if not smtputf8 and not path.isascii():
        raise ProtocolFault(553, "5.6.7", "an international address needs SMTPUTF8")  # RFC 6531 §3.5
