-- Which state of cells and facets this is.
SELECT version::text FROM search_version
