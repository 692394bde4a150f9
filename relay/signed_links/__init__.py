"""Signed links: reads a token, shows what its link offers, and carries out a choice.

The web edge calls `look` for GET, which changes nothing, and `act` for POST. Each choice calls one of `relay.actions`,
as the party that the link was given to, with the one right that the link's purpose gives. Where two clicks, or a click
and another action, come at the same time, the store decides which counts.
"""

from relay.signed_links.service import SignedLinkService

__all__ = ["SignedLinkService"]
