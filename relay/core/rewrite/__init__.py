"""Rewrites a received mail into the mail that the other side gets.

The rewrite is a tuple of small passes that run in order. Each pass takes a draft and the plan, and returns the draft
with further edits.
"""
