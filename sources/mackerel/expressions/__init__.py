"""Mackerel's expressions: parsed, printed, and evaluated here, because no API evaluates them. docs/mackerel.md has the semantics."""
