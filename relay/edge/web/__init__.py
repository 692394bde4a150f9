"""What the daemon says over HTTP: health, readiness and metrics. No page holds an address or a message's text."""
