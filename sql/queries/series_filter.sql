-- The series that a filter leaves: the table expression `wanted` of every statement about them. A filter that is null
-- filters nothing: each condition begins with the value it is about, so that the code leaves out those whose value is
-- null; planning them away would take longer than reading a page. Where they are left in, they are planned for the
-- values they run with. The join goes too where no filter asks for it, being to one row at most.
SELECT
    s.series_id,
    s.cell_id,
    s.published_at,
    s.series_date,
    s.age_years,
    s.field_strength_tesla,
    s.slice_count,
    s.spacing_mm,
    p.tumor_probability,
    s.slices_axial,
    s.slices_coronal,
    s.slices_sagittal
FROM series_search AS s
LEFT JOIN series_prediction AS p ON s.series_id = p.series_id AND p.model_id = %(model_id)s::integer
WHERE
    true
    AND (%(series_id)s::bigint IS NULL OR s.series_id = %(series_id)s::bigint)
    AND (%(cell_ids)s::bigint[] IS NULL OR s.cell_id = any(%(cell_ids)s::bigint[]))
    AND (%(study_id)s::bigint IS NULL OR s.study_id = %(study_id)s::bigint)
    AND (%(subject_id)s::bigint IS NULL OR s.subject_id = %(subject_id)s::bigint)
    AND (%(collection_id)s::bigint IS NULL OR s.collection_id = %(collection_id)s::bigint)
    AND (%(collection_ids)s::bigint[] IS NULL OR s.collection_id = any(%(collection_ids)s::bigint[]))
    AND (%(species)s::text IS NULL OR s.species = %(species)s::text)
    AND (%(plane)s::text IS NULL OR s.plane = %(plane)s::text)
    AND CASE %(shown_plane)s::text
        WHEN 'axial' THEN s.slices_axial > 0
        WHEN 'coronal' THEN s.slices_coronal > 0
        WHEN 'sagittal' THEN s.slices_sagittal > 0
        ELSE true
    END
    AND (%(sequence)s::text IS NULL OR s.sequence = %(sequence)s::text)
    AND (%(manufacturer)s::text IS NULL OR s.manufacturer = %(manufacturer)s::text)
    AND (%(model)s::text IS NULL OR s.model = %(model)s::text)
    AND (%(sex)s::text IS NULL OR s.sex = %(sex)s::text)
    AND (%(license)s::text IS NULL OR s.license = %(license)s::text)
    AND (%(field_strength)s::text IS NULL OR s.field_strength = %(field_strength)s::text)
    -- A model is asked where no truth speaks; its verdict follows from the threshold that stands with it.
    AND (%(truth_source)s::text IS NULL OR s.label_source = %(truth_source)s::text)
    AND (%(truth_tumor)s::text IS NULL OR s.tumor = %(truth_tumor)s::text)
    AND CASE %(verdict)s::text
        WHEN 'true' THEN NOT p.declined AND p.tumor_probability >= %(series_threshold)s::float8
        WHEN 'false' THEN NOT p.declined AND p.tumor_probability < %(series_threshold)s::float8
        WHEN 'unknown' THEN p.declined IS NOT false
        WHEN 'any' THEN NOT p.declined
        ELSE true
    END
    AND (%(field_strength_min)s::real IS NULL OR s.field_strength_tesla >= %(field_strength_min)s::real)
    AND (%(field_strength_max)s::real IS NULL OR s.field_strength_tesla <= %(field_strength_max)s::real)
    AND (%(spacing_min)s::real IS NULL OR s.spacing_mm >= %(spacing_min)s::real)
    AND (%(spacing_max)s::real IS NULL OR s.spacing_mm <= %(spacing_max)s::real)
    AND (%(thickness_min)s::real IS NULL OR s.slice_thickness_mm >= %(thickness_min)s::real)
    AND (%(thickness_max)s::real IS NULL OR s.slice_thickness_mm <= %(thickness_max)s::real)
    AND (%(age_min)s::real IS NULL OR s.age_years >= %(age_min)s::real)
    AND (%(age_max)s::real IS NULL OR s.age_years <= %(age_max)s::real)
    AND (%(score_min)s::real IS NULL OR p.tumor_probability >= %(score_min)s::real)
    AND (%(score_max)s::real IS NULL OR p.tumor_probability <= %(score_max)s::real)
    AND (%(date_from)s::date IS NULL OR s.series_date >= %(date_from)s::date)
    AND (%(date_to)s::date IS NULL OR s.series_date <= %(date_to)s::date)
    AND (%(q0)s::text IS NULL OR s.words LIKE %(q0)s::text)
    AND (%(q1)s::text IS NULL OR s.words LIKE %(q1)s::text)
    AND (%(q2)s::text IS NULL OR s.words LIKE %(q2)s::text)
    AND (%(q3)s::text IS NULL OR s.words LIKE %(q3)s::text)
