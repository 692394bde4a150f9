"""The daemon's own pages: is it up, can it take mail, what has it counted (R-UI-11); and those behind signed links.

`/healthz` answers as long as the process does; `/readyz` is 503 with one reason word while mail would be answered
451, so that a load balancer looks elsewhere; `/metrics` is Prometheus text. None of them needs the store to answer.
"""

from collections.abc import Awaitable, Callable, Sequence

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from relay.core.model.reason import ReasonCode
from relay.edge.web.headers import SecurityHeaders

_FRESH = {"Cache-Control": "no-store"}


def build(
    *,
    observer_render: Callable[[], bytes],
    ready: Callable[[], Awaitable[str | None]],
    links: Sequence[BaseRoute] = (),
) -> Starlette:
    """`ready()` gives None, or the word for why mail cannot be taken now; raising counts as not ready. `links` are the
    routes of `edge.web.links`."""

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n", headers=_FRESH)

    async def readyz(_: Request) -> Response:
        try:
            reason = await ready()
        except Exception:  # noqa: BLE001 - a load balancer asks "can it", and an unforeseen error means it cannot
            reason = ReasonCode.INTERNAL
        return PlainTextResponse(f"{reason or 'ok'}\n", status_code=503 if reason else 200, headers=_FRESH)

    async def metrics(_: Request) -> Response:
        return Response(observer_render(), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4} | _FRESH)

    app = Starlette(
        routes=[Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics), *links],
        middleware=[Middleware(SecurityHeaders)],
    )
    app.router.redirect_slashes = False  # a token is not to be said again in a Location
    return app
