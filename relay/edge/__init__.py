"""Thin adapters, one outside thing each."""
