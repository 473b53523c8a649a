-- The views that the migrator makes anew whenever a file of this folder has changed, the dependent ones first.
DROP VIEW IF EXISTS series_snapshot, series_slices, pack_labels;
