"""A fresh installation for each test: a copy of one that `relay init` made, and the `relay` command on it."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from relay.cli import main

REVEAL = ("--reveal", "--case", "C-7", "--reason", "a parcel went astray")


@dataclass(frozen=True)
class Installation:
    directory: Path

    @property
    def config(self) -> Path:
        return self.directory / "config.toml"

    @property
    def var(self) -> Path:
        return self.directory / "var"

    def relay(self, *arguments: str, exit_code: int = 0, stdin: bytes | None = None) -> Result:
        """Runs `relay ARGUMENTS`. Asserts the exit code, and that there is no traceback."""
        result = CliRunner().invoke(main, ["--config", str(self.config), *arguments], input=stdin)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert result.exit_code == exit_code, (arguments, result.output)
        return result

    def json(self, *arguments: str, **more: Any) -> Any:
        return json.loads(self.relay(*arguments, "--json", **more).stdout)

    def configure(self, change: Callable[[str], str]) -> None:
        self.config.write_text(change(self.config.read_text(encoding="utf-8")), encoding="utf-8")

    def set_delivery(self, settings: str, route: str) -> None:
        """Adds lines to the table `delivery`, and a table of a route."""
        self.configure(lambda text: text.replace("[delivery]\n", f"[delivery]\n{settings}", 1) + route)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("installation")
    arguments = ["init", "--local", "--domain", "shop.example", "--operator", "ops@company.example", str(directory)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    path = directory / "config.toml"
    text = path.read_text(encoding="utf-8")
    for port in ("2525", "2587", "2465", "8080"):
        text = text.replace(f"port = {port}", "port = 0")
    # The tests choose their own route, and prove writers as a real installation does.
    text = re.sub(r"\n# All mail goes to a program on this computer.*?tls = \"none\"\n", "\n", text, flags=re.DOTALL)
    text = text.replace('authentication = "known_domain"', 'authentication = "hold"')
    path.write_text(text, encoding="utf-8")
    return directory


@pytest.fixture
def installation(template: Path, tmp_path: Path) -> Installation:
    return Installation(Path(shutil.copytree(template, tmp_path / "here")))


@pytest.fixture
def seeded(installation: Installation) -> Installation:
    """An installation with a buyer, a seller and their pair."""
    installation.relay("party", "add", "--role", "buyer", "--ref", "B1", "--mailbox", "hanako@private.example")
    installation.relay("party", "add", "--role", "seller", "--ref", "S1", "--mailbox", "owner@private.example")
    installation.relay("pair", "add", "--buyer", "B1", "--seller", "S1")
    return installation
