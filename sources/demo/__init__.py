"""The demo migration: sources with generated data."""
