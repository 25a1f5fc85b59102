"""Metric values and the coverage of each series."""
