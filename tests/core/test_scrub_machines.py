"""The machines that a mail names are hidden in its texts and links, and other words are left."""

import dataclasses

import pytest

from tests.support.scrubbing import (
    CLIENT_IP,
    HELO,
    PLAN,
    scrubbed,
    scrubbed_text,
)


@pytest.mark.parametrize("host", ["mail.例え.example", "mail.xn--r8jz45g.example"])
def test_an_international_host_is_hidden_in_both_spellings(host: str) -> None:  # R-REW-01, R-REW-11
    plan = dataclasses.replace(PLAN, hidden_hosts=frozenset({"mail.xn--r8jz45g.example"}))
    assert host not in scrubbed_text(f"by {host} today", plan)


TRACE = (
    "Received: from smtp.home.isp.example (dyn-7.isp.example [203.0.113.9])\r\n"
    "\tby mx.market.example (Postfix 3.5.6) with ESMTPS id 2023.11.22; Mon, 1 Jan 2024 10:15:00 +0000\r\n"
    "Received: from [IPv6:2001:db8::17] by mail-yw1-f173.google.com\r\n"
    "X-Originating-IP: [192.0.2.77]\r\n"
    "Message-ID: <x@alices-shop.example>\r\n"
)


@pytest.mark.parametrize(
    "name",
    [
        "smtp.home.isp.example",
        "dyn-7.isp.example",
        "203.0.113.9",
        "2001:db8::17",
        "mail-yw1-f173.google.com",
        "192.0.2.77",
        "alices-shop.example",
        HELO,
        CLIENT_IP,
    ],
)
def test_machines_of_the_trace_are_hidden_in_text(name: str) -> None:  # R-REW-01
    assert scrubbed_text(f"from {name.upper()}, [{name}].", header=TRACE) == "from [hidden], [[hidden]]."


@pytest.mark.parametrize(
    "written",
    [
        "2001:db8::17",
        "2001:0DB8:0:0:0:0:0:0017",
        "[IPv6:2001:db8::17]",
        "2001:db8:0:0::17",
        "::ffff:203.0.113.9",
        "::FFFF:cb00:7109",
    ],
)
def test_an_ip_address_is_known_however_it_is_spelt(written: str) -> None:  # R-REW-01
    assert "[hidden]" in scrubbed_text(f"from {written} at 10:15:00", header=TRACE)
    assert "0.113" not in scrubbed_text(f"from {written}", header=TRACE)


@pytest.mark.parametrize("helo", ["alices-pc", "desktop7", "NDUzMjk0NDA"])
def test_a_name_without_a_domain_is_hidden_where_programs_write_it(helo: str) -> None:  # R-REW-01
    plan = dataclasses.replace(PLAN, hidden_hosts=frozenset({helo}))
    for before, after in (("from ", " ("), ("\\\\", "\\share"), ("x@", ">"), ("[", "]"), ("helo ", "\r\n")):
        assert scrubbed_text(f"{before}{helo}{after}", plan) == f"{before}[hidden]{after}"
    name = f'Content-Disposition: attachment; filename="scan_{helo}_1.txt"\r\n\r\nText\r\n'
    assert helo.encode() not in scrubbed(
        f"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n{name}--b--\r\n".encode(), plan
    )


@pytest.mark.parametrize("helo", ["alices-pc", "desktop7", "there", "localhost", "userid", "list"])
def test_a_name_without_a_domain_is_left_in_prose_and_in_longer_words(helo: str) -> None:  # R-REW-01
    plan = dataclasses.replace(PLAN, hidden_hosts=frozenset({helo}))
    words = f"my {helo} is slow, as are wish{helo} and {helo}s, from {helo}way"
    assert scrubbed_text(words, plan) == words


@pytest.mark.parametrize("helo", ["there", "list", "localhost", "userid"])
def test_a_word_of_letters_names_no_machine(helo: str) -> None:  # R-REW-01
    plan = dataclasses.replace(PLAN, hidden_hosts=frozenset({helo}))
    assert scrubbed_text(f"from {helo} by {helo} [{helo}]", plan) == f"from {helo} by {helo} [{helo}]"


@pytest.mark.parametrize(
    "words",
    [
        *("gmail.com", "mx.market.example", "3.5.6", "10:15:00", "2023.11.22", "203.0.113.90", "1.203.0.113.9"),
        *("my-alices-shop.example", "alices-shop.example.com", "not-alices-shop.example", "localhost", "127.0.0.1"),
    ],
)
def test_what_names_no_machine_of_the_trace_is_left(words: str) -> None:  # R-REW-01
    assert scrubbed_text(words, header=TRACE) == words


