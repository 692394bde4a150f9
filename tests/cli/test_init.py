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
    output = _init("--domain", "shop.example", str(installation.directory))
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


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--domain", "other.example"], "--domain"),
        (["--name", "Other", "--operator", "boss@company.example"], "--operator, --name"),
        (["--id", "other"], "--id"),
        (["--hostname", "mx.other.example"], "--hostname"),
        (["--help-url", "https://other.example/help"], "--help-url"),
    ],
)
def test_options_that_differ_from_what_exists_are_refused(
    installation: Installation, options: list[str], named: str
) -> None:
    before = installation.config.read_bytes()
    assert f"other values for {named}; edit the file" in " ".join(
        _init(*options, str(installation.directory), exit_code=2).split()
    )
    assert installation.config.read_bytes() == before


def test_no_second_master_key_is_made_beside_an_encrypted_store(installation: Installation) -> None:  # R-REC-04
    key = installation.var / "keys" / "master.key"
    backup = key.read_bytes()
    key.unlink()
    assert "restore the key from its backup" in _init(str(installation.directory), exit_code=1)
    assert not key.exists()
    assert "restore it from its backup" in installation.relay("check", "--offline", exit_code=1).stdout
    key.write_bytes(backup)
    key.chmod(0o600)
    installation.relay("check", "--offline")


def test_a_new_master_key_is_taken_away_again_if_the_store_does_not_open(installation: Installation) -> None:
    (installation.var / "keys" / "master.key").unlink()
    (installation.var / "relay.db").rename(installation.var / "moved.db")
    installation.configure(lambda text: f'store = "sqlite:no-such-directory/relay.db"\n{text}')
    assert "removed" in _init(str(installation.directory), exit_code=1)
    assert not (installation.var / "keys" / "master.key").exists()


def test_languages_and_the_mobile_domain_are_options(tmp_path: Path) -> None:
    _init(str(tmp_path), "--locale", "ja", "--locale", "en", "--mobile-domain", "m.marketplace.example")
    [shop] = load(tmp_path / "config.toml").marketplace
    assert (shop.locales, shop.mobile_domain) == (("ja", "en"), "m.marketplace.example")
    assert "other values for --locale" in " ".join(_init(str(tmp_path), "--locale", "en", exit_code=2).split())


def test_a_local_trial_takes_answers_and_sends_to_this_computer_alone(tmp_path: Path) -> None:
    _init(str(tmp_path), "--local")
    config = load(tmp_path / "config.toml")
    assert config.marketplace[0].authentication == "known_domain"
    assert [(one.domain, one.host, one.port) for one in config.delivery.route] == [("*", "127.0.0.1", 1025)]


def test_a_real_installation_proves_senders_and_has_no_route(tmp_path: Path) -> None:
    _init(str(tmp_path))
    config = load(tmp_path / "config.toml")
    assert config.marketplace[0].authentication == "hold"
    assert config.delivery.route == ()
