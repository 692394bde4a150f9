"""`relay check`: what is wrong is said before mail is lost by it (R-UI-10)."""

import asyncio
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from relay.actions.dns_records import DnsRecord
from relay.cli import examine
from relay.cli.examine import CheckResult, Grade
from relay.config import Config, Dns, Web, load, marketplaces
from relay.edge.dns import DnsResolver
from relay.edge.system import locked
from tests.cli.conftest import Installation
from tests.support.dns import MiniDns


def _bad(installation: Installation, *options: str) -> list[tuple[str, str]]:
    findings = installation.json("check", "--offline", *options, exit_code=1)
    return [(one["what"], one["found"]) for one in findings if one["grade"] == "bad"]


def test_a_sound_installation_has_nothing_to_fix(installation: Installation) -> None:
    findings = installation.json("check", "--offline")
    assert {one["what"] for one in findings} >= {"configuration", "data directory", "TLS", "ports", "store"}
    assert all(one["fix"] for one in findings if one["grade"] != "good")


@pytest.mark.parametrize("name", ["config.toml", "var", "var/tls/key.pem", "var/secret"])
@pytest.mark.parametrize("rights", [0o004, 0o002])
def test_what_every_user_of_the_host_may_read_or_change_is_warned_of(
    installation: Installation, name: str, rights: int
) -> None:
    (installation.var / "secret").write_text("pw", encoding="ascii")
    (installation.var / "secret").chmod(0o600)
    route = '\n[[delivery.route]]\ndomain = "*"\nhost = "127.0.0.1"\nusername = "u"\npassword_file = "secret"\n'
    installation.configure(lambda text: text + route)

    def exposed() -> list[str]:
        findings = installation.json("check", "--offline")
        return [one["found"] for one in findings if one["what"] == "privacy" and one["grade"] == "warning"]

    assert exposed() == []
    path = installation.directory / name
    path.chmod(path.stat().st_mode | rights)
    assert exposed() == [f"{path} is open to all"]


@pytest.mark.parametrize(
    ("public_url", "grade"),
    [
        ("", Grade.WARNING),
        ("http://links.shop.example", Grade.WARNING),
        ("https://links.shop.example", Grade.GOOD),
    ],
)
def test_links_that_readers_cannot_use_are_warned_of(public_url: str, grade: Grade) -> None:  # R-POL-02
    [finding] = examine.links(Config(web=Web(public_url=public_url)))
    assert (finding.what, finding.grade) == ("links", grade)
    assert bool(finding.fix) == (grade is Grade.WARNING)


def test_each_problem_of_the_configuration_is_a_finding(installation: Installation) -> None:
    installation.configure(lambda text: "a = 1\nb = 2\n" + text)
    assert _bad(installation) == [("configuration", "a: no such key"), ("configuration", "b: no such key")]


@pytest.mark.parametrize(
    ("break_it", "what"),
    [
        (lambda var: (var / "keys/master.key").chmod(0o644), "store"),
        (lambda var: (var / "keys/master.key").unlink(), "store"),
        (lambda var: (var / "tls/key.pem").unlink(), "TLS"),
        (lambda var: (var / "tls/cert.pem").write_text("no certificate"), "TLS"),
        (lambda var: (var / "relay.db").write_bytes(b"no database" * 999), "store"),
    ],
)
def test_a_broken_file_is_found_with_its_fix(
    installation: Installation, break_it: Callable[[Path], object], what: str
) -> None:
    break_it(installation.var)
    findings = [one for one in installation.json("check", "--offline", exit_code=1) if one["grade"] == "bad"]
    assert [one["what"] for one in findings] == [what]
    assert str(installation.var) in findings[0]["found"]
    assert findings[0]["fix"]


def test_a_missing_data_directory_is_found(installation: Installation) -> None:
    installation.configure(lambda text: text.replace('data_dir = "var"', 'data_dir = "elsewhere"'))
    assert ("data directory", f"{installation.directory}/elsewhere: No such file or directory") in _bad(installation)


def test_tls_files_are_needed_by_tls_listeners_only(installation: Installation) -> None:
    (installation.var / "tls/key.pem").unlink()
    installation.configure(lambda text: text[: text.index("[[listener]]")] + text[text.index("[web]") :])
    assert "TLS" not in {one["what"] for one in installation.json("check", "--offline")}


