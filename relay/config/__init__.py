"""Reads the configuration and the policies from TOML files into frozen structures.

All problems of a file are reported at once, each with its key path and the fix.
"""

from relay.config.problem import ConfigError, Problem
from relay.config.reading import load, marketplaces, parse
from relay.config.sections import (
    Config,
    DeliverySection,
    Dkim,
    Dns,
    HeavyMail,
    Listener,
    Log,
    MarketplaceSection,
    Networks,
    Notices,
    RecordSection,
    Route,
    ScannerSection,
    SmtpLimits,
    Tls,
    Web,
)

__all__ = [
    "Config",
    "ConfigError",
    "DeliverySection",
    "Dkim",
    "Dns",
    "HeavyMail",
    "Listener",
    "Log",
    "MarketplaceSection",
    "Networks",
    "Notices",
    "Problem",
    "RecordSection",
    "Route",
    "ScannerSection",
    "SmtpLimits",
    "Tls",
    "Web",
    "load",
    "marketplaces",
    "parse",
]
