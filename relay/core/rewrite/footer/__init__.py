"""Puts the footer with its signed links below a relayed mail, and removes earlier ones from it (R-REW-09).

`form` writes a footer, `relay.core.own_links` finds signed links however they are written, `quoted` finds quoted
footers, `put` is the pass.
"""

from relay.core.rewrite.footer.put import apply

__all__ = ["apply"]
