-- What was loaded, by its object.

SELECT published_key, published_sha256 FROM ingest_run
