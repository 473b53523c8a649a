"""Search over a snapshot of the catalogue."""
