"""What was found, for a person without the dashboard: pages that stand alone, with the numbers they were drawn from."""
