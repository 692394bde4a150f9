"""Nothing of a party or its machines passes, wherever an adversary or an unlucky mail program puts it (R-REW-01)."""

import dataclasses
import email
import itertools
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.mail import mime
from relay.core.rewrite import assemble
from relay.core.rewrite.plan import Plan
from relay.core.rewrite.rewrite import rewrite
from tests.support import leaks
from tests.support.leak_reader import found
from tests.support.narrowing import octets, parts
from tests.support.scrubbing import BUYER, BUYER_ALIAS, CLIENT_IP, HELO, SELLER_ALIAS
from tests.support.scrubbing import PLAN as PAIR

SIBLING = "alice.office@second-home.example"
NAME, KANJI = "Alice Buyer", "山田 花子"
SHOWN = "buyer-7F3K2M9Q"
MAC = "alices-macbook"
PLAN = dataclasses.replace(
    PAIR,
    disguise={**PAIR.disguise, SIBLING: BUYER_ALIAS, "shop2@xn--r8jz45g.example": SELLER_ALIAS},
    disguise_domains={"house-of-alice.example": BUYER_ALIAS},
    hidden_hosts=frozenset({HELO, CLIENT_IP, "2001:db8::17", "desktop-7q2"}),
    hidden_names={NAME: SHOWN, KANJI: SHOWN},
)
ADDRESSES = {
    "mailbox": BUYER,
    "sibling sender": SIBLING,
    "domain sender": "info@house-of-alice.example",
    "the other side's": "shop2@xn--r8jz45g.example",
}
MACHINES = {
    "HELO": HELO,
    "HELO of one label": "[desktop-7q2]",
    "client": CLIENT_IP,
    "client, IPv6": "2001:db8::17",
    "received from": "smtp7.private-isp.example",
    "Message-ID": f"{MAC}.local",
}
HEADER = (
    b"Received: from smtp7.private-isp.example (unknown [198.51.100.23]) by mx.market.example with ESMTP id 1;"
    b" Mon, 23 Nov 2026 01:00:00 +0000\r\nMessage-ID: <1@alices-macbook.local>\r\nMIME-Version: 1.0\r\n"
)


def relayed(content: bytes, plan: Plan = PLAN) -> bytes:
    root = mime.split(content, mime.MimeLimits())
    result = rewrite(content, root, plan)
    return assemble.assemble(content, mime.body_start(content), result.header, result.edits)


def cases() -> Iterator[tuple[str, str, bytes]]:
    for kind, secret in (ADDRESSES | MACHINES).items():
        for place, rest in leaks.everywhere(secret):
            yield f"{kind}: {place}", secret, HEADER + rest
    for kind, name in (("name", NAME), ("kanji name", KANJI)):
        for place, rest in leaks.part_headers(name):
            yield f"{kind}: {place}", name, HEADER + rest
        card, event = leaks.vcard(BUYER, name).encode(), leaks.calendar(BUYER, name).encode()
        inside = f"From: {name} <{BUYER}>\r\nCc: {name} <x@third.example>\r\n\r\nText".encode()
        yield f"{kind}: vCard", name, HEADER + leaks.leaf("text/vcard", card)
        yield f"{kind}: calendar", name, HEADER + leaks.leaf("text/calendar", event)
        yield f"{kind}: message inside", name, HEADER + leaks.mixed(leaks.leaf("message/rfc822", inside))


CASES = {name: (secret, content) for name, secret, content in cases()}


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 400


@pytest.mark.parametrize("case", CASES)
def test_nothing_of_the_writer_arrives(case: str) -> None:  # R-REW-01, R-REW-04
    secret, content = CASES[case]
    assert found(content, [secret]), "the reader must see the leak in what was sent"
    arrived = relayed(content)
    assert found(arrived, [secret]) == set()


@pytest.mark.parametrize(("place", "content"), tuple(leaks.everywhere("someone@third.example")))
def test_the_reader_sees_what_is_there_and_nothing_else(place: str, content: bytes) -> None:
    assert found(content, [BUYER, "someone@third.example"]) == {"someone@third.example"}, place


WRITINGS = st.sampled_from(sorted(leaks.HTML_WRITINGS))
NOISE = st.text(alphabet="あ漢ｱ é&;=%<>@.\\\"'\r\n-_0a", max_size=20)


