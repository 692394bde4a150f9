"""Runs the real clamd and Rspamd without network access, and servers that behave badly in their place.

They listen on the loopback interface and have directories of their own.
"""

import asyncio
import subprocess
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.store.cluster import free_port
from tests.support.peers import until
from tests.support.peers_servers import home

# In halves, so that no scanner takes this file for what it tells of.
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}" + b"$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
_GTUBE = "JS*C4JDBQADN1.NSBN3" + "*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
GTUBE = f"X{_GTUBE}".encode()
GTUBE_ADD_HEADER = f"Y{_GTUBE}".encode()

SCAN_LIMIT_BYTES = 4_000_000
STREAM_LIMIT_BYTES = 6_000_000

_CLAMD = """
Foreground yes
DatabaseDirectory {home}/db
TemporaryDirectory {home}
TCPSocket {port}
TCPAddr 127.0.0.1
LocalSocket {home}/clamd.sock
StreamMaxLength {stream_limit}
MaxFileSize {scan_limit}
MaxScanSize 100M
AlertExceedsMax yes
"""
# No modules and no filters: no look-ups, no lists, no maps. The test patterns are GTUBE's and those for
# the milder actions.
_RSPAMD = """
options {{
  filters = "";
  enable_test_patterns = true;
  disable_hyperscan = true;
  url_tld = "{home}/tld";
  cache_file = "{home}/symbols.cache";
  hs_cache_dir = "{home}";
  control_socket = "{home}/control.sock mode=0600";
  tempdir = "{home}";
  dns {{ nameserver = ["127.0.0.1:9"]; }}
}}
logging {{ type = "console"; level = "warning"; }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}
actions {{ reject = 15; "add header" = 6; }}
"""


@dataclass(frozen=True)
class Clamd:
    address: str
    socket: str


@contextmanager
def clamd() -> Iterator[Clamd]:
    """Runs a clamd that knows one virus: the test file of EICAR."""
    with home() as directory:
        port = free_port()
        (directory / "db").mkdir()
        (directory / "db/local.ndb").write_text(f"Local.Eicar.Test:0:*:{EICAR.hex()}\n")
        limits = {"stream_limit": STREAM_LIMIT_BYTES, "scan_limit": SCAN_LIMIT_BYTES}
        (directory / "clamd.conf").write_text(_CLAMD.format(home=directory, port=port, **limits))
        with _running(directory, "clamd", "-c", str(directory / "clamd.conf")):
            until((directory / "clamd.sock").is_socket)
            yield Clamd(f"127.0.0.1:{port}", f"unix:{directory}/clamd.sock")


@contextmanager
def rspamd() -> Iterator[str]:
    """Runs an Rspamd that knows the test patterns only, and yields its URL."""
    with home() as directory:
        url = f"http://127.0.0.1:{free_port()}"
        (directory / "tld").write_text("example\n")
        (directory / "rspamd.conf").write_text(_RSPAMD.format(home=directory, port=url.rpartition(":")[2]))
        with _running(directory, "rspamd", "-f", "-i", "-c", str(directory / "rspamd.conf")):
            until(lambda: _pong(url), timeout_s=60)
            yield url


@contextmanager
def _running(directory: Path, *words: str) -> Iterator[None]:
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def _pong(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/ping", timeout=5) as answer:
            return bool(answer.read().strip() == b"pong")
    except OSError:
        return False


@dataclass
class BadPeer:
    """A server that sends `answer` after the first data and closes the connection, or with `hangs` keeps it open."""

    answer: bytes = b""
    hangs: bool = False
    port: int = 0
    heard: bytearray = field(default_factory=bytearray)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        over = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                self.heard += await reader.read(65_536)
                writer.write(self.answer)
                await writer.drain()
                if self.hangs:
                    await over.wait()
            except OSError:
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            try:
                yield
            finally:
                over.set()
