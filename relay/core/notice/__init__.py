"""Writes the relay's own mail and SMTP replies: notices with their delivery reports (RFC 3464), letters, and replies.

The texts come from the text catalogues, in the reader's language; SMTP replies are English.
"""
