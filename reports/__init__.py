"""Self-contained reports for readers without the dashboard: evidence and retrospective."""
