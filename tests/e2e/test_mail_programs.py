"""Ordinary mail programs on both sides: s-nail and neomutt send, get, answer with "Reply", and notice nothing."""

import html
import re
import struct
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import quote

import pytest

from relay.core.model.optout import OptOut
from relay.edge.system import SystemClock
from tests.e2e.relay_env import RelayEnv, read
from tests.support.daemon import BUYER, PASSWORD, SELLER
from tests.support.mua import MailProgram, NeoMutt, Server, SNail
from tests.support.narrowing import not_none
from tests.support.peers import until
from tests.support.scrubbing import readings
from tests.support.sink import ReceivedMail

pytestmark = [pytest.mark.peer("s-nail"), pytest.mark.peer("neomutt")]

ROUNDS = 12
SHOP_PC = "shop-pc.workshop.pottery.example"
CLIENT = "127.0.0.1"
_LINES_A_ROUND = 2
"""The new line, and one that says who wrote what is below."""
LAPTOP = "hanakos-laptop.home.phone.example"


def _submission(env: RelayEnv, user: str = "S1", security: str = "starttls") -> Server:
    port = env.relay.submissions if security == "tls" else env.relay.submission
    return Server(port=port, security=security, user=user, password=PASSWORD, ca=env.relay.certificate)


# R-IN-02: the certificate is verified, the login is done under TLS
@pytest.mark.parametrize("kind", [SNail, NeoMutt])
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_sellers_mail_program_sends_with_a_login_over_verified_tls(
    env: RelayEnv, tmp_path: Path, kind: type[SNail | NeoMutt], security: str
) -> None:
    server = _submission(env, security=security)
    seller = kind(directory=tmp_path / "seller", address=SELLER, machine=SHOP_PC, server=server)
    subject = f"{kind.__name__} over {security}"
    seller.send(env.buyer_alias, subject, "Your bowl is ready: 完成しました。")
    mail = read(env.mail(BUYER, subject))
    assert env.seller_alias in mail["From"]
    assert "完成しました" in mail.get_content()


# R-IN-02: whoever stands in between gets neither password nor mail
@pytest.mark.parametrize("kind", [SNail, NeoMutt])
def test_a_mail_program_that_does_not_know_the_certificate_hands_nothing_over(
    env: RelayEnv, tmp_path: Path, kind: type[SNail | NeoMutt]
) -> None:
    other = tmp_path / "other.pem"
    other.write_text("")
    server = Server(port=env.relay.submission, security="starttls", user="S1", password=PASSWORD, ca=other)
    seller = kind(directory=tmp_path / "seller", address=SELLER, machine=SHOP_PC, server=server)
    with pytest.raises(AssertionError):
        seller.send(env.buyer_alias, f"{kind.__name__} refuses", "Nobody should read this.")
    assert not env.mails(BUYER, f"{kind.__name__} refuses")


# R-IN-01
@pytest.mark.parametrize("kind", [SNail, NeoMutt])
def test_a_buyers_mail_program_sends_by_the_mx_port(env: RelayEnv, tmp_path: Path, kind: type[SNail | NeoMutt]) -> None:
    buyer = kind(directory=tmp_path / "buyer", address=BUYER, machine=LAPTOP, server=Server(port=env.relay.mx))
    subject = f"{kind.__name__} by MX"
    buyer.send(env.seller_alias, subject, "Is it blue?")
    mail = read(env.mail(SELLER, subject))
    assert env.buyer_alias in mail["From"]
    assert _said(mail) == "Is it blue?"


# R-REW-04: text in the charsets of Japanese mail stays legible, without the address in it
@pytest.mark.parametrize("charset", ["iso-2022-jp", "shift_jis", "euc-jp"])
def test_a_japanese_mail_arrives_legible_and_without_the_address_in_it(
    env: RelayEnv, tmp_path: Path, charset: str
) -> None:
    seller = NeoMutt(
        directory=tmp_path / "seller", address=SELLER, machine=SHOP_PC, server=_submission(env), charset=charset
    )
    subject = f"青い器が完成しました {charset}"
    seller.send(env.buyer_alias, subject, f"お問い合わせは {SELLER} までどうぞ。よろしくお願いします。")
    received = env.mail(BUYER, subject)
    mail = read(received)
    assert mail.get_content_charset() == charset
    assert _said(mail) == f"お問い合わせは {env.seller_alias} までどうぞ。よろしくお願いします。"
    assert not _disclosed(env, received.content, of=seller)