def test_named_files_must_be_there(installation: Installation) -> None:
    route = '[[delivery.route]]\ndomain = "*"\nhost = "127.0.0.1"\nusername = "u"\npassword_file = "secret"\n'
    installation.set_delivery('ca_file = "roots.pem"\n', route)
    assert [what for what, _ in _bad(installation)] == ["delivery.ca_file", "delivery.route[0].password_file"]


def test_a_port_in_use_is_found(installation: Installation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        installation.configure(lambda text: text.replace("port = 0", f"port = {port}", 1))
        assert _bad(installation) == [("ports", f"127.0.0.1 port {port} (mx): Address already in use")]


def test_ports_of_the_running_relay_are_no_problem(installation: Installation) -> None:
    with locked(installation.var):
        findings = installation.json("check", "--offline")
    assert [one["found"][:9] for one in findings if one["what"] == "ports"] == ["not tried"]


def test_a_key_that_is_missing_is_found(installation: Installation) -> None:
    installation.configure(lambda text: text + 'mobile_domain = "m.shop.example"\n')
    assert _bad(installation) == [
        ("DKIM", "m.shop.example has no rsa-sha256 key"),
        ("DKIM", "m.shop.example has no ed25519-sha256 key"),
    ]
    assert len(installation.json("keys", "generate", "dkim")) == 2
    assert installation.json("keys", "generate", "dkim") == []
    installation.relay("check", "--offline")


# ---------------------------------------------------------------- certificates


def _certificate(directory: Path, *names: str, days: int, issuer: str = "CA") -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    until = datetime.now(UTC) + timedelta(days=days)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "host")]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(until - timedelta(days=90))
        .not_valid_after(until)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (directory / "tls/cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (directory / "tls/key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


@pytest.mark.parametrize(
    ("names", "days", "said"),
    [
        (["mx.shop.example"], 60, [(Grade.GOOD, "good for 59 days")]),
        (["*.shop.example"], 60, [(Grade.GOOD, "good for 59 days")]),
        (["mx.shop.example"], -1, [(Grade.BAD, "has expired")]),
        (["mx.shop.example"], 3, [(Grade.WARNING, "expires in 2 days")]),
        (["shop.example"], 60, [(Grade.GOOD, "good for"), (Grade.WARNING, "does not name mx.shop.example")]),
    ],
)
def test_a_certificate_is_checked_for_time_and_name(
    installation: Installation, names: list[str], days: int, said: list[tuple[Grade, str]]
) -> None:
    _certificate(installation.var, *names, days=days)
    found = list(examine.certificate(load(installation.config), installation.var))
    assert [finding.grade for finding in found] == [grade for grade, _ in said]
    assert all(words in finding.found for finding, (_, words) in zip(found, said, strict=True))


# ---------------------------------------------------------------- DNS


def _records(installation: Installation) -> list[DnsRecord]:
    config = load(installation.config)
    records, _ = asyncio.run(examine.store(config, installation.directory, marketplaces(config)))
    return list(records)


def _examined(zone: str, records: list[DnsRecord]) -> dict[str, list[CheckResult]]:
    async def ask() -> list[CheckResult]:
        async with MiniDns(zone) as server:
            resolver = DnsResolver(dns=Dns(servers=("127.0.0.1",), port=server.port, timeout_s=2))
            return await examine.dns(resolver, records, "mx.shop.example")

    found: dict[str, list[CheckResult]] = {}
    for finding in asyncio.run(ask()):
        found.setdefault(finding.what, []).append(finding)
    return found


def test_what_the_relay_says_to_publish_is_what_it_looks_for(installation: Installation) -> None:
    zone = installation.relay("keys", "records").output + "mx.shop.example. IN A 192.0.2.1\n"
    found = _examined(zone, _records(installation))
    assert {finding.grade for findings in found.values() for finding in findings} == {Grade.GOOD}
    assert {what: len(findings) for what, findings in found.items()} == {
        "host name": 1,
        "MX": 1,
        "SPF": 1,
        "DKIM": 2,
        "DMARC": 1,
    }


def test_what_is_missing_is_said_with_the_record_to_publish(installation: Installation) -> None:
    found = _examined("other.example. IN A 192.0.2.1\n", _records(installation))
    assert {finding.grade for what in ("host name", "MX", "SPF", "DKIM") for finding in found[what]} == {Grade.BAD}
    assert found["DMARC"][0].grade is Grade.WARNING
    assert found["MX"][0].fix == "publish shop.example. IN MX 10 mx.shop.example."


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("shop.example. IN MX 10 elsewhere.example.", "MX"),
        ('shop.example. IN TXT "v=spf1 -all"', "SPF"),
        ('_dmarc.shop.example. IN TXT "v=DMARC1; p=none"', "DMARC"),
    ],
)
def test_a_second_record_counts_against_one_that_must_be_alone(
    installation: Installation, line: str, what: str
) -> None:
    zone = f"{installation.relay('keys', 'records').output}{line}\nmx.shop.example. IN A 192.0.2.1\n"
    assert (_examined(zone, _records(installation))[what][0].grade is Grade.GOOD) == (what == "MX")


