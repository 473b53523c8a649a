"""Staged series to slice packs, sidecars and catalogue rows, one batch at a time, published all at once."""
