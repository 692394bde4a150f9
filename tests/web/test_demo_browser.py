"""The demo's page in a real browser: it shows, it refreshes, it keeps to itself, and a mail's script never runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from relay.core.model.message import MessageState
from relay.demo.page import build
from relay.demo.sink import Sink
from relay.edge.web.server import WebServer
from tests.support.browser import SWITCHES
from tests.web.fake_demo import MAIL, fake_demo, put_mail

pytestmark = [pytest.mark.peer("chromium"), pytest.mark.asyncio(loop_scope="module")]


HOSTILE = b"""\
From: Eve <eve2bob2xxxxxxxx@demo.example>\r
Subject: <script>document.title='owned'</script>\r
Message-ID: <evil@demo.example>\r
Content-Type: text/html; charset=utf-8\r
\r
<p id=hello>Hello</p>\r
<script>parent.document.title = 'owned'; document.getElementById('hello').textContent = 'owned'</script>\r
<img src="http://127.0.0.1:ELSEWHERE/pixel.png" onerror="parent.document.title='owned'">\r
<link rel=stylesheet href="http://127.0.0.1:ELSEWHERE/style.css"><link rel=prefetch href="http://127.0.0.1:ELSEWHERE/next">\r
<meta http-equiv=refresh content="0;url=http://127.0.0.1:ELSEWHERE/away">\r
<iframe src="http://127.0.0.1:ELSEWHERE/frame"></iframe><object data="http://127.0.0.1:ELSEWHERE/object"></object>\r
<form action="http://127.0.0.1:ELSEWHERE/form"><input autofocus></form>\r
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        yield await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=SWITCHES)


@asynccontextmanager
async def _visit(
    browser: Browser, tmp_path: Path, path: str, *, blocked: str = "about:srcdoc", web: int = 8081, **context: Any
) -> AsyncIterator[tuple[Page, Any, list[str]]]:
    """A page open in Chromium; yields (page, the demo's life, all requested addresses).

    Chromium may name a request that it then blocks: those under `blocked` are for the test to look for on the wire.
    """
    the_demo = fake_demo(tmp_path, web)
    the_demo.store.add("alice", "bob", "Your order 250-1001", MessageState.ACCEPTED)
    server = WebServer(build(the_demo), "127.0.0.1", 0)
    own = f"http://127.0.0.1:{await server.start()}/"
    try:
        page = await browser.new_page(**context)
        requested: list[str] = []
        page.on("request", lambda request: requested.append(request.url))
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        await page.goto(own + path)
        yield page, the_demo, requested
        assert not errors
        # R-UI-09: no third-party request, from the page or from what it shows. A frame's own text is no request.
        assert [url for url in requested if not url.startswith((own, "about:srcdoc", blocked))] == []
        await page.close()
    finally:
        await server.stop()


async def test_a_received_mail_is_shown_beside_the_record(browser: Browser, tmp_path: Path) -> None:
    put_mail(tmp_path, "bob", MAIL)
    async with _visit(browser, tmp_path, "?box=bob") as (page, _, requested):
        assert await page.locator(".mail .text").inner_text() == "Hello,\n\nyour parcel leaves tomorrow."
        assert "accepted" in await page.locator(".entry").inner_text()
        assert len(requested) >= 3


# R-UI-09
@pytest.mark.parametrize("javascript", [True, False], ids=["with JavaScript", "without"])
async def test_a_form_is_filled_in_and_sent_by_keyboard_alone(
    browser: Browser, tmp_path: Path, javascript: bool
) -> None:
    async with _visit(browser, tmp_path, "?box=alice&try=unlisted#write", java_script_enabled=javascript) as (
        page,
        the_demo,
        _,
    ):
        await page.locator("#text").focus()
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await page.locator(".said").wait_for()
        assert the_demo.mailer.written[0][0] == "alice"
        assert "The relay took it." in await page.locator(".said").inner_text()