@given(
    secret=st.sampled_from(sorted((ADDRESSES | MACHINES).values())),
    writing=WRITINGS,
    kind=st.sampled_from(["text/plain", "text/html", "text/csv", "application/octet-stream"]),
    charset=st.sampled_from(leaks.CHARSETS),
    encoding=st.sampled_from(sorted(leaks.ENCODINGS)),
    depth=st.integers(0, 2),
    noise=NOISE,
)
def test_nothing_of_the_writer_arrives_in_any_mixture(
    secret: str, writing: str, kind: str, charset: str, encoding: str, depth: int, noise: str
) -> None:  # R-REW-01
    words = f"{noise} \r\n {leaks.HTML_WRITINGS[writing](secret)} \r\n {noise}"
    content = leaks.text(words, charset, encoding, kind)
    for _ in range(depth):
        content = leaks.mixed(leaks.leaf("message/rfc822", content), boundary=f"b{len(content)}")
    arrived = relayed(HEADER + content)
    # What only an HTML reader puts together, no reader of plain text shows.
    shown = kind == "text/html" or writing in leaks.PLAIN_WRITINGS
    assert found(arrived, [secret]) == set() or not shown
    assert secret not in arrived.decode("latin-1")


# ---------------------------------------------------------------- fidelity


@pytest.mark.parametrize(("place", "rest"), tuple(leaks.charset_texts("someone@third.example")))
def test_a_body_without_secrets_is_the_same_to_the_byte(place: str, rest: bytes) -> None:  # R-REW-04
    assert _body(relayed(HEADER + rest)) == _body(rest), place


@given(
    words=st.text(max_size=200),
    kind=st.sampled_from(["text/plain", "text/html", "text/csv", "text/calendar", "text/vcard", "application/pdf"]),
    encoding=st.sampled_from(sorted(leaks.ENCODINGS)),
    more=st.sampled_from(["", "; format=flowed; delsp=yes", "; format=flowed"]),
)
def test_any_body_without_secrets_is_the_same_to_the_byte(words: str, kind: str, encoding: str, more: str) -> None:
    # R-REW-04
    words = words.replace("\r", "").replace("\n", "\r\n")
    content = leaks.mixed(leaks.text(words, "utf-8", encoding, kind, more), boundary="mixed-part")
    assert _body(relayed(HEADER + content)) == _body(content)


def _body(content: bytes) -> bytes:
    return content[mime.body_start(content) :]


@pytest.mark.parametrize("charset", ["iso-2022-jp", "shift_jis", "euc-jp", "gb18030", "utf-16"])
@pytest.mark.parametrize("encoding", ["quoted-printable", "base64"])
def test_the_charset_stays_and_so_do_the_words_around(charset: str, encoding: str) -> None:  # R-REW-04
    arrived = relayed(HEADER + leaks.text(f"連絡先は{BUYER}です。\r\nよろしく\r\n", charset, encoding))
    assert f"charset={charset}".encode() in arrived
    assert octets(email.message_from_bytes(arrived)).decode(charset) == f"連絡先は{BUYER_ALIAS}です。\r\nよろしく\r\n"
    assert max(map(len, arrived.split(b"\r\n"))) <= 78
    assert b"\n" not in arrived.replace(b"\r\n", b"")


def test_flowed_text_stays_flowed() -> None:  # R-REW-04
    rest = leaks.text(
        f"Write to {BUYER} \r\nsoon, \r\nplease.\r\n-- \r\nA\r\n", "utf-8", "8bit", more="; format=flowed"
    )
    assert _body(relayed(HEADER + rest)) == _body(rest).replace(BUYER.encode(), BUYER_ALIAS.encode())


# ---------------------------------------------------------------- whole domains, names


def test_whoever_writes_at_a_domain_of_a_partys_becomes_its_alias() -> None:  # R-REW-01, R-SND-01
    words = 'to=info@house-of-alice.example, Jo.Doe+x@HOUSE-OF-ALICE.example; "a b"@house-of-alice.example'
    arrived = _body(relayed(HEADER + leaks.text(words, "utf-8", "8bit"))).decode()
    assert arrived == f"to={BUYER_ALIAS}, {BUYER_ALIAS}; {BUYER_ALIAS}"


@pytest.mark.parametrize(
    "words", ["house-of-alice.example", "x@shop.house-of-alice.example", "x@house-of-alice.example.net"]
)
def test_a_partys_domain_is_no_address(words: str) -> None:  # R-REW-04
    content = leaks.text(words, "utf-8", "8bit")
    assert _body(relayed(HEADER + content)) == words.encode()


