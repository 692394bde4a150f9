"""Checks that concern several keys of the configuration, such as keys that contradict each other."""

import ipaddress
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from relay.config.problem import Problem
from relay.config.sections import Config, Listener, Route, ScannerSection
from relay.core.mail.address import fold_domain


def across(config: Config) -> Iterator[Problem]:
    yield from _listeners(config)
    yield from _ports_once(config)
    yield from _retry(config)
    yield from _routes(config)
    yield from _dkim(config)
    yield from _authentication(config)
    yield from _scanners(config)
    yield from _marketplaces(config)
    yield from _operators(config)


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listeners(config: Config) -> Iterator[Problem]:
    for index, listener in enumerate(config.listener):
        key = f"listener[{index}]"
        if listener.tls == "implicit" and listener.kind != "submission":
            yield Problem(f"{key}.tls", f"implicit TLS on {listener.kind}", 'write "starttls", or kind = "submission"')
        if listener.proxy_protocol and not config.networks.front_hosts:
            yield Problem(
                f"{key}.proxy_protocol",
                "is on but networks.front_hosts is empty",
                "list the networks of the proxy there",
            )
        if listener.kind == "submission":
            yield from _logins(listener, key, plain_auth=config.networks.plain_auth)


def _logins(listener: Listener, key: str, *, plain_auth: bool) -> Iterator[Problem]:
    # RFC 4954 §4: a password must never be sent over the network without encryption.
    if plain_auth and not is_loopback(listener.host):
        yield Problem(
            f"{key}.host", "networks.plain_auth would send passwords in the clear", "listen on 127.0.0.1 or use TLS"
        )
    elif listener.tls == "none" and not plain_auth:
        yield Problem(
            f"{key}.tls", "without TLS no client can log in", 'write "starttls", or networks.plain_auth on loopback'
        )


def _ports_once(config: Config) -> Iterator[Problem]:
    addresses = [(f"listener[{index}]", one.host, one.port) for index, one in enumerate(config.listener)]
    addresses.append(("web", config.web.host, config.web.port))
    fixed = [(key, f"{host} port {port}") for key, host, port in addresses if port]
    for key, first, taken in _repeated(fixed):
        yield Problem(f"{key}.port", f"{taken} is taken by {first}", "choose another port")


def _retry(config: Config) -> Iterator[Problem]:
    retry = config.delivery.retry
    for key in ("longest_s", "expire_s"):
        if getattr(retry, key) < retry.first_s:
            yield Problem(f"delivery.retry.{key}", "is shorter than first_s", f"write at least {retry.first_s}")


def _routes(config: Config) -> Iterator[Problem]:
    folded = [
        (f"delivery.route[{index}]", fold_domain(route.domain)) for index, route in enumerate(config.delivery.route)
    ]
    for key, first, domain in _repeated(folded):
        yield Problem(f"{key}.domain", f"{domain} is routed by {first} already", "keep one of them")
    for index, route in enumerate(config.delivery.route):
        yield from _route_login(route, f"delivery.route[{index}]")


def _route_login(route: Route, key: str) -> Iterator[Problem]:
    if bool(route.username) != bool(route.password_file):
        missing = "password_file" if route.username else "username"
        yield Problem(f"{key}.{missing}", "a login needs username and password_file", "write both or none")
    elif route.username and route.tls in {"none", "opportunistic"} and not is_loopback(route.host):
        yield Problem(
            f"{key}.tls", f'"{route.tls}" could send the password in the clear', 'write "required" or "implicit"'
        )


def _dkim(config: Config) -> Iterator[Problem]:
    if config.dkim.sign and not config.dkim.algorithms:
        yield Problem(
            "dkim.algorithms", "is empty, so there is nothing to sign with", "name an algorithm, or write sign = false"
        )


def _scanners(config: Config) -> Iterator[Problem]:
    for index, scanner in enumerate(config.scanner):
        key = f"scanner[{index}]"
        yield from (_clamav if scanner.kind == "clamav" else _rspamd)(scanner, key)
    addresses = [(f"scanner[{index}]", scanner.address) for index, scanner in enumerate(config.scanner)]
    for key, first, _ in _repeated(addresses):
        yield Problem(f"{key}.address", f"is asked by {first} already", "keep one of them")


def _clamav(scanner: ScannerSection, key: str) -> Iterator[Problem]:
    if scanner.address.startswith("http"):
        yield Problem(f"{key}.address", "clamd does not speak HTTP", "write its host:port, or unix: and its socket")
    for name in ("spam_actions", "password_file"):
        if getattr(scanner, name) != getattr(ScannerSection(kind="clamav", address=""), name):
            yield Problem(f"{key}.{name}", "is a key for Rspamd only", 'remove it, or write kind = "rspamd"')


def _rspamd(scanner: ScannerSection, key: str) -> Iterator[Problem]:
    url = urlsplit(scanner.address)
    if not url.scheme.startswith("http"):
        yield Problem(
            f"{key}.address", "is not HTTP, which Rspamd speaks", "write the URL of its worker: http://host:11333"
        )
    elif scanner.password_file and url.scheme == "http" and not is_loopback(url.hostname or ""):
        yield Problem(f"{key}.address", "would send the password in the clear", "write an https:// address")
    if not scanner.spam_actions:
        yield Problem(f"{key}.spam_actions", "is empty, so nothing would be spam", 'name an action: ["reject"]')


def _authentication(config: Config) -> Iterator[Problem]:
    if config.authentication.trusted_authserv_id and not config.networks.front_hosts:
        yield Problem(
            "authentication.trusted_authserv_id",
            "is set but networks.front_hosts is empty",
            "list the hosts of the mail server there",
        )


def _marketplaces(config: Config) -> Iterator[Problem]:
    if not config.marketplace:
        yield Problem("marketplace", "there is none", "add a [[marketplace]] table")
    ids: list[tuple[str, str]] = []
    domains: list[tuple[str, str]] = []
    for index, one in enumerate(config.marketplace):
        key = f"marketplace[{index}]"
        ids.append((f"{key}.id", one.id))
        domains.append((f"{key}.domain", fold_domain(one.domain)))
        if one.mobile_domain:
            domains.append((f"{key}.mobile_domain", fold_domain(one.mobile_domain)))
        if not one.locales:
            yield Problem(f"{key}.locales", "is empty", 'name at least one, the default first: ["en"]')
    for key, first, text in (*_repeated(ids), *_repeated(domains)):
        yield Problem(key, f'"{text}" is {first} already', "each marketplace needs its own")


def _operators(config: Config) -> Iterator[Problem]:
    """Yields a problem for each operator whose address is at an alias domain of the relay.

    Mail to postmaster@ and abuse@ is sent to the operator. With an address at an alias domain, this mail would return
    to the relay in a loop.
    """
    ours = {fold_domain(one.domain) for one in config.marketplace}
    ours |= {fold_domain(one.mobile_domain) for one in config.marketplace if one.mobile_domain}
    for index, one in enumerate(config.marketplace):
        if fold_domain(one.operator.rpartition("@")[2]) in ours:
            yield Problem(
                f"marketplace[{index}].operator",
                "is at an alias domain, so mail would loop",
                "name a mailbox elsewhere",
            )


def _repeated(named: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str, str]]:
    """Yields each text that occurs again, as (its key, the first key that has the same text, the text)."""
    first: dict[str, str] = {}
    for key, text in named:
        if first.setdefault(text, key) != key:
            yield key, first[text], text
