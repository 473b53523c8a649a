-- Writes down anew what is said of single slices in the packs of the series that this load touched.

CREATE TEMP TABLE fresh_labels (LIKE pack_labels) ON COMMIT DROP;
INSERT INTO fresh_labels
SELECT f.*
FROM touched_series AS t
INNER JOIN pack AS p ON t.series_id = p.series_id
INNER JOIN pack_labels_fresh AS f ON p.pack_id = f.pack_id;

ANALYZE fresh_labels;

DELETE FROM pack_labels AS s
USING pack AS p, touched_series AS t
WHERE
    s.pack_id = p.pack_id
    AND p.series_id = t.series_id
    AND NOT EXISTS (
        SELECT FROM fresh_labels AS f
        WHERE f = s
    );

INSERT INTO pack_labels
SELECT f.* FROM fresh_labels AS f
ORDER BY f.pack_id
ON CONFLICT (pack_id) DO NOTHING;

DROP TABLE fresh_labels;
