"""The guided form of a first start: what was found in the account, and the migration.toml of it."""
