"""The HTTP routes of signed links. They translate requests to calls of `SignedLinks`, and the results to pages."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from relay.core.networks import client_key
from relay.core.notice.texts import LANGUAGES, Catalogue
from relay.edge.clients import client_address
from relay.edge.web.signed_links import form
from relay.edge.web.signed_links.language import wanted
from relay.edge.web.signed_links.pages import BUSY, FORM, NOT_HERE, UNAVAILABLE, Pages
from relay.ports import Counters, Observer, UnavailableError
from relay.ports.signed_links import ONE_CLICK, LinkError, LinkFault, Offer, SignedLinks

log = structlog.get_logger()

_STATUS: Final = {LinkFault.FORGED: 404, LinkFault.EXPIRED: 410, LinkFault.GONE: 410, LinkFault.CHOICE: 400}
_FORGERIES: Final = 30
_WINDOW_S: Final = 600
_RETRY_S: Final = "60"


def routes(links: SignedLinks, catalogue: Catalogue, counters: Counters, observer: Observer) -> Sequence[BaseRoute]:
    """Returns the routes that must be reachable from outside, under `/l/` and `/policy/`."""
    pages = _SignedLinkPages(links, Pages(catalogue), counters, observer)
    return (
        Mount("/l/static", StaticFiles(directory=Path(__file__).parents[1] / "static")),
        Route("/l/{token}", pages.link, methods=["GET", "POST"]),
        Route("/policy/{marketplace}", pages.policy, methods=["GET"]),
    )


class _SignedLinkPages:
    """The handlers of the routes. They count the forged tokens of each client."""

    def __init__(self, links: SignedLinks, pages: Pages, counters: Counters, observer: Observer) -> None:
        self._links = links
        self._pages = pages
        self._counters = counters
        self._observer = observer

    async def link(self, request: Request) -> Response:
        if request.method == "POST":
            return await self._act(request)
        return await self._answered(request, lambda: self._links.look(request.path_params["token"]))

    async def _act(self, request: Request) -> Response:
        """Carries out the choice of a form, and returns the page after it.

        The POST of a mail program itself is answered without a redirect, a cookie or a question (RFC 8058 §3.2).
        """
        try:
            fields = await form.read(request)
        except form.FormError as error:
            return self._pages.problem(FORM, error.status, _locale(request))
        one_click = fields.get("List-Unsubscribe") == "One-Click"
        choice = ONE_CLICK if one_click else fields.get("choice", "")
        words = fields.get("words", "")
        return await self._answered(request, lambda: self._links.act(request.path_params["token"], choice, words))

    async def policy(self, request: Request) -> Response:
        asked = wanted(request.query_params.get("lang", ""), request.headers.get("accept-language", ""))
        found = self._links.changelog(request.path_params["marketplace"], asked)
        return self._pages.changelog(found) if found else self._pages.problem(NOT_HERE, 404, _locale(request))

    async def _answered(self, request: Request, ask: Callable[[], Awaitable[Offer]]) -> Response:
        try:
            return self._pages.offer(await ask())
        except LinkError as error:
            locale = error.locale or _locale(request)
            if error.why is LinkFault.FORGED and self._is_guessing(request):
                return self._pages.problem(BUSY, 429, locale, Retry_After=str(_WINDOW_S))
            return self._pages.problem(error.why, _STATUS[error.why], locale, error.help_url)
        except UnavailableError:
            return self._pages.problem(UNAVAILABLE, 503, _locale(request), Retry_After=_RETRY_S)
        except Exception:
            self._observer.count("internal_errors", where="links")
            log.exception("link_failed")
            return self._pages.problem(UNAVAILABLE, 500, _locale(request))

    def _is_guessing(self, request: Request) -> bool:
        """Counts a forged token, and returns whether the client has sent too many.

        Only forged tokens count. Many clients may share the address of a proxy, and a reader with a valid link is never
        refused for the forged tokens of others.
        """
        try:
            client = client_key(client_address(request.client.host if request.client else ""))
        except ValueError:  # the client has disconnected already, or it is the client of a test
            client = ""
        return self._counters.add("forged_link", client, _WINDOW_S) > _FORGERIES


def _locale(request: Request) -> str:
    return next(iter(wanted("", request.headers.get("accept-language", ""))), LANGUAGES[0])