@pytest.mark.parametrize("provider", ["gmail.com", "yahoo.co.jp", "docomo.ne.jp", "icloud.com"])
def test_a_public_providers_bare_domain_may_stand_in_prose(provider: str) -> None:  # R-REW-01
    header = f"Received: from {provider} by {provider}\r\nMessage-ID: <1@{provider}>\r\n"
    assert scrubbed_text(f"I use {provider}.", header=header) == f"I use {provider}."


LISTED_BY_SERVER = (
    "Received: from localhost (localhost [127.0.0.1]) by web.isp.example (Postfix, from userid 33) id 14.3.123.4\r\n"
    "Authentication-Results: mx.isp.example; spf=pass smtp.mailfrom=hanako.yamada@phone.example; dkim=pass header.d=x.example\r\n"
    "Received: from a.x.example by b.x.example with Microsoft SMTP Server id 15.0.62.29; Mon, 6 Jul 2026 10:00:00 +0900\r\n"
    "Message-ID: <broken.png>\r\n"
)


@pytest.mark.parametrize(
    "words", ["smtp.mailfrom", "header.d", "14.3.123.4", "15.0.62.29", "broken.png", "127.0.0.1", "hanako.yamada"]
)
def test_words_of_the_trace_that_are_no_hosts_are_left(words: str) -> None:  # R-REW-01
    assert scrubbed_text(f"See {words}, please.", header=LISTED_BY_SERVER) == f"See {words}, please."


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("See https://alices-shop.example/care?id=1.", "See [link removed]."),
        ("（https://www.alices-shop.example/care）をご覧ください", "（[link removed]）をご覧ください"),
        ("at shop.alices-shop.example:8080/care today", "at [link removed] today"),
        ("www.alices-shop.example", "[link removed]"),
        ("alices-shop.example", "[hidden]"),
        ("https://other.example/care", "https://other.example/care"),
    ],
)
def test_a_link_to_a_hidden_host_is_removed_whole(before: str, after: str) -> None:  # R-REW-01, R-REW-08
    assert scrubbed_text(before, header=TRACE) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('<a href="https://alices-shop.example/care">care</a>', "[link removed]care</a>"),
        (
            "<a href='https://alices-shop.example/'>https://alices-shop.example/</a>!",
            "[link removed]</a>!",
        ),
        ('<img alt="a>b" src="https://alices-shop.example/a.png"> end', "[link removed] end"),
        ('<td background="https://alices-shop.example/a.png">x', '<td background="[link removed]">x'),
        ('<a href="https://other.example/">care</a>', '<a href="https://other.example/">care</a>'),
    ],
)
def test_the_tag_of_a_link_to_a_hidden_host_is_removed(before: str, after: str) -> None:  # R-REW-01, R-REW-08
    content = f"{TRACE}Content-Type: text/html; charset=utf-8\r\n\r\n{before}".encode()
    assert scrubbed(content).split(b"\r\n\r\n", 1)[1].decode() == after


@pytest.mark.parametrize(
    ("charset", "shown"),
    [("utf-8", "[削除：リンク]"), ("iso-2022-jp", "[削除：リンク]"), ("us-ascii", "[link removed]")],
)
def test_the_placeholder_of_a_link_is_written_in_the_charset_of_the_text(charset: str, shown: str) -> None:  # R-REW-08
    plan = dataclasses.replace(PLAN, link_placeholder="[削除：リンク]")
    encoding = "Content-Transfer-Encoding: 8bit\r\n" if charset == "utf-8" else ""
    content = (
        f"{TRACE}{encoding}Content-Type: text/plain; charset={charset}\r\n\r\nhttps://alices-shop.example/ x".encode()
    )
    assert scrubbed(content, plan).split(b"\r\n\r\n", 1)[1].decode(charset) == f"{shown} x"


def test_a_domain_that_the_marketplace_allows_is_shown() -> None:  # R-REW-01, R-POL-08
    plan = dataclasses.replace(PLAN, shown_domains=frozenset({"alices-shop.example"}))
    words = "See https://alices-shop.example/care or www.alices-shop.example"
    assert scrubbed_text(words, plan, header=TRACE) == words


def test_a_receipt_does_not_name_the_machine_it_was_made_on() -> None:  # R-REW-01, R-REW-07
    content = (
        b"Content-Type: multipart/report; report-type=disposition-notification; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/plain\r\n\r\nRead.\r\n"
        b"--b\r\nContent-Type: message/disposition-notification\r\n\r\n"
        b"Reporting-UA: alice-pc; Mail 1.0\r\n on alice-pc\r\nDisposition: manual-action; displayed\r\n\r\n--b--\r\n"
    )
    outcome = scrubbed(content)
    assert b"alice-pc" not in outcome
    assert b"Reporting-UA: [hidden]\r\nDisposition: manual-action; displayed" in outcome
    assert scrubbed(outcome) == outcome
