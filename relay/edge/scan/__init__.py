"""Virus and spam scanners beside the relay (`ports.Scanner`, R-POL-17): ClamAV and Rspamd.

A scanner gets the whole message and nothing of its envelope. The message is sent only to the configured address, never
through a proxy from the environment. A scanner that gives no verdict in time is unavailable, and its setting
`when_away` decides about the mail.
"""

from relay.edge.scan.scanner import ConfiguredScanner, ScannerError, scanners

__all__ = ["ConfiguredScanner", "ScannerError", "scanners"]
