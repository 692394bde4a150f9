"""The configuration file: what is right is read, what is wrong is told at once, in the file's terms."""

import os
import re
import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest

from relay.config import Config, ConfigError, Listener, MarketplaceSection, load, marketplaces, parse
from relay.config.tree import keys_of
from relay.core.model.marketplace import Fallback

ROOT = Path(__file__).parents[2]
GOLDEN = sorted((ROOT / "tests/golden/config").glob("*.toml"))
EXAMPLE = (ROOT / "config.example.toml").read_text(encoding="utf-8")
UNCOMMENTED = re.sub(r"(?m)^#(?=[a-z0-9_]+ =)", "", EXAMPLE)
MINIMAL = """
[[marketplace]]
id = "shop"
name = "Shop"
domain = "Shop.Example"
operator = "ops@company.example"
help_url = "https://company.example/help"
"""


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_broken_configuration_names_every_problem_with_its_fix(path: Path) -> None:
    # R-UI-10; `RELAY_UPDATE=1 pytest` writes the golden files anew
    with pytest.raises(ConfigError) as caught:
        parse(path.read_text(encoding="utf-8"), source=path.name)
    expected = path.with_suffix(".errors")
    if os.environ.get("RELAY_UPDATE"):
        expected.write_text(f"{caught.value}\n", encoding="utf-8")
    assert f"{caught.value}\n" == expected.read_text(encoding="utf-8")


def test_there_are_golden_cases() -> None:
    assert len(GOLDEN) >= 8


def test_an_error_never_repeats_an_address_or_a_secret() -> None:
    with pytest.raises(ConfigError) as caught:
        parse(MINIMAL.replace("ops@company.example", "ops@@private.example") + '[networks]\ntrusted = ["hunter2"]')
    assert "private.example" not in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert len(caught.value.problems) == 2


def test_the_example_is_valid_as_it_stands_and_with_every_default_uncommented() -> None:
    # R-UI-15
    parse(EXAMPLE)
    assert parse(UNCOMMENTED) == parse(EXAMPLE)


def test_every_duration_is_in_seconds() -> None:
    # R-UI-15
    assert not re.findall(r"(?m)^\w+_(?:ms|minutes|hours|days) =", UNCOMMENTED)


def _tables(cls: type, tables: list[dict[str, Any]]) -> list[str]:
    """Keys of `cls` that no table of the example holds, and defaults that it states wrongly."""
    faults = []
    for name, annotation, _ in keys_of(cls):
        held = [table[name] for table in tables if name in table]
        inner = next((t for t in (annotation, *get_args(annotation)) if keys_of(t)), None)
        if not held:
            faults.append(f"{cls.__name__}.{name} is not in config.example.toml; add it there with a comment")
        elif inner:
            nested = [one for value in held for one in (value if isinstance(value, list) else [value])]
            faults += _tables(inner, nested)
    return faults


def test_every_key_of_every_section_is_in_the_example() -> None:
    assert _tables(Config, [tomllib.loads(UNCOMMENTED)]) == []


def test_the_search_for_missing_keys_does_find_one() -> None:
    tree = tomllib.loads(UNCOMMENTED.replace("command_idle_s = 300\n", ""))
    assert _tables(Config, [tree]) == [
        "SmtpLimits.command_idle_s is not in config.example.toml; add it there with a comment"
    ]


def test_a_minimal_configuration_takes_the_defaults() -> None:
    config = parse(MINIMAL)
    assert config.listener == ()
    assert config.delivery.retry.expire_s == 432_000
    assert config.marketplace[0].authentication is Fallback.HOLD


def test_a_marketplace_has_its_domains_folded_and_no_policy_lets_in_more_than_the_doors() -> None:
    text = MINIMAL.replace("Shop.Example", "ショップ.Example") + 'mobile_domain = "M.Shop.Example"\n'
    (shop,) = marketplaces(parse(text + "[limits]\nmessage_bytes = 1000\n"))
    assert shop.domains == {"xn--xckya1d0c.example", "m.shop.example"}
    assert [policy.limits.message_bytes for policy in shop.policies] == [1000]
    assert shop.mobile_domain == "m.shop.example"


def test_no_mobile_domain_is_empty() -> None:
    assert marketplaces(parse(MINIMAL))[0].mobile_domain == ""


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "localhost"])
def test_auth_without_tls_is_for_loopback(host: str) -> None:
    # R-IN-02, R-UI-15
    listener = f'[[listener]]\nkind = "submission"\nhost = "{host}"\nport = 0\ntls = "none"\n'
    assert parse(f"{listener}[networks]\nplain_auth = true\n{MINIMAL}").listener == (
        Listener(kind="submission", host=host, port=0, tls="none"),
    )


def test_port_0_may_be_asked_for_more_than_once() -> None:
    # R-UI-15
    door = '[[listener]]\nkind = "mx"\nport = 0\n'
    assert len(parse(door + door + "[web]\nport = 0\n" + MINIMAL).listener) == 2


def test_what_stands_in_for_a_wrong_value_is_not_held_against_its_neighbours() -> None:
    with pytest.raises(ConfigError) as caught:
        parse('[[listener]]\nkind = "lmtp"\nport = "none"\ntls = "implicit"\n' + MINIMAL)
    assert [problem.key for problem in caught.value.problems] == ["listener[0].port"]


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "does not exist; make one with `relay init`"), (b"a = 1\nb = '\xff'\n", "not UTF-8 in line 2")],
)
def test_an_unreadable_file_is_a_problem_not_a_traceback(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "config.toml"
    if content:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=re.escape(said)):
        load(path)


def test_a_directory_is_not_a_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Is a directory"):
        load(tmp_path)


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xef\xbb\xbf" + MINIMAL.encode())
    assert load(path) == parse(MINIMAL)


def test_required_keys_are_those_without_a_sensible_default() -> None:
    required = {key.name for key in keys_of(MarketplaceSection) if key.required}
    assert required == {"id", "name", "domain", "operator", "help_url"}
