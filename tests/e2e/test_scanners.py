"""Mail past the real ClamAV and Rspamd, and what happens while one of them is away (R-POL-17)."""

from collections.abc import Iterator
from email import policy
from email.message import EmailMessage
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.e2e.relay_env import RelayEnv, plain, read, running_relay
from tests.store.cluster import free_port
from tests.support.daemon import BUYER, SELLER
from tests.support.narrowing import not_none
from tests.support.scanners import EICAR, GTUBE, Clamd


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory, clam: Clamd, rspamd_url: str) -> Iterator[RelayEnv]:
    sections = _section("clamav", clam.address) + _section("rspamd", rspamd_url)
    with running_relay(tmp_path_factory.mktemp("relay"), extra=sections) as env:
        yield env


def _section(kind: str, address: str, when_away: str = "hold") -> str:
    return f'\n[[scanner]]\nkind = "{kind}"\naddress = "{address}"\nwhen_away = "{when_away}"\ntimeout_s = 5\n'


def infected(env: RelayEnv) -> bytes:
    mail = EmailMessage(policy=policy.SMTP)
    mail["From"], mail["To"], mail["Subject"] = SELLER, env.buyer_alias, "The bill"
    mail.set_content("See the file.\n")
    mail.add_attachment(EICAR, maintype="text", subtype="plain", filename="bill.txt")
    return bytes(mail)


# R-POL-17
@pytest.mark.peer("clamd", "rspamd")
def test_a_virus_comes_back_with_a_notice_spam_waits_for_staff_and_clean_mail_passes(env: RelayEnv) -> None:
    spam = plain(SELLER, env.buyer_alias, "A letter", GTUBE.decode())
    virus, waits, passes = env.hand_in("S1", SELLER, env.buyer_alias, infected(env), spam, "About the table")
    assert "recorded, not delivered (virus_found), notice follows" in virus
    assert "held" in waits
    assert "spam_found" in waits
    assert "recorded and queued" in passes
    notice = read(env.mail(SELLER, "The bill"))
    assert "virus_found" in notice.as_string() + not_none(notice.get_body()).get_content()
    assert EICAR not in env.mail(SELLER, "The bill").content
    env.mail(BUYER, "About the table")
    env.drained()
    assert len(env.mails(BUYER)) == 1
    env.relay.cli("hold", "release", waits.split()[2], "--by", "ann")
    assert GTUBE in env.mail(BUYER, "A letter").content


# R-POL-17
@pytest.mark.parametrize(
    ("when_away", "said"),
    [("hold", "250 2.0.0 * held*(scanner_away)"), ("pass", "250 2.0.0 * recorded and queued*"), ("tempfail", "451 *")],
)
def test_while_a_scanner_is_away_the_setting_decides(tmp_path: Path, when_away: str, said: str) -> None:
    with running_relay(tmp_path, extra=_section("clamav", f"127.0.0.1:{free_port()}", when_away)) as env:
        (answer,) = env.hand_in("S1", SELLER, env.buyer_alias, "About the table")
        assert fnmatch(answer, said)
        assert len(env.ask(lambda store: store.records.messages())) == (when_away != "tempfail")