# R-REW-04: an attachment arrives byte for byte, its name without the address in it
def test_attachments_arrive_byte_for_byte(env: RelayEnv, tmp_path: Path) -> None:
    seller = NeoMutt(directory=tmp_path / "seller", address=SELLER, machine=SHOP_PC, server=_submission(env))
    picture = tmp_path / f"器 of {SELLER}.bmp"
    picture.write_bytes(_bitmap())
    seller.send(env.buyer_alias, "With a picture", "Here it is.", attached=[picture])
    received = env.mail(BUYER, "With a picture")
    (attached,) = read(received).iter_attachments()
    assert attached.get_content() == picture.read_bytes()
    assert attached.get_filename() == f"器 of {env.seller_alias}.bmp"
    assert not _disclosed(env, received.content, of=seller)


# R-REW-05: who copies himself in is not served twice, and nobody learns who he is
def test_a_copy_to_oneself_goes_to_the_other_side_once(env: RelayEnv, tmp_path: Path) -> None:
    seller = NeoMutt(directory=tmp_path / "seller", address=SELLER, machine=SHOP_PC, server=_submission(env))
    seller.send(env.buyer_alias, "With a copy", "For my files too.", cc=env.seller_alias)
    received = env.mail(BUYER, "With a copy")
    assert SELLER not in received.content.decode()
    env.drained()
    assert len(env.mails(BUYER, "With a copy")) == 1
    assert not env.mails(SELLER, "With a copy")


# R-REW-01, R-REW-03, R-REW-04, R-REW-09
def test_twelve_rounds_of_reply_are_one_thread_on_each_side_and_disclose_nobody(env: RelayEnv, tmp_path: Path) -> None:
    seller = NeoMutt(directory=tmp_path / "seller", address=SELLER, machine=SHOP_PC, server=_submission(env))
    buyer = SNail(directory=tmp_path / "buyer", address=BUYER, machine=LAPTOP, server=Server(port=env.relay.mx))
    subject = "Blue bowl 青い器"
    seller.send(env.buyer_alias, subject, f"Round 01: Your bowl is ready. Write to {SELLER} any time.")
    delivered: list[tuple[str, bytes]] = []
    for number in range(1, ROUNDS + 1):
        for writer, reader in ((seller, buyer), (buyer, seller)):
            if delivered:
                # A seller who names the buyer's address would get the mail back: it is contact data (R-POL-08).
                writer.reply(_text(number, writer.address, SELLER))
            received = _relayed(env, reader.address, subject, number)
            reader.deliver(received.content)
            delivered.append((reader.address, received.content))
    assert len(delivered) == 2 * ROUNDS
    for program in (seller, buyer):
        inbox, sent = program.mails(program.inbox), program.mails(program.sent)
        assert (len(inbox), len(sent)) == (ROUNDS, ROUNDS)
        _is_one_thread([*inbox, *sent])
        assert {mail["Subject"].removeprefix("Re: ") for mail in inbox} == {subject}
    _say_each_thing_once_above_one_footer([content for _, content in delivered])
    for to, content in delivered:
        found = _disclosed(env, content, of=seller if to == BUYER else buyer)
        assert not found, content
    # The search finds what there was to find.
    for program in (seller, buyer):
        assert all(
            _disclosed(env, mail.as_bytes(), of=program) >= {program.address, program.machine}
            for mail in program.mails(program.sent)
        )


# R-POL-03, R-OUT-05, R-OUT-07
def test_the_opted_out_buyers_seller_reads_under_his_own_mail_that_it_could_not_be_delivered(
    env: RelayEnv, tmp_path: Path
) -> None:
    pair = env.add_pair("b.quiet@phone.example", "s.loud@glass.example")
    party = pair.buyer.party
    out = OptOut(buyer_id=party.id, seller_id=None, kind=None, source="test", changed_at=SystemClock().now())
    env.ask(lambda store: store.opt_outs.put(out, out=True))
    seller = NeoMutt(
        directory=tmp_path / "seller",
        address="s.loud@glass.example",
        machine=SHOP_PC,
        server=_submission(env, user="s.loud"),
    )
    seller.send(pair.buyer.alias.address, "Summer sale", "Everything must go.")
    seller.deliver(env.mail("s.loud@glass.example", "Summer sale").content)
    (notice,), (own,) = seller.mails(seller.inbox), seller.mails(seller.sent)
    assert _ids(notice["In-Reply-To"]) == [own["Message-ID"]]
    _is_one_thread([own, notice])
    assert notice["Auto-Submitted"] == "auto-replied"
    text = not_none(notice.get_body(("plain",))).get_content()
    assert pair.buyer.alias.address in text
    assert "[Important] Summer sale" in text
    assert not env.mails("b.quiet@phone.example")
    # Told how, the seller sends it again, and it arrives.
    seller.send(pair.buyer.alias.address, "[Important] Summer sale", "Your order is part of it.")
    env.mail("b.quiet@phone.example", "[Important] Summer sale")


