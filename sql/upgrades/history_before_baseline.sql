-- Brings a database of the history before the baseline to what the baseline makes: run by the migrator where the last
-- migration of that history is applied, in one transaction with the change of the versions. What came
-- between that migration and the baseline may be applied or not.

-- Search reads a snapshot of the view series_snapshot: nothing is counted or written down by a load any more.
DROP VIEW IF EXISTS series_snapshot;
DROP VIEW pack_labels_fresh, series_told_fresh, series_shown, cell_facet, series_search_fresh;
DROP TABLE series_told, series_search, series_cell, search_version, facet, collection_total, collection_source,
named_answer, pack_size, pack_labels;
DROP EXTENSION pg_trgm;
ALTER TABLE named_query
DROP COLUMN slice_count, DROP COLUMN series_count, DROP COLUMN subject_count,
DROP COLUMN model_slice_count, DROP COLUMN model_series_count, DROP COLUMN model_subject_count;
COMMENT ON TABLE named_query IS 'The six predefined queries.';

-- Which state of the catalogue a copy of it shows: who keeps one (the search snapshot) asks for this row, and makes a
-- new copy when it differs. The time stands beside the number because a database restored from a backup counts again
-- from an older one.
CREATE TABLE IF NOT EXISTS catalogue_state (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version bigint NOT NULL,
    changed_at timestamptz NOT NULL
);
INSERT INTO catalogue_state (version, changed_at) VALUES (0, current_timestamp)
ON CONFLICT (only_row) DO NOTHING;
COMMENT ON TABLE catalogue_state IS
'The state of what is searched: one row, raised by every transaction that changes it.';
COMMENT ON COLUMN catalogue_state.only_row IS 'There is one row.';
COMMENT ON COLUMN catalogue_state.version IS 'Raised by one or more with each change; nothing new leaves it as it is.';
COMMENT ON COLUMN catalogue_state.changed_at IS 'When the transaction that raised it began.';

ALTER TABLE model
ADD COLUMN IF NOT EXISTS architecture text,
ADD COLUMN IF NOT EXISTS preprocessing text,
ADD COLUMN IF NOT EXISTS license text;
COMMENT ON COLUMN model.architecture IS
'Id of the network that the weights fit; null in a row from before ids were recorded, until it is registered again.';
COMMENT ON COLUMN model.preprocessing IS 'Id of the way from a picture to the network; null as architecture.';
COMMENT ON COLUMN model.license IS 'SPDX id of the licence of the weights; null where the weights file names none.';

-- A series that came as NIfTI has no DICOM transfer syntax.
ALTER TABLE series ALTER COLUMN transfer_syntax DROP NOT NULL;
COMMENT ON COLUMN series.transfer_syntax IS 'UID of the DICOM encoding it arrived in; null where it was no DICOM.';
