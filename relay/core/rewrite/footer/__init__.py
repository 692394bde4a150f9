"""Puts the footer with its signed links below a relayed mail, and removes earlier footers from it (R-REW-09).

`form` writes a footer, `relay.core.own_links` finds signed links in all their written forms, `quoted` finds quoted
footers, and `put` is the pass.
"""

from relay.core.rewrite.footer.put import apply

__all__ = ["apply"]
