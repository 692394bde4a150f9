"""The desk that the web edge asks (`ports.links.Links`)."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from relay.core.link import Link, Purpose
from relay.core.model.marketplace import Marketplace
from relay.core.notice import frame
from relay.core.notice.letters import worded
from relay.core.notice.texts import Translations
from relay.core.policy.changes import Entry, changelog
from relay.core.policy.policy import Policy
from relay.links import choices, offers
from relay.links.holding import held, opened
from relay.ports.links import ONE_CLICK, WORDS, Changelog, LinkError, Offer, PolicyVersion, Why
from relay.steps.house import House


class LinkDesk:
    """`house()` gives the house: the web edge is bound before it stands."""

    def __init__(self, house: Callable[[], House]) -> None:
        self._house = house

    async def look(self, token: str) -> Offer:
        house = self._house()
        with _counted(house, "shown") as counted:
            link = opened(house, token)
            counted.append(link)
            return await offers.offer(await held(house, link))

    async def act(self, token: str, choice: str, words: str = "") -> Offer:
        house = self._house()
        with _counted(house, "done") as counted:
            link = opened(house, token)
            counted.append(link)
            holding = await held(house, link)
            one_click = choice == ONE_CLICK and link.purpose is Purpose.OPT_OUT
            if not one_click and choice not in WORDS[link.purpose].choices:
                raise LinkError(Why.CHOICE, locale=holding.locale, help_url=holding.marketplace.help_url)
            await choices.act(holding, choice, words)
            # What was just changed is looked up again.
            return replace(await offers.offer(await held(house, link)), done=True)

    def changelog(self, marketplace_id: str, wanted: Sequence[str]) -> Changelog | None:
        house = self._house()
        marketplace = house.book.by_id.get(marketplace_id)
        if marketplace is None:
            return None
        now = house.clock.now()
        locale = next((one for one in wanted if one in marketplace.locales), marketplace.locales[0])
        return Changelog(
            marketplace=marketplace.name,
            help_url=marketplace.help_url,
            locale=locale,
            locales=marketplace.locales,
            versions=tuple(
                _version(entry, marketplace, locale, house.catalogue(locale), now)
                for entry in changelog(marketplace.policies)
                if _announced(entry.policy, marketplace, now)
            ),
        )


def _announced(policy: Policy, marketplace: Marketplace, now: datetime) -> bool:
    """What the operator has not announced yet is not told here either."""
    announced_at = policy.effective_at - timedelta(seconds=policy.announce_s)
    return announced_at <= now or policy is marketplace.policy_at(now)


def _version(
    entry: Entry, marketplace: Marketplace, locale: str, translations: Translations, now: datetime
) -> PolicyVersion:
    policy = entry.policy
    return PolicyVersion(
        version=policy.version,
        effective=frame.moment(policy.effective_at, policy),
        in_force=policy is marketplace.policy_at(now),
        summary=(policy.summary.get(locale) or policy.summary.get(marketplace.locales[0]) or "").strip(),
        changes=tuple(line for change in entry.changes for line in worded(change, marketplace, translations)),
    )


@contextmanager
def _counted(house: House, outcome: str) -> Iterator[list[Link]]:
    """Counts the use of a link, by its purpose once that is known."""
    links: list[Link] = []
    try:
        yield links
    except LinkError as error:
        outcome = error.why
        raise
    except Exception:
        outcome = "failed"
        raise
    finally:
        purpose = links[0].purpose.name.lower() if links else "unknown"
        house.observer.count("links", purpose=purpose, outcome=outcome)
