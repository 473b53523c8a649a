-- All that the search snapshot holds, in the order of the keys.
COPY (SELECT v.* FROM series_snapshot AS v ORDER BY v.series_id) TO STDOUT (FORMAT csv, HEADER true)
