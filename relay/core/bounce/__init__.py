"""Reads bounces: parses delivery reports, finds their reasons, and checks where they come from."""

from relay.core.bounce.dsn import MOST_BYTES, Bounce, BounceAction, is_feedback, read

__all__ = ["MOST_BYTES", "Bounce", "BounceAction", "is_feedback", "read"]
