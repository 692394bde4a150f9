"""`relay init`: an installation that works at once, and never a file overwritten."""

import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from relay.cli import main
from relay.config import load
from tests.cli.conftest import Installation


def _init(*arguments: str, exit_code: int = 0) -> str:
    result = CliRunner().invoke(main, ["init", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert result.exit_code == exit_code, result.output
    return result.output


def test_what_it_makes_passes_its_own_check(installation: Installation) -> None:
    # R-UI-10
    installation.relay("check", "--offline")


def test_keys_are_for_their_owner_only(installation: Installation) -> None:
    for name in ("keys/master.key", "tls/key.pem"):
        assert stat.S_IMODE((installation.var / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((installation.var / "keys").stat().st_mode) == 0o700


def test_nothing_that_exists_is_overwritten(installation: Installation) -> None:
    def contents() -> dict[Path, bytes]:
        names = ("config.toml", "var/keys/master.key", "var/tls/cert.pem", "var/tls/key.pem")
        return {Path(name): (installation.directory / name).read_bytes() for name in names}

    before, keys = contents(), installation.json("keys", "list")
    output = _init("--domain", "other.example", str(installation.directory))
    assert output.count(", kept\n") == 4
    assert "made   " not in output
    assert contents() == before
    assert installation.json("keys", "list") == keys


def test_it_prints_the_records_to_publish_and_what_to_do_next(installation: Installation) -> None:
    output = _init(str(installation.directory))
    assert "shop.example. IN MX 10 mx.shop.example." in output
    assert 'shop.example. IN TXT "v=spf1 mx -all"' in output
    assert output.count("._domainkey.shop.example. IN TXT") == 2
    assert "serve" in output


def test_a_real_installation_listens_where_mail_comes(tmp_path: Path) -> None:
    _init(str(tmp_path), "--name", 'Bob\'s "Best" 店', "--id", "bob")
    config = load(tmp_path / "config.toml")
    assert [(one.host, one.port) for one in config.listener] == [("0.0.0.0", 25), ("0.0.0.0", 587), ("0.0.0.0", 465)]
    assert config.marketplace[0].name == 'Bob\'s "Best" 店'


def test_an_international_domain_is_taken(tmp_path: Path) -> None:
    output = _init(str(tmp_path), "--domain", "ショップ.example", "--local")
    assert "xn--xckya1d0c.example. IN MX" in output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--domain", "shop.example", "--operator", "ops@shop.example"], "mail would loop"),
        (["--domain", "not a domain"], "domain: is not a mail domain"),
        (["--hostname", "mx_1.shop.example"], "hostname: is not a host name"),
    ],
)
def test_options_that_cannot_work_make_nothing(tmp_path: Path, options: list[str], said: str) -> None:
    assert said in _init(str(tmp_path / "new"), *options, exit_code=1)
    assert not (tmp_path / "new").exists()


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "Traceback" not in _init(str(tmp_path / "file" / "below"), exit_code=1)
