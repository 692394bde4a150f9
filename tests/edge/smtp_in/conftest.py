"""The relay's SMTP server on both event loops, and a certificate that the clients trust."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from relay.edge import tls
from tests.support.log import captured_log
from tests.support.smtp_in_env import SmtpInEnv


class TlsPair(NamedTuple):
    server: ssl.SSLContext
    client: ssl.SSLContext


def make_pair(directory: Path) -> TlsPair:
    certificate, key = tls.make_self_signed(directory, ["localhost"])
    return TlsPair(tls.server_context(certificate, key), ssl.create_default_context(cafile=certificate))


@pytest.fixture(scope="session")
def tls_pair(tmp_path_factory: pytest.TempPathFactory) -> TlsPair:
    return make_pair(tmp_path_factory.mktemp("tls"))


@pytest.fixture(params=["uvloop", pytest.param("asyncio", marks=pytest.mark.more)])
def env(request: pytest.FixtureRequest) -> Iterator[SmtpInEnv]:
    with captured_log("debug") as log:
        env = SmtpInEnv(request.param)
        env.log = log
        yield env
        env.close()
    assert "@" not in log.text
