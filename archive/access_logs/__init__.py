"""Counts from access logs."""
