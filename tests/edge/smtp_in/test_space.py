"""R-IN-06: bytes that many sessions hold at once, in memory and on disk, are bounded together."""

import asyncio
import gc
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from relay.config import Networks, SmtpLimits
from relay.core.networks import client_key
from relay.edge.clients import client_address
from relay.edge.smtp_in import data
from relay.edge.smtp_in.space import DataClient, DataSpace, MemoryByteBudget
from relay.edge.smtp_in.spool import Spool
from relay.ports import Share
from relay.steps.room import Room
from tests.support.dialogue import Dialogue
from tests.support.fakes import ManualClock
from tests.support.smtp_in_env import SmtpInEnv, wait_until

ENVELOPE = ("EHLO client.example", "MAIL FROM:<a@client.example>", "RCPT TO:<x@shop.example>", "DATA")
FRONT = Networks(front_hosts=("127.0.0.1",))
LINE = b"..a line of a message that is long enough\r\n"
BIG = LINE * 10_000
SENT = b".a line of a message that is long enough\r\n" * 10_000
assert len(BIG) > 3 * data.PIECE_BYTES
SECRET = b"a line of a message"
LIMITS = SmtpLimits(
    message_bytes=500_000,
    unread_bytes=2_000_000,
    unread_bytes_unproven=1_000_000,
    unread_bytes_per_client=1_000_000,
    judged_bytes=1_000_000,
)


@pytest.fixture(autouse=True)
def spool_dir(env: SmtpInEnv, tmp_path: Path) -> Iterator[Path]:
    env.spool_dir = tmp_path / "var"
    env.spool_dir.mkdir()
    yield env.spool_dir
    wait_until(lambda: env.budget.used("all") == 0)
    wait_until(lambda: not spools(tmp_path))


