-- Staging of one load: temporary tables, gone with the transaction. Each has the columns of the catalogue's own table,
-- without its constraints, and before them what the row files tell besides.

CREATE TEMP TABLE stage_series ON COMMIT DROP AS
SELECT
    0 AS part,
    '' AS archive,
    '' AS collection,
    '' AS subject,
    '' AS study_uid,
    s.*
FROM series AS s
WITH NO DATA;

CREATE TEMP TABLE stage_pack ON COMMIT DROP AS
SELECT
    0 AS part,
    '' AS series_uid,
    p.*
FROM pack AS p
WITH NO DATA;

CREATE TEMP TABLE stage_slice ON COMMIT DROP AS
SELECT s.* FROM slice AS s
WITH NO DATA;

CREATE TEMP TABLE stage_label ON COMMIT DROP AS
SELECT
    '' AS series_uid,
    '' AS plane,
    0 AS volume,
    l.*
FROM label AS l
WITH NO DATA;

CREATE TEMP TABLE stage_reject ON COMMIT DROP AS
SELECT r.* FROM reject AS r
WITH NO DATA;
