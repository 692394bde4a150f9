"""Runs a small marketplace to try the relay: the real daemon, a few parties with mailboxes, and a web page.

Everything stays on the loopback interface and in one directory. The daemon itself does not use this package.
"""
