"""Values that cross the detector's border; nothing here imports torch."""
