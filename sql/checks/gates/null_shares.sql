-- What the catalogued series of the same collections tell, a hundred new ones or more tell too: no share of nulls
-- grows by over half.
SELECT
    i.series < 100 OR s.series < 100
    OR greatest(
        i.description - s.description,
        i.sequence - s.sequence,
        i.manufacturer - s.manufacturer,
        i.field_strength - s.field_strength
    ) <= 0.5 AS passed
FROM (
    SELECT
        count(*) AS series,
        avg((series_description IS NULL)::integer) AS description,
        avg((sequence IS NULL)::integer) AS sequence,
        avg((manufacturer IS NULL)::integer) AS manufacturer,
        avg((field_strength_tesla IS NULL)::integer) AS field_strength
    FROM stage_series
) AS i
CROSS JOIN (
    SELECT
        count(*) AS series,
        avg((series_description IS NULL)::integer) AS description,
        avg((sequence IS NULL)::integer) AS sequence,
        avg((manufacturer IS NULL)::integer) AS manufacturer,
        avg((field_strength_tesla IS NULL)::integer) AS field_strength
    FROM series
    WHERE collection_id IN (SELECT collection_id FROM stage_series)
) AS s
