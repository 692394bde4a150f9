"""One relay for all tests of a file; a file that needs another one makes its own."""

from collections.abc import Iterator

import pytest

from tests.e2e.relay_env import RelayEnv, running_relay


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayEnv]:
    with running_relay(tmp_path_factory.mktemp("relay"), extra="\n[notices]\nsweep_s = 0.2\n") as env:
        yield env
