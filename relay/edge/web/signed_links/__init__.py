"""The pages of signed links, and the changelog of policies. Only these pages must be reachable from the internet.

`GET /l/TOKEN` shows a page and `POST /l/TOKEN` acts, so that link scanners, prefetching and HEAD change nothing. The
token alone gives the right to act. There is no cookie and no sign-in that a cross-site request could use. No page needs
a script or a resource of another origin. No token is written to a log or a metric.
"""

from relay.edge.web.signed_links.routes import routes

__all__ = ["routes"]
