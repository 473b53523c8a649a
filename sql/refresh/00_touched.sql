-- What a load tells the refresh at its end, of all its runs together: the series to look at again, and by how much the
-- licences and citations of a collection stand on more series or on fewer. A load that touched no series refreshes too.

CREATE TEMP TABLE IF NOT EXISTS touched_series (series_id bigint PRIMARY KEY) ON COMMIT DROP;

CREATE TEMP TABLE IF NOT EXISTS source_change (
    collection_id bigint NOT NULL,
    license_name text,
    license_url text,
    citation_url text,
    series_count bigint NOT NULL
) ON COMMIT DROP;

ANALYZE touched_series;
