"""Implements `ports.signed_links.SignedLinks`, by which the web server shows and uses signed links."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from relay.core.model.marketplace import Marketplace
from relay.core.model.policy import Policy
from relay.core.notice import frame
from relay.core.notice.letters import worded
from relay.core.notice.texts import Translations
from relay.core.policy.changes import PolicyHistoryEntry, changelog
from relay.core.signed_link import Link, Purpose
from relay.ports import Observer
from relay.ports.signed_links import LINK_WORDS, ONE_CLICK, Changelog, LinkError, Offer, PolicyVersion
from relay.signed_links import choices, offers
from relay.signed_links.context import open_link, resolve
from relay.steps.event_log import StructuredEventLog
from relay.steps.services import Services


class SignedLinkService:
    """Shows signed links, carries out their choices, and returns the versions of a policy for the web server.

    `services` is a function that returns the services, because the web server's port is opened before they exist.
    """

    def __init__(self, services: Callable[[], Services]) -> None:
        self._services = services

    async def look(self, token: str) -> Offer:
        services = self._services()
        with _counted(services.observer, services.event_log, "shown") as counted:
            link = open_link(services.links.key, token)
            counted.append(link)
            return await offers.offer(await resolve(services, link))

    async def act(self, token: str, choice: str, words: str = "") -> Offer:
        services = self._services()
        with _counted(services.observer, services.event_log, "done", choice) as counted:
            link = open_link(services.links.key, token)
            counted.append(link)
            context = await resolve(services, link)
            one_click = choice == ONE_CLICK and link.purpose is Purpose.OPT_OUT
            if not one_click and choice not in LINK_WORDS[link.purpose].choices:
                raise context.no_such_choice()
            await choices.act(context, choice, words)
            # The page shows the state after the change.
            return replace(await offers.offer(await resolve(services, link)), done=True)

    def changelog(self, marketplace_id: str, wanted: Sequence[str]) -> Changelog | None:
        services = self._services()
        marketplace = services.marketplaces.by_id.get(marketplace_id)
        if marketplace is None:
            return None
        now = services.clock.now()
        locale = next((one for one in wanted if one in marketplace.locales), marketplace.locales[0])
        return Changelog(
            marketplace=marketplace.name,
            help_url=marketplace.help_url,
            locale=locale,
            locales=marketplace.locales,
            versions=tuple(
                _version(entry, marketplace, locale, services.catalogue(locale), now)
                for entry in changelog(marketplace.policies)
                if _announced(entry.policy, marketplace, now)
            ),
        )


def _announced(policy: Policy, marketplace: Marketplace, now: datetime) -> bool:
    """Returns whether the page may show a version of the policy.

    It may do so if the version has been announced to sellers, or if it is in force.
    """
    announced_at = policy.effective_at - timedelta(seconds=policy.announce_s)
    return announced_at <= now or policy is marketplace.policy_at(now)


def _version(
    entry: PolicyHistoryEntry, marketplace: Marketplace, locale: str, translations: Translations, now: datetime
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
def _counted(
    observer: Observer, event_log: StructuredEventLog, outcome: str, choice: str | None = None
) -> Iterator[list[Link]]:
    """Counts a use of a link in the metric `links`, by its purpose and its outcome, when the block ends.

    The caller adds the link to the yielded list as soon as it has read the token; without a link, the purpose is
    "unknown". `outcome` is the outcome if the block raises no exception. A use with a `choice` is also logged.
    """
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
        observer.count("links", purpose=purpose, outcome=outcome)
        if choice is not None and links:
            known = choice == ONE_CLICK or choice in LINK_WORDS[links[0].purpose].choices
            event_log.link_used(links[0], outcome, choice if known else "")
