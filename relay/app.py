"""The daemon: it connects the configuration, store, resolver, clock and edges, and starts, reloads and stops them."""

import asyncio
import gc
import os
import random
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import structlog
from msgspec import structs
from starlette.applications import Starlette

from relay import config as configuration
from relay import texts
from relay.config import Config
from relay.core.bounce.keeping import ReportLimits
from relay.core.destination import routes_of
from relay.core.mail.address import fold_domain
from relay.core.model.marketplace import Marketplaces
from relay.core.public_suffixes import organizational_domain
from relay.edge import observe, scan, system, tls
from relay.edge.authenticate import MailAuthenticator, SessionAuthenticator
from relay.edge.counters import ProcessCounters
from relay.edge.dns import DnsResolver
from relay.edge.signing import BatchSigner
from relay.edge.smtp_in import DataSpace, Guard, MemoryByteBudget, SmtpIn
from relay.edge.smtp_out import SmtpOut, route_names
from relay.edge.web.app import build as build_web
from relay.edge.web.connections import WebConnections
from relay.edge.web.server import WebServer
from relay.edge.web.signed_links import routes as link_pages
from relay.edge.workers.pool import WorkerPool
from relay.housekeeping import Housekeeping
from relay.installation import data_dir, opened, private_paths
from relay.intake import SmtpIntake
from relay.logins import Logins
from relay.ports import (
    Authenticator,
    Clock,
    Counters,
    Courier,
    Lanes,
    Observer,
    Scanner,
    SecretStore,
    Signer,
    Store,
    StoreUnavailableError,
    Workers,
)
from relay.signed_links import SignedLinkService
from relay.steps.daily_budget import CountedDailyBudget
from relay.steps.event_log import StructuredEventLog
from relay.steps.lanes import LaneLimits, ProcessLanes
from relay.steps.notice_log import StoredNoticeQuota
from relay.steps.services import Dispatcher, Services, Settings, SignedLinkUrls
from relay.worker import Worker

log = structlog.get_logger()

_GRACE_S: Final = 20
_RELOADED: Final = frozenset({"tls", "authentication", "marketplace"})
"""The sections of the configuration that a reload applies. The other sections need a restart."""
_GARBAGE_OBJECTS: Final = 20_000
"""The number of new objects after which Python searches for reference cycles.

A message makes thousands of objects and hardly any cycle. With the default of 700, each message would start several
searches.
"""


def services(
    config: Config,
    store: Store,
    *,
    clock: Clock,
    observer: Observer,
    courier: Courier,
    lanes: Lanes,
    signer: Signer,
    dispatcher: Dispatcher,
    scanners: Sequence[Scanner],
    workers: Workers,
    web_port: int,
) -> Services:
    """Returns the services of the flow according to the configuration, over an open store.

    `web_port` is the port of the web edge, to which signed links lead unless `web.public_url` is set.
    """
    return Services(
        marketplaces=Marketplaces.of(configuration.marketplaces(config), config.hostname),
        settings=_settings(config),
        store=store,
        clock=clock,
        ids=system.SystemIds(),
        observer=observer,
        event_log=StructuredEventLog(observer),
        authenticator=_authenticator(config, observer),
        courier=courier,
        lanes=lanes,
        signer=signer,
        catalogue=texts.load(),
        dispatcher=dispatcher,
        scanners=scanners,
        notice_quota=StoredNoticeQuota(store, config.notices.per_mailbox_per_hour),
        stranger_budget=CountedDailyBudget(config.record.stranger_bytes_per_day),
        links=SignedLinkUrls(
            base_url=(config.web.public_url or _local_url(config.web.host, web_port)).rstrip("/"),
            key=store.secrets.get("link"),
            life_s=config.web.link_life_s,
        ),
        workers=workers,
        jitter=random.random,
    )


def _local_url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _authenticator(config: Config, observer: Observer) -> Authenticator:
    """Returns the configured authenticator.

    It has a resolver of its own, so that the queries for mail of strangers remove nothing from the cache of delivery.
    """
    section = config.authentication
    if not section.verify:
        return SessionAuthenticator()
    return MailAuthenticator(
        DnsResolver(dns=config.dns),
        observer,
        authserv_id=section.trusted_authserv_id,
        sealers=map(fold_domain, section.trusted_sealers),
    )


