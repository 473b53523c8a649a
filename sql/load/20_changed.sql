-- What this run would change. The staged rows get the shape of the catalogue's tables, so that whole rows can be
-- compared. Rows of a run that was published before the one already loaded are left out: the end state does not depend
-- on the order of loads.

CREATE TEMP TABLE stage_parent ON COMMIT DROP AS
SELECT
    part,
    series_id,
    archive,
    collection,
    subject,
    study_uid
FROM stage_series;

ALTER TABLE stage_series
DROP COLUMN part, DROP COLUMN archive, DROP COLUMN collection, DROP COLUMN subject, DROP COLUMN study_uid;
ALTER TABLE stage_pack DROP COLUMN part, DROP COLUMN series_uid;

CREATE TEMP TABLE current_series ON COMMIT DROP AS
SELECT
    i.series_id,
    (s.series_id IS NULL OR i IS DISTINCT FROM s) AS changed,
    s.series_id IS NOT NULL AS stands
FROM stage_series AS i
LEFT JOIN series AS s ON i.series_id = s.series_id
WHERE
    s.series_id IS NULL
    OR i.published_at > s.published_at
    -- Two runs published in the same second: any rule will do that gives the same answer in either order.
    OR (i.published_at = s.published_at AND i >= s);

-- Packs that a series which is loaded again no longer has.
CREATE TEMP TABLE gone_pack ON COMMIT DROP AS
SELECT
    p.pack_id,
    p.series_id
FROM pack AS p
INNER JOIN current_series AS c ON p.series_id = c.series_id
WHERE
    c.stands
    AND NOT EXISTS (
        SELECT FROM stage_pack AS i
        WHERE i.pack_id = p.pack_id
    );

-- From here on only what is new or differs is staged.
DELETE FROM stage_series AS s
WHERE NOT EXISTS (
    SELECT FROM current_series AS c
    WHERE c.series_id = s.series_id AND c.changed
);
DELETE FROM stage_pack AS i
WHERE
    NOT EXISTS (
        SELECT FROM current_series AS c
        WHERE c.series_id = i.series_id
    )
    OR i.pack_id IN (
        SELECT p.pack_id
        FROM pack AS p
        INNER JOIN stage_pack AS s ON p.pack_id = s.pack_id
        WHERE p IS NOT DISTINCT FROM s
    );

-- What the changed series belonged to and belong to now.
CREATE TEMP TABLE touched ON COMMIT DROP AS
SELECT s.study_id, s.subject_id, s.collection_id
FROM stage_series AS i
INNER JOIN series AS s ON i.series_id = s.series_id
UNION
SELECT i.study_id, i.subject_id, i.collection_id
FROM stage_series AS i;

ANALYZE stage_series, stage_parent, stage_pack, current_series, gone_pack, touched;
