"""The catalogue in PostgreSQL: its schema, its loads and its questions; the SQL itself lives in sql/."""
