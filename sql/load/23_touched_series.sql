-- The series that the search has to look at again: told before the merge, because a pack that goes leaves no trace.

INSERT INTO touched_series (series_id)
SELECT s.series_id FROM stage_series AS s
UNION
SELECT p.series_id FROM stage_pack AS p
UNION
SELECT p.series_id FROM gone_pack AS p
UNION
SELECT l.series_id FROM stage_label AS l
ON CONFLICT DO NOTHING;
