"""A small marketplace to try the relay with: the real daemon, a few parties with mailboxes, and a web page to watch.

Everything stays on the loopback interface and in one directory. The daemon itself uses nothing of this package.
"""
