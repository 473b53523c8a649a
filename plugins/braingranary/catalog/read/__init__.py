"""Reading the catalogue where it is no search: one series, packs, slices, lineage, downloads."""
