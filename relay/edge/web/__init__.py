"""What the relay shows by HTTP."""
