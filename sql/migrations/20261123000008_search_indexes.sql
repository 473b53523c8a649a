-- migrate:up

-- Sorting without a filter: one index a sort, each ending in the key that makes its order total.
CREATE INDEX search_newest ON series_search (published_at, series_id);
CREATE INDEX search_by_date ON series_search (series_date, series_id);
CREATE INDEX search_by_age ON series_search (age_years, series_id);
CREATE INDEX search_by_field ON series_search (field_strength_tesla, series_id);
CREATE INDEX search_by_slices ON series_search (slice_count, series_id);
CREATE INDEX search_by_spacing ON series_search (spacing_mm, series_id);
-- A filter together with a sort: a collection is loaded at once, a scanner model was sold in some years, ages are told
-- where the sex is told. So in the order of the sort alone the series of a filter may stand far from where a walk
-- begins; with the two in one index a page is one short range of it. This makes a row dear to write (a load writes
-- thousands of them a night) and cheap to find (a page is asked for all day).
CREATE INDEX search_of_collection_newest ON series_search (collection_id, published_at, series_id);
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
CREATE INDEX search_of_plane_newest ON series_search (plane, published_at, series_id);
CREATE INDEX search_of_plane_by_date ON series_search (plane, series_date, series_id);
CREATE INDEX search_of_plane_by_age ON series_search (plane, age_years, series_id);
CREATE INDEX search_of_plane_by_field ON series_search (plane, field_strength_tesla, series_id);
CREATE INDEX search_of_plane_by_slices ON series_search (plane, slice_count, series_id);
CREATE INDEX search_of_plane_by_spacing ON series_search (plane, spacing_mm, series_id);
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
CREATE INDEX search_of_label_newest ON series_search (label_source, published_at, series_id);
CREATE INDEX search_of_species_newest ON series_search (species, published_at, series_id);
CREATE INDEX search_of_study ON series_search (study_id, series_id);
CREATE INDEX search_of_subject ON series_search (subject_id, series_id);
CREATE INDEX search_words ON series_search USING gin (words gin_trgm_ops);

-- migrate:down

DROP INDEX
search_newest, search_by_date, search_by_age, search_by_field, search_by_slices, search_by_spacing,
search_of_collection_newest, search_of_collection_by_date, search_of_collection_by_age, search_of_collection_by_field,
search_of_collection_by_slices, search_of_collection_by_spacing, search_of_sequence_newest,
search_of_sequence_by_date, search_of_sequence_by_age, search_of_sequence_by_field, search_of_sequence_by_slices,
search_of_sequence_by_spacing, search_of_manufacturer_newest, search_of_manufacturer_by_date,
search_of_manufacturer_by_age, search_of_manufacturer_by_field, search_of_manufacturer_by_slices,
search_of_manufacturer_by_spacing, search_of_model_newest, search_of_model_by_date, search_of_model_by_age,
search_of_model_by_field, search_of_model_by_slices, search_of_model_by_spacing, search_of_plane_newest,
search_of_plane_by_date, search_of_plane_by_age, search_of_plane_by_field, search_of_plane_by_slices,
search_of_plane_by_spacing, search_of_sex_newest, search_of_sex_by_date, search_of_sex_by_age, search_of_sex_by_field,
search_of_sex_by_slices, search_of_sex_by_spacing, search_of_license_newest, search_of_license_by_date,
search_of_license_by_age, search_of_license_by_field, search_of_license_by_slices, search_of_license_by_spacing,
search_of_field_newest, search_of_field_by_date, search_of_field_by_age, search_of_field_by_field,
search_of_field_by_slices, search_of_field_by_spacing, search_of_tumor_newest, search_of_tumor_by_date,
search_of_tumor_by_age, search_of_tumor_by_field, search_of_tumor_by_slices, search_of_tumor_by_spacing,
search_of_label_newest, search_of_species_newest, search_of_study, search_of_subject, search_words;
