"""Error messages: what went wrong, and the next step."""
