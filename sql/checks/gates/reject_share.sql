-- Of a hundred series or more that a run looked at, at most nine in ten are rejected.
SELECT
    i.series + r.series < 100 OR r.series <= 9 * i.series AS passed
FROM (SELECT count(*) AS series FROM stage_series) AS i
CROSS JOIN (
    SELECT count(DISTINCT series_uid) AS series
    FROM stage_reject
    WHERE step = 'normalize' AND fatal
) AS r
