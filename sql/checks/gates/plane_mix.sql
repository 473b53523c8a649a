-- A hundred new series or more have planes as the catalogued ones of the same collections: no share moves by over half.
SELECT
    i.series < 100 OR s.series < 100
    OR greatest(
        abs(i.axial - s.axial), abs(i.coronal - s.coronal), abs(i.sagittal - s.sagittal)
    ) <= 0.5 AS passed
FROM (
    SELECT
        count(*) AS series,
        avg((plane = 'axial')::integer) AS axial,
        avg((plane = 'coronal')::integer) AS coronal,
        avg((plane = 'sagittal')::integer) AS sagittal
    FROM stage_series
) AS i
CROSS JOIN (
    SELECT
        count(*) AS series,
        avg((plane = 'axial')::integer) AS axial,
        avg((plane = 'coronal')::integer) AS coronal,
        avg((plane = 'sagittal')::integer) AS sagittal
    FROM series
    WHERE collection_id IN (SELECT collection_id FROM stage_series)
) AS s
