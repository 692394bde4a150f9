"""Parties: the buyers and sellers of a marketplace, their mailboxes and their settings."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from relay.actions import audit
from relay.actions.actor import Actor, InvalidValueError, Right
from relay.actions.addresses import check_address
from relay.actions.context import ActionContext
from relay.actions.grounds import Grounds
from relay.core import redact, wall_clock
from relay.core.model.marketplace import Marketplace
from relay.core.model.party import Party, PartyState, Role, SettingsUpdate
from relay.ports.audit import AuditAction, AuditEntry

_OWN_SETTINGS = {Role.BUYER: ("time_zone", "quiet_hours"), Role.SELLER: ("product_support",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyUpdate:
    """The new values of a party. None leaves the stored value as it is. A new party needs a mailbox."""

    mailbox: str | None = None
    locale: str | None = None
    display_name: str | None = None
    state: PartyState | None = None
    time_zone: str | None = None
    """A buyer's IANA time zone, such as Asia/Tokyo; "" for the time zone of the policy."""
    quiet_hours: str | None = None
    """A buyer's quiet hours, such as "22:00-07:00"; "off" for none, "" for the quiet hours of the policy."""
    product_support: bool | None = None
    """Whether a seller answers product questions about orders that the operator fulfils."""

    @property
    def settings(self) -> SettingsUpdate | None:
        """Returns the given values that are settings, or None if there are none."""
        given = SettingsUpdate(
            time_zone=self.time_zone, quiet_hours=self.quiet_hours, product_support=self.product_support
        )
        return None if given == SettingsUpdate() else given

    def changed(self) -> tuple[str, ...]:
        """Returns the names of the values that are not None."""
        return tuple(name for name in self.__slots__ if getattr(self, name) is not None)


async def put(
    actor: Actor, context: ActionContext, marketplace: Marketplace, role: Role, ref: str, update: PartyUpdate
) -> Party:
    """Creates or changes the party with the marketplace's reference `ref`, and returns the stored party.

    The call can be repeated safely. A new mailbox becomes the current one, and is approved to write for the party
    (R-ADR-04). The former one is no longer approved, unless the marketplace keeps it (`keep_former_mailbox`). Raises
    InvalidValueError if a value is wrong, or a new party has no mailbox.
    """
    actor.require(Right.PUT_PARTIES)
    party, entry = await put_unrecorded(actor, context, marketplace, role, ref, update)
    await audit.record(context, entry)
    return party


async def put_unrecorded(
    actor: Actor, context: ActionContext, marketplace: Marketplace, role: Role, ref: str, update: PartyUpdate
) -> tuple[Party, AuditEntry]:
    """Checks the values and stores a party as `put` does. Returns the party and the entry to record.

    The function does not check the actor's right. The caller must check the right, and add the entry to the audit log
    together with the entries of other changes.
    """
    known = await context.store.parties.by_ref(marketplace.id, role, ref)
    if known is None and update.mailbox is None:
        raise InvalidValueError("mailbox", "a new party needs {field}")
    locale = marketplace.locales[0] if update.locale is None and known is None else update.locale
    _check(context, marketplace, role, update)
    party = await context.store.parties.put(
        marketplace.id,
        role,
        ref,
        mailbox=update.mailbox,
        retire_former=not marketplace.keep_former_mailbox,
        locale=locale,
        display_name=update.display_name,
        state=update.state,
        settings=update.settings,
    )
    entry = audit.entry(
        actor,
        context,
        AuditAction.PARTY_PUT,
        marketplace_id=marketplace.id,
        party_id=party.id,
        new=int(known is None),
        values=" ".join(update.changed()),
        state=party.state.value,
    )
    return party, entry


def _check(context: ActionContext, marketplace: Marketplace, role: Role, update: PartyUpdate) -> None:
    if update.mailbox is not None:
        check_address(context, "mailbox", update.mailbox)
    if update.locale is not None and update.locale not in marketplace.locales:
        raise InvalidValueError("locale", f"{{field}}: the marketplace speaks {', '.join(marketplace.locales)}")
    if update.state is PartyState.ERASED:
        raise InvalidValueError("state", "{field}: a party is not erased by setting its state")
    for name in _OWN_SETTINGS[role.other]:
        if getattr(update, name) is not None:
            raise InvalidValueError(name, f"{{field}} is not for a {role}")
    _parse("time_zone", update.time_zone, wall_clock.zone, "an IANA time zone is needed, such as Asia/Tokyo")
    hours = None if update.quiet_hours == "off" else update.quiet_hours
    _parse("quiet_hours", hours, wall_clock.daily_period, 'two times are needed, such as 22:00-07:00, or "off"')


def _parse(field: str, value: str | None, parse: Callable[[str], object], expected: str) -> None:
    if value:
        try:
            parse(value)
        except ValueError:
            raise InvalidValueError(field, f"{{field}}: {expected}") from None


async def set_product_support(actor: Actor, context: ActionContext, party: Party, *, on: bool) -> Party:
    """Sets whether a seller answers product questions about orders that the operator fulfils (R-POL-13).

    Returns the stored party. The staff and the seller may do this. Raises InvalidValueError if the party is not a
    seller.
    """
    actor.require(Right.SET_PRODUCT_SUPPORT, party.id)
    if party.role is not Role.SELLER:
        raise InvalidValueError("product_support", f"{{field}} is not for a {party.role}")
    changed = await context.store.parties.put(
        party.marketplace_id, party.role, party.external_ref, settings=SettingsUpdate(product_support=on)
    )
    entry = audit.entry(
        actor,
        context,
        AuditAction.PRODUCT_SUPPORT_SET,
        marketplace_id=party.marketplace_id,
        party_id=party.id,
        on=int(on),
    )
    await audit.record(context, entry)
    return changed


async def read_mailboxes(
    actor: Actor, context: ActionContext, parties: Sequence[Party], grounds: Grounds
) -> Mapping[str, str | None]:
    """Returns the current real mailbox of each party by the party's id; None for a party without a mailbox.

    Before the mailboxes are returned, an entry in the audit log for each party records that its mailbox is read.
    """
    actor.require(Right.READ_ADDRESSES)
    why = grounds.recorded()
    entries = [
        audit.entry(
            actor,
            context,
            AuditAction.ADDRESSES_READ,
            marketplace_id=party.marketplace_id,
            party_id=party.id,
            case=why.case,
            reason=why.reason,
        )
        for party in parties
    ]
    await audit.record(context, *entries)
    return {party.id: await context.store.parties.mailbox(party.id) for party in parties}


async def masked_mailbox(actor: Actor, context: ActionContext, party: Party) -> str | None:
    """Returns the party's current mailbox with most of its local part hidden (`redact.masked`); None if it has none.

    Nothing is recorded, because nobody can write to the result. The staff and the party itself may do this.
    """
    actor.require(Right.PUT_PARTIES, party.id)
    mailbox = await context.store.parties.mailbox(party.id)
    return None if mailbox is None else redact.masked(mailbox)
