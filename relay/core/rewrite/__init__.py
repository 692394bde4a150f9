"""Rewrites a mail as it came into the mail that the other side gets: an ordered tuple of small passes over one plan."""
