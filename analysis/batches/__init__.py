"""Batch jobs: scheduled runs, actual runs and their state."""