@pytest.mark.parametrize(
    ("spf", "smarthost", "grades"),
    [
        ("v=spf1 mx -all", None, []),
        ("v=spf1 ip4:192.0.2.0/24 -all", None, []),
        ("v=spf1 -all", None, [Grade.BAD]),
        ("v=spf1 ip4:198.51.100.1 ~all", None, [Grade.WARNING]),
        ("v=spf1 a:smart.example -all", "smart.example", []),
        ("v=spf1 mx -all", "smart.example", [Grade.WARNING]),
        ("v=spf1 mx -all", "inside.example", []),
        ("v=spf1 mx -all", "none.example", []),
    ],
)
def test_a_record_that_forbids_our_own_mail_is_found(
    installation: Installation, spf: str, smarthost: str | None, grades: list[Grade]
) -> None:
    zone = f'shop.example. IN TXT "{spf}"\nshop.example. IN MX 10 mx.shop.example.\nmx.shop.example. IN A 192.0.2.1\n'
    zone += "smart.example. IN A 8.8.4.4\ninside.example. IN A 10.0.0.1\n"
    if smarthost:
        route = f'\n[[delivery.route]]\ndomain = "*"\nhost = "{smarthost}"\n'
        installation.configure(lambda text: text + route)
    config = load(installation.config)

    async def look() -> tuple[list[CheckResult], list[CheckResult]]:
        async with MiniDns(zone) as server:
            resolver = DnsResolver(dns=Dns(servers=("127.0.0.1",), port=server.port, timeout_s=2))
            sending = await examine.sending(resolver, config, marketplaces(config))
            return sending, await examine.routes(resolver, config)

    sending, routes = asyncio.run(look())
    assert [(finding.what, finding.grade) for finding in sending] == [("SPF", grade) for grade in grades]
    assert [(finding.what, finding.grade) for finding in routes] == (
        [("delivery.route[0].host", Grade.BAD)] if smarthost == "none.example" else []
    )


@pytest.mark.parametrize(
    ("documents", "has_pikepdf", "number"), [("strip", False, 1), ("strip", True, 0), ("pass", False, 0)]
)
def test_a_missing_extra_that_a_setting_needs_is_warned_of(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, documents: str, has_pikepdf: bool, number: int
) -> None:  # R-REW-06
    installation.configure(lambda text: text.replace("[[marketplace]]", f'[[marketplace]]\ndocuments = "{documents}"'))
    if not has_pikepdf:
        monkeypatch.setitem(sys.modules, "pikepdf", None)
    assert len(list(examine.extras(marketplaces(load(installation.config))))) == number


def test_another_key_under_our_selector_is_found(installation: Installation) -> None:
    zone = installation.relay("keys", "records").output.replace("k=ed25519; p=", "k=ed25519; p=AAAA")
    grades = [finding.grade for finding in _examined(zone, _records(installation))["DKIM"]]
    assert sorted(grades) == [Grade.BAD, Grade.GOOD]


def test_silence_is_not_taken_for_missing(installation: Installation) -> None:
    with _silent_udp() as port:
        resolver = DnsResolver(dns=Dns(servers=("127.0.0.1",), port=port, timeout_s=0.2))
        found = asyncio.run(examine.dns(resolver, _records(installation)[:2], "mx.shop.example"))
    assert [finding.grade for finding in found[1:]] == [Grade.WARNING] * 2


@contextmanager
def _silent_udp() -> Iterator[int]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        yield silent.getsockname()[1]


def test_a_daemon_that_is_not_there_is_not_live(installation: Installation) -> None:
    (finding,) = installation.json("check", "--live", exit_code=1)
    assert finding["fix"] == "start it with `relay serve`"
