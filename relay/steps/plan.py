"""The plan of a rewrite: the aliases, names and ids to insert, and the additions in the reader's language.

The additions are the footer with its signed links, the field List-Unsubscribe (RFC 8058), and a placeholder for each
part that the policy strips (R-REW-08, R-REW-09, R-POL-02).
"""

import textwrap
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Final, NamedTuple

from relay.core import alias
from relay.core.mail.address import AddressError, fold, fold_domain
from relay.core.model.facts import Facts
from relay.core.model.kind import Kind
from relay.core.model.marketplace import Marketplace, Marketplaces, Naming
from relay.core.model.message import Incoming
from relay.core.model.pair import Pair, Side
from relay.core.model.party import Party, Role
from relay.core.model.reason import ReasonCode
from relay.core.model.sender import SenderState
from relay.core.model.verdict import Verdict
from relay.core.notice.texts import Catalogue, NoticePart, Translations, key, text
from relay.core.rewrite.plan import Cutout, FooterLine, Plan
from relay.core.signed_link import Purpose
from relay.ports import SecretStore
from relay.steps.outcomes import Judgement
from relay.steps.services import Services, SignedLinkUrls

_OF_SELLERS: Final[tuple[tuple[str, Purpose], ...]] = (
    ("footer.no_reply", Purpose.NO_REPLY),
    ("footer.report", Purpose.REPORT),
)
_OF_BUYERS: Final[tuple[tuple[str, Purpose], ...]] = (
    ("footer.opt_out", Purpose.OPT_OUT),
    ("footer.report", Purpose.REPORT),
)
_KINDS: Final = frozenset(Kind)
_NAMED: Final = 100  # characters; a quoted footer is recognized by its length, among other properties
_NOT_IMPORTANT: Final = ("footer.not_important", Purpose.NOT_IMPORTANT)


def plan(services: Services, incoming: Incoming, judgement: Judgement) -> Plan:
    """Returns the plan by which a judged message is rewritten for its recipient."""
    facts, verdict, from_name = judgement.facts, judgement.verdict, judgement.mail.head.from_name
    message_id = judgement.recipient.message_id
    catalogue, urls, marketplaces = services.catalogue, services.links, services.marketplaces
    below = _footer(catalogue, urls, facts, verdict, message_id, incoming.received_at)
    author = facts.pair.side(facts.to.other)
    domain = author.alias.domain
    # The writer's addresses of this transaction are added, because an approved domain has no entries for single
    # addresses.
    written_from = {facts.from_address: author.alias.address}
    with suppress(AddressError):
        written_from[fold(incoming.mail_from)] = author.alias.address
    # The entries of the writer replace equal entries of the reader. Otherwise a reader who lists a guessed address
    # could see from the alias whether the guess is right.
    reader = facts.pair.side(facts.to)
    registered = dict.fromkeys(reader.addresses, reader.alias.address)
    registered |= dict.fromkeys(author.addresses, author.alias.address)
    if facts.sender is None or facts.sender.state is not SenderState.APPROVED:
        # The mail waits for a decision and is sent in the form that it gets now. Other entries of the list may be
        # approved before that, so their addresses are replaced too.
        registered |= {sender.address: author.alias.address for sender in author.senders if not sender.is_domain}
    shown = shown_name(services.store.secrets, facts.marketplace, facts.pair, author)
    return Plan(
        domain=domain,
        from_address=author.alias.address,
        from_name=f"{shown} ({facts.marketplace.name})",
        disguise=_without_own(marketplaces, written_from | registered),
        message_id=f"{message_id}@{domain}",
        thread_ids={ref.incoming_id: ref.outgoing_id for ref in facts.thread_refs},
        thread_key=services.store.secrets.get("thread") + facts.pair.id.encode(),
        hidden_hosts=frozenset(word for word in (incoming.peer.helo, incoming.peer.client_ip) if word),
        disguise_domains=_without_own(marketplaces, _whole_domains(reader) | _whole_domains(author)),
        hidden_names={name: shown for name in (from_name, author.party.display_name) if name and name not in shown},
        hide_names_in_text=facts.marketplace.hide_names_in_text,
        shown_domains=judgement.recipient.policy.content.allowed_domains,
        link_placeholder=_removed(catalogue, facts, ReasonCode.LINK_REMOVED),
        cutouts=_cutouts(catalogue, facts, verdict),
        strip_images=facts.marketplace.images is Naming.STRIP,
        strip_documents=facts.marketplace.documents is Naming.STRIP,
        strip_signatures=facts.marketplace.signatures is Naming.STRIP,
        signature_placeholder=_removed(catalogue, facts, ReasonCode.SIGNATURE_NAMES_OWNER),
        footer=below.lines,
        unsubscribe=below.unsubscribe,
        mobile=_is_mobile(facts.marketplace, reader),
        language=locale_of(facts.marketplace, reader.party),
        link_prefix=urls.prefix,
    )


def _without_own(marketplaces: Marketplaces, disguise: dict[str, str]) -> dict[str, str]:
    """Returns `disguise` without the relay's own addresses and domains, because no alias may replace another alias.

    An old list of senders may hold such addresses. All addresses are folded. The check makes no call for each address,
    so that the time it takes hardly depends on the number of addresses on the list.
    """
    own = marketplaces.by_domain
    return {hidden: alias for hidden, alias in disguise.items() if hidden.rpartition("@")[2] not in own}


