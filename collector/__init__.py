"""Polls the sources in the background and fills the archive."""
