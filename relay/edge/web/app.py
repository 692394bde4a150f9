"""The daemon's pages about health, readiness and metrics (R-UI-11), together with the pages of signed links.

`/healthz` answers as long as the process runs. `/readyz` answers 503 with a reason while the relay would answer mail
with 451, so that a load balancer uses another node. `/metrics` has Prometheus text. All three also answer while the
store is unavailable.
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
    """Returns the web application.

    `ready()` returns None, or the reason why mail cannot be accepted now; if it raises, the relay counts as not ready.
    `links` are the routes of `edge.web.signed_links`.
    """

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n", headers=_FRESH)

    async def readyz(_: Request) -> Response:
        try:
            reason = await ready()
        except Exception:  # noqa: BLE001 - an unknown error means that mail cannot be accepted
            reason = ReasonCode.INTERNAL
        return PlainTextResponse(f"{reason or 'ok'}\n", status_code=503 if reason else 200, headers=_FRESH)

    async def metrics(_: Request) -> Response:
        return Response(observer_render(), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4} | _FRESH)

    app = Starlette(
        routes=[Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics), *links],
        middleware=[Middleware(SecurityHeaders)],
    )
    app.router.redirect_slashes = False  # a redirect would repeat the token in its Location field
    return app
