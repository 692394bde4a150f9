"""DKIM keys (RFC 6376) and their life.

A key is prepared, its DNS record is published, and then the key becomes active. The key that it replaces stays
published until its signatures have expired, and is then retired.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from relay.actions import audit
from relay.actions.actor import ActionError, Actor, NotFoundError, Right
from relay.actions.context import ActionContext
from relay.actions.dns_records import is_published, of_key, zone_line
from relay.core import dkim
from relay.core.dkim import KeyState
from relay.core.model.marketplace import Marketplace
from relay.ports import DkimKey, ResolveError, Resolver
from relay.ports.audit import AuditAction, AuditEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """The outcome of the activation of one prepared key.

    `problem` is the cause for which the key could not become active, with the fix, or "" if it is active now.
    """

    key: DkimKey
    problem: str

    @property
    def state(self) -> KeyState:
        """Returns the present state of the key."""
        return self.key.state if self.problem else KeyState.ACTIVE


async def generate(
    actor: Actor, context: ActionContext, marketplaces: Sequence[Marketplace], algorithms: Sequence[dkim.Algorithm]
) -> Sequence[DkimKey]:
    """Creates an active key for each domain and algorithm that has no active key. Returns the new keys."""
    actor.require(Right.MANAGE_KEYS)
    return await _make(actor, context, marketplaces, algorithms, KeyState.ACTIVE)


async def prepare(
    actor: Actor, context: ActionContext, marketplaces: Sequence[Marketplace], algorithms: Sequence[dkim.Algorithm]
) -> Sequence[DkimKey]:
    """Creates a prepared key for each domain and algorithm that has no prepared key.

    Returns all prepared keys. Their DNS records must be published before `activate`.
    """
    actor.require(Right.MANAGE_KEYS)
    await _make(actor, context, marketplaces, algorithms, KeyState.PREPARED)
    return await _prepared(context, marketplaces)


async def activate(
    actor: Actor, context: ActionContext, marketplaces: Sequence[Marketplace], resolver: Resolver | None
) -> Sequence[Activation]:
    """Activates each prepared key whose DNS record is published; the active key of the same algorithm becomes replaced.

    Without a `resolver` the DNS records are not looked up. Raises NotFoundError if no key is prepared.
    """
    actor.require(Right.MANAGE_KEYS)
    prepared = await _prepared(context, marketplaces)
    if not prepared:
        raise NotFoundError("no key is prepared")
    return [await _activate(actor, context, marketplaces, key, resolver) for key in prepared]


async def _activate(
    actor: Actor,
    context: ActionContext,
    marketplaces: Sequence[Marketplace],
    key: DkimKey,
    resolver: Resolver | None,
) -> Activation:
    problem = await _publication_problem(key, resolver) if resolver else ""
    if problem:
        return Activation(key=key, problem=problem)
    if not await context.store.dkim_keys.activate(key.domain, key.selector):
        return Activation(key=key, problem="it is not prepared any more")
    await audit.record(context, _entry(actor, context, AuditAction.KEY_ACTIVATED, marketplaces, key))
    return Activation(key=key, problem="")


async def _publication_problem(key: DkimKey, resolver: Resolver) -> str:
    record = of_key(key)
    try:
        return "" if await is_published(resolver, record) else f"publish {zone_line(record)}"
    except ResolveError as error:
        return f"{record.name}: {error}"


async def retire(
    actor: Actor,
    context: ActionContext,
    marketplaces: Sequence[Marketplace],
    expire_s: float,
    *,
    selector: str | None = None,
    at_once: bool = False,
) -> Sequence[DkimKey]:
    """Deletes the private halves of replaced keys whose signatures have all expired, and returns these keys.

    Their DNS records can then be removed. Signatures expire `expire_s` seconds after a key was replaced. With
    `selector` only the keys with this selector are retired. A prepared key is then always retired; a replaced key only
    if its signatures have expired or `at_once` is true. Raises NotFoundError if no key has the selector, or only
    retired keys have it. Raises ActionError, with nothing changed, if a key with the selector is active, or its
    signatures have not expired and `at_once` is false.
    """
    actor.require(Right.MANAGE_KEYS)
    here = [key async for key in all_keys(context, marketplaces)]
    now = context.clock.now()
    if selector is None:
        chosen = [key for key in here if is_over(key, expire_s, now)]
    else:
        chosen = [key for key in here if key.selector == selector and key.state.published]
        _check_retirable(chosen, selector, expire_s, now, at_once=at_once)
    for key in chosen:
        if await context.store.dkim_keys.retire(key.domain, key.selector):
            await audit.record(context, _entry(actor, context, AuditAction.KEY_RETIRED, marketplaces, key))
    return chosen


def _check_retirable(
    chosen: Sequence[DkimKey], selector: str, expire_s: float, now: datetime, *, at_once: bool
) -> None:
    if not chosen:
        raise NotFoundError(f'there is no key "{selector}" to retire; see `relay keys list`')
    for key in chosen:
        if key.state is KeyState.ACTIVE:
            raise ActionError(f"{selector} of {key.domain} is active; replace it with `relay keys rotate`")
        if key.state is KeyState.REPLACED and not at_once and not is_over(key, expire_s, now):
            raise ActionError(
                f"what {selector} of {key.domain} signed is good until it expires, so it is not retired yet"
            )


def is_over(key: DkimKey, expire_s: float, now: datetime) -> bool:
    """Returns whether a key was replaced so long ago that all its signatures have expired."""
    since = key.since if key.state is KeyState.REPLACED else None
    return since is not None and since + timedelta(seconds=expire_s) <= now


async def all_keys(context: ActionContext, marketplaces: Sequence[Marketplace]) -> AsyncIterator[DkimKey]:
    """Yields the keys of all domains of the marketplaces, also the retired keys."""
    for domain in (domain for one in marketplaces for domain in sorted(one.domains)):
        for key in await context.store.dkim_keys.of_domain(domain):
            yield key


async def _prepared(context: ActionContext, marketplaces: Sequence[Marketplace]) -> list[DkimKey]:
    return [key async for key in all_keys(context, marketplaces) if key.state is KeyState.PREPARED]


async def _make(
    actor: Actor,
    context: ActionContext,
    marketplaces: Sequence[Marketplace],
    algorithms: Sequence[dkim.Algorithm],
    state: KeyState,
) -> Sequence[DkimKey]:
    made = []
    for domain in (domain for one in marketplaces for domain in sorted(one.domains)):
        there = await context.store.dkim_keys.of_domain(domain)
        for algorithm in algorithms:
            if any((key.algorithm, key.state) == (algorithm, state) for key in there):
                continue
            selector = _free_selector(algorithm, {key.selector for key in there}, context.clock.now())
            der = dkim.generate(algorithm)
            key = DkimKey(domain=domain, selector=selector, algorithm=algorithm, private_der=der, state=state)
            await context.store.dkim_keys.put(key)
            await audit.record(context, _entry(actor, context, AuditAction.KEY_MADE, marketplaces, key))
            made.append(key)
    return made


def _free_selector(algorithm: str, taken: set[str], now: datetime) -> str:
    """Returns an unused selector that contains the month, such as "rsa-202601".

    If the month has a selector already, the new one gets a number at its end.
    """
    name = f"{algorithm.partition('-')[0]}-{now:%Y%m}"
    return next(one for one in (name, *(f"{name}-{n}" for n in range(2, len(taken) + 3))) if one not in taken)


def _entry(
    actor: Actor, context: ActionContext, action: AuditAction, marketplaces: Sequence[Marketplace], key: DkimKey
) -> AuditEntry:
    return audit.entry(
        actor,
        context,
        action,
        marketplace_id=next(one.id for one in marketplaces if key.domain in one.domains),
        subject_id=f"{key.selector}._domainkey.{key.domain}",
        algorithm=key.algorithm,
        state=key.state.value,
    )
