"""What polls the sources in the background and fills the archive."""
