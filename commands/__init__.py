"""What the command line shows: values in, rich tables and JSON out. Pure; cli.py asks and prints."""
