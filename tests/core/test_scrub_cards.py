"""Calendars and contacts keep their shape and lose what tells whose they are."""

import base64

import pytest

from tests.support.scrubbing import BUYER, BUYER_ALIAS, rewritten, scrubbed


def card(body: str, kind: str = "calendar", charset: str = "utf-8") -> str:
    content = f"Content-Type: text/{kind}; charset={charset}\r\n\r\n".encode() + body.encode(charset)
    return scrubbed(content).split(b"\r\n\r\n", 1)[1].decode(charset)


EVENT = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n{}\r\nSUMMARY:納品\\, 2F\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"


@pytest.mark.parametrize(
    ("line", "clean"),
    [
        (f'ORGANIZER;CN="Alice Buyer":mailto:{BUYER}', f"ORGANIZER:mailto:{BUYER_ALIAS}"),
        (
            f"ATTENDEE;ROLE=CHAIR;CN=アリス;PARTSTAT=ACCEPTED:MAILTO:{BUYER.upper()}",
            f"ATTENDEE;ROLE=CHAIR;PARTSTAT=ACCEPTED:MAILTO:{BUYER_ALIAS}",
        ),
        ("ATTENDEE;CN=Alice:mailto:alice.bu\r\n yer@exa\r\n\tmple.net", f"ATTENDEE:mailto:{BUYER_ALIAS}"),
        (
            f'ATTENDEE;SENT-BY="mailto:{BUYER}":mailto:x@third.example',
            f'ATTENDEE;SENT-BY="mailto:{BUYER_ALIAS}":mailto:x@third.example',
        ),
        (f"DESCRIPTION:Bye\\n{BUYER}", f"DESCRIPTION:Bye\\n{BUYER_ALIAS}"),
        (f"X-ALT-DESC;FMTTYPE=text/html:<b>{BUYER}</b>", f"X-ALT-DESC;FMTTYPE=text/html:<b>{BUYER_ALIAS}</b>"),
        ("ATTENDEE;CN=Carol:mailto:carol@third.example", "ATTENDEE;CN=Carol:mailto:carol@third.example"),
        ("UID:0A1B2C3D-0000@google.com", "UID:0A1B2C3D-0000@google.com"),
        ("UID:040000008200E00074C5B7101A82E008", "UID:040000008200E00074C5B7101A82E008"),
    ],
)
def test_an_events_line_loses_the_person_and_nothing_else(line: str, clean: str) -> None:  # R-REW-01, R-REW-04
    event = card(EVENT.format(line))
    assert event.replace("\r\n ", "") == EVENT.format(clean)  # as unfolded by RFC 5545 §3.1


def test_an_events_id_that_names_a_machine_is_renewed_the_same_in_each_update() -> None:  # R-REW-01
    first = card(EVENT.format("UID:1@alices-mac.local"))
    assert "alices-mac" not in first
    assert first == card(EVENT.format("UID:1@alices-mac.local"))
    assert first != card(EVENT.format("UID:2@alices-mac.local"))
    assert card(first) == first


def test_lines_written_anew_are_folded_at_75_octets() -> None:  # R-REW-04
    event = card(EVENT.format(f"COMMENT:{'注文の件で' * 20} {BUYER} {'よろしく' * 20}"))
    assert max(len(line.encode()) for line in event.split("\r\n")) <= 75
    assert f" {BUYER_ALIAS} " in event.replace("\r\n ", "")


CONTACT = "BEGIN:VCARD\r\nVERSION:3.0\r\n{}\r\nTEL:03-0000-0000\r\nEND:VCARD\r\n"


def test_a_partys_own_card_has_no_real_name() -> None:  # R-REW-01
    names = "N:Buyer;Alice;;;\r\nFN:Alice Buyer\r\nNICKNAME:Ali"
    clean = f"N:{BUYER_ALIAS};;;;\r\nFN:{BUYER_ALIAS}\r\nNICKNAME:{BUYER_ALIAS}\r\nEMAIL;TYPE=HOME:{BUYER_ALIAS}"
    assert card(CONTACT.format(f"{names}\r\nEMAIL;TYPE=HOME:{BUYER}"), "vcard") == CONTACT.format(clean)


def test_somebody_elses_card_beside_it_stays() -> None:  # R-REW-04
    other = CONTACT.format("FN:Carol\r\nEMAIL:carol@third.example")
    both = card(other + CONTACT.format(f"FN:Alice\r\nEMAIL:{BUYER}") + other, "vcard")
    assert both.startswith(other)
    assert both.endswith(other)


@pytest.mark.parametrize(
    "line",
    [
        "EMAIL;ENCODING=QUOTED-PRINTABLE:alice.buyer=40exa=\r\nmple.net",
        "EMAIL;INTERNET;QUOTED-PRINTABLE:=61lice.buyer=40example.net",
        f"EMAIL;ENCODING=B:{base64.b64encode(BUYER.encode()).decode()}",
        "item1.EMAIL:alice.bu\r\n yer@example.net",
    ],
)
def test_an_address_in_any_encoding_of_a_card_is_found(line: str) -> None:  # R-REW-04
    clean = card(CONTACT.format(f"FN:Alice\r\n{line}"), "x-vcard")
    assert BUYER_ALIAS in clean.partition("EMAIL")[2]
    assert "FN:Alice" not in clean


@pytest.mark.parametrize("charset", ["shift_jis", "utf-8"])
def test_a_card_without_a_secret_stays_as_it_is(charset: str) -> None:  # R-REW-04
    body = CONTACT.format("FN;CHARSET=SHIFT_JIS;ENCODING=QUOTED-PRINTABLE:=8E=\r\n=52\r\nEMAIL:x@third.example")
    content = f"Content-Type: text/vcard; charset={charset}\r\n\r\n{body}".encode(charset)
    assert rewritten(content).edits == ()
