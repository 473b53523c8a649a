-- Rejected series of all series that runs published since then told of; null where they told of none. An ingest tells
-- of its rejects alone, a normalization of its series and its rejects.
SELECT sum(reject_count)::float / nullif(sum(series_count) + sum(reject_count), 0) AS share
FROM ingest_run
WHERE published_at >= %(since)s
