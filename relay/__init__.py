"""relay: an anonymizing mail relay for marketplaces."""

__version__ = "0.1.0"
