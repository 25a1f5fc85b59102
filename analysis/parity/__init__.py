"""The parity judge."""
