"""What may pass, as sellers and buyers live through it: each rule of the policy with the real daemon and real programs."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import policy as mail_policy
from email.message import EmailMessage
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from relay.core.model.pair import Pair
from tests.e2e.relay_env import RelayEnv, disclosed, plain, read, running_relay
from tests.support.daemon import PASSWORD
from tests.support.mua import NeoMutt, Server
from tests.support.narrowing import not_none, octets
from tests.support.peers import swaks

_TOKYO = ZoneInfo("Asia/Tokyo")
RULES = """version = "{version}"
effective_at = 2026-01-01
limits = {{ instant_reply_s = 0, repeated_text_bytes = 0, pair_per_hour = 0 }}
{rules}
"""
_PDF = b"%PDF-1.7\n1 0 obj <<>> endobj\ntrailer <<>>\n%%EOF\n"
_EXE = b"MZ\x90\0" + bytes(56) + b"\x40\0\0\0PE\0\0" + bytes(200)


@dataclass
class Two:
    """A buyer and a seller whom nothing has happened to yet, and the policy that they are under."""

    env: RelayEnv
    pair: Pair
    buyer: str
    seller: str
    buyer_ref: str
    seller_ref: str

    @property
    def to_buyer(self) -> str:
        return self.pair.buyer.alias.address

    @property
    def to_seller(self) -> str:
        return self.pair.seller.alias.address

    def rules(self, rules: str) -> None:
        self.env.policy(RULES.format(version=f"{self.seller_ref}-{time.monotonic_ns()}", rules=rules))

    def by_seller(self, *mails: str | bytes, to: str = "") -> list[str]:
        return self.env.hand_in(self.seller_ref, self.seller, to or self.to_buyer, *mails)

    def by_buyer(self, *mails: str | bytes, to: str = "") -> list[str]:
        return self.env.hand_in(self.buyer_ref, self.buyer, to or self.to_seller, *mails)

    def tagged(self, alias: str, tag: str) -> str:
        return alias.replace("@", f"+{tag}@")

    def opt_out(self) -> None:
        assert self.env.relay.run("opt-out", "set", "--buyer", self.buyer_ref).returncode == 0

    def notice(self, subject: str, to: str = "") -> str:
        """The text of the notice about that mail, and the machine's part of it."""
        mail = read(self.env.mail(to or self.seller, subject))
        assert mail["Auto-Submitted"] == "auto-replied"
        return mail.as_string() + str(not_none(mail.get_body()).get_content())

    def got(self, mailbox: str) -> list[str]:
        self.env.drained()
        return [str(read(one)["Subject"]) for one in self.env.mails(mailbox)]


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayEnv]:
    directory = tmp_path_factory.mktemp("relay")
    with running_relay(directory, extra="\n[notices]\nsweep_s = 0.2\nper_mailbox_per_hour = 1000\n") as env:
        yield env
        assert not list(disclosed(env))


_numbers = iter(range(1000))


@pytest.fixture
def two(env: RelayEnv) -> Two:
    number = next(_numbers)
    buyer, seller = f"b{number}@phone.example", f"s{number}@glass.example"
    two = Two(env, env.add_pair(buyer, seller), buyer, seller, f"b{number}", f"s{number}")
    two.rules("")
    return two


def html(two: Two, subject: str, markup: str) -> bytes:
    mail = EmailMessage(policy=mail_policy.SMTP)
    mail["From"], mail["To"], mail["Subject"] = two.seller, two.to_buyer, subject
    mail.set_content(markup, subtype="html")
    return bytes(mail)


def with_file(two: Two, subject: str, name: str, content: bytes) -> bytes:
    mail = EmailMessage(policy=mail_policy.SMTP)
    mail["From"], mail["To"], mail["Subject"] = two.seller, two.to_buyer, subject
    mail.set_content("The file that you asked for.\n")
    mail.add_attachment(content, maintype="application", subtype="pdf", filename=name)
    return bytes(mail)


