"""The Parity page."""
