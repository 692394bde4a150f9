"""The command as a whole: help, exit codes, and errors that are sentences (R-UI-10)."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from relay import __version__
from relay.cli import VERBS, main, show
from tests.cli.conftest import Installation


def _commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from _commands(below, (*path, name))


COMMANDS = list(_commands(main))


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=lambda one: " ".join(one) if isinstance(one, tuple) else "")
def test_every_verb_explains_itself(path: tuple[str, ...], command: click.Command) -> None:
    result = CliRunner().invoke(main, [*path, "--help"])
    assert result.exit_code == 0
    assert command.help, path
    assert all(option.help for option in command.params if isinstance(option, click.Option))


def test_every_verb_that_shows_data_takes_json() -> None:
    # R-UI-10
    silent = {
        ("init",),
        ("serve",),
        ("demo",),
        ("party", "password", "revoke"),
        ("opt-out", "set"),
        ("opt-out", "clear"),
        ("policy", "default"),
    }
    silent.add(("order", "export"))
    for path, command in COMMANDS:
        if not isinstance(command, click.Group) and path not in silent:
            assert "as_json" in {option.name for option in command.params}, path


def test_json_cannot_control_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:  # R-UI-10
    found = {"subject": "a\x1b[2J \x9b2J \u202eb \U000e0041 利用者 é", "lines": ["\u2028"]}
    show.one(found, as_json=True)
    printed = capsys.readouterr().out
    assert json.loads(printed) == found
    assert "利用者 é" in printed
    assert not [char for char in printed if not char.isprintable() and char != "\n"]


def test_the_verbs_of_the_help_are_those_there_are() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert all(f"  {verb} " in result.output for verb in VERBS)


def test_python_dash_m_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "relay", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"relay, version {__version__}"


def test_wrong_use_is_exit_code_2(installation: Installation) -> None:
    for arguments in (["nonsense"], ["party", "add"], ["party", "add", "--role", "king", "--ref", "X"]):
        assert "Traceback" not in installation.relay(*arguments, exit_code=2).output


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("config.toml", "does not exist; make one with `relay init`"),
        ("var/keys/master.key", "no master key; restore it from its backup"),
    ],
)
def test_a_missing_file_is_one_clear_message(installation: Installation, damage: str, said: str) -> None:
    (installation.directory / damage).unlink()
    assert said in installation.relay("party", "list", exit_code=1).stderr


def test_a_master_key_of_another_installation_is_told(installation: Installation, tmp_path: Path) -> None:
    (installation.var / "keys/master.key").write_text("A" * 43 + "=\n")
    assert "not the master key of this database" in installation.relay("party", "list", exit_code=1).stderr


def test_a_database_that_is_none_is_told(installation: Installation) -> None:
    (installation.var / "relay.db").write_bytes(b"nothing of the kind" * 400)
    result = installation.relay("party", "list", exit_code=1)
    assert "relay.db" in result.stderr


def test_a_broken_configuration_names_all_its_problems(installation: Installation) -> None:
    installation.configure(lambda text: "hostnam = 3\n" + text.replace("port = 0", "port = -1", 1))
    stderr = installation.relay("party", "list", exit_code=1).stderr
    assert "2 problems" in stderr
    assert 'did you mean "hostname"?' in stderr


def test_the_configuration_is_named_by_the_environment(installation: Installation) -> None:
    result = CliRunner(env={"RELAY_CONFIG": str(installation.config)}).invoke(main, ["marketplace", "list"])
    assert "shop.example" in result.output
