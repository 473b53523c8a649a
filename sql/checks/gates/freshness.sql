-- A run is not published in the future: the run published last has the last word, and none could follow it.
SELECT coalesce(max(i.published_at) <= current_timestamp + interval '1 hour', true) AS passed
FROM stage_series AS i
