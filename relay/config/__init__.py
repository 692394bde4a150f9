"""The configuration: TOML text to frozen structures, all errors at once, each with its key path and the fix."""

from relay.config.problem import ConfigError, Problem
from relay.config.reading import load, marketplaces, parse
from relay.config.sections import (
    Config,
    Delivery,
    Dkim,
    Dns,
    Limits,
    Listener,
    Log,
    MarketplaceSection,
    Networks,
    Notices,
    Retry,
    Route,
    ScannerSection,
    Tls,
    Web,
)

__all__ = [
    "Config",
    "ConfigError",
    "Delivery",
    "Dkim",
    "Dns",
    "Limits",
    "Listener",
    "Log",
    "MarketplaceSection",
    "Networks",
    "Notices",
    "Problem",
    "Retry",
    "Route",
    "ScannerSection",
    "Tls",
    "Web",
    "load",
    "marketplaces",
    "parse",
]
