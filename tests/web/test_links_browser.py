"""The pages behind signed links in a real browser: both languages, a phone, the keyboard alone, nothing from elsewhere."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from relay import texts
from relay.core.model.party import Role
from relay.core.model.sender import SenderState
from relay.core.signed_link import Purpose
from relay.edge.counters import ProcessCounters
from relay.edge.web.app import build
from relay.edge.web.server import WebServer
from relay.edge.web.signed_links import routes
from relay.signed_links import SignedLinkService
from tests.support.browser import SWITCHES
from tests.support.market_env import BUYER, SELLER, MarketEnv, market_env

pytestmark = [pytest.mark.peer("chromium"), pytest.mark.asyncio(loop_scope="module")]

HELPER = "helper@pottery.example"
PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
_CONTRAST = """() => {
  const channel = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).map(Number).map(channel); return 0.2126*r + 0.7152*g + 0.0722*b };
  const ground = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
    if (!/, 0\\)$/.test(c)) return c } return 'rgb(255, 255, 255)' };
  return Math.min(...[...document.querySelectorAll('h1, h2, h3, p, dt, dd, a, button, label, li')].map(e => {
    const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05) }));
}"""
"""The least contrast of any text with its ground, as WCAG 2 reckons it."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        yield await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=SWITCHES)