# R-POL-02, R-POL-03, R-POL-04, R-POL-16
@pytest.mark.peer("neomutt")
@pytest.mark.parametrize("charset", ["iso-2022-jp", "shift_jis"])
def test_an_opted_out_buyer_gets_what_is_marked_in_japanese_and_nothing_else(
    two: Two, tmp_path: Path, charset: str
) -> None:
    two.opt_out()
    server = Server(
        port=two.env.relay.submission,
        security="starttls",
        user=two.seller_ref,
        password=PASSWORD,
        ca=two.env.relay.certificate,
    )
    shop = NeoMutt(
        directory=tmp_path / "shop", address=two.seller, machine="pc.glass.example", server=server, charset=charset
    )
    shop.send(two.to_buyer, "新しい器のご案内", "【重要】と本文に書いても通りません。")
    notice = two.notice("新しい器のご案内")
    assert "opted_out" in notice
    assert "[Important] 新しい器のご案内" in notice or "[重要]" in notice
    shop.send(two.to_buyer, "【重要】お届け先のご確認", "ご住所をお知らせください。")
    shop.send(two.to_buyer, "追加の情報が必要です: 名入れの文字", "名入れの文字をお知らせください。")
    (sent, *_) = [one for one in shop.mails(shop.sent) if "届け先" in one["Subject"]]
    assert f"=?{charset}?" in sent.as_bytes().decode("ascii", "replace").lower()
    two.env.mail(two.buyer, "【重要】お届け先のご確認")
    assert two.got(two.buyer) == ["【重要】お届け先のご確認", "追加の情報が必要です: 名入れの文字"]


# R-POL-04, R-POL-05, R-ADR-05
def test_an_opt_out_is_passed_by_an_answer_and_a_kind_but_by_nobody_elses_thread(two: Two) -> None:
    two.opt_out()
    foreign = plain(two.seller, two.to_buyer, "Foreign thread").replace(
        b"Subject:", b"In-Reply-To: <someone@elsewhere.example>\r\nSubject:", 1
    )
    (answer,) = two.by_seller(foreign)
    assert "opted_out" in answer
    assert "opted_out" in two.by_seller("Unknown tag", to=two.tagged(two.to_buyer, "what-ever"))[0]
    assert "queued" in two.by_seller("By kind", to=two.tagged(two.to_buyer, "address_check"))[0]
    two.by_buyer("Is it blue?")
    assert "queued" in two.by_seller("Re: Is it blue?")[0]
    assert sorted(two.got(two.buyer)) == ["By kind", "Re: Is it blue?"]
    shown = read(two.env.mail(two.seller, "Is it blue?"))["From"]
    assert re.match(r'"?buyer-[A-Z2-7]{8} \(Example Market\)"? <', shown)  # R-ADR-06


# R-POL-06
def test_marks_are_counted_and_the_seller_hears_when_they_are_used_up(two: Two) -> None:
    two.rules("[bypass]\nper_day = 2\nsmaller_per_day = 1")
    two.opt_out()
    answers = two.by_seller(*(f"[Important] number {number}" for number in range(3)))
    assert ["queued" in one for one in answers] == [True, True, False]
    assert "bypass_quota" in two.notice("[Important] number 2")
    shown = two.env.relay.cli("bypass", "show", two.seller_ref)
    assert (shown["used_today"], shown["per_day"], shown["score"]) == (2, 2, 0)


# R-POL-06
def test_who_misuses_marks_is_warned_then_cut_short_then_off_until_staff_restore(two: Two) -> None:
    two.rules("[bypass]\npoints_contradiction = 2\nwarn_at = 2\nsmaller_at = 4\noff_at = 6\nsmaller_per_day = 9")
    two.opt_out()
    sale = plain(two.seller, two.to_buyer, "[Important] for you", "SALE! 50% off all plates, buy now!")
    answers = two.by_seller(sale, sale, sale, sale)
    assert ["queued" in one for one in answers] == [True, True, True, False]
    assert "warning: promotion, bypass_misused" in answers[0]
    assert "bypass_off" in answers[3]
    two.env.mail(two.seller, "[Important] for you", number=4)
    shown = two.env.relay.cli("bypass", "show", two.seller_ref)
    assert (shown["score"], shown["standing"], len(shown["history"])) == (6, "off", 3)
    assert two.env.relay.cli("bypass", "restore", two.seller_ref, "--by", "ann")["standing"] == "free"
    assert "queued" in two.by_seller("[Important] your address")[0]


