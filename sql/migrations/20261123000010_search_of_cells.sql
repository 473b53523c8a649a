-- migrate:up

-- All that lists are sorted by, cell by cell: where the facets of a filter leave few series, a page is found in this
-- one index, whichever facets these are and however they go along with the sort.
CREATE INDEX search_of_cell ON series_search (cell_id)
INCLUDE (published_at, series_date, age_years, field_strength_tesla, slice_count, spacing_mm, series_id);
-- So the walks along a sort are for filters that leave many. A value that many series have needs no index of its own
-- unless it goes along with what is sorted by: the plane does not, and of labels and species one value is by far the
-- most frequent.
DROP INDEX IF EXISTS search_of_plane_newest, search_of_plane_by_date, search_of_plane_by_age, search_of_plane_by_field,
search_of_plane_by_slices, search_of_plane_by_spacing, search_of_label_newest, search_of_species_newest;

-- migrate:down

DROP INDEX search_of_cell;
CREATE INDEX search_of_plane_newest ON series_search (plane, published_at, series_id);
CREATE INDEX search_of_plane_by_date ON series_search (plane, series_date, series_id);
CREATE INDEX search_of_plane_by_age ON series_search (plane, age_years, series_id);
CREATE INDEX search_of_plane_by_field ON series_search (plane, field_strength_tesla, series_id);
CREATE INDEX search_of_plane_by_slices ON series_search (plane, slice_count, series_id);
CREATE INDEX search_of_plane_by_spacing ON series_search (plane, spacing_mm, series_id);
CREATE INDEX search_of_label_newest ON series_search (label_source, published_at, series_id);
CREATE INDEX search_of_species_newest ON series_search (species, published_at, series_id);
