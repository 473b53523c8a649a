-- Staging of one scoring run: temporary tables, gone with the transaction. Each has the columns of the catalogue's own
-- table, without its constraints.

CREATE TEMP TABLE stage_series_score ON COMMIT DROP AS
SELECT p.* FROM series_prediction AS p
WITH NO DATA;

CREATE TEMP TABLE stage_slice_score ON COMMIT DROP AS
SELECT p.* FROM slice_prediction AS p
WITH NO DATA;

CREATE TEMP TABLE stage_reject ON COMMIT DROP AS
SELECT r.* FROM reject AS r
WITH NO DATA;
