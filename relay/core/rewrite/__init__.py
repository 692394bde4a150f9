"""From the mail as it came to the mail as the other side gets it: an ordered tuple of small passes over one plan."""
