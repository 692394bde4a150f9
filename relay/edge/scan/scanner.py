"""One configured scanner: its verdict within the time limit, or the outcome that its setting `when_away` names."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import structlog

from relay import config
from relay.core.model.facts import Scan, ScanOutcome
from relay.edge.scan.answer import AnswerError, TooBigError
from relay.edge.scan.clamav import Clamav
from relay.edge.scan.rspamd import Rspamd
from relay.ports import Observer, UnavailableError

log = structlog.get_logger()


class ScannerError(OSError):
    """Raised if a file of a scanner cannot be used. The text names the key of the configuration."""


class ScannerClient(Protocol):
    """A client for the protocol of a scanner.

    `ask` returns CLEAN, VIRUS or SPAM. Any exception means that the message was not scanned; TooBigError means that
    another attempt would not help.
    """

    async def ask(self, content: bytes) -> Scan: ...

    async def close(self) -> None: ...


class ConfiguredScanner:
    """Implements `ports.Scanner`. Several calls may run at once, and `scan` raises only UnavailableError.

    A message that is too big for the scanner now will be too big at the next attempt. With `tempfail` it would be
    delayed for days, so it is held instead.
    """

    def __init__(self, *, section: config.ScannerSection, peer: ScannerClient, observer: Observer) -> None:
        self._section = section
        self._peer = peer
        self._observer = observer

    async def scan(self, content: bytes) -> Scan | None:
        try:
            async with asyncio.timeout(self._section.timeout_s):
                scan = await self._peer.ask(content)
        except TooBigError:
            self._count("too_big")
            return self._unavailable("too big for it") if self._section.when_away != "pass" else None
        except Exception as error:  # noqa: BLE001 - any exception means that the message was not scanned
            return self._unscanned(error)
        self._count(scan.outcome.value)
        return scan

    async def close(self) -> None:
        await self._peer.close()

    def _unscanned(self, error: Exception) -> Scan | None:
        self._count(ScanOutcome.AWAY.value)
        # The text of the error may contain the message, which must not be in a log or a traceback.
        detail = f": {error}" if isinstance(error, OSError | AnswerError) else ""
        log.warning("scanner_unavailable", scanner=self._section.kind, error=f"{type(error).__name__}{detail}")
        match self._section.when_away:
            case "tempfail":
                raise UnavailableError(f"the scanner {self._section.kind} is unavailable") from None
            case "pass":
                return None
            case "hold":
                return self._unavailable("")

    def _unavailable(self, found: str) -> Scan:
        return Scan(scanner=self._section.kind, outcome=ScanOutcome.AWAY, found=found)

    def _count(self, outcome: str) -> None:
        self._observer.count("scans", scanner=self._section.kind, outcome=outcome)


def scanners(
    sections: Sequence[config.ScannerSection], *, data_dir: Path, observer: Observer
) -> tuple[ConfiguredScanner, ...]:
    """Returns the configured scanners, not connected yet. The caller must close each.

    Raises ScannerError if a password file cannot be read.
    """
    return tuple(
        ConfiguredScanner(section=section, peer=_peer(section, data_dir), observer=observer) for section in sections
    )


def _peer(section: config.ScannerSection, data_dir: Path) -> ScannerClient:
    if section.kind == "clamav":
        return Clamav(section.address)
    password = _password(data_dir / section.password_file) if section.password_file else ""
    return Rspamd(section.address, spam_actions=section.spam_actions, password=password)


def _password(path: Path) -> str:
    try:
        line = path.read_text("ascii").splitlines()[0].strip()
    except (OSError, UnicodeError, IndexError):
        line = ""
    if not line.isprintable() or not line:
        raise ScannerError(f"scanner.password_file {path.name!r} holds no readable line of ASCII")
    return line
