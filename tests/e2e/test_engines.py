"""The same scenes on either engine: which one keeps the record makes no difference to a mail program."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.relay_env import RelayEnv, read, running_relay
from tests.store import cluster
from tests.support.daemon import BUYER, PASSWORD, SELLER, Relay
from tests.support.peers import swaks

pytestmark = pytest.mark.peer("swaks")


@pytest.fixture(
    scope="module",
    params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.peer("postgresql"), pytest.mark.more])],
)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayEnv]:
    with ExitStack() as stack:
        store = "sqlite:relay.db"
        if request.param == "postgresql":
            store = stack.enter_context(cluster.running()).database()
        yield stack.enter_context(running_relay(tmp_path_factory.mktemp("relay"), store=store))


# R-SCL-01, R-SCL-02, R-REW-03
def test_a_message_and_its_answer_cross_in_one_thread(engine: RelayEnv) -> None:
    sent = swaks(
        engine.relay.mx,
        "--h-Message-Id",
        "<first@pottery.example>",
        mail_from=SELLER,
        to=engine.buyer_alias,
        subject="Crossing",
    )
    got = read(engine.mail(BUYER, "Crossing"))
    assert engine.seller_alias in got["From"]
    swaks(
        engine.relay.mx,
        "--h-In-Reply-To",
        str(got["Message-ID"]),
        mail_from=BUYER,
        to=engine.seller_alias,
        subject="Re: Crossing",
    )
    answer = read(engine.mail(SELLER, "Re: Crossing"))
    assert answer["In-Reply-To"].strip() == "<first@pottery.example>"
    assert engine.buyer_alias in answer["From"]
    waited = engine.relay.cli("message", "wait", sent.record_id, "--state", "accepted", "--timeout", "20")
    assert waited["state"] == "accepted"
    assert engine.events(sent.record_id) == ["received", "queued", "accepted"]


# R-SND-02, R-SCL-02
def test_a_held_message_is_released_once_by_approving_its_sender(engine: RelayEnv) -> None:
    clerk = "clerk@pottery.example"
    held = swaks(
        engine.relay.submission,
        "--auth",
        "PLAIN",
        "--auth-user",
        "S1",
        "--auth-password",
        PASSWORD,
        mail_from=clerk,
        to=engine.buyer_alias,
        subject="Held and released",
    )
    assert engine.state(held.record_id) == "held"
    engine.relay.cli("sender", "approve", "--role", "seller", "--ref", "S1", clerk)
    engine.relay.cli("sender", "approve", "--role", "seller", "--ref", "S1", clerk)
    engine.becomes(held.record_id, "accepted")
    assert len(engine.mails(BUYER, "Held and released")) == 1


# R-OUT-02: what another server answered outlives the process
def test_what_was_deferred_before_a_restart_is_delivered_after_it(engine: RelayEnv) -> None:
    buyer = "restarted@phone.example"
    pair = engine.add_pair(buyer, "restarter@pottery.example")
    engine.sink.say("rcpt", "451 4.3.0 not now", to=buyer, times=1)
    heard = swaks(
        engine.relay.mx, mail_from="restarter@pottery.example", to=pair.buyer.alias.address, subject="Over a restart"
    )
    engine.becomes(heard.record_id, "deferred")
    assert engine.relay.stop() == 0
    engine.relay.start()
    engine.mail(buyer, "Over a restart")
    engine.becomes(heard.record_id, "accepted")


# R-SCL-02
@pytest.mark.peer("postgresql")
def test_two_nodes_on_one_database_are_one_relay(tmp_path: Path) -> None:
    with cluster.running() as server, running_relay(tmp_path, store=server.database()) as env:
        other = Relay(tmp_path, env.sink.port, store=env.relay.store)
        other.start()
        try:
            swaks(env.relay.mx, mail_from=SELLER, to=env.buyer_alias, subject="By the first node")
            got = read(env.mail(BUYER, "By the first node"))
            swaks(
                other.mx,
                "--h-In-Reply-To",
                str(got["Message-ID"]),
                mail_from=BUYER,
                to=env.seller_alias,
                subject="Re: By the first node",
            )
            env.mail(SELLER, "Re: By the first node")
        finally:
            assert other.stop() == 0