# R-POL-07, R-POL-16
def test_a_program_by_the_name_of_a_document_comes_back_with_what_is_allowed(two: Two) -> None:
    (refused, passed) = two.by_seller(
        with_file(two, "Bill", "bill.pdf", _EXE), with_file(two, "Bill", "bill.pdf", _PDF)
    )
    assert "attachment_disguised" in refused
    assert "queued" in passed
    notice = two.notice("Bill")
    assert "bill.pdf" in notice
    assert "docx" in notice
    assert "10 MB" in notice
    (kept,) = [part for part in read(two.env.mail(two.buyer, "Bill")).walk() if part.get_filename()]
    assert (kept.get_filename(), kept.get_payload(decode=True)) == ("bill.pdf", _PDF)


# R-POL-07, R-REW-08
def test_what_is_stripped_leaves_its_name_in_its_place(two: Two) -> None:
    two.rules('[attachments]\naction = "strip"\n[content.links]\naction = "strip"')
    pixel = '<p>Hello <a href="https://shop.elsewhere.example/sale">here</a></p><img src="https://t.elsewhere.example/p.gif" width="1" height="1">'
    answers = two.by_seller(with_file(two, "Tool", "tool.exe", _EXE), html(two, "Page", pixel))
    assert all("queued" in one and "warning" in one for one in answers)
    tool = read(two.env.mail(two.buyer, "Tool"))
    texts = [part.get_content() for part in tool.walk() if part.get_content_type() == "text/plain"]
    assert any("tool.exe" in text for text in texts)
    assert b"MZ\x90" not in b"".join(octets(part) for part in tool.walk() if not part.is_multipart())
    page = not_none(read(two.env.mail(two.buyer, "Page")).get_body(("html",))).get_content()
    assert "https://shop.elsewhere.example" not in page
    assert "p.gif" not in page
    assert "Hello" in page
    assert "tool.exe" in two.notice("Tool")


# R-POL-08, R-POL-09
def test_links_warn_contact_data_returns_and_disguised_contact_data_waits(two: Two) -> None:
    def mail(subject: str, text: str) -> bytes:
        return plain(two.seller, two.to_buyer, subject, text)

    two.env.relay.cli(
        "order",
        "add",
        "A-090-1234-5678",
        "--buyer",
        two.buyer_ref,
        "--seller",
        two.seller_ref,
        "--known",
        "03-1234-5678",
    )
    link, contact, disguised, known, tracking = two.by_seller(
        mail("Link", "See https://shop.elsewhere.example/sale for more."),
        mail("Phone", "Call me at 090-8765-4321, please."),
        mail("Disguised", "My name at elsewhere dot com."),
        mail("Known", "Order A-090-1234-5678 has tracking number 03-1234-5678."),
        mail("Tracking", "https://toi.kuronekoyamato.co.jp/cgi-bin/tneko?number=123456789012"),
    )
    assert "recorded and queued (warning: external_link)" in link
    assert "contact_data" in contact
    assert "held" in disguised
    assert "contact_disguised" in disguised
    assert "recorded and queued (warning: status_copy); " in known
    assert "recorded and queued; " in tracking
    assert "shop.elsewhere.example" in two.notice("Link")
    assert "contact_data" in two.notice("Phone")
    two.env.mail(two.buyer, "Link")
    assert sorted(two.got(two.buyer)) == ["Known", "Link", "Tracking"]
    two.env.relay.cli("hold", "release", disguised.split()[2], "--by", "ann")
    two.env.mail(two.buyer, "Disguised")


