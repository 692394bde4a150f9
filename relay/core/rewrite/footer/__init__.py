"""The footer below a relayed mail: its signed links, and their removal from what is quoted back (R-REW-09).

`form` says how a footer looks, `links` finds signed links in whatever way they are written, `quoted` what of a text was
a footer, `put` is the pass.
"""

from relay.core.rewrite.footer.put import apply

__all__ = ["apply"]
