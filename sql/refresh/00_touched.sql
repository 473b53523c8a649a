-- A load that touched no series refreshes too: predictions and models change what is counted.
CREATE TEMP TABLE IF NOT EXISTS touched_series (series_id bigint PRIMARY KEY) ON COMMIT DROP