def _is_mobile(marketplace: Marketplace, reader: Side) -> bool:
    """Returns whether the reader's current mailbox is at a mobile carrier.

    The domain of the alias has no influence. Held mail keeps the result from the time of its judgement.
    """
    return reader.mailbox is not None and marketplace.at_carrier(fold_domain(reader.mailbox.rpartition("@")[2]))


def _whole_domains(side: Side) -> dict[str, str]:
    """Returns the domains for which the party's list has an entry `@domain` that is approved or retired (R-SND-01).

    The value of each domain is the party's alias.
    """
    may_write, alias = (SenderState.APPROVED, SenderState.RETIRED), side.alias.address
    return {
        sender.address[1:]: alias for sender in side.senders if sender.address[0] == "@" and sender.state in may_write
    }


def shown_name(secrets: SecretStore, marketplace: Marketplace, pair: Pair, side: Side) -> str:
    """Returns the writer's name as the other side sees it (R-ADR-06).

    The name is the party's display name if the marketplace shows it, else "Seller" for a seller and a pseudonym for a
    buyer.
    """
    if side.party.role is Role.SELLER:
        name = side.party.display_name if marketplace.show_seller_name else ""
        return name or "Seller"
    name = side.party.display_name if marketplace.show_buyer_name else ""
    return name or alias.pseudonym(pair.seller.party.id, pair.buyer.party.id, secrets.get("alias"))


class _Footer(NamedTuple):
    lines: tuple[FooterLine, ...]
    unsubscribe: str


def _footer(
    catalogue: Catalogue, urls: SignedLinkUrls, facts: Facts, verdict: Verdict, message_id: str, now: datetime
) -> _Footer:
    """Returns the footer and the link for one-click opt-out.

    The footer has no lines if the marketplace has switched footers off. Mail to a buyer always has the link.
    """
    reader = facts.pair.side(facts.to).party

    def url(purpose: Purpose) -> str:
        return urls.url(purpose, reader.id, message_id, now)

    unsubscribe = url(Purpose.OPT_OUT) if facts.to is Role.BUYER else ""
    if not facts.marketplace.footer:
        return _Footer((), unsubscribe)
    say = catalogue(locale_of(facts.marketplace, reader))
    linked = _OF_BUYERS if facts.to is Role.BUYER else _OF_SELLERS
    if verdict.bypass:
        linked = (_NOT_IMPORTANT, *linked)
    return _Footer(
        (
            FooterLine(_heading(say, facts), ""),
            *_further(say, facts),
            *_how_to_name(say, facts),
            *(FooterLine(text(say, name, {}), url(purpose)) for name, purpose in linked),
        ),
        unsubscribe,
    )


def _heading(say: Translations, facts: Facts) -> str:
    values = {"marketplace": facts.marketplace.name, "order": facts.order.external_id if facts.order else ""}
    return text(say, "footer.order" if facts.order else "footer.from", values)


def _further(say: Translations, facts: Facts) -> Iterator[FooterLine]:
    """Yields a footer line with the orders and kinds that the further tags of the recipient name (R-REW-05)."""
    if facts.other_tags:
        names = [say.gettext(f"kind.{tag}") if tag in _KINDS else tag for tag in facts.other_tags]
        yield FooterLine(
            text(say, "footer.also", {"names": textwrap.shorten(", ".join(names), _NAMED, placeholder=" …")}), ""
        )


def _how_to_name(say: Translations, facts: Facts) -> Iterator[FooterLine]:
    """Yields the footer line that says how the reader names an order, if the pair has any (R-ADR-05)."""
    if facts.order is None and facts.orders:
        yield FooterLine(text(say, "footer.name_order", {}), "")
    elif facts.order is not None:
        writer = facts.pair.side(facts.to.other).alias.address
        address = alias.tagged(writer, facts.order.external_id)
        name = "footer.write_to_order" if address else "footer.name_order"
        yield FooterLine(text(say, name, {"address": address or ""}), "")


def _cutouts(catalogue: Catalogue, facts: Facts, verdict: Verdict) -> tuple[Cutout, ...]:
    """Returns the parts and texts that the policy strips, each with its placeholder in the reader's language."""
    say = catalogue(locale_of(facts.marketplace, facts.pair.side(facts.to).party))
    return tuple(
        Cutout(
            path=strip.part,
            start=strip.start,
            end=strip.end,
            placeholder=text(
                say,
                "placeholder.part" if strip.start is None else "placeholder.text",
                {
                    "name": strip.name,
                    "marketplace": facts.marketplace.name,
                    "title": say.gettext(key(strip.code, NoticePart.TITLE)),
                },
            ),
        )
        for strip in verdict.strips
    )


def _removed(catalogue: Catalogue, facts: Facts, code: ReasonCode) -> str:
    """Returns the text in the reader's language that replaces what the rewrite removes for this reason (R-REW-08)."""
    say = catalogue(locale_of(facts.marketplace, facts.pair.side(facts.to).party))
    return text(say, "placeholder.text", {"title": say.gettext(key(code, NoticePart.TITLE))})


def locale_of(marketplace: Marketplace, party: Party) -> str:
    """Returns the party's language if the marketplace supports it, else the first language of the marketplace."""
    return party.locale if party.locale in marketplace.locales else marketplace.locales[0]
