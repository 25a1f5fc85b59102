"""The Retrospective page."""
