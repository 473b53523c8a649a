"""Slices, volumes and contact sheets, and the list of all images."""
