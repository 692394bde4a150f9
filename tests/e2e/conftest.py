"""One relay for all tests of a file; a file that needs another one makes its own."""

from collections.abc import Iterator

import pytest

from tests.e2e.scene import Scene, played


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with played(tmp_path_factory.mktemp("relay")) as scene:
        yield scene