def test_a_providers_domain_on_a_list_does_not_make_all_its_people_one_party() -> None:  # R-REW-04
    plan = dataclasses.replace(PLAN, disguise_domains={"gmail.com": BUYER_ALIAS, PLAN.domain: BUYER_ALIAS})
    content = leaks.text(f"someone@gmail.com {SELLER_ALIAS}", "utf-8", "8bit")
    assert _body(relayed(HEADER + content, plan)) == _body(content)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("I am Alice Buyer.", f"I am {SHOWN}."),
        ("BUYER, ALICE", SHOWN),
        ("連絡先はAlice Buyerです", f"連絡先は{SHOWN}です"),
        ("山田花子です", f"{SHOWN}です"),
        ("山田　花子様", f"{SHOWN}様"),
        ("Malice Buyers", "Malice Buyers"),
        ("Alice", "Alice"),
        ("新山田花子店", "新山田花子店"),
        ("山田", "山田"),
    ],
)
def test_a_real_name_goes_from_text_where_the_marketplace_wants_it(before: str, after: str) -> None:  # R-REW-01
    content = leaks.text(before, "utf-8", "8bit")
    assert _body(relayed(HEADER + content)).decode() == before
    assert _body(relayed(HEADER + content, dataclasses.replace(PLAN, hide_names_in_text=True))).decode() == after


@pytest.mark.parametrize(
    "name", ["ヤマダ ハナコ", "ﾔﾏﾀﾞ ﾊﾅｺ", "ﾔﾏﾀﾞﾊﾅｺ", "ヤマタ\u3099・ハナコ", "Jose\u0301 Mun\u0303oz", "Muñoz, José"]
)
def test_a_real_name_is_known_in_each_width_and_with_its_marks_apart(name: str) -> None:  # R-REW-01
    plan = dataclasses.replace(PLAN, hidden_names={"ヤマダ　ハナコ": SHOWN, "José Muñoz": SHOWN})
    field = f"Content-Disposition: attachment; filename*=utf-8''{quote(f'資料 {name} 1.txt')}\r\n\r\nText"
    part = parts(email.message_from_bytes(relayed(HEADER + leaks.mixed(field.encode()), plan)))[1]
    assert part.get_filename() == f"資料 {SHOWN} 1.txt"


def test_a_name_that_ends_within_another_word_is_none() -> None:  # R-REW-04
    plan = dataclasses.replace(PLAN, hidden_names={"ヤマダ ハナコ": SHOWN}, hide_names_in_text=True)
    content = leaks.text("ﾔﾏﾀﾞ ﾊﾅｺｯﾍﾟ ヤマダハナコラ", "utf-8", "8bit")
    assert _body(relayed(HEADER + content, plan)) == _body(content)


# ---------------------------------------------------------------- hostile input

HOSTILE: tuple[str, ...] = (
    "<",
    "<!--",
    '<a ="',
    "<a ='",
    "&#",
    "&",
    "=",
    "=4",
    "=?utf-8?q?",
    "%",
    "%25",
    "\\",
    "@example.net",
    ":",
    "::",
    '"',
)
HOSTILE += (
    "alice.buyer@",
    "a@house-of-alice.example ",
    "begin 644 x\r\n",
    "BEGIN:VCARD\r\n",
    "BEGIN:VCALENDAR\r\nUID:",
    ";CN=",
)
HOSTILE += (
    "Alice ",
    "山田",
    '<span style="display:none">',
    "data:;base64,A",
    " \r\n",
    "\r\n ",
    "\u202e",
    "\u200b",
    "cid:",
    "[2001:",
)


@pytest.mark.parametrize(("one", "other"), [*((x, x) for x in HOSTILE), *itertools.pairwise(HOSTILE)])
@pytest.mark.parametrize("kind", ["text/html", "text/calendar"])
@pytest.mark.timeout(5)
def test_a_hundred_kilobytes_of_malice_cost_no_more_than_their_length(one: str, other: str, kind: str) -> None:
    # R-IN-06
    piece = one + other
    words = piece * (100_000 // len(piece.encode()))
    plan = dataclasses.replace(PLAN, hide_names_in_text=True)
    arrived = relayed(HEADER + leaks.text(words, "utf-8", "base64", kind), plan)
    assert arrived.startswith(b"From: ")
