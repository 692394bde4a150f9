"""Delivery reports, and the reason behind a refusal."""

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.bounce import BounceAction, read
from relay.core.bounce.reasons import classify
from relay.core.model.reason import ReasonCode
from relay.core.providers import host_class
from tests.support.suites import locate


def report(*blocks: str, kind: str = "message/delivery-status", returned: str = "Subject: x\n\nbody\n") -> bytes:
    text = (
        "From: MAILER-DAEMON@mx.example\nTo: b.1@relay.example\nSubject: Undelivered\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="B"\n\n'
        "--B\nContent-Type: text/plain\n\nSorry.\n"
        f"--B\nContent-Type: {kind}\n\nReporting-MTA: dns; mx.example\n\n"
        + "\n".join(blocks)
        + f"\n--B\nContent-Type: message/rfc822\n\n{returned}\n--B--\n"
    )
    return text.replace("\n", "\r\n").encode()


FAILED = """Final-Recipient: rfc822; buyer@shop.example
Action: failed
Status: 5.1.1
Remote-MTA: dns; gmail-smtp-in.l.google.com
Diagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach
    does not exist (in reply to RCPT TO command)
"""
DELAYED = "Final-Recipient: rfc822; buyer@shop.example\nAction: delayed\nStatus: 4.4.1\n"


def test_a_failure_is_read() -> None:
    # R-OUT-04
    bounce = read(report(FAILED))
    assert bounce is not None
    assert (bounce.action, bounce.status, bounce.remote) == (BounceAction.FAILED, "5.1.1", "google")
    assert bounce.diagnostic.startswith("550-5.1.1 The email account that you tried to reach does not exist")
    assert bounce.reason is ReasonCode.MAILBOX_UNKNOWN


@pytest.mark.parametrize("action", list(BounceAction))
def test_every_action_is_known(action: BounceAction) -> None:
    # R-OUT-04: RFC 3464 §2.3.3
    bounce = read(report(f"Final-Recipient: rfc822; a@b.example\nAction: {action.title()} (really)\nStatus: 2.0.0\n"))
    assert bounce is not None
    assert bounce.action is action


def test_the_gravest_of_several_recipients_counts() -> None:
    bounce = read(report(DELAYED, FAILED, DELAYED))
    assert bounce is not None
    assert bounce.action is BounceAction.FAILED


def test_a_delay_is_temporary_and_no_failure() -> None:
    # R-OUT-04
    bounce = read(report(DELAYED))
    assert bounce is not None
    assert (bounce.action, bounce.reason) == (BounceAction.DELAYED, ReasonCode.TEMPORARY)


def test_an_international_report_is_read() -> None:
    # RFC 6533
    assert read(report(FAILED, kind="Message/Global-Delivery-Status")) is not None


def test_a_report_without_action_goes_by_its_status() -> None:
    bounce = read(report("Final-Recipient: rfc822; a@b.example\nStatus: 5.2.2 (mailbox full)\n"))
    assert bounce is not None
    assert (bounce.action, bounce.reason) == (BounceAction.FAILED, ReasonCode.MAILBOX_FULL)


def test_a_report_with_a_huge_returned_message_is_read() -> None:
    bounce = read(report(FAILED, returned="Subject: x\n\n" + "x" * 76 + "\n" * 5_000_000))
    assert bounce is not None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"Subject: hello\r\n\r\nWe met at the delivery-status meeting.\r\n",
        report(),
        report("Action: dancing\n"),
        report("Status: 5\n"),
        report("Action: failed\n", kind="text/plain; name=delivery-status"),
        b"Content-Type: message/delivery-status\r\n\r\n\xff\xfe\x00",
    ],
)
def test_what_is_no_report_is_none(content: bytes) -> None:
    # R-OUT-04
    assert read(content) is None


def nested(levels: int) -> bytes:
    head = b"".join(b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (i, i) for i in range(levels))
    return head + report(FAILED)


