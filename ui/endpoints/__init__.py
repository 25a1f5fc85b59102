"""The Endpoints page."""