# R-POL-11
@pytest.mark.peer("swaks")
def test_over_quota_a_login_is_put_off_and_other_mail_waits_over_a_restart_too(two: Two) -> None:
    two.rules("[quotas]\npair_per_day = 2")
    first, second, third = two.by_seller("One", "Two", "Three")
    assert "recorded and queued; 1 more today" in first
    assert "recorded and queued; 0 more today" in second
    tomorrow = datetime.now(_TOKYO).date() + timedelta(days=1)
    reset = datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=_TOKYO).astimezone(UTC)
    said = f"again from {reset:%Y-%m-%d %H:%M} UTC (quota_pair)"
    assert third.startswith("450 4.7.1")
    assert said in third
    two.env.relay.stop()
    two.env.relay.start()
    login = ("--auth", "PLAIN", "--auth-user", two.seller_ref, "--auth-password", PASSWORD)
    heard = swaks(two.env.relay.submission, *login, mail_from=two.seller, to=two.to_buyer, subject="Three")
    heard.shows(f"S: 450 4.7.1 *{said}*")
    for subject in ("Three", "Four"):
        heard = swaks(two.env.relay.mx, mail_from=two.seller, to=two.to_buyer, subject=subject)
        heard.shows(f"S: 250 2.0.0 * held until {reset:%Y-%m-%d %H:%M} UTC, * (quota_pair)")
        assert two.env.state(heard.record_id) == "held"
    assert "quota_pair" in two.notice("Three")
    assert two.got(two.seller).count("Three") + len(two.env.mails(two.seller, "Four")) <= 1
    two.by_buyer("When?")
    assert "queued" in two.by_seller("Re: When?")[0]
    assert two.got(two.buyer) == ["One", "Two", "Re: When?"]


# R-POL-12
def test_quiet_hours_and_delay_are_waited_out_by_what_can_wait(two: Two) -> None:
    now = datetime.now(UTC)
    start, end = now - timedelta(hours=2), now + timedelta(hours=2)
    two.rules(f'[hours]\ntime_zone = "UTC"\nquiet = "{start:%H:%M}-{end:%H:%M}"')
    waits, _ = two.by_seller("Night", "[Important] at night")
    assert not re.search(r"\d\d:\d\d", waits)  # it would tell where the buyer lives
    two.env.relay.cli("party", "set", "--role", "buyer", "--ref", two.buyer_ref, "--quiet-hours", "off")
    two.rules("[hours]\ndelay_s = 1")
    two.by_seller("Delayed", "[Important] not delayed")
    two.env.mail(two.buyer, "Delayed")
    assert two.got(two.buyer) == ["[Important] at night", "[Important] not delayed", "Delayed"]
    assert two.env.state(waits.split()[2]) == "queued"


# R-POL-19
def test_a_check_by_mail_is_answered_to_the_seller_and_relays_nothing(two: Two) -> None:
    check = f"check+{two.to_buyer}"
    assert "checked, not relayed" in two.by_seller("Open?", to=check)[0]
    assert "open" in two.env.relay.cli("pair", "check", "--buyer", two.buyer_ref, "--seller", two.seller_ref)["reach"]
    two.opt_out()
    two.by_seller("Closed?", to=check)
    assert "opted_out" in two.notice("Closed?")
    assert "opted_out" not in two.notice("Open?")
    assert two.got(two.buyer) == []


# R-POL-18
def test_a_thread_closes_for_want_of_mail_and_staff_reopen_it(two: Two) -> None:
    two.by_seller("First")
    two.rules("[threads]\nclose_s = 3")
    time.sleep(3.1)
    assert "thread_closed" in two.by_buyer("Too late")[0]
    assert "thread_closed" in two.notice("Too late", two.buyer)
    two.env.relay.cli("thread", "reopen", "--buyer", two.buyer_ref, "--seller", two.seller_ref, "--by", "ann")
    assert "queued" in two.by_buyer("In time")[0]
    two.env.mail(two.seller, "In time")
    assert two.got(two.seller) == ["In time"]


