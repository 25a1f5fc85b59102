"""What happened over the whole migration, and what it cost."""