def _settings(config: Config) -> Settings:
    delivery = config.delivery
    return Settings(
        owner=f"{socket.gethostname()}:{os.getpid()}",
        hostname=config.hostname,
        mime_limits=config.limits.mime,
        schedule=delivery.retry,
        lease_s=delivery.lease_s,
        poll_s=delivery.poll_s,
        return_path_s=config.notices.return_path_s,
        digest_s=config.notices.digest_s,
        report_limits=ReportLimits(
            reports=config.notices.reports_per_message, size_bytes=config.notices.report_bytes_per_message
        ),
        operator_mail=config.limits.operator_mail,
        stranger_body_s=config.record.stranger_body_s,
    )


def _lanes(config: Config, secrets: SecretStore, clock: Clock, observer: Observer) -> ProcessLanes:
    delivery = config.delivery
    routes = routes_of(secrets.get("destination"), route_names(delivery.route))
    limits = LaneLimits(
        concurrency=delivery.concurrency,
        per_destination=delivery.concurrency_per_destination,
        interval_s=delivery.rate_per_destination_s,
        slow_after_s=delivery.slow_after_s,
        attempt_s=delivery.attempt_timeout_s,
        back_off_s=delivery.retry.domain_back_off_s,
        memory_bytes=delivery.memory_bytes,
    )
    return ProcessLanes(limits, clock, observer, routes)


