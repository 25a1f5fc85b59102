"""The evidence file of a phase."""
