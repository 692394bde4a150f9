"""Who may write, as the people concerned live through it: held mail, the owner's word, and a daemon that dies meanwhile."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest

from relay.core.notice.values import unlinked
from tests.e2e.relay_env import RelayEnv, disclosed, read, running_relay
from tests.support.daemon import BUYER, PASSWORD, SELLER
from tests.support.peers import swaks, until

pytestmark = pytest.mark.peer("swaks")

CLERK = "clerk@pottery.example"
HELD = "held, this From address waits for the account owner's approval (sender_pending)"
SHORT = 'version = "{name}"\neffective_at = 2026-01-01\n[senders]\npending_s = {pending_s}\n'


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayEnv]:
    directory = tmp_path_factory.mktemp("relay")
    with running_relay(directory, extra="\n[notices]\nsweep_s = 0.2\n") as env:
        yield env
        assert not list(disclosed(env))


def flip(env: RelayEnv, verb: str, ref: str, *addresses: str, role: str = "seller") -> Any:
    return env.relay.cli("sender", verb, "--role", role, "--ref", ref, *addresses)


def record_id(answer: str) -> str:
    return answer.split()[2]


def subjects(env: RelayEnv, to: str) -> list[str]:
    return [str(read(one)["Subject"]) for one in env.mails(to)]


# R-SND-02, R-OUT-07
def test_the_owner_is_asked_once_and_his_approval_releases_all_in_their_order(env: RelayEnv) -> None:
    login = ("--auth", "PLAIN", "--auth-user", "S1", "--auth-password", PASSWORD)
    heard = [
        swaks(env.relay.submission, *login, mail_from=CLERK, to=env.buyer_alias, subject=f"Plate {number}")
        for number in range(1, 4)
    ]
    for one in heard:
        one.shows(f"S: 250 2.0.0 * {HELD}")
    asked = read(env.mail(SELLER))
    assert asked["Auto-Submitted"] == "auto-generated"
    assert unlinked(CLERK) in asked.get_content()
    assert "Plate" not in asked.as_string()
    assert f"http://127.0.0.1:{env.relay.web}/l/" in asked.get_content()
    (pending,) = env.relay.cli("sender", "pending", "--role", "seller", "--ref", "S1")
    assert pending["held"] == 3
    assert pending["address"] == "c…k@pottery.example"
    time.sleep(0.5)
    assert not env.mails(BUYER, "Plate")
    flip(env, "approve", "S1", CLERK)
    env.mail(BUYER, "Plate", number=3)
    env.drained()
    assert subjects(env, BUYER) == ["Plate 1", "Plate 2", "Plate 3"]
    assert [len(env.mails(to, "Plate")) for to in (SELLER, CLERK)] == [0, 0]
    for one in heard:
        assert env.events(one.record_id)[-2:] == ["released", "accepted"]


# R-SND-02, R-REW-09
def test_the_link_in_the_notice_approves_by_post_alone(env: RelayEnv) -> None:
    pair = env.add_pair("b.link@phone.example", "s.link@glass.example")
    env.hand_in("s.link", "aya@glass.example", pair.buyer.alias.address, "By link")
    asked = read(env.mail("s.link@glass.example")).get_content()
    (url,) = set(re.findall(r"http://127\.0\.0\.1:\d+/l/[\w-]+", asked))
    page = urlopen(url, timeout=10).read().decode()
    assert "aya@glass.example" in page
    assert "aya" not in url
    assert not env.mails("b.link@phone.example")
    urlopen(Request(url, urlencode({"choice": "approve"}).encode()), timeout=10).close()
    env.mail("b.link@phone.example", "By link")


# R-SND-02, R-SND-03, R-SND-04
def test_many_are_flipped_at_once_or_none(env: RelayEnv) -> None:
    pair = env.add_pair("b.many@phone.example", "s.many@glass.example")
    crew = [f"{name}@glass.example" for name in ("ann", "bob", "cyd")]
    to = pair.buyer.alias.address
    answers = [env.hand_in("s.many", one, to, f"From {one[:3]}")[0] for one in crew]
    assert all(HELD in one for one in answers)
    refused = env.relay.run("sender", "approve", "--role", "seller", "--ref", "s.many", *crew, "nobody@glass.example")
    assert refused.returncode != 0
    assert "none was changed" in refused.stderr
    assert {one["state"] for one in flip(env, "block", "s.many", *crew)} == {"blocked"}
    for answer in answers:
        env.becomes(record_id(answer), "returned")
    assert env.hand_in("s.many", crew[0], to, "Once more")[0].startswith("550 5.7.1")
    assert {one["state"] for one in flip(env, "approve", "s.many", *crew)} == {"approved"}
    for one in crew:
        assert "recorded and queued" in env.hand_in("s.many", one, to, f"Now {one[:3]}")[0]
    flip(env, "retire", "s.many", crew[2])
    assert HELD in env.hand_in("s.many", crew[2], to, "Retired")[0]
    env.mail("b.many@phone.example", "Now", number=3)
    env.drained()
    assert sorted(subjects(env, "b.many@phone.example")) == ["Now ann", "Now bob", "Now cyd"]


# R-SND-02, R-IN-03
@pytest.mark.parametrize("delay_s", [None, 0, 0.02, 0.06])
def test_over_a_kill_each_released_message_arrives_once_and_in_order(env: RelayEnv, delay_s: float | None) -> None:
    """Killed before the approval (None), or so long after the first of its messages has left."""
    mailbox, ref = f"b.kill{delay_s}@phone.example", f"s.kill{delay_s}"
    writer = f"writer{delay_s}@glass.example"
    pair = env.add_pair(mailbox, f"{ref}@glass.example")
    wanted = [f"Number {number}" for number in range(5)]
    ids = [record_id(one) for one in env.hand_in(ref, writer, pair.buyer.alias.address, *wanted)]
    if delay_s is None:
        env.relay.kill()
        flip(env, "approve", ref, writer)
    else:
        approval = _started(env, "sender", "approve", "--role", "seller", "--ref", ref, writer)
        until(lambda: env.mails(mailbox), step_s=0.002)
        time.sleep(delay_s)
        env.relay.kill()
        assert approval.wait(60) == 0
    env.relay.start()
    for one in ids:
        env.becomes(one, "accepted")
    env.drained()
    arrived = env.mails(mailbox)
    assert list({str(read(one)["Message-ID"]): str(read(one)["Subject"]) for one in arrived}.values()) == wanted
    # The one that was under way at the kill may come again, as the same message.
    assert len(arrived) - len(wanted) <= (delay_s is not None)


# R-SND-02, R-OUT-02
def test_what_is_released_arrives_in_its_order_though_the_first_is_put_off(env: RelayEnv) -> None:
    mailbox = "b.greylisted@phone.example"
    pair = env.add_pair(mailbox, "s.greylisted@glass.example")
    writer, wanted = "patient@glass.example", [f"Number {number}" for number in range(4)]
    first, *_ = env.hand_in("s.greylisted", writer, pair.buyer.alias.address, *wanted)
    env.sink.say("rcpt", "451 4.7.1 try again later", to=mailbox, times=2)
    flip(env, "approve", "s.greylisted", writer)
    env.mail(mailbox, "Number 3")
    assert subjects(env, mailbox) == wanted
    assert env.events(record_id(first)).count("deferred") == 2


# R-SND-02
def test_of_two_who_release_at_once_one_does(env: RelayEnv) -> None:
    mailbox = "b.race@phone.example"
    pair = env.add_pair(mailbox, "s.race@glass.example")
    (answer,) = env.hand_in("s.race", "writer@glass.example", pair.buyer.alias.address, "Race by message")
    ran = [_started(env, "hold", "release", record_id(answer), "--by", name) for name in ("ann", "bob")]
    assert sorted(one.wait(60) for one in ran) == [0, 1]
    env.becomes(record_id(answer), "accepted")
    env.hand_in("s.race", "writer@glass.example", pair.buyer.alias.address, "Race by sender", "Race again")
    words = ("sender", "approve", "--role", "seller", "--ref", "s.race", "writer@glass.example")
    ran = [_started(env, *words) for _ in range(2)]
    assert [one.wait(60) for one in ran] == [0, 0]
    env.mail(mailbox, "Race", number=3)
    env.drained()
    assert subjects(env, mailbox) == ["Race by message", "Race by sender", "Race again"]


def _started(env: RelayEnv, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "relay", "--config", str(env.relay.config_path), *words],
        stdout=subprocess.DEVNULL,
    )


# R-SND-02
def test_without_a_word_in_time_it_comes_back_with_a_notice(env: RelayEnv) -> None:
    owner = "s.late@glass.example"
    pair = env.add_pair("b.late@phone.example", owner)
    env.policy(SHORT.format(name="short", pending_s=2))
    (answer,) = env.hand_in("s.late", "later@glass.example", pair.buyer.alias.address, "Too late")
    env.policy(SHORT.format(name="long", pending_s=86_400))
    assert HELD in answer
    env.mail(owner)
    notice = env.mail(owner, number=2)
    assert b"hold_expired" in notice.content
    assert "Too late" not in read(notice).as_string()
    env.becomes(record_id(answer), "returned")
    flip(env, "approve", "s.late", "later@glass.example")
    env.drained()
    assert not env.mails("b.late@phone.example")
    assert not env.mails("later@glass.example")


# R-SND-05
def test_a_buyers_other_mailbox_waits_for_the_buyer(env: RelayEnv) -> None:
    pair = env.add_pair("b.other@phone.example", "s.other@glass.example")
    (answer,) = env.hand_in("b.other", "hanako@work.example", pair.seller.alias.address, "From work")
    assert HELD in answer
    assert unlinked("hanako@work.example") in read(env.mail("b.other@phone.example")).get_content()
    flip(env, "approve", "b.other", "hanako@work.example", role="buyer")
    mail = env.mail("s.other@glass.example", "From work")
    assert b"work.example" not in mail.content
    assert b"phone.example" not in mail.content


# R-SND-02, R-OUT-07
def test_the_owner_is_asked_about_three_an_hour_at_once(env: RelayEnv) -> None:
    owner = "s.digest@glass.example"
    pair = env.add_pair("b.digest@phone.example", owner)
    crew = [f"temp{number}@glass.example" for number in range(4)]
    for one in crew:
        assert HELD in env.hand_in("s.digest", one, pair.buyer.alias.address, f"From {one[:5]}")[0]
    letters = [read(env.mail(owner, number=number)) for number in (1, 2, 3)]
    assert {letter["Auto-Submitted"] for letter in letters} == {"auto-generated"}
    text = "".join(letter.get_content() for letter in letters)
    assert [unlinked(one) in text for one in crew] == [True, True, True, False]
    assert len(set(re.findall(r"/l/[\w-]+", text))) == 3
    time.sleep(1)
    assert len(env.mails(owner)) == 3
