-- migrate:up

COMMENT ON TABLE series_search IS
'What series are found by: one narrow row each, derived by the view series_search_fresh, refreshed by every load.';
COMMENT ON COLUMN series_search.series_id IS 'The series.';
COMMENT ON COLUMN series_search.subject_id IS 'Its subject.';
COMMENT ON COLUMN series_search.study_id IS 'Its study.';
COMMENT ON COLUMN series_search.collection_id IS 'Its collection.';
COMMENT ON COLUMN series_search.cell_id IS 'The row of series_cell that counts it.';
COMMENT ON COLUMN series_search.published_at IS 'As in series.';
COMMENT ON COLUMN series_search.series_date IS 'As in series.';
COMMENT ON COLUMN series_search.age_years IS 'As in series, years.';
COMMENT ON COLUMN series_search.field_strength_tesla IS 'As in series, tesla.';
COMMENT ON COLUMN series_search.slice_count IS 'Acquired slices of one volume.';
COMMENT ON COLUMN series_search.spacing_mm IS 'Largest of the three voxel spacings, millimetres.';
COMMENT ON COLUMN series_search.slice_thickness_mm IS 'As in series, millimetres.';
COMMENT ON COLUMN series_search.slices_axial IS 'Slices of all its packs that show this plane.';
COMMENT ON COLUMN series_search.slices_coronal IS 'Slices of all its packs that show this plane.';
COMMENT ON COLUMN series_search.slices_sagittal IS 'Slices of all its packs that show this plane.';
COMMENT ON COLUMN series_search.species IS 'As in series.';
COMMENT ON COLUMN series_search.plane IS 'Acquired plane.';
COMMENT ON COLUMN series_search.sequence IS 'As in series, or unknown.';
COMMENT ON COLUMN series_search.manufacturer IS 'As in series, or unknown.';
COMMENT ON COLUMN series_search.model IS 'Of the scanner, or unknown.';
COMMENT ON COLUMN series_search.sex IS 'As in series, or unknown.';
COMMENT ON COLUMN series_search.license IS 'Name of the licence, or unknown.';
COMMENT ON COLUMN series_search.field_strength IS 'Nominal class: <1, 1, 1.5, 3, 7 tesla, or unknown.';
COMMENT ON COLUMN series_search.tumor IS 'What the label that counts says: true, false, or unknown where nobody said.';
COMMENT ON COLUMN series_search.label_source IS 'Who says so: reader, mask, collection, or unknown.';
COMMENT ON COLUMN series_search.words IS
'Descriptions of series, study and protocol in lower case, one space between words.';
COMMENT ON TABLE series_cell IS
'How many series share a combination of filter values; facets under any of these filters are sums over its rows.';
COMMENT ON COLUMN series_cell.cell_id IS 'Hash of the combination.';
COMMENT ON COLUMN series_cell.archive IS 'Part of the combination.';
COMMENT ON COLUMN series_cell.collection IS 'Part of the combination.';
COMMENT ON COLUMN series_cell.series_count IS 'Series of this combination.';
COMMENT ON COLUMN series_cell.slices_axial IS 'Their slices that show this plane.';
COMMENT ON COLUMN series_cell.slices_coronal IS 'Their slices that show this plane.';
COMMENT ON COLUMN series_cell.slices_sagittal IS 'Their slices that show this plane.';
COMMENT ON COLUMN series_cell.shows_axial IS 'Part of the combination: each of them has such slices.';
COMMENT ON COLUMN series_cell.shows_coronal IS 'Part of the combination: each of them has such slices.';
COMMENT ON COLUMN series_cell.shows_sagittal IS 'Part of the combination: each of them has such slices.';
COMMENT ON COLUMN series_cell.species IS 'Part of the combination.';
COMMENT ON COLUMN series_cell.plane IS 'Part of the combination: acquired plane.';
COMMENT ON COLUMN series_cell.sequence IS 'Part of the combination.';
COMMENT ON COLUMN series_cell.manufacturer IS 'Part of the combination.';
COMMENT ON COLUMN series_cell.model IS 'Part of the combination.';
COMMENT ON COLUMN series_cell.sex IS 'Part of the combination.';
COMMENT ON COLUMN series_cell.license IS 'Part of the combination.';
COMMENT ON COLUMN series_cell.field_strength IS 'Part of the combination: nominal class.';
COMMENT ON COLUMN series_cell.tumor IS 'Part of the combination.';
COMMENT ON COLUMN series_cell.label_source IS 'Part of the combination.';
COMMENT ON TABLE search_version IS 'One row: which state of series_cell and facet this is.';
COMMENT ON COLUMN search_version.only_row IS 'Holds it to one row.';
COMMENT ON COLUMN search_version.version IS 'Sum of the hashes of their rows: equal content has an equal version.';
COMMENT ON VIEW series_search_fresh IS 'What series_search ought to hold.';
COMMENT ON VIEW cell_facet IS 'The facet values that a cell counts in.';
COMMENT ON VIEW series_shown IS 'One series as lists and its own page show it.';
COMMENT ON COLUMN facet.value IS 'Value of the filter, unknown where there is none; empty for the total.';

-- migrate:down

SELECT 1;