class Daemon:
    """The running relay: it starts, reloads and stops all parts of the command `serve`."""

    def __init__(self, config_path: Path) -> None:
        self._path = config_path
        self._config = configuration.load(config_path)
        self._base = config_path.resolve().parent
        self._stack = AsyncExitStack()
        self._listeners: list[tuple[str, SmtpIn]] = []
        self.ports: dict[str, Any] = {"mx": [], "submission": [], "lmtp": [], "web": 0}

    async def start(self) -> None:
        """Opens the store and all listeners.

        Raises StoreError, TlsError and OSError, after closing all parts that were opened.
        """
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise

    async def _start(self) -> None:
        config, stack = self._config, self._stack
        directory = data_dir(config, self._base)
        if config.store.startswith("sqlite:"):
            stack.enter_context(system.locked(directory))
        self._observer = observe.PrometheusObserver()
        event_log = StructuredEventLog(self._observer)
        self._store = await stack.enter_async_context(opened(config, self._base, event_log=event_log))
        if config.store.startswith("sqlite:"):
            # An SQLite store has one daemon, so each lease that exists now belongs to a process that has ended.
            await self._store.queue.release(None)
        clock = system.SystemClock()
        self._signer = BatchSigner(
            dkim_keys=self._store.dkim_keys,
            clock=clock,
            algorithms=config.dkim.algorithms if config.dkim.sign else (),
            expire_s=config.dkim.expire_s,
            event_log=event_log,
        )
        stack.callback(self._signer.close)
        lanes = _lanes(config, self._store.secrets, clock, self._observer)
        courier = SmtpOut(
            delivery=config.delivery,
            hostname=config.hostname,
            data_dir=directory,
            resolver=DnsResolver(dns=config.dns),
            clock=clock,
            observer=self._observer,
            lanes=lanes,
        )
        stack.push_async_callback(courier.close)
        scanners = scan.scanners(config.scanner, data_dir=directory, observer=self._observer)
        for scanner in scanners:
            stack.push_async_callback(scanner.close)
        workers = WorkerPool(config.heavy_mail, clock=clock, observer=self._observer)
        workers.start()
        stack.push_async_callback(workers.stop)
        worker, housekeeping = Worker(), Housekeeping()
        counters = ProcessCounters(clock)
        web = WebServer(
            self._web_app(counters),
            config.web.host,
            config.web.port,
            WebConnections(config.web, config.networks, counters, self._count_web_refusal),
        )
        stack.push_async_callback(web.stop)
        self.ports["web"] = await web.bind()
        self._services = services(
            config,
            self._store,
            clock=clock,
            observer=self._observer,
            courier=courier,
            lanes=lanes,
            signer=self._signer,
            dispatcher=worker,
            scanners=scanners,
            workers=workers,
            web_port=self.ports["web"],
        )
        worker.start(self._services)
        stack.push_async_callback(worker.stop, _GRACE_S)
        housekeeping.start(self._services, config.notices.sweep_s)
        stack.push_async_callback(housekeeping.stop)
        organizational_domain("marketplace.example")  # this reads the slow list of public suffixes
        await self._open_listeners(directory, counters)
        await web.start()
        self._warn_of_exposure(directory)

    async def _open_listeners(self, directory: Path, counters: Counters) -> None:
        config = self._config
        context = None
        if any(listener.tls != "none" for listener in config.listener):
            context = tls.server_context(directory / config.tls.certificate, directory / config.tls.key)
        logins = Logins(
            self._store.app_passwords,
            self._store.secrets,
            self._services.event_log,
            self._services.ids,
            waiting=config.limits.logins_waiting,
        )
        self._stack.callback(logins.close)
        intake = SmtpIntake(self._services, logins)
        self._stack.push_async_callback(self._close_listeners)
        guard = Guard(limits=config.limits, networks=config.networks, counters=counters)
        space = DataSpace(config.limits, directory, MemoryByteBudget(), self._services.clock)
        for section in config.listener:
            listener = SmtpIn(
                listener=section,
                limits=config.limits,
                networks=config.networks,
                hostname=config.hostname,
                tls=None if section.tls == "none" else context,
                intake=intake,
                clock=self._services.clock,
                observer=self._observer,
                guard=guard,
                space=space,
            )
            self.ports[section.kind].append(await listener.start())
            self._listeners.append((section.tls, listener))

    async def _close_listeners(self) -> None:
        """Stops all listeners at the same time.

        Otherwise a listener would accept sessions while another listener waits for its sessions to end.
        """
        await asyncio.gather(*(listener.stop(_GRACE_S) for _, listener in self._listeners))

    def _web_app(self, counters: Counters) -> Starlette:
        links = link_pages(SignedLinkService(lambda: self._services), texts.load(), counters, self._observer)
        return build_web(observer_render=self._observer.render, ready=self._why_not_ready, links=links)

    def _count_web_refusal(self, reason: str) -> None:
        self._observer.count("web_refused", reason=reason)

    async def _why_not_ready(self) -> str | None:
        """Returns the reason why mail cannot be accepted now, or None."""
        try:
            await self._store.ping()
        except StoreUnavailableError as error:
            return error.fault
        return None

    def _warn_of_exposure(self, directory: Path) -> None:
        if system.runs_as_root():
            log.warning("runs_as_root")
        for path in system.open_to_all(private_paths(self._config, self._path, directory)):
            log.warning("open_to_all", path=str(path))

    def reload(self) -> None:
        """Reads the configuration again and applies the parts that can change while connections are open.

        These parts are the sections in `_RELOADED`, the policies and the DKIM keys. The other sections keep their
        values, and the log names the sections that differ. An invalid file changes nothing.
        """
        try:
            fresh = configuration.load(self._path)
            marketplaces = Marketplaces.of(configuration.marketplaces(fresh), self._config.hostname)
            directory = data_dir(self._config, self._base)
            if any(kind != "none" for kind, _ in self._listeners):
                context = tls.server_context(directory / fresh.tls.certificate, directory / fresh.tls.key)
                for kind, listener in self._listeners:
                    if kind != "none":
                        listener.use_tls(context)
        except (configuration.ConfigError, tls.TlsError, OSError) as error:
            log.warning("reload_refused", problem=str(error))
            return
        authentication_changed = fresh.authentication != self._config.authentication
        self._config = structs.replace(self._config, **{name: getattr(fresh, name) for name in _RELOADED})
        self._services.marketplaces = marketplaces
        if authentication_changed:
            self._services.authenticator = _authenticator(self._config, self._observer)
        self._signer.forget()
        waits = [name for name in fresh.__struct_fields__ if getattr(fresh, name) != getattr(self._config, name)]
        log.info("reloaded", marketplaces=len(fresh.marketplace), **({"waits_for_restart": waits} if waits else {}))

    async def stop(self) -> None:
        """Closes the listeners, waits for running work, and gives the leased items back to the queue."""
        await self._stack.aclose()


async def serve(config_path: Path, *, announce: Callable[[dict[str, Any]], None]) -> None:
    """Runs the daemon until SIGTERM or SIGINT; SIGHUP reloads the configuration.

    `announce` is called with the ports once the daemon accepts connections. Raises the errors of `Daemon.start`.
    """
    daemon = Daemon(config_path)
    await daemon.start()
    gc.collect()
    gc.freeze()  # later searches leave out the objects that live as long as the process
    gc.set_threshold(_GARBAGE_OBJECTS)
    stop_requested = _install_signal_handlers(daemon)  # this is done before the readiness is announced
    try:
        announce({"ready": True, "ports": daemon.ports})
        system.notify("READY=1")
        await stop_requested.wait()
        system.notify("STOPPING=1")
    finally:
        await daemon.stop()


def _install_signal_handlers(daemon: Daemon) -> asyncio.Event:
    """Returns an event that SIGTERM and SIGINT set. SIGHUP reloads the configuration."""
    loop = asyncio.get_running_loop()
    stop_requested = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop_requested.set)
    loop.add_signal_handler(signal.SIGHUP, daemon.reload)
    return stop_requested
