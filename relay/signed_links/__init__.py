"""Signed links from the inside: who holds one, what it is about, what it offers and what its choices do.

GET and POST are the web edge's words; here `look` changes nothing and `act` does, once. Everything that a link can do
is a verb of the store, so that a race of two clicks, or of a click and the console, ends as the store says.
"""

from relay.signed_links.service import SignedLinkService

__all__ = ["SignedLinkService"]
