"""Notices: reasons to texts to a message, with its delivery report (RFC 3464)."""
