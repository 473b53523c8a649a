"""The front door: a small Flask application over the catalogue and the slice packs."""
