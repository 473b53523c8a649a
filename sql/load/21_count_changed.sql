-- How many series are new or differ.

SELECT count(*) FROM stage_series
