"""What may pass: a pure function from facts to a verdict, and the policy that steers it."""
