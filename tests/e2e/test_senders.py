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

from tests.e2e.scene import Scene, disclosed, played, read
from tests.support.daemon import BUYER, PASSWORD, SELLER
from tests.support.peers import swaks, until

pytestmark = pytest.mark.peer("swaks")

CLERK = "clerk@pottery.example"
HELD = "held, this From address waits for the account owner's approval (sender_pending)"
SHORT = 'version = "{name}"\neffective_at = 2026-01-01\n[senders]\npending_s = {pending_s}\n'


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    directory = tmp_path_factory.mktemp("relay")
    with played(directory, extra="\n[notices]\ndigest_s = 2\nsweep_s = 0.2\n") as scene:
        yield scene
        assert not list(disclosed(scene))


def flip(scene: Scene, verb: str, ref: str, *addresses: str, role: str = "seller") -> Any:
    return scene.relay.cli("sender", verb, "--role", role, "--ref", ref, *addresses)


def record_id(answer: str) -> str:
    return answer.split()[2]


def subjects(scene: Scene, to: str) -> list[str]:
    return [str(read(one)["Subject"]) for one in scene.letters(to)]


# R-SND-02, R-OUT-07
def test_the_owner_is_asked_once_and_his_approval_releases_all_in_their_order(scene: Scene) -> None:
    login = ("--auth", "PLAIN", "--auth-user", "S1", "--auth-password", PASSWORD)
    heard = [
        swaks(scene.relay.submission, *login, mail_from=CLERK, to=scene.buyer_alias, subject=f"Plate {number}")
        for number in range(1, 4)
    ]
    for one in heard:
        one.shows(f"S: 250 2.0.0 * {HELD}")
    asked = read(scene.letter(SELLER, "Plate 1"))
    assert asked["Auto-Submitted"] == "auto-replied"
    assert CLERK in asked.get_content()
    assert f"http://127.0.0.1:{scene.relay.web}/l/" in asked.get_content()
    (pending,) = scene.relay.cli("sender", "pending", "--role", "seller", "--ref", "S1")
    assert pending["held"] == 3
    assert "address" not in pending
    time.sleep(0.5)
    assert not scene.letters(BUYER, "Plate")
    flip(scene, "approve", "S1", CLERK)
    scene.letter(BUYER, "Plate", number=3)
    scene.drained()
    assert subjects(scene, BUYER) == ["Plate 1", "Plate 2", "Plate 3"]
    assert [len(scene.letters(to, "Plate")) for to in (SELLER, CLERK)] == [1, 0]
    for one in heard:
        assert scene.events(one.record_id)[-2:] == ["released", "accepted"]


# R-SND-02, R-REW-09
def test_the_link_in_the_notice_approves_by_post_alone(scene: Scene) -> None:
    pair = scene.introduce("b.link@phone.example", "s.link@glass.example")
    scene.hand_in("s.link", "aya@glass.example", pair.buyer.alias.address, "By link")
    asked = read(scene.letter("s.link@glass.example", "By link")).get_content()
    (url,) = set(re.findall(r"http://127\.0\.0\.1:\d+/l/[\w-]+", asked))
    page = urlopen(url, timeout=10).read().decode()
    assert "aya@glass.example" in page
    assert "aya" not in url
    assert not scene.letters("b.link@phone.example")
    urlopen(Request(url, urlencode({"choice": "approve"}).encode()), timeout=10).close()
    scene.letter("b.link@phone.example", "By link")


# R-SND-02, R-SND-03, R-SND-04
def test_many_are_flipped_at_once_or_none(scene: Scene) -> None:
    pair = scene.introduce("b.many@phone.example", "s.many@glass.example")
    crew = [f"{name}@glass.example" for name in ("ann", "bob", "cyd")]
    to = pair.buyer.alias.address
    answers = [scene.hand_in("s.many", one, to, f"From {one[:3]}")[0] for one in crew]
    assert all(HELD in one for one in answers)
    refused = scene.relay.run("sender", "approve", "--role", "seller", "--ref", "s.many", *crew, "nobody@glass.example")
    assert refused.returncode != 0
    assert "none was changed" in refused.stderr
    assert {one["state"] for one in flip(scene, "block", "s.many", *crew)} == {"blocked"}
    for answer in answers:
        scene.becomes(record_id(answer), "returned")
    assert scene.hand_in("s.many", crew[0], to, "Once more")[0].startswith("550 5.7.1")
    assert {one["state"] for one in flip(scene, "approve", "s.many", *crew)} == {"approved"}
    for one in crew:
        assert "recorded and queued" in scene.hand_in("s.many", one, to, f"Now {one[:3]}")[0]
    flip(scene, "retire", "s.many", crew[2])
    assert HELD in scene.hand_in("s.many", crew[2], to, "Retired")[0]
    scene.letter("b.many@phone.example", "Now", number=3)
    scene.drained()
    assert sorted(subjects(scene, "b.many@phone.example")) == ["Now ann", "Now bob", "Now cyd"]


