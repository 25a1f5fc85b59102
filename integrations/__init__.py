"""What runs elsewhere and asks the gate. Each part is deployed without this program, and imports nothing of it."""
