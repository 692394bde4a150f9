"""Attacks on a running daemon with shipped limits, and how its other users fare meanwhile (`make hostile`)."""
