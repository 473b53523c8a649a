-- What the series belong to. Conflicts are told by the natural key: another key with the same hash is an error.

INSERT INTO collection (collection_id, archive, name)
SELECT DISTINCT s.collection_id, p.archive, p.collection
FROM stage_series AS s
INNER JOIN stage_parent AS p ON s.series_id = p.series_id
ON CONFLICT (archive, name) DO NOTHING;

INSERT INTO subject (subject_id, patient_id, species)
SELECT s.subject_id, p.subject, min(s.species)
FROM stage_series AS s
INNER JOIN stage_parent AS p ON s.series_id = p.series_id
GROUP BY s.subject_id, p.subject
ON CONFLICT (patient_id) DO NOTHING;

INSERT INTO study (study_id, study_uid, subject_id)
SELECT s.study_id, p.study_uid, min(s.subject_id)
FROM stage_series AS s
INNER JOIN stage_parent AS p ON s.series_id = p.series_id
GROUP BY s.study_id, p.study_uid
ON CONFLICT (study_uid) DO NOTHING;
