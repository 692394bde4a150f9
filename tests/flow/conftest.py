from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.town import Town, town


@pytest.fixture
async def market(tmp_path: Path) -> AsyncIterator[Town]:
    async with town(tmp_path) as the_town:
        yield the_town
