-- What a study or a subject is follows from all of its series, so that it never depends on which came first.

UPDATE study AS t
SET
    subject_id = d.subject_id,
    study_date = d.study_date,
    study_description = d.study_description
FROM (
    SELECT
        s.study_id,
        min(s.subject_id) AS subject_id,
        min(s.study_date) AS study_date,
        min(s.study_description) AS study_description
    FROM series AS s
    WHERE s.study_id IN (SELECT study_id FROM touched)
    GROUP BY s.study_id
) AS d
WHERE
    t.study_id = d.study_id
    AND (t.subject_id, t.study_date, t.study_description)
    IS DISTINCT FROM (d.subject_id, d.study_date, d.study_description);

UPDATE subject AS t
SET
    species = d.species,
    sex = d.sex
FROM (
    SELECT
        s.subject_id,
        min(s.species) AS species,
        min(s.sex) AS sex
    FROM series AS s
    WHERE s.subject_id IN (SELECT subject_id FROM touched)
    GROUP BY s.subject_id
) AS d
WHERE t.subject_id = d.subject_id AND (t.species, t.sex) IS DISTINCT FROM (d.species, d.sex);

DELETE FROM study AS t
WHERE
    t.study_id IN (SELECT study_id FROM touched)
    AND NOT EXISTS (
        SELECT FROM series AS s
        WHERE s.study_id = t.study_id
    );

DELETE FROM subject AS t
WHERE
    t.subject_id IN (SELECT subject_id FROM touched)
    AND NOT EXISTS (
        SELECT FROM series AS s
        WHERE s.subject_id = t.subject_id
    )
    AND NOT EXISTS (
        SELECT FROM study AS s
        WHERE s.subject_id = t.subject_id
    );

DELETE FROM collection AS t
WHERE
    t.collection_id IN (SELECT collection_id FROM touched)
    AND NOT EXISTS (
        SELECT FROM series AS s
        WHERE s.collection_id = t.collection_id
    );