@pytest.mark.parametrize(
    "content",
    [
        nested(25),
        nested(2_000),
        b"Content-Type: message/rfc822\r\n\r\n" * 2_000 + report(FAILED),
        b"X: y\r\n" * 500_000 + report(FAILED),
        b"Content-Type: message/delivery-status\r\n\r\n" + b"Action: failed\r\n\r\n" * 100_000,
        report(FAILED).replace(b"\r\n", b"\0"),
        report(FAILED.replace("5.1.1", "5.1.1" * 10_000)),
        report(
            "Action: =?utf-8?q?failed?=\nStatus: =?x-unknown?b?////?=\nDiagnostic-Code: \udcff".replace("\udcff", "?")
        ),
        report(FAILED).replace(b"Sorry", b"\xff\xfe"),
        report(FAILED).replace(b'boundary="B"', b"boundary*=utf-16''%FF%FE"),
    ],
)
def test_hostile_reports_raise_nothing(content: bytes) -> None:
    # R-OUT-04, R-IN-06
    read(content)


@given(st.binary())
def test_any_bytes_behind_a_report_header_raise_nothing(data: bytes) -> None:
    read(
        b"Content-Type: multipart/report; boundary=B\r\n\r\n--B\r\nContent-Type: message/delivery-status\r\n\r\n" + data
    )


# ---------------------------------------------------------------- reasons


def reason(
    code: int, enhanced: str, text: str = "", *, phase: str = "rcpt", host: str = "mx.example", destination: str = ""
) -> str:
    return classify(
        permanent=code >= 500 or code == 0,
        phase=phase,
        code=code,
        enhanced=enhanced,
        text=text,
        host=host,
        destination=destination,
    ).value


@pytest.mark.parametrize(
    ("code", "enhanced", "text", "phase", "expected"),
    [
        (550, "5.1.1", "no", "rcpt", "mailbox_unknown"),
        (550, "", "<a@b.example>: Recipient address rejected: User unknown in table", "rcpt", "mailbox_unknown"),
        (550, "5.0.0", "No such user here", "rcpt", "mailbox_unknown"),
        (554, "", "delivery error: dd This user doesn't have a yahoo.com account", "end_of_data", "mailbox_unknown"),
        (551, "", "moved", "rcpt", "mailbox_unknown"),
        (552, "5.2.2", "over quota", "rcpt", "mailbox_full"),
        (552, "", "", "rcpt", "mailbox_full"),
        (550, "", "Mailbox full", "rcpt", "mailbox_full"),
        (452, "4.2.2", "over quota", "rcpt", "mailbox_full"),
        (552, "5.3.4", "", "mail", "message_too_big"),
        (552, "", "", "end_of_data", "message_too_big"),
        (550, "", "Message size exceeds fixed limit", "mail", "message_too_big"),
        (554, "5.7.1", "Your message looks like spam", "end_of_data", "spam_refused"),
        (550, "", "listed at zen.spamhaus.example", "connect", "spam_refused"),
        (550, "5.7.26", "unauthenticated mail", "end_of_data", "policy_refused"),
        (550, "5.7.1", "SPF check failed", "mail", "policy_refused"),
        (550, "5.7.1", "no", "rcpt", "policy_refused"),
        (550, "5.1.1", "recipient does not accept mail from your domain", "rcpt", "filtered"),
        (550, "5.1.1", "mailbox full", "rcpt", "mailbox_full"),
        (550, "5.1.2", "no", "rcpt", "host_unknown"),
        (550, "", "Unknown host", "rcpt", "host_unknown"),
        (556, "", "no mail here", "connect", "host_unknown"),
        (521, "", "no mail here", "connect", "host_unknown"),
        (550, "5.6.7", "no", "mail", "smtputf8_unsupported"),
        (530, "5.7.0", "Must issue a STARTTLS command first", "mail", "tls_required"),
        (550, "5.2.1", "The account is disabled", "rcpt", "refused"),
        (550, "", "no", "rcpt", "refused"),
        (554, "5.4.6", "mail for the domain loops back to us", "dns", "refused"),
        (0, "", "the name does not exist", "dns", "host_unknown"),
        (451, "4.7.1", "greylisted", "rcpt", "temporary"),
        (450, "4.1.1", "User unknown, for now", "rcpt", "temporary"),
        (454, "", "no TLS now", "tls", "tls_required"),
    ],
)  # fmt: skip
def test_the_reason_of_a_refusal(code: int, enhanced: str, text: str, phase: str, expected: str) -> None:
    # R-OUT-04
    assert reason(code, enhanced, text, phase=phase) == expected


