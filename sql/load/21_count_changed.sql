-- How many series are new or differ.

SELECT count(*) FROM current_series
WHERE changed
