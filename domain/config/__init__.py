"""migration.toml: its models, its loader and its errors."""
