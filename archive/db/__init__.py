"""The database under the archive: engine, schema, leases and schema migrations."""
