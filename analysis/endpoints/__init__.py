"""Parity of each route."""
