"""What every source promises, and one package for each system that is read."""
