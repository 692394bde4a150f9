"""Infers the kind of a message from the text that its writer has newly written, by weighted phrases (R-POL-21)."""

from relay.core.policy.inference.infer import Found, infer, places

__all__ = ["Found", "infer", "places"]
