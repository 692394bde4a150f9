"""The receiving edge on both event loops, and a certificate that its clients trust."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from relay.edge import tls
from tests.support.log import written
from tests.support.reception import Reception


class TlsPair(NamedTuple):
    server: ssl.SSLContext
    client: ssl.SSLContext


def make_pair(directory: Path) -> TlsPair:
    certificate, key = tls.make_self_signed(directory, ["localhost"])
    return TlsPair(tls.server_context(certificate, key), ssl.create_default_context(cafile=certificate))


@pytest.fixture(scope="session")
def tls_pair(tmp_path_factory: pytest.TempPathFactory) -> TlsPair:
    return make_pair(tmp_path_factory.mktemp("tls"))


@pytest.fixture(params=["asyncio", "uvloop"])
def reception(request: pytest.FixtureRequest) -> Iterator[Reception]:
    with written("debug") as log:
        reception = Reception(request.param)
        reception.log = log
        yield reception
        reception.close()
    assert "@" not in log.text
