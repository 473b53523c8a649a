"""The audit of the catalogue against the object store."""
