-- Labels and rejects: of two runs the one published later has the last word. Labels are written in the order of their
-- keys: a download reads those of a pack together, and they would lie on as many pages as there are slices.

INSERT INTO label (series_id, pack_id, slice_index, tumor, source, published_at)
SELECT
    s.series_id,
    s.pack_id,
    s.slice_index,
    bool_or(s.tumor),
    s.source,
    s.published_at
FROM stage_label AS s
GROUP BY s.series_id, s.pack_id, s.slice_index, s.source, s.published_at
ORDER BY s.series_id ASC, s.pack_id ASC, s.slice_index ASC, s.source ASC
ON CONFLICT (series_id, pack_id, slice_index, source) DO UPDATE SET
    tumor = excluded.tumor,
    published_at = excluded.published_at
WHERE (excluded.published_at, excluded.tumor) > (label.published_at, label.tumor);

INSERT INTO reject
SELECT DISTINCT ON (s.reject_id) s.*
FROM stage_reject AS s
ORDER BY s.reject_id ASC, s.fatal DESC, s.detail DESC
ON CONFLICT (reject_id) DO UPDATE SET
    detail = excluded.detail,
    fatal = excluded.fatal,
    published_at = excluded.published_at
WHERE (excluded.published_at, excluded.fatal, excluded.detail) > (reject.published_at, reject.fatal, reject.detail);

-- What could not be staged once and is catalogued by a later run was staged after all: its reject goes.
DELETE FROM reject AS r
USING stage_parent AS p, series AS s
WHERE
    p.series_id = s.series_id
    AND r.step IN ('manifest', 'stage')
    AND r.fatal
    AND r.archive = p.archive
    AND r.collection = p.collection
    AND r.series_uid = s.series_uid
    AND r.published_at <= s.published_at;
