"""The pages behind signed links, and the changelog of policies: all pages that must be reachable from outside.

`GET /l/TOKEN` shows and `POST /l/TOKEN` acts, so that link scanners, prefetching and HEAD change nothing. The token is
the capability: there is no cookie and no sign-in, and so no cross-site request could use one. No page needs a script or
a resource of another origin. No token gets into a log or a metric.
"""

from relay.edge.web.signed_links.routes import routes

__all__ = ["routes"]
