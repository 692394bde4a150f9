"""What the relay adds to a message for its reader, in the reader's language: the footer with its signed links,
List-Unsubscribe, and the placeholders of what policy strips (R-REW-08, R-REW-09, R-POL-02)."""

from datetime import datetime
from typing import Final, NamedTuple

from relay.core.model.facts import Facts
from relay.core.model.marketplace import Marketplace
from relay.core.model.party import Party, Role
from relay.core.model.reason import ReasonCode
from relay.core.model.verdict import Verdict
from relay.core.notice.texts import NoticePart, Translations, key, text
from relay.core.rewrite.plan import Cutout, FooterLine
from relay.core.signed_link import Purpose
from relay.steps.services import Services

_OF_SELLERS: Final[tuple[tuple[str, Purpose], ...]] = (
    ("footer.no_reply", Purpose.NO_REPLY),
    ("footer.report", Purpose.REPORT),
)
_OF_BUYERS: Final[tuple[tuple[str, Purpose], ...]] = (
    ("footer.opt_out", Purpose.OPT_OUT),
    ("footer.report", Purpose.REPORT),
)
_NOT_IMPORTANT: Final = ("footer.not_important", Purpose.NOT_IMPORTANT)


class Footer(NamedTuple):
    lines: tuple[FooterLine, ...]
    unsubscribe: str


def lines(services: Services, facts: Facts, verdict: Verdict, message_id: str, now: datetime) -> Footer:
    """No lines where the marketplace has switched footers off; one-click opt-out stays, it is the buyer's right."""
    reader = facts.pair.side(facts.to).party

    def url(purpose: Purpose) -> str:
        return services.links.url(purpose, reader.id, message_id, now)

    unsubscribe = url(Purpose.OPT_OUT) if facts.to is Role.BUYER else ""
    if not facts.marketplace.footer:
        return Footer((), unsubscribe)
    say = services.catalogue(locale_of(facts.marketplace, reader))
    linked = _OF_BUYERS if facts.to is Role.BUYER else _OF_SELLERS
    if verdict.bypass:
        linked = (_NOT_IMPORTANT, *linked)
    return Footer(
        (
            FooterLine(_heading(say, facts), ""),
            *(FooterLine(text(say, name, {}), url(purpose)) for name, purpose in linked),
        ),
        unsubscribe,
    )


def _heading(say: Translations, facts: Facts) -> str:
    values = {"marketplace": facts.marketplace.name, "order": facts.order.external_id if facts.order else ""}
    return text(say, "footer.order" if facts.order else "footer.from", values)


def cutouts(services: Services, facts: Facts, verdict: Verdict) -> tuple[Cutout, ...]:
    """What policy strips, each with what stands in its place."""
    say = services.catalogue(locale_of(facts.marketplace, facts.pair.side(facts.to).party))
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


def signature_placeholder(services: Services, facts: Facts) -> str:
    """What stands for a key or signature that names its owner (R-REW-06)."""
    say = services.catalogue(locale_of(facts.marketplace, facts.pair.side(facts.to).party))
    return text(
        say, "placeholder.text", {"title": say.gettext(key(ReasonCode.SIGNATURE_NAMES_OWNER, NoticePart.TITLE))}
    )


def locale_of(marketplace: Marketplace, party: Party) -> str:
    """The party's language where the marketplace speaks it, else the marketplace's first."""
    return party.locale if party.locale in marketplace.locales else marketplace.locales[0]
