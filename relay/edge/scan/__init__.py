"""Virus and spam scanners beside the relay (`ports.Scanner`, R-POL-17): ClamAV and Rspamd.

A scanner sees the whole message and nothing of its envelope; it is the operator's own, so mail goes to the configured
address only, past any proxy of the environment. Whatever keeps it from a verdict in time is "away", for which
`when_away` says what becomes of the mail.
"""

from relay.edge.scan.scanner import ConfiguredScanner, ScannerError, scanners

__all__ = ["ConfiguredScanner", "ScannerError", "scanners"]