@asynccontextmanager
async def visited(browser: Browser, tmp_path: Path, **context: Any) -> AsyncIterator[tuple[MarketEnv, Page]]:
    """A market whose links lead to a server of its own, and a browser page.

    Asserts that the page requests nothing from other servers, reports no error and gets no cookie.
    """
    async with market_env(tmp_path) as market:
        links = routes(
            SignedLinkService(lambda: market.services),
            texts.load(),
            ProcessCounters(market.clock),
            market.services.observer,
        )
        server = WebServer(build(observer_render=lambda: b"", ready=_ready, links=links), "127.0.0.1", 0)
        own = f"http://127.0.0.1:{await server.start()}"
        market.services.links = type(market.services.links)(own, market.services.links.key, 86_400)
        page = await browser.new_page(**context)
        wrong: list[str] = []
        page.on("request", lambda request: wrong.append(request.url) if not _is_own(request.url, own) else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
        try:
            yield market, page
            assert wrong == []
            assert await page.context.cookies() == []
        finally:
            await page.close()
            await server.stop()


def _is_own(url: str, own: str) -> bool:
    return url.startswith((f"{own}/", "data:,"))


async def _ready() -> None:
    return None


async def from_seller(market: MarketEnv) -> str:
    await market.send(SELLER, market.buyer_alias, login=Role.SELLER, trusted=False)
    return (await market.store.records.messages())[0].id


def url(market: MarketEnv, purpose: Purpose, role: Role, subject_id: str) -> str:
    return market.services.links.url(purpose, market.pair.side(role).party.id, subject_id, market.clock.now())


@pytest.mark.parametrize("javascript", [True, False], ids=["with JavaScript", "without"])
async def test_a_sender_is_approved_by_the_keyboard_alone(browser: Browser, tmp_path: Path, javascript: bool) -> None:
    async with visited(browser, tmp_path, java_script_enabled=javascript) as (market, page):  # R-SND-02 R-UI-09
        await market.send(HELPER, market.buyer_alias, login=Role.SELLER, trusted=False)
        [pending] = await market.store.senders.pending(market.pair.seller.party.id)
        await page.goto(url(market, Purpose.SENDER, Role.SELLER, pending.sender.id))
        assert HELPER in await page.locator("dl").inner_text()
        await page.keyboard.press("Tab")
        assert await page.locator("button:focus").inner_text() == "Approve and pass its mail on"
        await page.keyboard.press("Enter")
        await page.get_by_role("status").wait_for()
        assert "Saved." in await page.get_by_role("status").inner_text()
        sender = await market.store.senders.get(pending.sender.id)
        assert sender is not None
        assert sender.state is SenderState.APPROVED
        await page.reload()  # sends the form again
        assert await page.get_by_role("button").all_inner_texts() == ["Block and return its mail"]


async def test_opening_a_page_going_back_and_closing_it_changes_nothing(browser: Browser, tmp_path: Path) -> None:
    async with visited(browser, tmp_path) as (market, page):  # R-REW-09
        link = url(market, Purpose.OPT_OUT, Role.BUYER, await from_seller(market))
        await page.goto(link)
        await page.goto(f"{link}?choice=seller")
        await page.go_back()
        assert await market.store.opt_outs.history(market.pair.buyer.party.id) == []


async def test_a_buyer_opts_out_on_a_phone_in_japanese_and_takes_it_back(browser: Browser, tmp_path: Path) -> None:
    async with visited(browser, tmp_path, **PHONE) as (market, page):  # R-POL-02 R-UI-09
        await page.goto(url(market, Purpose.OPT_OUT, Role.BUYER, await from_seller(market)))
        assert await page.locator("html").get_attribute("lang") == "ja"
        await page.get_by_role("button", name="この出品者からの受信を停止する").tap()
        await page.get_by_role("status").wait_for()
        buyer, seller = market.pair.buyer.party.id, market.pair.seller.party.id
        assert [one.seller_id for one in await market.store.opt_outs.in_force(buyer, seller)] == [seller]
        await page.get_by_role("button", name="この出品者からの受信を再開する").tap()
        await page.get_by_role("button", name="この出品者からの受信を停止する").wait_for()
        assert await market.store.opt_outs.in_force(buyer, seller) == []


async def test_a_report_has_a_labelled_field_and_its_words_arrive(browser: Browser, tmp_path: Path) -> None:
    async with visited(browser, tmp_path, **PHONE) as (market, page):  # R-REW-09
        await page.goto(url(market, Purpose.REPORT, Role.BUYER, await from_seller(market)))
        await page.get_by_label("問題の内容（任意）").fill("別サイトへ誘導\n<b>されました</b>")
        await page.get_by_role("button").tap()
        await page.get_by_role("status").wait_for()
        assert await page.get_by_role("button").count() == 0
        letters = [mail.content for mail in await market.deliver_due() if mail.rcpt_to == "ops@operator.example"]
        assert len(letters) == 1


@pytest.mark.parametrize(
    ("language", "scheme"),
    [
        ("en", "light"),
        ("ja", "dark"),
        pytest.param("en", "dark", marks=pytest.mark.more),
        pytest.param("ja", "light", marks=pytest.mark.more),
    ],
)
async def test_every_page_fits_a_phone_can_be_read_and_names_its_parts(
    browser: Browser, tmp_path: Path, language: str, scheme: str
) -> None:  # R-UI-09
    async with visited(browser, tmp_path, **PHONE, color_scheme=scheme, locale=language) as (market, page):
        for role, ref in ((Role.BUYER, "B1"), (Role.SELLER, "S1")):
            await market.store.parties.put("market", role, ref, locale=language)
        seller_s = await from_seller(market)
        await market.send(BUYER, market.seller_alias, login=Role.BUYER, trusted=False)
        buyer_s = (await market.store.records.messages())[0].id
        await market.send(f"{'x' * 60}@pottery.example", market.buyer_alias, login=Role.SELLER, trusted=False)
        [pending] = await market.store.senders.pending(market.pair.seller.party.id)
        own = market.services.links.base_url
        addresses = [
            *(url(market, p, Role.BUYER, seller_s) for p in (Purpose.OPT_OUT, Purpose.NOT_IMPORTANT, Purpose.REPORT)),
            *(url(market, p, Role.SELLER, buyer_s) for p in (Purpose.NO_REPLY, Purpose.REOPEN)),
            url(market, Purpose.SENDER, Role.SELLER, pending.sender.id),
            url(market, Purpose.PRODUCT_SUPPORT, Role.SELLER, ""),
            f"{own}/policy/market",
        ]
        for address in addresses:
            await page.goto(address)
            assert await page.locator("html").get_attribute("lang") == language
            assert await page.evaluate("document.documentElement.scrollWidth") <= 360
            assert await page.evaluate(_CONTRAST) >= 4.5
            assert await page.get_by_role("heading", level=1).count() == 1
            assert await page.get_by_role("main").count() == 1
            for button in await page.get_by_role("button").all():
                box = await button.bounding_box()
                assert box is not None
                assert box["height"] >= 44


async def test_the_changelog_changes_its_language_by_a_link(browser: Browser, tmp_path: Path) -> None:
    async with visited(browser, tmp_path, locale="en") as (market, page):  # R-POL-20
        await page.goto(f"{market.services.links.base_url}/policy/market")
        await page.get_by_role("link", name="日本語").click()
        await page.get_by_role("heading", name="メッセージのルール").wait_for()
        assert await page.evaluate("getComputedStyle(document.body).maxWidth") == "608px"  # the style was found
