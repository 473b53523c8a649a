-- The series that the search has to look at again: told before the merge, because a pack that goes leaves no trace.

INSERT INTO touched_series (series_id)
SELECT c.series_id FROM current_series AS c
WHERE c.changed
UNION
SELECT i.series_id
FROM incoming_pack AS i
INNER JOIN changed_pack AS c ON i.pack_id = c.pack_id
UNION
SELECT p.series_id
FROM pack AS p
INNER JOIN current_series AS c ON p.series_id = c.series_id
WHERE
    c.stands
    AND NOT EXISTS (
        SELECT FROM incoming_pack AS i
        WHERE i.pack_id = p.pack_id
    )
UNION
SELECT l.series_id FROM stage_label AS l
ON CONFLICT DO NOTHING;
