"""Serves signed links: reads the token of a link, shows the choices that the link offers, and carries out a choice.

The web server calls `SignedLinkService.look` for a GET request, which changes nothing, and `SignedLinkService.act` for
a POST request. Each choice calls one function of `relay.actions`. The actor is the party that got the link; it has only
the right that belongs to the link's purpose. If two clicks, or a click and another action, happen at the same time, the
store decides which of them counts.
"""

from relay.signed_links.service import SignedLinkService

__all__ = ["SignedLinkService"]
