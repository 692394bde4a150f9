"""The courier: sends one message to the server of one recipient, by static route or MX, trying each host once in order.

Every outcome is a `Delivery`; no behaviour of a remote server raises an exception. A transaction is repeated over
another connection or host only while the final dot has not been sent. After that, a lost answer is a temporary failure,
and the queue decides about the next attempt.
"""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from relay import config
from relay.core.mail import address
from relay.core.smtp_reply import RemoteReply
from relay.edge.dns import literal
from relay.edge.smtp_client import Answer, ClientSession, LostError, Phase
from relay.edge.smtp_dial import DialError, Dialler, DialTarget
from relay.edge.smtp_envelope import Envelope
from relay.edge.smtp_pool import Destinations, Pool
from relay.ports import Clock, Delivery, MxHost, Observer, Outgoing, ResolveError, Resolver

# A domain may publish any number of hosts and addresses; one attempt tries only some of them.
_MOST_DIALS: Final = 10


class CourierError(Exception):
    """The configuration's delivery section cannot be used; the message names the key and the cause."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """A delivery; `final` is True when no other host may be tried after it."""

    delivery: Delivery
    final: bool


class SmtpOut:
    """Implements `ports.Courier`. Raises CourierError when a file that the configuration names cannot be read."""

    def __init__(
        self,
        *,
        delivery: config.DeliverySection,
        hostname: str,
        data_dir: Path,
        resolver: Resolver,
        clock: Clock,
        observer: Observer,
    ) -> None:
        self._port = delivery.port
        self._ipv6 = delivery.ipv6
        self._resolver = resolver
        self._clock = clock
        self._observer = observer
        self._own_names = {hostname.lower(), (delivery.helo or hostname).lower()}
        self._routes = {_domain(route): _target(route, data_dir) for route in delivery.route}
        self._pool = Pool(idle_s=delivery.idle_connection_s, messages=delivery.messages_per_connection)
        self._destinations = Destinations(
            concurrency=delivery.concurrency_per_destination,
            interval_s=delivery.rate_per_destination_s,
            clock=clock,
        )
        self._dialler = Dialler(
            helo=delivery.helo or hostname,
            bind_ip=delivery.bind_ip,
            connect_timeout_s=delivery.connect_timeout_s,
            command_timeout_s=delivery.command_timeout_s,
            verified=_verified_context(delivery, data_dir),
        )

    async def deliver(self, outgoing: Outgoing) -> Delivery:
        started_s = self._clock.monotonic_s()
        envelope = Envelope.of(outgoing)
        if isinstance(envelope, Delivery):
            delivery = envelope
        else:
            route = self._routes.get(envelope.domain) or self._routes.get("*")
            name = f"{route.name}:{route.port}" if route else envelope.domain
            async with self._destinations.turn(name):
                delivery = await self._to_hosts(envelope, route)
        outcome = "accepted" if delivery.accepted else "refused" if delivery.permanent else "deferred"
        self._observer.count("delivery_attempts", outcome=outcome, phase=delivery.phase)
        self._observer.duration_s("delivery_seconds", self._clock.monotonic_s() - started_s)
        return delivery

    async def close(self) -> None:
        """Closes the idle connections. Deliveries under way close their own."""
        await self._pool.close()

    # ---------------------------------------------------------------- hosts

    async def _to_hosts(self, envelope: Envelope, route: DialTarget | None) -> Delivery:
        hosts = [MxHost(0, route.name, literal(route.name))] if route else await self._mx(envelope.domain)
        if isinstance(hosts, Delivery):
            return hosts
        last: Delivery | None = None
        dials = 0
        for host in hosts:
            target = route or DialTarget(name=host.name, port=self._port)
            kept = await self._over_kept(target, envelope)
            if kept is not None:
                return kept
            try:
                addresses = host.addresses or await self._resolver.addresses(host.name)
            except ResolveError as error:
                # A host that does not exist is a permanent failure only when no other host may accept the mail; a
                # smarthost of our own that does not exist is a fault of our configuration.
                if last is None or last.permanent:
                    permanent = error.permanent and route is None
                    last = _failed("dns", str(error), permanent=permanent, host=host.name)
                continue
            for ip in addresses:
                if ":" in ip and not self._ipv6:
                    continue
                outcome = await self._over_fresh(target, ip, envelope)
                dials += 1
                if outcome.final or dials == _MOST_DIALS:
                    return outcome.delivery
                last = outcome.delivery
        return last or _failed("dns", "no usable address", permanent=False)

    async def _mx(self, domain: str) -> Sequence[MxHost] | Delivery:
        try:
            hosts = await self._resolver.mx(domain)
        except ResolveError as error:
            return _failed("dns", str(error), permanent=error.permanent)
        # RFC 5321 §5.1: hosts that are not preferred to ourselves are left out; if none is left, it is a loop.
        own = min((host.preference for host in hosts if host.name.lower().rstrip(".") in self._own_names), default=None)
        nearer = [host for host in hosts if own is None or host.preference < own]
        if hosts and not nearer:
            return _failed(
                "dns",
                "the MX records lead mail for the domain back to this server",
                permanent=True,
                code=554,
                enhanced="5.4.6",
            )
        return nearer

    # ---------------------------------------------------------------- connections

    async def _over_kept(self, target: DialTarget, envelope: Envelope) -> Delivery | None:
        """Delivers over an idle connection; None when there is none, or when the server had closed it."""
        session = self._pool.take(target)
        if session is None:
            return None
        try:
            outcome = await self._over(session, target, envelope)
        except LostError as lost:
            return None if lost.phase != "end_of_data" else _lost(lost, session)
        closed_meanwhile = outcome.delivery.code == 421 and outcome.delivery.phase != "end_of_data"
        return None if closed_meanwhile else outcome.delivery

    async def _over_fresh(self, target: DialTarget, ip: str, envelope: Envelope) -> _Outcome:
        try:
            session = await self._dialler.dial(target, ip)
        except DialError as error:
            reply = error.reply or RemoteReply(0, "", error.text)
            delivery = _failed(
                error.phase,
                reply.text,
                permanent=error.permanent,
                code=reply.code,
                enhanced=reply.enhanced,
                host=target.name,
            )
            return _Outcome(delivery, final=error.permanent)
        self._observer.count("delivery_connections", tls=session.tls or "none")
        try:
            return await self._over(session, target, envelope)
        except LostError as lost:
            return _Outcome(_lost(lost, session), final=lost.phase == "end_of_data")

    async def _over(self, session: ClientSession, target: DialTarget, envelope: Envelope) -> _Outcome:
        """Delivers over an open session and gives it back to the pool. Raises LostError."""
        unfit = envelope.unfit(session)
        if unfit is not None:
            self._pool.give(target, session)
            return _Outcome(unfit, final=True)
        try:
            fitted = await envelope.fitted(session.offers)
        except BaseException:
            session.abort()
            raise
        answer = await session.transact(fitted.mail(session.offers), fitted.rcpt(), fitted.content)
        self._pool.give(target, session)
        delivery = _delivery(answer, session, downgraded=fitted is not envelope)
        return _Outcome(delivery, final=not answer.closing or answer.phase == "end_of_data")


def _delivery(answer: Answer, session: ClientSession, *, downgraded: bool) -> Delivery:
    return Delivery(
        accepted=answer.accepted,
        permanent=answer.reply.code >= 500,
        code=answer.reply.code,
        enhanced=answer.reply.enhanced,
        text=answer.reply.text,
        phase=answer.phase,
        host=session.host,
        tls=session.tls,
        downgraded=downgraded,
        ip=session.ip,
    )


def _lost(lost: LostError, session: ClientSession) -> Delivery:
    return _failed(lost.phase, lost.text, permanent=False, host=session.host, tls=session.tls)


def _failed(
    phase: Phase, text: str, *, permanent: bool, code: int = 0, enhanced: str = "", host: str = "", tls: str = ""
) -> Delivery:
    return Delivery(
        accepted=False, permanent=permanent, code=code, enhanced=enhanced, text=text, phase=phase, host=host, tls=tls
    )


def _domain(route: config.Route) -> str:
    try:
        return address.fold_domain(route.domain)
    except address.AddressError as error:
        raise CourierError(f"delivery.route for {route.domain!r}: {error}") from error


def _target(route: config.Route, data_dir: Path) -> DialTarget:
    password = ""
    if route.password_file:
        try:
            password = (data_dir / route.password_file).read_text("utf-8").splitlines()[0].strip()
        except (OSError, UnicodeError, IndexError) as error:
            raise CourierError(
                f"delivery.route for {route.domain!r}: password_file {route.password_file!r} holds no readable line"
            ) from error
    return DialTarget(
        name=route.host.lower(),
        port=route.port,
        lmtp=route.protocol == "lmtp",
        tls=route.tls,
        username=route.username,
        password=password,
    )


def _verified_context(delivery: config.DeliverySection, data_dir: Path) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if delivery.ca_file:
        try:
            context.load_verify_locations(data_dir / delivery.ca_file)
        except OSError as error:  # SSLError is one
            raise CourierError(f"delivery.ca_file {delivery.ca_file!r} cannot be read as PEM certificates") from error
    return context
