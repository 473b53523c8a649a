"""Planned zips: layout, manifest and streaming."""
