"""What the program withstands, one kind of load a module; each returns figures."""
