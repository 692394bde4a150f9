"""Decides which mail may pass: a pure function from facts to a verdict."""
