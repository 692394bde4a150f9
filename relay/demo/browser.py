"""Opens the pages behind signed links, as a party's browser or the unsubscribe button of a mail program does.

Each request and its answer are recorded as a dialogue, as `smtp_client` does for SMTP.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode, urlsplit

import httpx2
from selectolax.lexbor import LexborHTMLParser

from relay.demo.smtp_client import Dialogue, Line, SmtpServer

_TIMEOUT_S: Final = 15
_SHOWN: Final = "h1, .done, .state, dt, dd"


@dataclass(frozen=True, slots=True)
class WebPage:
    """A page as a person sees it, with the dialogue that fetched it.

    `words` are the lines of text of the page. `buttons` maps the value that each button sends to the label of the
    button.
    """

    dialogue: Dialogue
    words: tuple[str, ...] = ()
    buttons: Mapping[str, str] = field(default_factory=dict)


async def show(url: str) -> WebPage:
    """Opens a link and returns its page. This changes nothing."""
    return await _ask("GET", url, {})


async def press(url: str, choice: str) -> WebPage:
    """Presses the button that sends the value `choice` on the page at `url`, and returns the next page."""
    return await _ask("POST", url, {"choice": choice})


async def unsubscribe(url: str) -> WebPage:
    """Unsubscribes with one click, as a mail program does (RFC 8058 §3.2), and returns the answer."""
    return await _ask("POST", url, {"List-Unsubscribe": "One-Click"})


async def _ask(method: str, url: str, fields: Mapping[str, str]) -> WebPage:
    """Sends the request and returns the page. A connection error becomes a line of the dialogue and is not raised."""
    parts = urlsplit(url)
    dialogue = Dialogue(SmtpServer(name="web", port=parts.port or 80), [Line("C", f"{method} {parts.path}")])
    if fields:
        dialogue.lines.append(Line("C", urlencode(fields)))
    try:
        async with httpx2.AsyncClient(timeout=_TIMEOUT_S, trust_env=False) as client:
            answer = await client.request(method, url, data=dict(fields) or None)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        dialogue.lines.append(Line("*", f"the connection ended: {type(error).__name__}"))
        return WebPage(dialogue)
    dialogue.reply = f"{answer.status_code} {answer.reason_phrase}"
    dialogue.lines.append(Line("S", dialogue.reply))
    page = LexborHTMLParser(answer.text)
    return WebPage(
        dialogue,
        words=tuple(" ".join(node.text().split()) for node in page.css(_SHOWN)),
        buttons={node.attributes.get("value") or "": node.text(strip=True) for node in page.css("button")},
    )
