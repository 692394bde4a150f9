"""A policy from its file to its effect: checked, announced, taken up, replayed; and foretold by simulation and check."""

import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from relay.cli import main
from relay.core.model.pair import Pair
from relay.ports import RecordDetail
from tests.e2e.relay_env import RelayEnv, disclosed, plain, read, running_relay
from tests.support.daemon import SELLER
from tests.support.peers import until


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayEnv]:
    directory = tmp_path_factory.mktemp("relay")
    extra = "\n[notices]\nsweep_s = 0.2\nper_mailbox_per_hour = 1000\n"
    with running_relay(directory, extra=extra, policy=_text("first", "2026-01-01T00:00:00Z")) as env:
        yield env
        assert not list(disclosed(env))


def _text(version: str, effective_at: str, rules: str = "") -> str:
    return f'version = "{version}"\neffective_at = {effective_at}\nannounce_s = 86400\n{rules}\n'


def _at(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


# R-POL-15, R-POL-20
def test_a_version_to_come_is_announced_once_then_judges_from_its_moment_on(env: RelayEnv) -> None:
    def judged_by() -> str:
        (answer,) = env.hand_in("S1", SELLER, env.buyer_alias, "About the table")
        return str(env.ask(lambda store: store.records.summary(answer.split()[2])).policy_version)

    summary = '[summary]\nen = "Fewer mails a day."\nja = "1日の通数が減ります。"\n[quotas]\nseller_per_day = 450'
    assert judged_by() == "first"
    env.policy(_text("second", _at(5), summary), name="second")
    received = env.mail(SELLER, "Rules for messages change")
    text = read(received).get_content()
    assert (received.mail_from, read(received)["Auto-Submitted"]) == ("", "auto-generated")
    assert "Fewer mails a day." in text
    assert "450" in text
    assert f"http://127.0.0.1:{env.relay.web}/policy/market" in text
    assert judged_by() == "first"
    assert [one["state"] for one in env.relay.cli("policy", "show")] == ["in force", "to come"]
    until(lambda: judged_by() == "second", timeout_s=20, step_s=0.3)
    assert len(env.mails(SELLER, "Rules for messages change")) == 1
    (env.relay.directory / "policies/second.toml").unlink()


# R-POL-15
def test_a_broken_file_is_refused_with_all_its_mistakes_and_changes_nothing(env: RelayEnv) -> None:
    path = env.relay.directory / "policies/broken.toml"
    path.write_text(_text("broken", "2026-02-01", '[content.links]\naction = "forbid"\n[quota]\npair_per_day = 1'))
    done = env.relay.run("policy", "check", str(path))
    assert done.returncode != 0
    assert "content.links.action" in done.stderr
    assert 'did you mean "quotas"' in done.stderr
    with pytest.raises(AssertionError, match="reload_refused"):
        env.policy(path.read_text(), name="broken")
    path.unlink()
    assert "queued" in env.hand_in("S1", SELLER, env.buyer_alias, "Still taken")[0]


# R-POL-15
def test_check_diff_and_replay_tell_what_a_version_would_change(env: RelayEnv, tmp_path: Path) -> None:
    pair = env.add_pair("b.replay@phone.example", "s.replay@glass.example")
    link = plain("s.replay@glass.example", pair.buyer.alias.address, "Link", "See https://shop.elsewhere.example/sale")
    answers = env.hand_in("s.replay", "s.replay@glass.example", pair.buyer.alias.address, "No link", link)
    assert all("queued" in one for one in answers)
    path = tmp_path / "candidate.toml"
    path.write_text(_text("candidate", "2026-12-31", '[content.links]\naction = "return"'))
    assert [one["version"] for one in env.relay.cli("policy", "check", str(path))] == ["candidate"]
    changed = env.relay.cli("policy", "diff", "first", str(path))
    assert [(one["key"], one["old"], one["new"]) for one in changed] == [("content.links.action", "warn", "return")]
    before = env.ask(lambda store: store.records.messages())
    replayed = env.relay.cli("policy", "replay", "--policy", str(path))
    assert replayed["moves"]["relay -> return"] >= 1
    differences = {one["id"]: (one["now"], one["then"], one["then_because"]) for one in replayed["differences"]}
    no_link, with_link = (answer.split()[2] for answer in answers)
    assert no_link not in differences
    assert differences[with_link] == ("relay", "return", ["external_link"])
    assert [one.id for one in env.ask(lambda store: store.records.messages())] == [one.id for one in before]


_DOZEN: Sequence[tuple[str, str, str]] = (
    ("About the table", "", ""),
    ("[Important] your address", "", ""),
    ("【重要】ご住所", "", ""),
    ("[Important notice] sale", "", ""),
    ("Additional information required", "", ""),
    ("By kind", "address_check", ""),
    ("By an unknown tag", "what-ever", ""),
    ("Phone", "", "Call me at 090-8765-4321."),
    ("Disguise", "order_problem", "Write to name at elsewhere dot com."),
    ("Link", "address_check", "See https://shop.elsewhere.example/sale"),
    ("[Important] sale", "", "SALE! 50% off all plates, buy now!"),
    ("[Important] in the body alone", "", "[重要]"),
)


# R-POL-01, R-POL-16, R-POL-19
def test_simulation_check_and_daemon_agree_on_a_dozen_mails(env: RelayEnv, tmp_path: Path) -> None:
    pair = env.add_pair("b.dozen@phone.example", "s.dozen@glass.example")
    assert env.relay.run("opt-out", "set", "--buyer", "b.dozen", "--seller", "s.dozen").returncode == 0
    mails = [_dozen(pair, number) for number in range(len(_DOZEN))]
    records = len(env.ask(lambda store: store.records.messages(limit=1000)))
    foretold = [_simulated(env, tmp_path / "mail.eml", mail, to) for mail, to in mails]
    assert len(env.ask(lambda store: store.records.messages(limit=1000))) == records
    answers = [_handed_in(env, mail, to) for mail, to in mails]
    checked = [_handed_in(env, mail, f"check+{to}") for mail, to in mails]
    details = _details(env, answers + checked)
    for said, answer, check in zip(foretold, answers, checked, strict=True):
        done, asked = details[answer], details[check]
        codes = [one.split()[0] for one in said["reasons"]]
        assert (codes, codes) == (_codes(done), _codes(asked)), said
        assert (said["verdict"], done.warnings) == (done.action, asked.warnings)
        assert _without_id(said["smtp_answer"]) == _without_id(answer)


def _dozen(pair: Pair, number: int) -> tuple[bytes, str]:
    subject, tag, text = _DOZEN[number]
    to = pair.buyer.alias.address
    mail = plain("s.dozen@glass.example", to, subject, text or "Good day.")
    return mail, to.replace("@", f"+{tag}@") if tag else to


def _simulated(env: RelayEnv, path: Path, mail: bytes, to: str) -> dict[str, Any]:
    path.write_bytes(mail)
    words = ["simulate", str(path), "--from", "s.dozen@glass.example", "--to", to, "--login", "s.dozen", "--json"]
    result = CliRunner().invoke(main, ["--config", str(env.relay.config_path), *words])
    assert result.exit_code == 0, result.output
    (found,) = json.loads(result.stdout)
    return dict(found)


def _handed_in(env: RelayEnv, mail: bytes, to: str) -> str:
    (answer,) = env.hand_in("s.dozen", "s.dozen@glass.example", to, mail)
    return answer


def _details(env: RelayEnv, answers: Sequence[str]) -> dict[str, RecordDetail]:
    """What the daemon has written down of the mail that it answered so."""

    async def details(store: Any) -> dict[str, RecordDetail]:
        return {answer: (await store.records.summary(answer.split()[2])).detail for answer in answers}

    return dict(env.ask(details))


def _codes(recorded: RecordDetail) -> list[str]:
    return list(recorded.reason_codes)


def _without_id(answer: str) -> str:
    """The record's id and the day's remaining messages are each mail's own."""
    return re.sub(r"; \d+ more today|(?<=250 2\.0\.0 )\w+", "", answer)
