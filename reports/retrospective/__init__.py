"""The retrospective report."""
