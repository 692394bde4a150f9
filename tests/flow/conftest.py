from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.market_env import MarketEnv, market_env


@pytest.fixture
async def market(tmp_path: Path) -> AsyncIterator[MarketEnv]:
    async with market_env(tmp_path) as env:
        yield env
