"""Use cases, each once, for pages, commands and reports alike."""
