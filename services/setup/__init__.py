"""From an account to a migration.toml: what was found, what is proposed and why, and the file."""
