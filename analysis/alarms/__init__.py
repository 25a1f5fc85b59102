"""Alarms: fixed rules on the newest minutes, beside the judge."""
