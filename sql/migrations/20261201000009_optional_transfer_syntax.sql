-- migrate:up

-- A series that came as NIfTI has no DICOM transfer syntax.
ALTER TABLE series ALTER COLUMN transfer_syntax DROP NOT NULL;
COMMENT ON COLUMN series.transfer_syntax IS 'UID of the DICOM encoding it arrived in; null where it was no DICOM.';

-- migrate:down

UPDATE series SET transfer_syntax = '' WHERE transfer_syntax IS NULL;
ALTER TABLE series ALTER COLUMN transfer_syntax SET NOT NULL;
COMMENT ON COLUMN series.transfer_syntax IS 'UID of the encoding it arrived in.';
