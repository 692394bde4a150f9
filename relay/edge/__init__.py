"""Adapters: each module connects the relay with one thing outside, such as SMTP, DNS, TLS, scanners or HTTP."""
