"""Events, weight changes, notes and the state of each source."""
