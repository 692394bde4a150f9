"""Rewrites a received mail into the mail that the other side gets.

The rewrite is an ordered tuple of small passes over one plan.
"""