# R-UI-09
async def test_new_mail_appears_and_is_announced_while_a_draft_stays(browser: Browser, tmp_path: Path) -> None:
    async with _visit(browser, tmp_path, "?box=bob&lang=ja") as (page, the_demo, _):
        await page.locator("#write > summary").click() if not await page.locator("#text").is_visible() else None
        await page.locator("#text").fill("a draft")
        put_mail(tmp_path, "bob", MAIL)
        the_demo.sink._mails = Sink(tmp_path, the_demo.sink._mailboxes)._mails
        await page.locator("#mail-bob-1").wait_for()
        assert await page.locator("#text").input_value() == "a draft"
        assert await page.locator("#news").inner_text() == "Bob Millerに新着メール"
        assert await page.locator("#box-bob .count").inner_text() == "1"


async def test_a_mail_folded_shut_stays_shut(browser: Browser, tmp_path: Path) -> None:
    put_mail(tmp_path, "bob", MAIL)
    async with _visit(browser, tmp_path, "?box=bob") as (page, the_demo, _):
        await page.locator("#mail-bob-1 > summary").click()
        the_demo.store.add("alice", "bob", "Another", MessageState.QUEUED)
        await page.locator(".state.queued").wait_for()
        assert not await page.locator("#mail-bob-1 .text").is_visible()


async def test_script_and_remote_content_of_a_mail_do_nothing(browser: Browser, tmp_path: Path) -> None:
    connections: list[str] = []

    def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append("made")
        writer.close()

    elsewhere = await asyncio.start_server(connected, "127.0.0.1")
    port = elsewhere.sockets[0].getsockname()[1]
    put_mail(tmp_path, "bob", HOSTILE.replace(b"ELSEWHERE", str(port).encode()))
    async with _visit(browser, tmp_path, "?box=bob", blocked=f"http://127.0.0.1:{port}/") as (page, the_demo, _):
        frame = page.frame_locator("iframe").first
        assert await frame.locator("p").inner_text() == "Hello"
        the_demo.store.add("alice", "bob", "Another", MessageState.QUEUED)
        await page.locator(".state.queued").wait_for()
        assert "owned" not in await page.title()
        assert await frame.locator("p").inner_text() == "Hello"
    assert connections == []
    elsewhere.close()


@pytest.mark.parametrize("kind", ["plain", "html"])
async def test_a_link_of_the_relay_opens_in_a_window_of_its_own(browser: Browser, tmp_path: Path, kind: str) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<h1>May this one write?</h1>"
        )
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        link = f"http://127.0.0.1:{port}/l/abc"
        text = f'<p><a href="{link}">{link}</a></p>' if kind == "html" else link
        put_mail(tmp_path, "bob", f"Subject: held\r\nContent-Type: text/{kind}\r\n\r\n{text}\r\n".encode())
        async with _visit(browser, tmp_path, "?box=bob", web=port) as (page, _, _):
            shown = page.frame_locator("iframe").first if kind == "html" else page
            async with page.expect_popup() as opened:
                await shown.get_by_role("link", name=link).click()
            window = await opened.value
            assert await window.get_by_role("heading").inner_text() == "May this one write?"
            assert await window.evaluate("window.opener") is None
            await window.close()


# R-UI-09
@pytest.mark.parametrize("lang", [pytest.param("en", marks=pytest.mark.more), "ja"])
async def test_a_phone_shows_it_all_without_scrolling_sideways(browser: Browser, tmp_path: Path, lang: str) -> None:
    put_mail(tmp_path, "bob", MAIL.replace(b"parcel", b"p" * 200))
    viewport = {"width": 360, "height": 740}
    async with _visit(browser, tmp_path, f"?box=bob&lang={lang}&reply=1", viewport=viewport, is_mobile=True) as (
        page,
        _,
        _,
    ):
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360
        for name in (".boxes", "#write", "#mail-bob-1", ".record"):
            assert await page.locator(name).is_visible()


async def test_the_page_says_when_the_demo_has_stopped(browser: Browser, tmp_path: Path) -> None:
    async with _visit(browser, tmp_path, "") as (page, _, _):
        await page.locator("#live:not([hidden])").wait_for()
        await page.route("**/*", lambda route: route.abort())
        await page.locator("#live.stopped").wait_for()
        assert await page.locator("#live").inner_text() == "the demo has stopped"