def spools(directory: Path) -> list[int]:
    """Returns the open descriptors of this process whose files are, or were, in the directory."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            if str(entry.readlink()).startswith(str(directory)):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def stranger(name: str) -> DataClient:
    return DataClient(name=name, proven=False, is_free=False)


LOGIN = DataClient(name="party-1", proven=True, is_free=False)
OTHER_LOGIN = DataClient(name="party-2", proven=True, is_free=False)
FREE = DataClient(name="192.0.2.99", proven=True, is_free=True)


async def latest_piece(env: SmtpInEnv) -> float:
    return max(mail.piece_at_s for listener in env.listeners for mail in listener._context.space._receiving)


def holds_more(env: SmtpInEnv, size_bytes: int) -> bool:
    return env.budget.used("all") > size_bytes


def start(client: Dialogue, *lines: str) -> str:
    """Sends the lines in one write and returns the last reply."""
    client.reply()
    client.say(*lines)
    return [client.reply() for _ in lines][-1]


def held_in_memory(env: SmtpInEnv) -> int:
    sessions = [session for listener in env.listeners for session in listener._context.sessions]
    return sum(len(session._buffer) for session in sessions)


def test_a_big_message_arrives_byte_for_byte(env: SmtpInEnv) -> None:
    long_line = b"x" * 300_000 + b"\r\n"
    with Dialogue(env.open()) as client:
        assert start(client, *ENVELOPE).startswith("354")
        client.send(BIG + b"." + long_line + b"\r\n" * 200_000 + BIG + b"end\r\n.\r\n")
        assert client.reply().startswith("250")
    [message] = env.intake.messages
    assert message.content == SENT + long_line + b"\r\n" * 200_000 + SENT + b"end\r\n"


def test_a_waiting_text_is_not_readable_on_the_disk(env: SmtpInEnv, spool_dir: Path) -> None:  # R-REC-04
    with Dialogue(env.open()) as client:
        start(client, *ENVELOPE)
        client.send(BIG)
        wait_until(lambda: env.budget.used("all") > 200_000)
        assert list(spool_dir.iterdir()) == []
        [descriptor] = spools(spool_dir)
        stored = os.pread(descriptor, 1_000_000, 0)
        assert len(stored) > data.PIECE_BYTES
        assert SECRET not in stored
        assert stat.S_IMODE(os.fstat(descriptor).st_mode) == 0o600


def test_forty_strangers_with_a_big_message_each_hold_no_more_than_their_share(env: SmtpInEnv) -> None:
    port = env.open(limits=LIMITS, networks=FRONT, proxy_protocol=True)
    with ExitStack() as stack:
        clients = []
        for number in range(40):
            preface = f"PROXY TCP4 192.0.2.{number} 127.0.0.1 9 25\r\n".encode()
            client = stack.enter_context(Dialogue(port, preface=preface))
            assert start(client, *ENVELOPE).startswith("354")
            client.send(BIG)
            clients.append(client)
        wait_until(lambda: held_in_memory(env) < 40 * 2 * data.PIECE_BYTES)
        assert env.budget.used("all") == env.budget.used("unproven") <= LIMITS.unread_bytes_unproven
        for client in clients:
            client.send(b".\r\n")
        replies = [client.reply()[:9] for client in clients]
    assert set(replies) == {"250 2.0.0", "452 4.3.1"}
    assert env.observer.of("smtp_in_refused", reason="unread_bytes") == replies.count("452 4.3.1")
    assert all(message.content == SENT for message in env.intake.messages)


def test_strangers_leave_space_for_those_who_log_in(env: SmtpInEnv) -> None:
    limits = LIMITS
    mx = env.open(limits=limits, networks=FRONT, proxy_protocol=True)
    submission = env.open("submission", limits=limits, networks=Networks(plain_auth=True))
    with ExitStack() as stack:
        for number in range(2):
            preface = f"PROXY TCP4 192.0.2.{number} 127.0.0.1 9 25\r\n".encode()
            stranger = stack.enter_context(Dialogue(mx, preface=preface))
            start(stranger, *ENVELOPE)
            stranger.send(BIG)
        wait_until(lambda: env.budget.used("unproven") > 600_000)
        late = stack.enter_context(Dialogue(mx, preface=b"PROXY TCP4 192.0.2.9 127.0.0.1 9 25\r\n"))
        sized = [line + " SIZE=450000" if line.startswith("MAIL") else line for line in ENVELOPE]
        assert start(late, *sized).startswith("452 4.3.1")
        client = stack.enter_context(Dialogue(submission))
        client.reply()
        assert client.ask("EHLO client.example").startswith("250")
        assert client.ask("AUTH PLAIN AHNlbGxlcgByaWdodA==").startswith("235")
        client.say(*ENVELOPE[1:])
        assert [client.reply()[:3] for _ in ENVELOPE[1:]] == ["250", "250", "354"]
        client.send(BIG + b".\r\n")
        assert client.reply().startswith("250")


def test_one_client_does_not_take_the_share_of_all_strangers(env: SmtpInEnv) -> None:
    limits = SmtpLimits(message_bytes=500_000, unread_bytes_per_client=500_000)
    port = env.open(limits=limits, networks=FRONT, proxy_protocol=True)
    with ExitStack() as stack:
        for name in ("2001:db8::1", "2001:db8::2", "2001:db8:1::1"):
            client = stack.enter_context(Dialogue(port, preface=f"PROXY TCP6 {name} ::1 9 25\r\n".encode()))
            start(client, *ENVELOPE)
            client.send(BIG)
        wait_until(lambda: env.budget.used(f"client {client_key(client_address('2001:db8:1::1'))}") > 200_000)
        wait_until(lambda: held_in_memory(env) < 3 * 2 * data.PIECE_BYTES)
        assert 200_000 < env.budget.used(f"client {client_key(client_address('2001:db8::1'))}") <= 500_000


@pytest.mark.parametrize("ending", ["reset", "line_ends", "nul", "size"])
def test_space_is_free_again_however_the_message_ends(env: SmtpInEnv, spool_dir: Path, ending: str) -> None:
    with Dialogue(env.open(limits=LIMITS)) as client:
        start(client, *ENVELOPE)
        client.send(BIG)
        wait_until(lambda: env.budget.used("all") > 200_000)
        if ending == "reset":
            client.reset()
            return  # the fixture checks
        client.send({"line_ends": b"a\rb\r\n", "nul": b"\0\r\n", "size": BIG}[ending] + BIG + b".\r\n")
        wanted = {"line_ends": "550 5.6.11", "nul": "550 5.6.0", "size": "552 5.3.4"}
        assert client.reply().startswith(wanted[ending])
    assert env.intake.messages == []


def test_a_disk_that_takes_nothing_puts_the_message_off(env: SmtpInEnv, spool_dir: Path) -> None:  # R-IN-07
    spool_dir.rmdir()
    with Dialogue(env.open()) as client:
        start(client, *ENVELOPE)
        client.send(BIG + b".\r\n")
        assert client.reply().startswith("452 4.3.1")
        client.say(*ENVELOPE[1:])
        client.say("small", ".")
        assert [client.reply()[:3] for _ in range(4)][-1] == "250"


def test_a_file_that_cannot_be_read_again_puts_the_message_off(env: SmtpInEnv, spool_dir: Path) -> None:  # R-IN-07
    with Dialogue(env.open()) as client:
        start(client, *ENVELOPE)
        client.send(BIG)
        wait_until(lambda: env.budget.used("all") > 300_000)
        [descriptor] = spools(spool_dir)
        os.ftruncate(descriptor, 1_000)
        client.send(b".\r\n")
        assert client.reply().startswith("451 4.3.0")
        client.say(*ENVELOPE[1:], "small", ".")
        assert [client.reply()[:3] for _ in ENVELOPE] == ["250", "250", "354", "250"]
    assert [message.content for message in env.intake.messages] == [b"small\r\n"]


def test_big_messages_are_judged_no_more_at_once_than_memory_allows(env: SmtpInEnv) -> None:
    env.close_gate()
    port = env.open(limits=SmtpLimits(judged_bytes=1_000_000))
    strangers = [Dialogue(port) for _ in range(3)]
    for client in strangers:
        start(client, *ENVELOPE)
        client.send(BIG + b".\r\n")
    with Dialogue(port) as small:
        start(small, *ENVELOPE)
        small.say("small", ".")
        wait_until(lambda: len(env.intake.begun_bytes) == 2)
        # One big message is half of `judged_bytes`; the small one waits for nothing.
        assert min(env.intake.begun_bytes) == len(b"small\r\n")
        env.open_gate()
        assert small.reply().startswith("250")
    for client in strangers:
        assert client.reply().startswith("250")
        client.reset()
    assert len(env.intake.messages) == 4


class TestProductOfBytesAndRecipients:
    LIMITS = SmtpLimits(bytes_times_recipients=100_000)
    RCPT = "RCPT TO:<x@shop.example>"

    def test_a_declared_size_limits_the_recipients(self, env: SmtpInEnv) -> None:
        with Dialogue(env.open(limits=self.LIMITS)) as client:
            lines = (ENVELOPE[0], "MAIL FROM:<a@client.example> SIZE=40000", self.RCPT, self.RCPT)
            assert start(client, *lines).startswith("250")
            assert client.ask(self.RCPT).startswith("452 4.5.3")
            assert client.ask("DATA").startswith("354")
            client.send(b"x\r\n" * 10_000 + b".\r\n")
            assert client.reply().startswith("250")
        assert len(env.intake.messages[0].rcpt_to) == 2

    @pytest.mark.parametrize("size_bytes", [40_000, 400_000])
    def test_a_size_that_was_not_declared_counts_too(self, env: SmtpInEnv, size_bytes: int) -> None:
        with Dialogue(env.open(limits=self.LIMITS)) as client:
            assert start(client, *ENVELOPE[:2], *[self.RCPT] * 3, "DATA").startswith("354")
            client.send(b"x" * size_bytes + b"\r\n.\r\n")
            assert client.reply().startswith("452 4.5.3")
        assert env.intake.messages == []

    def test_one_recipient_may_always_get_a_message_of_the_largest_size(self, env: SmtpInEnv) -> None:
        with Dialogue(env.open(limits=self.LIMITS)) as client:
            start(client, ENVELOPE[0], "MAIL FROM:<a@client.example> SIZE=400000", *ENVELOPE[2:])
            client.send(BIG + b".\r\n")
            assert client.reply().startswith("250")


class TestByteBudget:
    def test_bytes_are_taken_from_all_shares_or_from_none(self) -> None:
        budget, small, large = MemoryByteBudget(), Share("small", 10), Share("large", 100)
        assert budget.take((large, small), 10) is None
        assert budget.take((large, small), 1) == small
        assert budget.used("large") == 10
        assert budget.take((large,), 90) is None
        budget.release((large, small), 10)
        assert budget.take((small, large), 10) is None


class TestSlowMail:
    """R-IN-06: mail that is sent slowly on purpose keeps no other mail out."""

    def hold(self, stack: ExitStack, env: SmtpInEnv, port: int, count: int) -> list[Dialogue]:
        """Opens sessions of different clients, each of which has sent all of a big message but its end."""
        clients = []
        for number in range(count):
            before = env.budget.used("all")
            preface = f"PROXY TCP4 192.0.2.{number} 127.0.0.1 9 25\r\n".encode()
            clients.append(stack.enter_context(Dialogue(port, preface=preface)))
            assert start(clients[-1], *ENVELOPE).startswith("354")
            clients[-1].send(BIG)
            wait_until(partial(holds_more, env, before + 300_000))
        return clients

    @pytest.mark.parametrize("size", ["", " SIZE=450000"])
    def test_the_slowest_message_gives_way_to_a_faster_one(self, env: SmtpInEnv, size: str) -> None:
        limits = SmtpLimits(message_bytes=800_000, unread_bytes_unproven=1_000_000)
        port = env.open(limits=limits, networks=FRONT, proxy_protocol=True)
        with ExitStack() as stack:
            slowest, slow = self.hold(stack, env, port, 2)
            env.clock.forward(5)
            slow.send(LINE * 3_200)
            wait_until(lambda: env.run(latest_piece(env)) == env.clock.monotonic_s())
            env.clock.forward(5)
            fast = stack.enter_context(Dialogue(port, preface=b"PROXY TCP4 192.0.2.9 127.0.0.1 9 25\r\n"))
            sized = [line + size if line.startswith("MAIL") else line for line in ENVELOPE]
            assert start(fast, *sized).startswith("354")
            fast.send(BIG + b".\r\n")
            assert fast.reply().startswith("250")
            assert slowest.reply().startswith("421 4.3.1")
            slow.send(b".\r\n")
            assert slow.reply().startswith("250")
        assert env.observer.of("smtp_in_refused", reason="slow_data") == 1

    @pytest.mark.parametrize(("took_s", "is_faster"), [(0, True), (29, True), (31, False), (600, False)])
    def test_a_message_about_as_slow_as_the_others_finds_no_space(
        self, tmp_path: Path, took_s: float, is_faster: bool
    ) -> None:
        clock, ended = ManualClock(), list[str]()
        limits = SmtpLimits(message_bytes=10, unread_bytes_unproven=10)
        space = DataSpace(limits, tmp_path, MemoryByteBudget(), clock)
        assert space.take(space.begin(stranger("a"), space.now_s(), partial(ended.append, "a")), 10)
        clock.forward(60)
        space.take(space.begin(stranger("b"), space.now_s() - took_s, partial(ended.append, "b")), 10)
        assert ended == ["a"] * is_faster

    @pytest.mark.parametrize(
        ("slow", "fast", "gives_way"),
        [
            (stranger("a"), stranger("b"), True),
            (stranger("a"), LOGIN, True),
            (stranger("a"), FREE, True),
            (LOGIN, stranger("a"), False),
            (LOGIN, OTHER_LOGIN, True),
            (LOGIN, FREE, True),
            (FREE, stranger("a"), False),
            (FREE, LOGIN, False),
        ],
    )
    def test_who_gives_way_to_whom(self, tmp_path: Path, slow: DataClient, fast: DataClient, gives_way: bool) -> None:
        budget, clock = MemoryByteBudget(), ManualClock()
        limits = SmtpLimits(message_bytes=10, unread_bytes=10, unread_bytes_unproven=10, unread_bytes_per_client=10)
        space, ended = DataSpace(limits, tmp_path, budget, clock), list[bool]()

        def give_way() -> None:
            ended.append(True)
            space.release(held)

        held = space.begin(slow, space.now_s(), give_way)
        assert space.take(held, 10)
        clock.forward(10)
        new = space.begin(fast, space.now_s(), lambda: None)
        assert space.has_space(fast, 10) is gives_way
        assert space.take(new, 1) is gives_way
        assert ended == [True] * gives_way
        assert budget.used("all") == (1 if gives_way else 10)

    def test_a_client_above_its_own_share_ends_its_own_mail_only(self, tmp_path: Path) -> None:
        clock = ManualClock()
        limits = SmtpLimits(message_bytes=10, unread_bytes_per_client=10)
        space, ended = DataSpace(limits, tmp_path, MemoryByteBudget(), clock), list[str]()
        for name in "ab":
            assert space.take(space.begin(stranger(name), space.now_s(), partial(ended.append, name)), 10)
        clock.forward(10)
        assert not space.take(space.begin(stranger("a"), space.now_s(), lambda: None), 1), "its bytes are not free yet"
        assert ended == ["a"]

    def test_a_message_that_is_whole_gives_way_to_none(self, tmp_path: Path) -> None:
        clock = ManualClock()
        limits = SmtpLimits(message_bytes=10, unread_bytes=10)
        space = DataSpace(limits, tmp_path, MemoryByteBudget(), clock)
        whole = space.begin(stranger("a"), space.now_s(), lambda: pytest.fail("it is being judged"))
        assert space.take(whole, 10)
        space.complete(whole)
        clock.forward(1_000)
        assert not space.has_space(LOGIN, 10)
        assert not space.take(space.begin(LOGIN, space.now_s(), lambda: None), 1)
        space.release(whole)
        assert space.has_space(LOGIN, 10)


async def test_the_next_messages_of_one_client_do_not_stand_before_those_of_others(tmp_path: Path) -> None:
    space = DataSpace(SmtpLimits(judged_bytes=10), tmp_path, MemoryByteBudget(), ManualClock())
    flooding, other = (DataClient(name=name, proven=True, is_free=False) for name in ("flooding", "other"))
    entered: list[str] = []

    async def work(client: DataClient) -> None:
        async with space.at_work(client, 8 if client is flooding else 2):
            entered.append(client.name)
            await asyncio.sleep(3_600)

    tasks = [asyncio.create_task(work(client)) for client in (flooding, flooding, flooding, other)]
    for _ in range(10):
        await asyncio.sleep(0)
    assert entered == ["flooding", "other"]
    tasks[0].cancel()
    for _ in range(10):
        await asyncio.sleep(0)
    assert entered == ["flooding", "other", "flooding"]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    del task
    tasks.clear()
    await asyncio.sleep(0)
    gc.collect()
    assert not space._turns


class TestRoom:
    async def test_waiting_messages_enter_in_their_order(self) -> None:
        room, entered = Room(10), []

        async def work(name: str, size_bytes: int, until: asyncio.Event) -> None:
            async with room.entered(size_bytes):
                entered.append(name)
                await until.wait()

        ends = {name: asyncio.Event() for name in "abcd"}
        sizes = {"a": 8, "b": 99, "c": 1, "d": 1}
        tasks = {}
        for name in "abcd":
            tasks[name] = asyncio.create_task(work(name, sizes[name], ends[name]))
            await asyncio.sleep(0)
        assert entered == ["a"]  # the largest waits until it is alone; the others do not overtake it
        ends["a"].set()
        await tasks["a"]
        assert entered == ["a", "b"]
        ends["b"].set()
        await tasks["b"]
        await asyncio.sleep(0)
        assert entered == ["a", "b", "c", "d"]
        ends["c"].set()
        ends["d"].set()
        await asyncio.gather(tasks["c"], tasks["d"])

    async def test_a_cancelled_message_gives_its_place_back(self) -> None:
        room = Room(10)
        async with room.entered(10):
            waiting = [asyncio.create_task(room._enter(size)) for size in (10, 5, 5)]
            await asyncio.sleep(0)
            waiting[0].cancel()
            await asyncio.gather(waiting[0], return_exceptions=True)
        waiting[1].cancel()  # it has got its turn in this very moment
        await asyncio.gather(*waiting[1:], return_exceptions=True)
        room._leave(5)
        async with room.entered(10):
            pass
        assert room._used_bytes == 0


def test_a_spool_that_has_lost_bytes_is_an_error(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.add(b"a" * 100)
    spool._file.truncate(50)
    with pytest.raises(OSError, match="shorter"):
        spool.read(b"")
    spool.close()
