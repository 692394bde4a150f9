"""Contains the examinations of `relay check`. They return a fault as a finding and raise no error for it."""

import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509

from relay import installation
from relay.actions.dns_records import DnsRecord, is_published, wanted, zone_line
from relay.actions.keys import is_over
from relay.config import Config
from relay.core.dkim import KeyState, KeyUnreadableError
from relay.core.mail.address import fold_domain
from relay.core.model.marketplace import Marketplace, Naming
from relay.core.spf import Result
from relay.edge.authenticate.spf import Check
from relay.edge.system import locked, open_to_all, runs_as_root
from relay.edge.tls import TlsError, server_context
from relay.ports import (
    DkimKeyStore,
    ResolveError,
    Resolver,
    StoreError,
    StoreFault,
    StoreUnavailableError,
    UnavailableError,
)

_RENEW_BEFORE: Final = timedelta(days=14)
_STORE_FIXES: Final = {
    StoreFault.UNAVAILABLE: "see the message; end another program that has the database locked, or start the server",
    StoreFault.READ_ONLY: "let the relay write: its role's rights, the server's mode, the file's owner and mode",
    StoreFault.FULL: "make room on the disk of the database",
}


class Grade(StrEnum):
    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One finding: `what` was examined, and `found` is the result.

    `fix` says how to mend a fault. It is "" if nothing has to be mended.
    """

    grade: Grade
    what: str
    found: str
    fix: str = ""


def account() -> Iterator[CheckResult]:
    """Yields findings about the account that runs this command, which should be the account of the daemon."""
    if runs_as_root():
        fix = "run it as a user of its own, as deploy/relay.service and the image do"
        yield CheckResult(Grade.WARNING, "account", "the relay runs as root", fix)


def files(config: Config, config_path: Path, data_dir: Path) -> Iterator[CheckResult]:
    """Yields findings about the configuration file, the data directory and the files that the configuration names."""
    try:
        data_dir.stat()
    except OSError as error:
        yield CheckResult(Grade.BAD, "data directory", f"{data_dir}: {error.strerror}", "run `relay init`")
        return
    exposed = list(open_to_all(installation.private_paths(config, config_path, data_dir)))
    for path in exposed:
        yield CheckResult(Grade.WARNING, "privacy", f"{path} is open to all", f"run `chmod o= {path}`")
    if data_dir not in exposed:
        yield CheckResult(Grade.GOOD, "data directory", str(data_dir))
    named = [("delivery.ca_file", config.delivery.ca_file)]
    named += [
        (f"delivery.route[{n}].password_file", route.password_file) for n, route in enumerate(config.delivery.route)
    ]
    named += [(f"scanner[{n}].password_file", scanner.password_file) for n, scanner in enumerate(config.scanner)]
    for key, name in named:
        if name:
            yield _readable(key, data_dir / name)


def _readable(key: str, path: Path) -> CheckResult:
    try:
        path.open("rb").close()
    except OSError as error:
        return CheckResult(
            Grade.BAD, key, f"{path}: {error.strerror}", "put the file there, readable for the relay's user"
        )
    return CheckResult(Grade.GOOD, key, str(path))


def certificate(config: Config, data_dir: Path) -> Iterator[CheckResult]:
    """Yields findings about the TLS certificate and key, if a listener uses TLS."""
    if all(listener.tls == "none" for listener in config.listener):
        return
    path = data_dir / config.tls.certificate
    try:
        server_context(path, data_dir / config.tls.key)
        leaf = x509.load_pem_x509_certificates(path.read_bytes())[0]
    except TlsError as error:
        what, _, fix = str(error).rpartition(": ")
        yield CheckResult(Grade.BAD, "TLS", what, fix)
        return
    left = leaf.not_valid_after_utc - datetime.now(UTC)
    if left < timedelta():
        yield CheckResult(Grade.BAD, "TLS", f"{path} has expired", "renew it, then reload the relay")
    elif left < _RENEW_BEFORE:
        yield CheckResult(
            Grade.WARNING, "TLS", f"{path} expires in {left.days} days", "renew it, then reload the relay"
        )
    else:
        yield CheckResult(Grade.GOOD, "TLS", f"{path}, good for {left.days} days")
    if not _names(leaf, config.hostname):
        yield CheckResult(Grade.WARNING, "TLS", f"the certificate does not name {config.hostname}", "get one that does")
    if leaf.issuer == leaf.subject:
        yield CheckResult(
            Grade.WARNING, "TLS", "the certificate is self-signed: mail programs will not trust it", "get one from a CA"
        )


def _names(leaf: x509.Certificate, hostname: str) -> bool:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    listed = {name.lower() for name in names.get_values_for_type(x509.DNSName)}
    folded = fold_domain(hostname)
    # RFC 6125 §6.4.3: a wildcard stands for exactly one label, which is the leftmost.
    return folded in listed or f"*.{folded.partition('.')[2]}" in listed


def links(config: Config) -> Iterator[CheckResult]:
    """Yields findings about `web.public_url`, by which readers of mail open the signed links."""
    url = config.web.public_url
    if not url:
        found = f"the links in mails lead to {config.web.host} port {config.web.port}, which no reader can reach"
        yield CheckResult(Grade.WARNING, "links", found, "set web.public_url, see docs/links.md")
    elif not url.startswith("https://"):
        found = "web.public_url is not https: mail programs offer no one-click unsubscribing (RFC 8058)"
        yield CheckResult(Grade.WARNING, "links", found, "put a proxy with TLS in front, see docs/links.md")
    else:
        yield CheckResult(Grade.GOOD, "links", url)


def listeners(config: Config, data_dir: Path) -> Iterator[CheckResult]:
    """Yields one finding for each port, which says whether the port is free.

    No port is tried while a relay runs in this directory, because that relay uses the ports.
    """
    try:
        with locked(data_dir):
            pass
    except StoreError as error:
        if data_dir.is_dir():
            yield CheckResult(Grade.GOOD, "ports", f"not tried: {error}")
        return
    listening = [(listener.kind, listener.host, listener.port) for listener in config.listener]
    for kind, host, port in (*listening, ("web", config.web.host, config.web.port)):
        port_name = f"{host} port {port} ({kind})"
        try:
            family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            with socket.socket(family, socket.SOCK_STREAM) as trial:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                trial.bind(place)
        except PermissionError:
            yield CheckResult(
                Grade.BAD, "ports", f"{port_name}: needs a privilege", "grant CAP_NET_BIND_SERVICE, see deploy/"
            )
        except OSError as error:
            yield CheckResult(
                Grade.BAD,
                "ports",
                f"{port_name}: {error.strerror}",
                "stop the program that uses it, or choose another port",
            )
        else:
            yield CheckResult(Grade.GOOD, "ports", f"{port_name} is free")


async def store(
    config: Config, base: Path, marketplaces: Sequence[Marketplace]
) -> tuple[Sequence[DnsRecord], list[CheckResult]]:
    """Returns the DNS records to publish, and findings about the store.

    The findings say whether the store can be opened, takes writes, and has a DKIM key for every domain.
    """
    try:
        async with installation.opened(config, base) as opened:
            await opened.ping()
            findings = [CheckResult(Grade.GOOD, "store", config.store.partition(":")[0])]
            for domain in (domain for one in marketplaces for domain in sorted(one.domains) if config.dkim.sign):
                findings += await _keys(opened.dkim_keys, config, domain)
            return await wanted(opened, marketplaces, config.hostname), findings
    except StoreUnavailableError as error:
        return (), [CheckResult(Grade.BAD, "store", f"{error.fault}: {error.words}", _STORE_FIXES[error.fault])]
    except (StoreError, UnavailableError) as error:
        what, _, fix = str(error).partition("; ")
        return (), [CheckResult(Grade.BAD, "store", what, fix or "see the message")]
    except KeyUnreadableError as error:
        return (), [CheckResult(Grade.BAD, "DKIM", str(error), "restore the store from its backup")]


async def _keys(dkim_keys: DkimKeyStore, config: Config, domain: str) -> list[CheckResult]:
    keys = await dkim_keys.of_domain(domain)
    active = {key.algorithm for key in keys if key.state is KeyState.ACTIVE}
    return [
        CheckResult(Grade.BAD, "DKIM", f"{domain} has no {algorithm} key", "run `relay keys generate dkim`")
        for algorithm in config.dkim.algorithms
        if algorithm not in active
    ] + [
        CheckResult(Grade.WARNING, "DKIM", f"{key.selector} of {domain} has served its time", "run `relay keys retire`")
        for key in keys
        if is_over(key, config.dkim.expire_s, datetime.now(UTC))
    ]


async def dns(resolver: Resolver, records: Sequence[DnsRecord], hostname: str) -> list[CheckResult]:
    """Returns findings about DNS: whether it has the address of the host and the records to publish."""
    findings = [await _address(resolver, hostname)]
    for record in records:
        try:
            right = await is_published(resolver, record)
        except ResolveError as error:
            found = f"{record.name}: {error}"
            if not error.permanent:
                findings.append(CheckResult(Grade.WARNING, record.purpose, found, "try again, or check dns.servers"))
                continue
            right = False
        if right:
            findings.append(CheckResult(Grade.GOOD, record.purpose, f"{record.name} is published"))
        else:
            grade = Grade.BAD if record.needed else Grade.WARNING
            findings.append(
                CheckResult(grade, record.purpose, f"{record.name} is missing", f"publish {zone_line(record)}")
            )
    return findings


async def _address(resolver: Resolver, hostname: str) -> CheckResult:
    try:
        addresses = await resolver.addresses(hostname)
    except ResolveError as error:
        return CheckResult(Grade.BAD, "host name", f"{hostname}: {error}", "publish its address (A, AAAA)")
    if not addresses:
        return CheckResult(Grade.BAD, "host name", f"{hostname} has no address", "publish it (A, AAAA)")
    return CheckResult(Grade.GOOD, "host name", f"{hostname} is at {', '.join(addresses)}")


def extras(marketplaces: Sequence[Marketplace]) -> Iterator[CheckResult]:
    """Yields a finding for each optional package that the settings of a marketplace need and that is not installed."""
    cleaning = [one.id for one in marketplaces if one.documents is Naming.STRIP]
    if cleaning and find_spec("pikepdf") is None:
        found = f"PDF files of {', '.join(cleaning)} keep their author's data: pikepdf is not installed"
        yield CheckResult(Grade.WARNING, "extras", found, 'install `relay[pdf]`, or set documents = "pass"')


async def routes(resolver: Resolver, config: Config) -> list[CheckResult]:
    """Returns findings about the hosts of the routes that have no address in DNS."""
    findings = []
    for number, route in enumerate(config.delivery.route):
        try:
            await resolver.addresses(route.host)
        except ResolveError as error:
            grade = Grade.BAD if error.permanent else Grade.WARNING
            what = f"delivery.route[{number}].host"
            findings.append(
                CheckResult(grade, what, f"{route.host}: {error}", "correct the name, or publish its address")
            )
    return findings


async def sending(resolver: Resolver, config: Config, marketplaces: Sequence[Marketplace]) -> list[CheckResult]:
    """Returns findings about SPF records that do not allow the addresses from which the relay's mail comes.

    These are the addresses of the host name, or those of the smarthost if one gets all mail. A smarthost may send from
    other addresses than it receives at, and from unknown ones if it is in a private network. So its findings are
    warnings, and private addresses are left out. A missing record is a finding of `dns`.
    """
    smarthost = next((route.host for route in config.delivery.route if route.domain == "*"), None)
    try:
        sources = await resolver.addresses(smarthost or config.hostname)
    except ResolveError:  # `dns` and `routes` have a finding about it
        return []
    findings = []
    for domain in sorted({domain for one in marketplaces for domain in one.domains}):
        for source in (one for one in sources if smarthost is None or ip_address(one).is_global):
            check = Check(resolver, client_ip=source, helo=config.hostname, sender=f"postmaster@{domain}")
            result = await check.result()
            if result not in {Result.PASS, Result.NONE}:
                grade = Grade.BAD if result is Result.FAIL and smarthost is None else Grade.WARNING
                found = f"the record of {domain} gives {result} for {source}, from which the mail of the domain comes"
                findings.append(CheckResult(grade, "SPF", found, "add the address to the record, before its `all`"))
    return findings
