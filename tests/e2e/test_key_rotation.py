"""DKIM keys change under a running relay, and what leaves verifies before, during and after (R-REW-10)."""

import signal
from email import message_from_bytes, policy
from pathlib import Path

import dkim
import pytest

from tests.e2e.relay_env import RelayEnv, running_relay
from tests.support.daemon import BUYER, DOMAIN, SELLER
from tests.support.dns import MiniDns
from tests.support.opendkim import verified
from tests.support.peers import BackgroundLoop, swaks, until

pytestmark = pytest.mark.peer("swaks")


def _records(env: RelayEnv) -> dict[str, str]:
    lines = env.relay.cli("keys", "records")
    return {one["name"]: one["value"] for one in lines if "._domainkey." in one["name"]}


def _signed(env: RelayEnv, subject: str) -> tuple[bytes, list[str]]:
    """A mail as it reached the buyer, and the selectors of its signatures."""
    swaks(env.relay.mx, mail_from=SELLER, to=env.buyer_alias, subject=subject)
    content = env.mail(BUYER, subject).content
    fields = message_from_bytes(content, policy=policy.compat32).get_all("DKIM-Signature", [])
    return content, [part.strip()[2:] for field in fields for part in field.split(";") if part.strip()[:2] == "s="]


@pytest.mark.peer("opendkim")
def test_keys_change_under_a_running_relay_and_what_was_signed_before_stays_good(tmp_path: Path) -> None:
    (directory := tmp_path / "relay").mkdir()
    with BackgroundLoop() as background:
        names = background.enter(MiniDns("nothing.example. A 127.0.0.1\n"))
        dns = f'\n[dns]\nservers = ["127.0.0.1"]\nport = {names.port}\ntimeout_s = 2\n'
        with running_relay(directory, background=background, extra=dns) as env:
            before, selectors = _signed(env, "Before")
            assert sorted(selectors) == ["e1", "r1"]
            prepared = env.relay.run("keys", "rotate", "--prepare")
            prepared.check_returncode()
            early = env.relay.run("keys", "rotate")
            assert early.returncode == 1
            assert "publish " in early.stdout
            during, selectors = _signed(env, "During")
            assert sorted(selectors) == ["e1", "r1"]
            names.load(prepared.stdout)
            env.relay.run("keys", "rotate").check_returncode()
            assert env.relay.process is not None
            env.relay.process.send_signal(signal.SIGHUP)
            until(lambda: "reloaded" in env.relay.log())
            after, selectors = _signed(env, "After")
            assert len(selectors) == 2
            assert not {"e1", "r1"} & set(selectors)
            records = _records(env)
            assert len(records) == 4
            for name, content in (("before", before), ("during", during), ("after", after)):
                (tmp_path / name).mkdir()
                assert list(verified(tmp_path / name, content, records).values()) == ["pass", "pass"]
                for index in range(2):
                    judge = dkim.DKIM(content)
                    assert judge.verify(
                        idx=index, dnsfunc=lambda name, timeout=5: records[name.decode().rstrip(".")].encode()
                    )
                    assert judge.domain == DOMAIN.encode()
            for selector in ("e1", "r1"):
                env.relay.run("keys", "retire", "--selector", selector, "--now").check_returncode()
            assert {name.partition(".")[0] for name in _records(env)} == set(selectors)
