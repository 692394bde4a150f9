"""Thin adapters: each module connects the relay with one thing outside (SMTP, DNS, TLS, scanners, HTTP, the system)."""
