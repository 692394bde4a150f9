"""A small town to try the relay in: the real daemon, a few parties with mailboxes of their own, and a page to watch.

Everything stays on the loopback interface and in one directory. Nothing here is used by the daemon.
"""