def _text(number: int, own: str, other: str) -> str:
    """What people write in mails that should not cross, another form each time."""
    forms = (
        f"My address is {own}.",
        f"MAIL ME: {own.upper()}",
        f"<a href='mailto:{quote(own, safe='')}'>me</a>",
        html.escape(own).replace("@", "&#64;"),
        f"Is yours {other}? Mine is {own}",
    )
    return f"Round {number:02}: {forms[number % len(forms)]}"


def _said(mail: EmailMessage) -> str:
    """What stands above the footer."""
    assert ".:---" in mail.get_content()
    return _above(mail.get_content()).strip()


def _bitmap() -> bytes:
    """256 grey pixels in each of 400 lines."""
    size = 54 + 3 * 256 * 400
    header = struct.pack("<2sIIIIiiHHIIiiII", b"BM", size, 0, 54, 40, 256, 400, 1, 24, 0, 0, 2835, 2835, 0, 0)
    return header + bytes(level for level in range(256) for _ in range(3)) * 400


def _ids(value: str | None) -> list[str]:
    return (value or "").split()


def _is_one_thread(mails: list[EmailMessage]) -> None:
    """All hang together by ids of mails that are really there, and nothing points elsewhere."""
    own = {mail["Message-ID"] for mail in mails}
    assert len(own) == len(mails)
    parents = {mail["Message-ID"]: {*_ids(mail["In-Reply-To"]), *_ids(mail["References"])} for mail in mails}
    assert not set().union(*parents.values()) - own
    (root,) = (mail_id for mail_id, above in parents.items() if not above)
    assert all(root in _all_above(mail_id, parents) for mail_id in own - {root})


def _all_above(mail_id: str, parents: dict[str, set[str]]) -> set[str]:
    """Its ancestors by whatever way: s-nail names the newest mails of a long thread alone."""
    found: set[str] = set()
    new = {mail_id}
    while new:
        new = set().union(*(parents[one] for one in new)) - found
        found |= new
    return found


def _relayed(env: RelayEnv, to: str, subject: str, number: int) -> ReceivedMail:
    """The `number`th letter that somebody wrote; the relay itself may have a word about one of them."""
    return until(lambda: [one for one in env.mails(to, subject) if one.mail_from][number - 1 : number])[0]


def _say_each_thing_once_above_one_footer(mails: list[bytes]) -> None:
    """`mails` are a thread in its order, each the whole one before it with a new line."""
    texts = [message_from_bytes(mail, policy=policy.default).get_content() for mail in mails]
    links = [re.findall(r"http://127\.0\.0\.1:\d+/l/[\w-]+", text) for text in texts]
    assert [len(found) for found in links] == [2] * len(mails)
    assert len({link for found in links for link in found}) == 2 * len(mails)
    for number, text in enumerate(texts, 1):
        assert text.count(".:---") == text.count("___:.") == 1
        above = _above(text)
        assert [above.count(f"Round {n:02}:") for n in range(1, number // 2 + 1)] == [2] * (number // 2)
        assert len([line for line in above.splitlines() if line.strip("> \t")]) <= _LINES_A_ROUND * number, above


def _above(text: str) -> str:
    return text.partition(".:---")[0]


def _disclosed(env: RelayEnv, content: bytes, *, of: MailProgram) -> set[str]:
    """What a mail, read in every way, says of whose program it came from."""
    local_part, _, domain = of.address.partition("@")
    secrets = {of.address, f"{local_part}@", domain, of.machine, of.machine.partition(".")[0], of.name.lower()}
    read_as = readings(content)
    found = {secret for secret in secrets if secret in read_as}
    mail = message_from_bytes(content)
    texts = [str(mail.items()), *(str(part.get_payload(decode=True)) for part in mail.walk())]
    # The links of this relay are on this machine too.
    return found | {CLIENT for text in texts if CLIENT in text.replace(f"{CLIENT}:{env.relay.web}", "")}
