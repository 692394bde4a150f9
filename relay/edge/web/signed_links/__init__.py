"""The pages behind signed links, and the changelog of policies: all that need be reached from outside.

`GET /l/TOKEN` shows, `POST /l/TOKEN` acts, so that link scanners, prefetchers and HEAD change nothing. The token is the
capability: no cookie, no sign-in, and so no cross-site request that could borrow one. No page needs a script or
anything from another origin, and no token gets into a log or a metric.
"""

from relay.edge.web.signed_links.routes import routes

__all__ = ["routes"]
