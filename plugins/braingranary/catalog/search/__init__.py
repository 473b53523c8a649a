"""Search over a snapshot of the catalogue: an Arrow file that every process of a host maps, and Polars over it."""
