"""Reading what comes back: delivery reports, and whose servers wrote them."""

from relay.core.bounce.dsn import Bounce, BounceAction, read

__all__ = ["Bounce", "BounceAction", "read"]
