"""The sources that read the Mackerel API."""
