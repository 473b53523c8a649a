"""The catalogue's schema: migrations, primary keys and the one list of series fields."""
