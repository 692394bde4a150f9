"""Reading of bounces: delivery reports, and the providers whose servers wrote them."""

from relay.core.bounce.dsn import Bounce, BounceAction, is_feedback, read

__all__ = ["Bounce", "BounceAction", "is_feedback", "read"]
