"""The actor of an action, with a name, a way and rights, and the errors that actions raise."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from relay.core import redact
from relay.ports.audit import Way

_LONGEST_NAME: Final = 200


class Right(StrEnum):
    """The rights of actors, each for one kind of action."""

    PUT_PARTIES = "put_parties"
    SET_PRODUCT_SUPPORT = "set_product_support"
    PUT_ORDERS = "put_orders"
    """The right to create and change pairs and orders."""
    DECIDE_SENDERS = "decide_senders"
    SET_OPT_OUTS = "set_opt_outs"
    DECIDE_HOLDS = "decide_holds"
    REOPEN_THREADS = "reopen_threads"
    MARK_NOT_IMPORTANT = "mark_not_important"
    MARK_NO_REPLY = "mark_no_reply"
    REPORT_ABUSE = "report_abuse"
    RESTORE_BYPASS = "restore_bypass"
    MANAGE_PASSWORDS = "manage_passwords"
    MANAGE_KEYS = "manage_keys"
    MANAGE_QUEUE = "manage_queue"
    READ_TEXT = "read_text"
    READ_ADDRESSES = "read_addresses"


class ActionError(Exception):
    """Raised if the action could not be done.

    The text of the error is for the person who acts, and contains no address.
    """


class NotAllowedError(ActionError):
    """Raised if the actor does not have the right to do the action."""


class NotFoundError(ActionError):
    """Raised if the thing that the action is about does not exist."""


class InvalidValueError(ActionError):
    """Raised if a given value is wrong. `{field}` in the text is replaced by the name of the value."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text.replace("{field}", field))
        self.field = field
        self._text = text

    def worded(self, name: str) -> str:
        """Returns the text with `name` as the name of the value, for instance the name of a command's option."""
        return self._text.replace("{field}", name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """The person, program or party that carries out an action.

    `name` is the name of a person or program, or the id of the party. If `party_id` is given, the rights hold only for
    things of that party.
    """

    name: str
    way: Way
    rights: frozenset[Right]
    party_id: str | None = None

    @classmethod
    def admin(cls, name: str, way: Way = Way.COMMAND_LINE) -> "Actor":
        """Returns an actor with all rights.

        If `name` is a mail address, only its local part is kept, because names are stored unencrypted in the audit log.
        Raises InvalidValueError if the name is then empty.
        """
        kept = redact.clip(name, _LONGEST_NAME).replace("＠", "@").partition("@")[0].strip()
        if not kept:
            raise InvalidValueError("by", "{field}: a name is needed, it is kept with the action")
        return cls(name=kept, way=way, rights=frozenset(Right))

    @classmethod
    def party(cls, party_id: str, right: Right, way: Way) -> "Actor":
        """Returns an actor with one right, for the things of one party."""
        return cls(name=party_id, way=way, rights=frozenset({right}), party_id=party_id)

    @property
    def by(self) -> str:
        """Returns the name of the actor for the history of a message.

        For a party it is the name of the way by which the party acts, such as "link", because the history shows the
        party already. For any other actor it is the actor's name.
        """
        return self.name if self.party_id is None else self.way.value

    def require(self, right: Right, *owners: str | None) -> None:
        """Raises NotAllowedError unless the actor has the right.

        The right of a party applies only to its own things: the party must be one of `owners`, which are ids of
        parties.
        """
        if right not in self.rights:
            raise NotAllowedError(f'this is not allowed: the right "{right}" is missing')
        if self.party_id is not None and self.party_id not in owners:
            raise NotAllowedError("this is not allowed: it is not about the party that asks for it")
