"""The demo's page, without its daemon: what it shows, what it takes, what it lets nobody do."""

import asyncio
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
from starlette.testclient import TestClient

from relay.core.model.message import MessageState
from relay.core.model.reason import ReasonCode
from relay.demo import browser, mail_program, texts
from relay.demo.demo_parties import ALICE, BY_REF, PARTIES
from relay.demo.page import build
from relay.demo.view import PRESETS, Preset
from tests.support.narrowing import not_none
from tests.web.fake_demo import MAIL, NOTICE, fake_demo, put_mail


@pytest.fixture
def demo(tmp_path: Path) -> Any:
    put_mail(tmp_path, "bob", MAIL)
    put_mail(tmp_path, "alice", NOTICE)
    the_demo = fake_demo(tmp_path)
    the_demo.store.add("alice", "bob", "Your order 250-1001", MessageState.ACCEPTED)
    return the_demo


@pytest.fixture
def client(demo: Any) -> TestClient:
    return TestClient(build(demo), base_url="http://127.0.0.1", follow_redirects=False)


def _send(client: TestClient, **changed: str) -> httpx2.Response:
    fields = {"box": "alice", "lang": "en", "answers": "", "from": "own", "to": "a@demo.example", "subject": "s"}
    return client.post(
        "/send",
        content=urlencode(fields | {"text": "Hello\r\nthere"} | changed),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )


class _Page(HTMLParser):
    """Every element as (tag, attributes), in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def test_a_mailbox_shows_what_its_owner_received_decoded_and_raw(client: TestClient) -> None:
    html = client.get("/?box=bob").text
    assert "your parcel leaves tomorrow." in html
    assert "Harbour Books &lt;seller2alice2xxx@demo.example&gt;" in html
    assert "Message-ID: &lt;m1@demo.example&gt;" in html


def test_the_record_stands_beside_it_with_state_reasons_and_events(client: TestClient, demo: Any) -> None:
    demo.store.add("alice", "carol", "New arrivals", MessageState.RETURNED, ("opted_out",))
    html = client.get("/").text
    for text in ("New arrivals", "returned", "opted_out", "policy=builtin-1", "What was changed"):
        assert text in html


# R-UI-09
@pytest.mark.parametrize(
    ("url", "accepts", "lang"),
    [
        ("/?lang=ja", "en", "ja"),
        ("/", "ja-JP,ja;q=0.9,en;q=0.8", "ja"),
        ("/", "fr,de;q=0.9", "en"),
        ("/?lang=tlh", "ja", "ja"),
        ("/", "", "en"),
    ],
)
def test_the_language_is_the_one_asked_for_or_the_browsers(
    client: TestClient, url: str, accepts: str, lang: str
) -> None:
    html = client.get(url, headers={"Accept-Language": accepts}).text
    assert f'<html lang="{lang}">' in html
    shown, hidden = ("メールボックス", "Mailboxes") if lang == "ja" else ("Mailboxes", "メールボックス")
    assert shown in html
    assert hidden not in html


# R-UI-09
def test_every_text_exists_in_both_languages_and_every_state_has_one() -> None:
    english, japanese = texts.translator("en"), texts.translator("ja")
    fields = re.compile(r"\{\w+\}")
    for key in texts.names():
        assert english(key).strip()
        assert sorted(fields.findall(english(key))) == sorted(fields.findall(japanese(key))), key
    assert {f"state.{state}" for state in MessageState} <= texts.names()
    assert {f"try.{preset.name}" for preset in PRESETS} <= texts.names()


# R-UI-09
def test_nothing_on_the_page_comes_from_elsewhere(client: TestClient) -> None:
    page = _Page(client.get("/").text)
    addresses = [a.get("src") or a.get("href") or a.get("action") or "" for _, a in page.elements]
    assert all(address[:1] in ("", "/", "?", "#") and address[:2] != "//" for address in addresses)
    for path in ("/static/page.css", "/static/live.js"):
        assert not re.search(r"url\(|@import|https?:", client.get(path).text)


# R-UI-09
def test_every_field_has_a_label_and_every_landmark_a_name(client: TestClient) -> None:
    page = _Page(client.get("/?box=alice&try=unlisted").text)
    labelled = {label["for"] for label in page.all("label")}
    fields = [f for tag in ("input", "select", "textarea") for f in page.all(tag) if f.get("type") != "hidden"]
    assert fields
    assert all(field["id"] in labelled for field in fields)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for attributes in page.all("nav") + page.all("section"):
        assert attributes.get("aria-label") or attributes["aria-labelledby"] in ids
    assert len(page.all("main")) == len(page.all("h1")) == 1
    assert all("alt" in image for image in page.all("img"))


def test_the_security_headers_allow_no_inline_script_and_nothing_third_party(client: TestClient) -> None:
    headers = client.get("/").headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    page = _Page(client.get("/").text)
    assert [script["src"] for script in page.all("script")] == ["/static/live.js"]
    assert not any(name.startswith("on") or name == "style" for _, a in page.elements for name in a)


HOSTILE = "<script>alert(1)</script>\"'&"


def test_hostile_text_is_shown_and_never_markup(client: TestClient, demo: Any, tmp_path: Path) -> None:
    mail = f"From: {HOSTILE} <x@demo.example>\r\nSubject: {HOSTILE}\r\nX-{HOSTILE}\r\n\r\n{HOSTILE}\r\n".encode()
    put_mail(tmp_path, "bob", mail)
    demo.store.add("alice", "bob", HOSTILE, MessageState.ACCEPTED)
    hostile = fake_demo(tmp_path)
    hostile.store = demo.store
    html = TestClient(build(hostile), base_url="http://127.0.0.1").get("/", params={"box": "bob", "try": HOSTILE}).text
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html


def test_html_mail_stands_in_a_frame_that_may_do_nothing(tmp_path: Path) -> None:
    put_mail(tmp_path, "bob", b"Subject: h\r\nContent-Type: text/html\r\n\r\n<b>hi</b><script>x()</script>\r\n")
    html = TestClient(build(fake_demo(tmp_path)), base_url="http://127.0.0.1").get("/?box=bob").text
    (frame,) = _Page(html).all("iframe")
    assert frame["sandbox"] == "allow-popups allow-popups-to-escape-sandbox"  # a link opens elsewhere, no more
    shown = not_none(frame["srcdoc"])
    assert "<b>hi</b>" in shown
    assert "script" not in shown
    assert "<script>x()" not in html


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\xff\r\n\r\n\xff",
        b"Content-Type: text/plain; charset=no-such\r\n\r\n\xa4\xa2\r\n",
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" * 300,
        b"From: =?utf-8?b?////?= <\r\nSubject: =?x?q?\r\n\r\n",
        b"Date: nonsense\r\nMessage-ID: <<a@b>>\r\nTo: a@a)b@b\r\n\r\nx",
    ],
)
def test_no_mail_at_all_breaks_the_page(tmp_path: Path, content: bytes) -> None:
    put_mail(tmp_path, "bob", content)
    answer = TestClient(build(fake_demo(tmp_path)), base_url="http://127.0.0.1").get("/?box=bob")
    assert answer.status_code == 200
    assert 'id="mail-bob-1"' in answer.text


@pytest.mark.parametrize(
    "query",
    ["box=nobody", "reply=999", "reply=-1", "reply=9999999999999", "reply=²", "try=x", "said=x", "box=operator"],
)
def test_an_odd_query_shows_a_page(client: TestClient, query: str) -> None:
    assert client.get(f"/?{query}").status_code == 200


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_each_thing_to_try_fills_in_the_form(client: TestClient, demo: Any, preset: Preset) -> None:
    html = client.get(f"/?box={preset.writer}&try={preset.name}&lang=en").text
    chosen = [option["value"] for option in _Page(html).all("option") if "selected" in option]
    right = demo.market.aliases[preset.writer, preset.to]
    assert (right in chosen) is (preset.note == "")
    assert ("check+" + right in chosen) is (preset.note == "check")
    assert ("stranger" in chosen) is preset.unlisted
    assert ("checked" in next(a for a in _Page(html).all("input") if a["name"] == "attach")) is preset.attached


def test_sending_submits_as_the_party_and_shows_what_was_said(client: TestClient, demo: Any) -> None:
    answer = _send(client, to="bob2alice2xxxx@demo.example", subject="Your order")
    assert answer.status_code == 303
    assert demo.mailer.written == [("alice", "bob2alice2xxxx@demo.example", "Your order", "Hello\nthere", "", None)]
    assert demo.mailer.attached == [None]
    html = client.get(answer.headers["location"]).text
    assert "S: 220 relay.demo.example ESMTP" in html
    assert "The relay took it." in html


def test_a_program_under_a_documents_name_goes_along_when_asked_for(client: TestClient, demo: Any) -> None:
    _send(client, attach="on")
    assert demo.mailer.attached == [mail_program.PROGRAM]


def test_a_refusal_is_shown_as_one(client: TestClient, demo: Any) -> None:
    demo.mailer.reply = "550 5.1.1 no such address"
    html = client.get(_send(client).headers["location"]).text
    assert "The relay refused it." in html
    assert "550 5.1.1 no such address" in html


def test_an_unlisted_address_is_the_characters_other_one_and_no_other(client: TestClient, demo: Any) -> None:
    _send(client, **{"from": "stranger"})
    _send(client, **{"from": "eve@evil.example"})
    assert [written[4] for written in demo.mailer.written] == [ALICE.unlisted_address, ""]


def test_reply_goes_to_the_alias_and_keeps_the_thread(client: TestClient, demo: Any) -> None:
    html = client.get("/?box=bob&reply=1").text
    assert "&gt; your parcel leaves tomorrow." in html
    assert 'value="Re: Your order 250-1001"' in html
    _send(client, box="bob", answers="1", to="seller2alice2xxx@demo.example")
    assert demo.mailer.written[0][5].message_id == "<m1@demo.example>"


def test_a_notice_has_no_reply_button(client: TestClient) -> None:
    html = client.get("/?box=alice").text
    assert "Could not deliver" in html
    assert "reply=1" not in html


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"box": "nobody"}, "choose a mailbox"),
        ({"to": "not an address"}, "not an e-mail address"),
        ({"to": "a@b>\r\nRCPT TO:<x@y"}, "not an e-mail address"),
        ({"subject": "a\r\nBcc: x@y.example"}, "the subject is one line"),
        ({"subject": "x" * 201}, "the subject is one line"),
        ({"text": " \r\n "}, "the message is empty"),
        ({"text": "x" * 100_001}, "the message is empty"),
    ],
)
def test_a_bad_form_is_explained_and_nothing_is_sent(
    client: TestClient, demo: Any, changed: dict[str, str], said: str
) -> None:
    answer = _send(client, **changed)
    assert answer.status_code == 422
    assert said in answer.text
    assert not demo.mailer.written


@pytest.mark.parametrize("path", ["/send", "/release", "/unsubscribe"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_form_of_another_site_is_refused(client: TestClient, demo: Any, path: str, headers: dict[str, str]) -> None:
    answer = client.post(path, content="box=alice&to=a@demo.example&text=x&message=1&mail=1", headers=headers)
    assert answer.status_code == 403
    assert not demo.mailer.written
    assert not demo.store.released


def test_a_name_that_is_not_ours_is_refused(client: TestClient) -> None:
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 400


@pytest.mark.parametrize(("body", "status"), [(b"x" * 1_000_001, 413), (b"&".join([b"a=1"] * 50), 400), (b"\xff", 400)])
def test_a_body_that_is_no_form_is_refused(client: TestClient, body: bytes, status: int) -> None:
    assert client.post("/send", content=body).status_code == status


def test_staff_release_what_is_held_and_nothing_else_offers_it(client: TestClient, demo: Any) -> None:
    assert "Release it" not in client.get("/").text
    held = demo.store.add("alice", "bob", "Parcel", MessageState.HELD, (ReasonCode.CONTACT_DISGUISED,))
    assert "Release it" in client.get("/").text
    assert client.post("/release", content=f"message={held}&box=alice&lang=en").status_code == 303
    assert demo.store.released == [(held, "demo")]


LINK = "http://127.0.0.1:8081/l/abc-_D0"
ELSEWHERE = (
    "http://127.0.0.1:8080/l/abc",
    "http://127.0.0.1:8081.evil.example/l/abc",
    "http://127.0.0.1:8081/healthz",
    "https://evil.example/l/abc",
    "javascript:alert(1)",
)


@pytest.mark.parametrize("kind", ["plain", "html"])
def test_links_of_the_relay_and_no_others_can_be_clicked_on(tmp_path: Path, kind: str) -> None:
    lines = [f'<a href="{url}" onclick=x>{url}</a>' if kind == "html" else url for url in (LINK, *ELSEWHERE)]
    mail = f"Subject: h\r\nContent-Type: text/{kind}\r\n\r\n" + "\r\n".join(lines)
    put_mail(tmp_path, "bob", mail.encode())
    page = _Page(TestClient(build(fake_demo(tmp_path)), base_url="http://127.0.0.1").get("/?box=bob").text)
    shown = _Page(not_none(page.all("iframe")[0]["srcdoc"])) if kind == "html" else page
    links = [a for a in shown.all("a") if (a.get("href") or "").startswith(("http", "java"))]
    assert links == [{"href": LINK, "target": "_blank", "rel": "noopener noreferrer"}]


def _mail_with(tmp_path: Path, unsubscribe: str) -> None:
    mail = MAIL.replace(b"\r\n\r\n", f"\r\nList-Unsubscribe: <{unsubscribe}>\r\n\r\n".encode(), 1)
    put_mail(tmp_path, "bob", mail)


async def test_one_click_posts_as_a_mail_program_does_and_shows_the_answer(tmp_path: Path) -> None:
    """Follows RFC 8058 §3.2."""
    heard = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"One-Click"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        _mail_with(tmp_path, f"http://127.0.0.1:{port}/l/abc")
        transport = httpx2.ASGITransport(build(fake_demo(tmp_path, port)))
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as reader:
            assert "Unsubscribe" in (await reader.get("/?box=bob&lang=en")).text
            sent = await reader.post("/unsubscribe", content="box=bob&mail=1&lang=en")
            html = (await reader.get(sent.headers["location"])).text
    assert heard[0].startswith(b"POST /l/abc HTTP/1.1\r\n")
    assert heard[0].endswith(b"\r\n\r\nList-Unsubscribe=One-Click")
    assert "S: 200 OK" in html


@pytest.mark.parametrize("url", ELSEWHERE)
def test_one_click_goes_nowhere_but_to_the_relay(tmp_path: Path, url: str) -> None:
    _mail_with(tmp_path, url)
    client = TestClient(build(fake_demo(tmp_path)), base_url="http://127.0.0.1")
    assert client.post("/unsubscribe", content="box=bob&mail=1").status_code == 400
    assert client.post("/unsubscribe", content="box=bob&mail=2").status_code == 400


async def test_a_link_to_a_server_that_is_not_there_is_a_dialogue_without_a_reply() -> None:
    sheet = await browser.show("http://127.0.0.1:1/l/abc")
    assert (sheet.dialogue.reply, sheet.words, sheet.buttons) == ("", (), {})
    assert str(sheet.dialogue.lines[-1]).startswith("*: the connection ended")


def test_the_cast_is_sound() -> None:
    assert len(BY_REF) == len(PARTIES)
    assert all(
        c.mailbox.endswith(".example") and (c.unlisted_address or "x.example").endswith(".example") for c in PARTIES
    )
