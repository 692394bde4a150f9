"""Nothing tells one side when or where the other side has read a mail (R-REW-07)."""

import pytest

from tests.support.market_env import BUYER, SELLER, MarketEnv

PIXEL = '<img src="https://track.mail.example/o/77aa.gif" width="1" height="1">'


def a_mail(sender: str, content_type: str, body: str) -> bytes:
    lines = (
        f"From: {sender}",
        "Subject: Read: offer",
        "Message-ID: <6b4383ce56cc@pc-77.phone.example>",
        "MIME-Version: 1.0",
        f"Content-Type: {content_type}",
        "",
        *body.splitlines(),
        "",
    )
    return "\r\n".join(lines).encode()


def report(kind: str, report_type: str | None = "disposition-notification") -> tuple[str, str]:
    parameter = f" report-type={report_type};" if report_type else ""
    return (
        f"multipart/report;{parameter} boundary=sep",
        (
            "--sep\nContent-Type: text/plain\n\nYour message was read on Sunday.\n"
            f"--sep\nContent-Type: {kind}\n\nReporting-UA: pc-77.phone.example; Outlook\n--sep--"
        ),
    )


def wrapped(inner: tuple[str, str]) -> tuple[str, str]:
    return "multipart/mixed; boundary=out", f"--out\nContent-Type: {inner[0]}\n\n{inner[1]}\n--out--"


RECEIPTS = {
    "read receipt": report("message/disposition-notification"),
    "read receipt without a report type": report("message/disposition-notification", None),
    "read receipt whose part is plain text": report("text/plain"),
    "international read receipt": report("message/global-disposition-notification", None),
    "delivery receipt": report("message/delivery-status", "delivery-status"),
    "read receipt that a list has wrapped": wrapped(report("message/disposition-notification")),
    "report alone": ("message/disposition-notification", "Disposition: manual-action/MDN-sent-manually; displayed"),
}


@pytest.mark.parametrize("name", RECEIPTS)
async def test_a_receipt_reaches_neither_side_and_is_an_event(market: MarketEnv, name: str) -> None:
    for sender, alias in ((BUYER, market.seller_alias), (SELLER, market.buyer_alias)):
        [reply] = await market.send_raw(a_mail(sender, *RECEIPTS[name]), sender, alias)
        assert reply.code == 250
        assert await market.deliver_due() == []
    for summary in await market.store.records.messages():
        events = await market.store.records.history(summary.id)
        assert [event.data.get("reasons") for event in events][-1] == "receipt"


async def test_a_receipt_that_a_person_forwards_is_an_ordinary_mail(market: MarketEnv) -> None:
    inner = a_mail(SELLER, *RECEIPTS["read receipt"]).decode().replace("\r\n", "\n")
    body = f"--out\n\nLook at this.\n--out\nContent-Type: message/rfc822\n\n{inner}\n--out--"
    await market.send_raw(a_mail(BUYER, "multipart/mixed; boundary=out", body), BUYER, market.seller_alias)
    assert [mail.rcpt_to for mail in await market.deliver_due()] == [SELLER]


async def test_a_pixel_of_either_side_is_cut_out_and_is_an_event(market: MarketEnv) -> None:
    html = f"<html><body>Hello{PIXEL} again</body></html>"
    sides = ((BUYER, market.seller_alias, SELLER), (SELLER, market.buyer_alias, BUYER))
    for sender, alias, reader in sides:
        await market.send_raw(a_mail(sender, "text/html", html), sender, alias)
        [mail] = [one for one in await market.deliver_due() if one.rcpt_to == reader]
        assert b"Hello" in mail.content
        assert b"again" in mail.content
        assert b"77aa.gif" not in mail.content
    for summary in await market.store.records.messages():
        events = await market.store.records.history(summary.id)
        assert "tracking_pixel" in [event.data.get("reasons") for event in events]


async def test_a_buyer_gets_no_notice_about_a_pixel(market: MarketEnv) -> None:
    await market.send_raw(a_mail(BUYER, "text/html", f"Hello{PIXEL}"), BUYER, market.seller_alias)
    assert [mail.rcpt_to for mail in await market.deliver_due()] == [SELLER]
