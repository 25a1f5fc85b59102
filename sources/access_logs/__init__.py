"""Aggregates ALB access logs into counts per route and minute."""