# R-POL-13
def test_the_operators_order_is_the_operators_until_the_seller_supports_it(two: Two) -> None:
    order = f"F-{two.seller_ref}"
    words = ("--buyer", two.buyer_ref, "--seller", two.seller_ref, "--fulfilled-by", "operator")
    two.env.relay.cli("order", "add", order, *words)
    assert "channel_off" in two.by_seller("About it", to=two.tagged(two.to_buyer, order))[0]
    two.by_buyer("Where is it?", to=two.tagged(two.to_seller, "order_problem"))
    assert read(two.env.mail("ops@operator.example", "Where is it?"))["From"] == two.buyer
    two.env.relay.cli("party", "set", "--role", "seller", "--ref", two.seller_ref, "--product-support", "on")
    two.by_buyer("Which glaze?", to=two.tagged(two.to_seller, "customisation"))
    two.by_buyer("Where is it now?", to=two.tagged(two.to_seller, "order_problem"))
    assert "queued" in two.by_seller("The blue one", to=two.tagged(two.to_buyer, order))[0]
    two.env.mail("ops@operator.example", "Where is it now?")
    two.env.mail(two.buyer, "The blue one")
    assert [one for one in two.got(two.seller) if not one.endswith("About it")] == ["Which glaze?"]


# R-SND-07
@pytest.mark.peer("swaks")
def test_who_is_suspended_hears_why_and_the_other_side_a_neutral_word(two: Two) -> None:
    two.env.relay.cli("party", "set", "--role", "seller", "--ref", two.seller_ref, "--state", "suspended")
    by_mx = swaks(two.env.relay.mx, mail_from=two.seller, to=two.to_buyer, subject="Still there")
    by_mx.shows("S: 250 2.0.0 * recorded, not delivered (sender_suspended), notice follows")
    to_him = swaks(two.env.relay.mx, mail_from=two.buyer, to=two.to_seller, subject="Are you there?")
    to_him.shows("S: 250 2.0.0 * recorded, not delivered (recipient_unavailable), notice follows")
    login = ("--auth", "PLAIN", "--auth-user", two.seller_ref, "--auth-password", PASSWORD)
    heard = swaks(two.env.relay.submission, *login, mail_from=two.seller, to=two.to_buyer, subject="By login")
    heard.shows("S: 550 5.7.1 *(sender_suspended)*")
    assert "sender_suspended" in two.notice("Still there")
    assert "suspended" not in two.notice("Are you there?", two.buyer)


# R-POL-14
def test_of_two_automatic_replies_a_day_one_passes_and_none_is_answered(two: Two) -> None:
    def automatic(subject: str) -> bytes:
        return plain(two.buyer, two.to_seller, subject).replace(
            b"Subject:", b"Auto-Submitted: auto-replied\r\nSubject:"
        )

    first, second = two.by_buyer(automatic("Away"), automatic("Away again"))
    assert "queued" in first
    assert "recorded, not delivered (auto_reply_repeated)" in second
    two.env.mail(two.seller, "Away")
    assert (two.got(two.seller), two.got(two.buyer)) == (["Away"], [])


# R-REC-08
def test_the_response_clock_counts_questions_until_answers_and_leaves_out_what_needs_none(two: Two) -> None:
    def figures() -> tuple[int, int]:
        shown = two.env.relay.cli("response", two.seller_ref)
        week = next(one for one in shown["figures"] if one["days"] == 7)
        return week["answered"], week["unanswered"]

    two.by_buyer("Is it blue?", "And how big?")
    two.by_seller("Re: Is it blue?")
    (thanks,) = two.by_buyer("Thank you")
    message = ("message", "no-reply-needed", thanks.split()[2])
    assert figures() == (1, 1)
    two.env.relay.cli(*message)
    assert figures() == (1, 0)
    two.env.relay.cli(*message, "--undo")
    assert figures() == (1, 1)
    two.env.mail(two.seller, "Thank you")
    assert two.got(two.buyer) == ["Re: Is it blue?"]
