"""The courier: it sends one message to the server of one recipient, found by a configured route or by MX records.

Each host is tried once, in order. Every outcome is a `Delivery`. No behaviour of a remote server raises an exception,
but a failure to convert the content for the server does. A transaction is repeated over another connection or with
another host only while the final dot was not sent. A lost answer after the final dot is a temporary failure, and the
queue decides about the next attempt.

The names and addresses of servers come from the DNS of strangers. Therefore mail is sent only to public addresses,
except on the configured routes and in `allowed_networks`, and each address has its own lane (`ports.Lanes`).
"""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Final

from relay import config
from relay.core.mail import address
from relay.core.networks import is_public
from relay.core.smtp_reply import RemoteReply
from relay.edge.dns import literal
from relay.edge.smtp_client import Answer, ClientSession, LostError, Phase
from relay.edge.smtp_dial import DialError, Dialler, DialTarget
from relay.edge.smtp_envelope import Envelope
from relay.edge.smtp_pool import Pool
from relay.ports import Attempt, Clock, Delivery, Lanes, MxHost, Observer, Outgoing, ResolveError, Resolver

# A domain may publish any number of hosts and addresses, so one attempt tries only some of them.
_MOST_DIALS: Final = 10


class CourierError(Exception):
    """Raised if the delivery section of the configuration cannot be used. The text names the key and the cause."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """A delivery. `final` is True if no other host may be tried after it."""

    delivery: Delivery
    final: bool


@dataclass(slots=True)
class _Search:
    """The search for a host that accepts the message.

    - `last` is the outcome at the host that was tried last.
    - `dials` is the number of connection attempts.
    - `has_hidden` means that an address was left out because it is not public, and `has_unusable` that one was left out
      because it is an IPv6 address.
    """

    attempt: Attempt
    envelope: Envelope
    route: DialTarget | None
    last: Delivery | None = None
    dials: int = 0
    has_hidden: bool = False
    has_unusable: bool = False

    def not_found(self, host: str, error: ResolveError) -> None:
        """Records that a host has no address.

        The failure is permanent only if no other host may accept the mail. A configured route to a host that does not
        exist is a temporary failure, because it is a fault of the relay's configuration.
        """
        if self.last is None or self.last.permanent:
            permanent = error.permanent and self.route is None
            self.last = _failed("dns", str(error), permanent=permanent, host=host)

    def result(self) -> Delivery:
        """Returns the outcome if no host is left.

        If none of the domain's hosts has a public address, the failure is permanent, as if the hosts did not exist.
        """
        none_was_usable = self.has_hidden and not (self.dials or self.has_unusable)
        if none_was_usable and (self.last is None or self.last.permanent):
            return _failed("dns", "no mail host of the domain has a public address", permanent=True)
        return self.last or _failed("dns", "no usable address", permanent=False)


class SmtpOut:
    """Implements `ports.Courier`.

    The constructor raises CourierError if a file that the configuration names cannot be read.
    """

    def __init__(
        self,
        *,
        delivery: config.DeliverySection,
        hostname: str,
        data_dir: Path,
        resolver: Resolver,
        clock: Clock,
        observer: Observer,
        lanes: Lanes,
    ) -> None:
        self._port = delivery.port
        self._ipv6 = delivery.ipv6
        self._resolver = resolver
        self._clock = clock
        self._observer = observer
        self._lanes = lanes
        self._allowed = [ip_network(one) for one in delivery.allowed_networks]
        self._own_names = {hostname.lower(), (delivery.helo or hostname).lower()}
        self._routes = {_domain(route): _target(route, data_dir) for route in delivery.route}
        self._route_hosts = {route.name: MxHost(0, route.name, literal(route.name)) for route in self._routes.values()}
        self._pool = Pool(idle_s=delivery.idle_connection_s, messages=delivery.messages_per_connection)
        self._dialler = Dialler(
            helo=delivery.helo or hostname,
            bind_ip=delivery.bind_ip,
            connect_timeout_s=delivery.connect_timeout_s,
            greeting_timeout_s=delivery.greeting_timeout_s,
            command_timeout_s=delivery.command_timeout_s,
            final_reply_timeout_s=delivery.final_reply_timeout_s,
            verified=_verified_context(delivery, data_dir),
        )

    async def deliver(self, outgoing: Outgoing) -> Delivery:
        started_s = self._clock.monotonic_s()
        envelope = Envelope.of(outgoing)
        if isinstance(envelope, Delivery):
            delivery = envelope
        else:
            route = self._routes.get(envelope.domain) or self._routes.get("*")
            delivery = await self._attempt(envelope, route)
        if delivery.again_s:
            return delivery
        outcome = "accepted" if delivery.accepted else "refused" if delivery.permanent else "deferred"
        self._observer.count("delivery_attempts", outcome=outcome, phase=delivery.phase)
        self._observer.duration_s("delivery_seconds", self._clock.monotonic_s() - started_s)
        return delivery

    async def close(self) -> None:
        """Closes the idle connections. A running delivery closes its own connection."""
        await self._pool.close()

    # ---------------------------------------------------------------- hosts

    async def _attempt(self, envelope: Envelope, route: DialTarget | None) -> Delivery:
        attempt = self._lanes.attempt(envelope.domain)
        try:
            async with attempt:
                delivery = await self._to_hosts(attempt, envelope, route)
        except TimeoutError:
            phase: Phase = "end_of_data" if attempt.may_be_accepted else "connect"
            delivery = _failed(phase, "the delivery took too long", permanent=False, timed_out=True)
        attempt.ended(delivery)
        return delivery

    async def _to_hosts(self, attempt: Attempt, envelope: Envelope, route: DialTarget | None) -> Delivery:
        hosts = [self._route_hosts[route.name]] if route else await self._mx(envelope.domain)
        if isinstance(hosts, Delivery):
            return hosts
        search = _Search(attempt, envelope, route)
        for host in hosts:
            delivery = await self._to_host(search, host)
            if delivery is not None:
                return delivery
        return search.result()

    async def _to_host(self, search: _Search, host: MxHost) -> Delivery | None:
        """Returns the delivery if it is final, None if the next host may be tried."""
        target = search.route or DialTarget(name=host.name, port=self._port)
        kept = await self._over_kept(search, target)
        if kept is not None:
            return kept
        try:
            addresses = host.addresses or await self._resolver.addresses(host.name)
        except ResolveError as error:
            search.not_found(host.name, error)
            return None
        is_full = False
        for ip in addresses:
            if ":" in ip and not self._ipv6:
                search.has_unusable = True
            elif not self._may_dial(ip, search.route):
                search.has_hidden = True
            elif not search.attempt.place(ip):
                is_full = True
            else:
                outcome = await self._over_fresh(target, ip, search)
                search.dials += 1
                search.last = outcome.delivery
                if outcome.final or search.dials == _MOST_DIALS:
                    return outcome.delivery
                if outcome.delivery.timed_out:
                    search.attempt.timed_out()
        if is_full:
            # The next host is not tried, because it may accept mail only while this host cannot be reached.
            return search.last or _failed("connect", "no free place", permanent=False, again_s=search.attempt.again_s)
        return None

    def _may_dial(self, ip: str, route: DialTarget | None) -> bool:
        """Returns whether mail may be sent to this address.

        The DNS of strangers must not lead into private networks.
        """
        return route is not None or is_public(ip) or any(ip_address(ip) in network for network in self._allowed)

    async def _mx(self, domain: str) -> Sequence[MxHost] | Delivery:
        try:
            hosts = await self._resolver.mx(domain)
        except ResolveError as error:
            return _failed("dns", str(error), permanent=error.permanent)
        # RFC 5321 §5.1: hosts that are not preferred to this server are left out. If no host is left, the mail is in a
        # loop.
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

    async def _over_kept(self, search: _Search, target: DialTarget) -> Delivery | None:
        """Returns the delivery over an idle connection; None if there is none or the server had closed it."""
        session = self._pool.take(target)
        if session is None:
            return None
        # A host name in the DNS of a stranger may be equal to the name of a route.
        if not self._may_dial(session.address, search.route) or not search.attempt.place(session.address):
            self._pool.give(target, session)
            return None
        try:
            outcome = await self._over(session, target, search)
        except LostError as lost:
            return None if lost.phase != "end_of_data" else _lost(lost, session)
        closed_meanwhile = outcome.delivery.code == 421 and outcome.delivery.phase != "end_of_data"
        return None if closed_meanwhile else outcome.delivery

    async def _over_fresh(self, target: DialTarget, ip: str, search: _Search) -> _Outcome:
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
                timed_out=error.timed_out,
            )
            return _Outcome(delivery, final=error.permanent)
        self._observer.count("delivery_connections", tls=session.tls or "none")
        try:
            return await self._over(session, target, search)
        except LostError as lost:
            return _Outcome(_lost(lost, session), final=lost.phase == "end_of_data")

    async def _over(self, session: ClientSession, target: DialTarget, search: _Search) -> _Outcome:
        """Returns the outcome of a delivery over an open session, and gives the session back to the pool.

        Raises LostError.
        """
        envelope, attempt = search.envelope, search.attempt
        unfit = envelope.unfit(session)
        if unfit is not None:
            self._pool.give(target, session)
            return _Outcome(unfit, final=True)
        fitted = envelope
        if not envelope.fits(session.offers):
            try:
                with attempt.own_work():
                    fitted = await envelope.fitted(session.offers)
            except BaseException:
                self._pool.give(target, session)
                raise
        answer = await session.transact(fitted.mail(session.offers), fitted.rcpt(), fitted.content, attempt)
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
        ip=session.address,
    )


def _lost(lost: LostError, session: ClientSession) -> Delivery:
    return _failed(lost.phase, lost.text, permanent=False, host=session.host, tls=session.tls, timed_out=lost.timed_out)


def _failed(
    phase: Phase,
    text: str,
    *,
    permanent: bool,
    code: int = 0,
    enhanced: str = "",
    host: str = "",
    tls: str = "",
    timed_out: bool = False,
    again_s: float = 0,
) -> Delivery:
    return Delivery(
        accepted=False,
        permanent=permanent,
        code=code,
        enhanced=enhanced,
        text=text,
        phase=phase,
        host=host,
        tls=tls,
        timed_out=timed_out,
        again_s=again_s,
    )


def route_names(routes: Sequence[config.Route]) -> dict[str, str]:
    """Returns the server's name and port for each routed domain, and for "*". Raises CourierError."""
    return {_domain(route): f"{route.host.lower()}:{route.port}" for route in routes}


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
        except OSError as error:  # SSLError is a subclass
            raise CourierError(f"delivery.ca_file {delivery.ca_file!r} cannot be read as PEM certificates") from error
    return context
