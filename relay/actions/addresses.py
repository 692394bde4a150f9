"""The check of addresses that are given as a party's own address."""

from relay.actions.actor import InvalidValueError
from relay.actions.context import ActionContext
from relay.core.mail.address import AddressError, fold_entry

OWN_ADDRESS = "is at a domain of the relay itself, so it is never a party's own address"


def check_address(context: ActionContext, field: str, address: str) -> None:
    """Raises InvalidValueError if the address is malformed or is at a domain of the relay itself (R-OUT-08).

    The address is `local@domain`, or `@domain` for a whole domain.
    """
    try:
        fold_entry(address)
    except AddressError as error:
        raise InvalidValueError(field, f"{{field}}: not one mail address: {error}") from None
    if context.marketplaces.is_own(address):
        raise InvalidValueError(field, f"{{field}}: {OWN_ADDRESS}")
