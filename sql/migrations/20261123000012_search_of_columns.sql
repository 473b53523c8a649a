-- migrate:up

-- Who keeps copies of the rows of series_search has to hear of each change of them, not only of those that move counts.
-- Each load adds the hashes of what comes and takes off those of what goes.
ALTER TABLE search_version ADD COLUMN row_hash numeric NOT NULL DEFAULT 0;
UPDATE search_version
SET row_hash = (SELECT coalesce(sum(hash_record_extended(s, 0)), 0) FROM series_search AS s);
UPDATE search_version
SET version = row_hash + (
    SELECT coalesce(sum(hashtextextended(c::text, 0)), 0)
    FROM series_cell AS c
) + (
    SELECT coalesce(sum(hashtextextended(k::text, 0)), 0)
    FROM facet AS k
);
COMMENT ON TABLE search_version IS 'One row: which state of series_search, series_cell and facet this is.';
COMMENT ON COLUMN search_version.row_hash IS 'Sum of the hashes of the rows of series_search.';

-- Pages under filters are found in copies that processes keep (catalog/search_columns.py), or gathered by cells. The
-- indexes of a filter together with a sort cost each load more than all else that it writes, and hardly serve any more;
-- that of a collection stays, for its downloads.
DROP INDEX IF EXISTS search_of_collection_by_date, search_of_collection_by_age, search_of_collection_by_field,
search_of_collection_by_slices, search_of_collection_by_spacing, search_of_sequence_newest,
search_of_sequence_by_date, search_of_sequence_by_age, search_of_sequence_by_field, search_of_sequence_by_slices,
search_of_sequence_by_spacing, search_of_manufacturer_newest, search_of_manufacturer_by_date,
search_of_manufacturer_by_age, search_of_manufacturer_by_field, search_of_manufacturer_by_slices,
search_of_manufacturer_by_spacing, search_of_model_newest, search_of_model_by_date, search_of_model_by_age,
search_of_model_by_field, search_of_model_by_slices, search_of_model_by_spacing, search_of_sex_newest,
search_of_sex_by_date, search_of_sex_by_age, search_of_sex_by_field, search_of_sex_by_slices,
search_of_sex_by_spacing, search_of_license_newest, search_of_license_by_date, search_of_license_by_age,
search_of_license_by_field, search_of_license_by_slices, search_of_license_by_spacing, search_of_field_newest,
search_of_field_by_date, search_of_field_by_age, search_of_field_by_field, search_of_field_by_slices,
search_of_field_by_spacing, search_of_tumor_newest, search_of_tumor_by_date, search_of_tumor_by_age,
search_of_tumor_by_field, search_of_tumor_by_slices, search_of_tumor_by_spacing;

-- migrate:down

CREATE INDEX search_of_collection_by_date ON series_search (collection_id, series_date, series_id);
CREATE INDEX search_of_collection_by_age ON series_search (collection_id, age_years, series_id);
CREATE INDEX search_of_collection_by_field ON series_search (collection_id, field_strength_tesla, series_id);
CREATE INDEX search_of_collection_by_slices ON series_search (collection_id, slice_count, series_id);
CREATE INDEX search_of_collection_by_spacing ON series_search (collection_id, spacing_mm, series_id);
CREATE INDEX search_of_sequence_newest ON series_search (sequence, published_at, series_id);
CREATE INDEX search_of_sequence_by_date ON series_search (sequence, series_date, series_id);
CREATE INDEX search_of_sequence_by_age ON series_search (sequence, age_years, series_id);
CREATE INDEX search_of_sequence_by_field ON series_search (sequence, field_strength_tesla, series_id);
CREATE INDEX search_of_sequence_by_slices ON series_search (sequence, slice_count, series_id);
CREATE INDEX search_of_sequence_by_spacing ON series_search (sequence, spacing_mm, series_id);
CREATE INDEX search_of_manufacturer_newest ON series_search (manufacturer, published_at, series_id);
CREATE INDEX search_of_manufacturer_by_date ON series_search (manufacturer, series_date, series_id);
CREATE INDEX search_of_manufacturer_by_age ON series_search (manufacturer, age_years, series_id);
CREATE INDEX search_of_manufacturer_by_field ON series_search (manufacturer, field_strength_tesla, series_id);
CREATE INDEX search_of_manufacturer_by_slices ON series_search (manufacturer, slice_count, series_id);
CREATE INDEX search_of_manufacturer_by_spacing ON series_search (manufacturer, spacing_mm, series_id);
CREATE INDEX search_of_model_newest ON series_search (model, published_at, series_id);
CREATE INDEX search_of_model_by_date ON series_search (model, series_date, series_id);
CREATE INDEX search_of_model_by_age ON series_search (model, age_years, series_id);
CREATE INDEX search_of_model_by_field ON series_search (model, field_strength_tesla, series_id);
CREATE INDEX search_of_model_by_slices ON series_search (model, slice_count, series_id);
CREATE INDEX search_of_model_by_spacing ON series_search (model, spacing_mm, series_id);
CREATE INDEX search_of_sex_newest ON series_search (sex, published_at, series_id);
CREATE INDEX search_of_sex_by_date ON series_search (sex, series_date, series_id);
CREATE INDEX search_of_sex_by_age ON series_search (sex, age_years, series_id);
CREATE INDEX search_of_sex_by_field ON series_search (sex, field_strength_tesla, series_id);
CREATE INDEX search_of_sex_by_slices ON series_search (sex, slice_count, series_id);
CREATE INDEX search_of_sex_by_spacing ON series_search (sex, spacing_mm, series_id);
CREATE INDEX search_of_license_newest ON series_search (license, published_at, series_id);
CREATE INDEX search_of_license_by_date ON series_search (license, series_date, series_id);
CREATE INDEX search_of_license_by_age ON series_search (license, age_years, series_id);
CREATE INDEX search_of_license_by_field ON series_search (license, field_strength_tesla, series_id);
CREATE INDEX search_of_license_by_slices ON series_search (license, slice_count, series_id);
CREATE INDEX search_of_license_by_spacing ON series_search (license, spacing_mm, series_id);
CREATE INDEX search_of_field_newest ON series_search (field_strength, published_at, series_id);
CREATE INDEX search_of_field_by_date ON series_search (field_strength, series_date, series_id);
CREATE INDEX search_of_field_by_age ON series_search (field_strength, age_years, series_id);
CREATE INDEX search_of_field_by_field ON series_search (field_strength, field_strength_tesla, series_id);
CREATE INDEX search_of_field_by_slices ON series_search (field_strength, slice_count, series_id);
CREATE INDEX search_of_field_by_spacing ON series_search (field_strength, spacing_mm, series_id);
CREATE INDEX search_of_tumor_newest ON series_search (tumor, published_at, series_id);
CREATE INDEX search_of_tumor_by_date ON series_search (tumor, series_date, series_id);
CREATE INDEX search_of_tumor_by_age ON series_search (tumor, age_years, series_id);
CREATE INDEX search_of_tumor_by_field ON series_search (tumor, field_strength_tesla, series_id);
CREATE INDEX search_of_tumor_by_slices ON series_search (tumor, slice_count, series_id);
CREATE INDEX search_of_tumor_by_spacing ON series_search (tumor, spacing_mm, series_id);
ALTER TABLE search_version DROP COLUMN row_hash;
