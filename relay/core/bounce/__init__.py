"""Reading of bounces: delivery reports, and the providers whose servers wrote them."""

from relay.core.bounce.dsn import Bounce, BounceAction, read

__all__ = ["Bounce", "BounceAction", "read"]
