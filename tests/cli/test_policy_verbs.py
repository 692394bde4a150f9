"""`relay policy`: what is in force, what is to come, what another version would change (R-POL-15, R-POL-20)."""

import json
from pathlib import Path

import pytest

from relay.config.policies import default_text
from tests.cli.conftest import Installation

NEXT = """
version = "2099"
effective_at = 2099-01-01
summary = { en = "Fewer messages a day.", ja = "1日の上限が下がります。" }
[quotas]
pair_per_day = 5
[hours]
quiet = "22:00-07:00"
[content]
allowed_domains = ["carrier.example"]
"""
MAIL = """From: owner@private.example
To: {alias}
Subject: {subject}
Message-ID: <m1@private.example>

{body}
"""


@pytest.fixture
def versioned(installation: Installation) -> Installation:
    """With a policy that is to come."""
    (installation.directory / "policies").mkdir()
    (installation.directory / "policies" / "2099.toml").write_text(NEXT, encoding="utf-8")
    installation.configure(lambda text: text.replace("[[marketplace]]", '[[marketplace]]\npolicies = "policies"'))
    return installation


def test_the_default_is_a_file_that_passes_the_check(installation: Installation) -> None:
    # R-POL-15
    printed = installation.relay("policy", "default").stdout
    assert printed == installation.relay("policy", "show", "--default").stdout == default_text()
    path = installation.directory / "mine.toml"
    path.write_text(printed, encoding="utf-8")
    assert installation.json("policy", "check", str(path)) == [
        {"version": "builtin-1", "effective_at": "2026-01-01T00:00:00Z", "settings_changed": 0}
    ]


def test_what_is_in_force_and_what_is_to_come_is_shown(versioned: Installation) -> None:
    # R-POL-15
    shown = versioned.json("policy", "show")
    assert [(one["version"], one["state"]) for one in shown] == [("builtin-1", "in force"), ("2099", "to come")]
    assert [one["settings"]["quotas.pair_per_day"] for one in shown] == [20, 5]
    assert versioned.json("policy", "show", "--version", "2099")["settings"]["hours.quiet"] == "22:00-07:00"
    text = versioned.relay("policy", "show").stdout
    assert "to come" in text
    assert "quotas.pair_per_day" in text
    assert "no such policy" in versioned.relay("policy", "show", "--version", "1999", exit_code=1).stderr


def test_a_broken_policy_is_told_in_full_and_stops_nothing_else(versioned: Installation) -> None:
    # R-POL-15
    broken = versioned.directory / "policies" / "broken.toml"
    broken.write_text('version = "2099"\neffective_at = 2099-01-01\n[quota]\npair = 1\n[hours]\nquiet = "22-7"\n')
    said = versioned.relay("policy", "check", str(broken.parent), exit_code=1).stderr
    assert 'broken.toml: quota: no such key; did you mean "quotas"?' in said
    assert "broken.toml: hours.quiet: is not two times of day" in said
    assert "broken.toml: hours.quiet" in versioned.relay("policy", "show", exit_code=1).stderr
    assert versioned.json("policy", "check", str(broken.parent / "2099.toml"))[0]["settings_changed"] == 3


def test_a_difference_is_told_in_keys_and_in_a_sellers_words(versioned: Installation) -> None:
    # R-POL-20
    path = str(versioned.directory / "policies" / "2099.toml")
    domains, *others = versioned.json("policy", "diff", "builtin-1", path)
    assert (domains["key"], domains["new"]) == ("content.allowed_domains", ["carrier.example"])
    assert [(one["key"], one["old"], one["new"]) for one in others] == [
        ("quotas.pair_per_day", 20, 5),
        ("hours.quiet", "", "22:00-07:00"),
    ]
    english = versioned.relay("policy", "diff", "builtin-1", "2099").stdout
    assert "quotas.pair_per_day" in english
    assert "messages a day" in english
    assert "1日" in versioned.relay("policy", "diff", "builtin-1", "2099", "--locale", "ja").stdout
    assert versioned.json("policy", "diff", path, "2099") == []
    assert "nothing changes" in versioned.relay("policy", "diff", path, "2099").stderr
    assert "no file" in versioned.relay("policy", "diff", "builtin-1", "gone.toml", exit_code=1).stderr


def test_the_changelog_has_every_version_with_its_words(versioned: Installation) -> None:
    # R-POL-20
    entries = versioned.json("policy", "changelog")
    assert [(one["version"], len(one["changes"])) for one in entries] == [("2099", 3), ("builtin-1", 0)]
    assert entries[0]["summary"] == {"en": "Fewer messages a day.", "ja": "1日の上限が下がります。"}
    assert "1日の上限が下がります。" in versioned.relay("policy", "changelog").stdout


def test_a_policy_is_tried_on_nothing(versioned: Installation) -> None:
    path = str(versioned.directory / "policies" / "2099.toml")
    tried = versioned.json("policy", "replay", "--policy", path)
    assert tried == {"messages": 0, "not_judged": 0, "different": 0, "moves": {}, "differences": []}
    assert "nothing would differ" in versioned.relay("policy", "replay", "--policy", path).stderr


def test_a_policy_beside_the_configuration_judges_a_simulation(seeded: Installation) -> None:
    # R-POL-01, R-POL-15
    (seeded.directory / "policies").mkdir()
    policy = 'version = "strict"\neffective_at = 2026-01-01\n[content.links]\naction = "return"\n'
    (seeded.directory / "policies" / "strict.toml").write_text(policy, encoding="utf-8")
    alias = seeded.json("pair", "list")[0]["buyer_alias"]
    mail = MAIL.format(alias=alias, subject="Hello", body="https://elsewhere.example/").encode()
    asked = ["simulate", "-", "--from", "owner@private.example", "--to", alias, "--login", "S1", "--json"]

    def judged() -> tuple[str, str]:
        (one,) = json.loads(seeded.relay(*asked, stdin=mail).stdout)
        return one["verdict"], one["policy_version"]

    assert judged() == ("relay", "builtin-1")
    (warning,) = json.loads(seeded.relay(*asked, stdin=mail).stdout)[0]["warnings"]
    assert warning.startswith("external_link (R-POL-08) at ")
    assert warning in seeded.relay(*asked[:-1], stdin=mail).stdout
    seeded.configure(lambda text: text.replace("[[marketplace]]", '[[marketplace]]\npolicies = "policies"'))
    assert judged() == ("return", "strict")


def test_no_verb_on_policies_shows_where_it_runs(versioned: Installation, tmp_path: Path) -> None:
    for verb in (["show"], ["changelog"], ["diff", "builtin-1", "2099"]):
        assert str(tmp_path) not in versioned.relay("policy", *verb).stdout