# R-SND-02, R-IN-03
@pytest.mark.parametrize("delay_s", [None, 0, 0.02, 0.06])
def test_over_a_kill_each_released_message_arrives_once_and_in_order(scene: Scene, delay_s: float | None) -> None:
    """Killed before the approval (None), or so long after the first of its messages has left."""
    mailbox, ref = f"b.kill{delay_s}@phone.example", f"s.kill{delay_s}"
    writer = f"writer{delay_s}@glass.example"
    pair = scene.introduce(mailbox, f"{ref}@glass.example")
    wanted = [f"Number {number}" for number in range(8)]
    ids = [record_id(one) for one in scene.hand_in(ref, writer, pair.buyer.alias.address, *wanted)]
    if delay_s is None:
        scene.relay.kill()
        flip(scene, "approve", ref, writer)
    else:
        approval = _started(scene, "sender", "approve", "--role", "seller", "--ref", ref, writer)
        until(lambda: scene.letters(mailbox), step_s=0.002)
        time.sleep(delay_s)
        scene.relay.kill()
        assert approval.wait(60) == 0
    scene.relay.start()
    for one in ids:
        scene.becomes(one, "accepted")
    scene.drained()
    arrived = scene.letters(mailbox)
    assert list({str(read(one)["Message-ID"]): str(read(one)["Subject"]) for one in arrived}.values()) == wanted
    # The one that was under way at the kill may come again, as the same message.
    assert len(arrived) - len(wanted) <= (delay_s is not None)


# R-SND-02, R-OUT-02
def test_what_is_released_arrives_in_its_order_though_the_first_is_put_off(scene: Scene) -> None:
    mailbox = "b.greylisted@phone.example"
    pair = scene.introduce(mailbox, "s.greylisted@glass.example")
    writer, wanted = "patient@glass.example", [f"Number {number}" for number in range(4)]
    first, *_ = scene.hand_in("s.greylisted", writer, pair.buyer.alias.address, *wanted)
    scene.sink.say("rcpt", "451 4.7.1 try again later", to=mailbox, times=2)
    flip(scene, "approve", "s.greylisted", writer)
    scene.letter(mailbox, "Number 3")
    assert subjects(scene, mailbox) == wanted
    assert scene.events(record_id(first)).count("deferred") == 2


# R-SND-02
def test_of_two_who_release_at_once_one_does(scene: Scene) -> None:
    mailbox = "b.race@phone.example"
    pair = scene.introduce(mailbox, "s.race@glass.example")
    (answer,) = scene.hand_in("s.race", "writer@glass.example", pair.buyer.alias.address, "Race by message")
    ran = [_started(scene, "hold", "release", record_id(answer), "--by", name) for name in ("ann", "bob")]
    assert sorted(one.wait(60) for one in ran) == [0, 1]
    scene.becomes(record_id(answer), "accepted")
    scene.hand_in("s.race", "writer@glass.example", pair.buyer.alias.address, "Race by sender", "Race again")
    words = ("sender", "approve", "--role", "seller", "--ref", "s.race", "writer@glass.example")
    ran = [_started(scene, *words) for _ in range(2)]
    assert [one.wait(60) for one in ran] == [0, 0]
    scene.letter(mailbox, "Race", number=3)
    scene.drained()
    assert subjects(scene, mailbox) == ["Race by message", "Race by sender", "Race again"]


def _started(scene: Scene, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "relay", "--config", str(scene.relay.config_path), *words],
        stdout=subprocess.DEVNULL,
    )


# R-SND-02
def test_without_a_word_in_time_it_comes_back_with_a_notice(scene: Scene) -> None:
    owner = "s.late@glass.example"
    pair = scene.introduce("b.late@phone.example", owner)
    scene.policy(SHORT.format(name="short", pending_s=2))
    (answer,) = scene.hand_in("s.late", "later@glass.example", pair.buyer.alias.address, "Too late")
    scene.policy(SHORT.format(name="long", pending_s=86_400))
    assert HELD in answer
    scene.letter(owner, "Too late")
    notice = scene.letter(owner, "Too late", number=2)
    assert b"hold_expired" in notice.content
    scene.becomes(record_id(answer), "returned")
    flip(scene, "approve", "s.late", "later@glass.example")
    scene.drained()
    assert not scene.letters("b.late@phone.example")
    assert not scene.letters("later@glass.example")


# R-SND-05
def test_a_buyers_other_mailbox_waits_for_the_buyer(scene: Scene) -> None:
    pair = scene.introduce("b.other@phone.example", "s.other@glass.example")
    (answer,) = scene.hand_in("b.other", "hanako@work.example", pair.seller.alias.address, "From work")
    assert HELD in answer
    assert "hanako@work.example" in read(scene.letter("b.other@phone.example", "From work")).get_content()
    flip(scene, "approve", "b.other", "hanako@work.example", role="buyer")
    mail = scene.letter("s.other@glass.example", "From work")
    assert b"work.example" not in mail.content
    assert b"phone.example" not in mail.content


# R-SND-02, R-OUT-07
def test_further_unlisted_senders_are_told_of_in_one_digest(scene: Scene) -> None:
    owner = "s.digest@glass.example"
    pair = scene.introduce("b.digest@phone.example", owner)
    crew = [f"temp{number}@glass.example" for number in range(4)]
    for one in crew:
        assert HELD in scene.hand_in("s.digest", one, pair.buyer.alias.address, f"From {one[:5]}")[0]
    first = read(scene.letter(owner)).get_content()
    assert [one in first for one in crew] == [True, False, False, False]
    digest = scene.letter(owner, number=2)
    text = read(digest).get_content()
    assert (digest.mail_from, read(digest)["Auto-Submitted"]) == ("", "auto-generated")
    assert all(one in text for one in crew)
    assert len(set(re.findall(r"/l/[\w-]+", text))) == 4
    time.sleep(3)
    assert len(scene.letters(owner)) == 2
