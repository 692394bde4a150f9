"""The `relay` command: one file per verb group, no logic of its own."""
