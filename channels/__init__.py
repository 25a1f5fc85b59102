"""Sends notices to other systems: the only package that writes anywhere but to the archive."""
