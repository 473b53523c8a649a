"""On-demand detection in bounded processes."""
