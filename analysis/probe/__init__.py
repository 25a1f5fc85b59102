"""Probes: what both fleets answer to the same request."""
