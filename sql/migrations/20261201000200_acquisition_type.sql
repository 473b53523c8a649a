-- migrate:up

ALTER TABLE series ADD COLUMN acquisition_type text;
COMMENT ON COLUMN series.acquisition_type IS 'MR acquisition type, 2D or 3D; null where the files do not say.';

-- migrate:down

DROP VIEW IF EXISTS series_snapshot;
ALTER TABLE series DROP COLUMN acquisition_type;
