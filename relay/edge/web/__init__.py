"""The daemon's HTTP pages: health, readiness, metrics and signed links. No page contains the text of a message."""
