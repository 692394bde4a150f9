"""Virus and spam scanners beside the relay (`ports.Scanner`, R-POL-17): ClamAV and Rspamd.

A scanner gets the whole message and nothing of its envelope. Mail is sent to the configured address only, never through
a proxy of the environment. When a scanner gives no verdict in time it is unavailable, and `when_away` decides about the
mail.
"""

from relay.edge.scan.scanner import ConfiguredScanner, ScannerError, scanners

__all__ = ["ConfiguredScanner", "ScannerError", "scanners"]