@pytest.mark.parametrize(
    ("destination", "text", "phase", "expected"),
    [
        ("docomo.ne.jp", "Unknown user a@docomo.ne.jp", "end_of_data", "filtered"),
        ("docomo.ne.jp", "Unknown user a@docomo.ne.jp", "rcpt", "refused"),
        ("docomo.ne.jp", "Unknown user a@docomo.ne.jp", "", "refused"),
        ("ezweb.ne.jp", "<a@ezweb.ne.jp>: User unknown", "end_of_data", "filtered"),
        ("au.com", "<a@au.com>: User unknown", "rcpt", "refused"),
        ("i.softbank.jp", "Invalid recipient: <a@i.softbank.jp>", "rcpt", "mailbox_unknown"),
        ("i.softbank.jp", "Invalid recipient: <a@i.softbank.jp>", "", "refused"),
        ("softbank.ne.jp", "rejected", "rcpt", "refused"),
    ],
)
def test_a_carriers_550_does_not_make_a_mailbox_dead(destination: str, text: str, phase: str, expected: str) -> None:
    # R-OUT-04, R-OUT-06
    assert reason(550, "", text, phase=phase, destination=destination) == expected
    assert reason(550, "", text, phase=phase, host=f"mx1.{destination}") == expected
    assert reason(550, "5.1.1", text, phase=phase, destination=destination) == expected


def test_a_carriers_other_answers_are_told_apart() -> None:
    # R-OUT-04
    assert reason(552, "", "Too much mail data a@docomo.ne.jp", destination="docomo.ne.jp") == "mailbox_full"
    assert reason(421, "", "busy", destination="docomo.ne.jp") == "temporary"


@pytest.mark.parametrize(
    "text", ["user " * 2_000, "recipient" * 1_000, "exceed " + "a " * 5_000, "mailbox " + "x" * 9_999]
)
def test_a_long_text_takes_no_time_to_speak_of(text: str) -> None:
    # The time limit of the test run is what fails here.
    for _ in range(50):
        assert reason(550, "5.0.0", text) == "refused"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mfsmax.docomo.ne.jp", "docomo"),
        ("EZWEB.NE.JP.", "au"),
        ("gmail-smtp-in.l.google.com", "google"),
        ("notgoogle.com", "other"),
        ("mx.shop.example", "other"),
        ("", ""),
    ],
)
def test_a_host_class_names_the_provider_and_never_the_host(name: str, expected: str) -> None:
    # R-OUT-03
    assert host_class(name) == expected


# ---------------------------------------------------------------- real bounces


def test_real_bounces_raise_nothing_and_live_mailboxes_stay_alive() -> None:
    # R-OUT-04 in its first form: delivery reports only
    folder = locate("bounces")
    rows = list(csv.DictReader((folder / "expected.tsv").read_text().splitlines(), delimiter="\t"))
    seen = [(row, bounce) for row in rows if (bounce := read((folder / "mail" / row["file"]).read_bytes()))]
    dead = {ReasonCode.MAILBOX_UNKNOWN, ReasonCode.HOST_UNKNOWN}
    wrongly_dead = [row["file"] for row, bounce in seen if bounce.reason in dead and row["hard_or_soft"] == "soft"]
    assert len(seen) > len(rows) * 0.45
    assert len(wrongly_dead) < len(seen) * 0.05
