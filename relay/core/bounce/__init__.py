"""Reads bounces: parses delivery reports, finds their reasons, and checks where they come from."""

from relay.core.bounce.dsn import Bounce, BounceAction, is_feedback, read

__all__ = ["Bounce", "BounceAction", "is_feedback", "read"]
