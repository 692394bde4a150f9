"""Decides which mail passes: a pure function from facts to a verdict, and the rules of the policy that it runs."""
