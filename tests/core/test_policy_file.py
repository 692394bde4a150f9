"""The policy file: the shipped one is the built-in policy, what is wrong is told at once, versions do not clash."""

import os
import re
import tomllib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from relay.config import ConfigError, load, marketplaces, parse
from relay.config.policies import default_text, policies, policy
from relay.config.tree import keys_of
from relay.core.model.kind import Kind
from relay.core.model.policy import ContentAction, Policy, Weekday
from tests.core.test_config import MINIMAL

ROOT = Path(__file__).parents[2]
GOLDEN = sorted((ROOT / "tests/golden/policy_files").glob("*.toml"))
FIRST = 'version = "2026-07"\neffective_at = 2026-07-01\n'


def keys(annotation: Any, prefix: str = "") -> list[str]:
    """Every key of the file, as its path."""
    found = []
    for key in keys_of(annotation):
        path = f"{prefix}{key.name}"
        found += keys(key.annotation, f"{path}.") if keys_of(key.annotation) else [path]
    return found


def write(directory: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (directory / f"{name}.toml").write_text(text, encoding="utf-8")
    return directory


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_broken_policy_names_every_problem_with_its_fix(path: Path) -> None:
    # R-POL-15; `RELAY_UPDATE=1 pytest` writes the golden files anew
    with pytest.raises(ConfigError) as caught:
        policy(path.read_text(encoding="utf-8"), source=path.name)
    expected = path.with_suffix(".errors")
    if os.environ.get("RELAY_UPDATE"):
        expected.write_text(f"{caught.value}\n", encoding="utf-8")
    assert f"{caught.value}\n" == expected.read_text(encoding="utf-8")


def test_there_are_golden_cases() -> None:
    assert len(GOLDEN) >= 5


def test_the_shipped_file_is_the_built_in_policy() -> None:
    # R-POL-15: what is documented is what judges
    assert policy(default_text(), source="default") == Policy()


def test_the_shipped_file_holds_every_key() -> None:
    tree = tomllib.loads(default_text())
    for path in keys(Policy):
        table: Any = tree
        for name in path.split("."):
            assert name in table, f"add {path} with a comment to relay/config/default_policy.toml"
            table = table[name]


def test_every_key_is_documented() -> None:
    text = (ROOT / "docs/policy.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"(?m)^\| `([a-z_.]+)` \| [^`|]", text))
    assert documented == set(keys(Policy)), "add the setting to the keys in docs/policy.md"


def test_every_duration_is_in_seconds() -> None:
    # R-UI-15
    assert not re.findall(r"(?m)^(?!work_days|business_days)\w+_(?:ms|minutes|hours|days) =", default_text())


def test_what_is_left_out_is_the_shipped_policys() -> None:
    found = policy(FIRST, source="x")
    assert (found.quotas, found.bypass, found.content) == (Policy().quotas, Policy().bypass, Policy().content)


def test_actions_per_kind_words_and_days_are_read() -> None:
    # R-POL-08
    found = policy(
        FIRST
        + '[content.links]\naction = "return"\nkinds = { legal = "allow" }\n'
        + '[content]\nallowed_domains = ["Carrier.Example"]\n'
        + '[response]\nwork_days = ["sun", "mon"]\nholidays = [2026-01-01]\n'
        + '[summary]\nja = "数の上限が変わります"\n',
        source="x",
    )
    assert found.content.links.action_for(Kind.LEGAL) is ContentAction.ALLOW
    assert found.content.links.action_for(Kind.OTHER) is ContentAction.RETURN
    assert found.content.allowed_domains == {"carrier.example"}
    assert found.response.work_days == {Weekday.SUN, Weekday.MON}
    assert found.response.holidays == {date(2026, 1, 1)}
    assert found.summary == {"ja": "数の上限が変わります"}


@pytest.mark.parametrize(
    ("written", "zone", "meant"),
    [
        ("2026-07-01", "Asia/Tokyo", datetime(2026, 6, 30, 15, tzinfo=UTC)),
        ("2026-07-01", "America/New_York", datetime(2026, 7, 1, 4, tzinfo=UTC)),
        ("2026-07-01T09:00:00", "Asia/Tokyo", datetime(2026, 7, 1, tzinfo=UTC)),
        ("2026-07-01T09:00:00Z", "Asia/Tokyo", datetime(2026, 7, 1, 9, tzinfo=UTC)),
    ],
)
def test_a_date_takes_effect_at_midnight_of_the_policys_own_zone(written: str, zone: str, meant: datetime) -> None:
    # R-POL-15
    text = f'version = "x"\neffective_at = {written}\n[hours]\ntime_zone = "{zone}"\n'
    assert policy(text, source="x").effective_at == meant


def test_a_directory_is_the_versions_in_order_after_the_built_in_one(tmp_path: Path) -> None:
    # R-POL-15
    write(tmp_path, z=FIRST, a='version = "2026-10"\neffective_at = 2026-10-01\n')
    found = policies(tmp_path)
    assert [one.version for one in found] == ["builtin-1", "2026-07", "2026-10"]


def test_a_version_from_the_beginning_stands_alone(tmp_path: Path) -> None:
    write(tmp_path, a=default_text())
    assert policies(tmp_path) == (Policy(),)


def test_all_problems_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    # R-POL-15
    write(tmp_path, a=FIRST, b=FIRST, c='version = "builtin-1"\neffective_at = 2027-01-01\n', d="[quotas]\npair = 1\n")
    with pytest.raises(ConfigError) as caught:
        policies(tmp_path)
    assert [problem.key for problem in caught.value.problems] == [
        "d.toml: version",
        "d.toml: effective_at",
        "d.toml: quotas.pair",
        "c.toml: version",
        "b.toml: version",
        "b.toml: effective_at",
    ]


@pytest.mark.parametrize(
    ("name", "said"), [("", "there is none; begin with"), ("gone", "does not exist; see `relay policy default`")]
)
def test_nothing_there_is_a_problem_not_a_traceback(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        policies(tmp_path / name)


def test_a_configuration_finds_its_policies_beside_itself(tmp_path: Path) -> None:
    # R-ADR-09, R-POL-15
    (tmp_path / "policies").mkdir()
    write(tmp_path / "policies", a=FIRST + "[limits]\nmessage_bytes = 2000\nhop_limit = 7\n")
    (tmp_path / "config.toml").write_text(MINIMAL + 'policies = "policies"\n', encoding="utf-8")
    (shop,) = marketplaces(load(tmp_path / "config.toml"))
    assert [one.version for one in shop.policies] == ["builtin-1", "2026-07"]
    assert (shop.policies[1].limits.hop_limit, shop.policies[1].limits.message_bytes) == (7, 2000)


def test_service_questions_go_to_no_alias_domain(tmp_path: Path) -> None:
    # R-OUT-08
    write(tmp_path, a=FIRST + '[fulfilment]\noperator = "service@shop.example"\n')
    with pytest.raises(ConfigError, match=r"fulfilment\.operator: is at an alias domain"):
        marketplaces(parse(MINIMAL + f'policies = "{tmp_path}"\n'))
