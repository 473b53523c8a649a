-- migrate:up

COMMENT ON TABLE collection IS 'A named set of studies of one archive.';
COMMENT ON COLUMN collection.collection_id IS 'Stable hash of archive and name.';
COMMENT ON COLUMN collection.archive IS 'Where it came from: tcia, idc, hcp, folder.';
COMMENT ON COLUMN collection.name IS 'The archive''s own name of the collection.';

COMMENT ON TABLE subject IS
'One head. The identity is the public PatientID across collections, because the same person may stand in two of them: '
'splits for training group by subject.';
COMMENT ON COLUMN subject.subject_id IS 'Stable hash of patient_id.';
COMMENT ON COLUMN subject.patient_id IS 'Public pseudonym of the archive, never a clinical identifier.';
COMMENT ON COLUMN subject.species IS
'human, dog, mouse, rat, phantom or other: the smallest in the alphabet of what its series say, so that it does not '
'depend on the order of loads.';
COMMENT ON COLUMN subject.sex IS 'As its series tell it, the smallest in the alphabet; null where none does.';

COMMENT ON TABLE study IS 'One examination.';
COMMENT ON COLUMN study.study_id IS 'Stable hash of study_uid.';
COMMENT ON COLUMN study.study_uid IS 'StudyInstanceUID.';
COMMENT ON COLUMN study.subject_id IS 'Whose study it is.';
COMMENT ON COLUMN study.study_date IS 'Earliest date its series give; often shifted by the archive.';
COMMENT ON COLUMN study.study_description IS 'From the public record; the smallest in the alphabet of its series.';

COMMENT ON TABLE series IS 'One acquisition as normalized under one profile, with what is known of it.';
COMMENT ON COLUMN series.series_id IS 'Stable hash of series_uid; also the order of pages.';
COMMENT ON COLUMN series.series_uid IS 'SeriesInstanceUID.';
COMMENT ON COLUMN series.study_id IS 'The study it belongs to.';
COMMENT ON COLUMN series.subject_id IS 'The subject it shows.';
COMMENT ON COLUMN series.collection_id IS 'The collection it came with.';
COMMENT ON COLUMN series.species IS 'As this series tells it.';
COMMENT ON COLUMN series.sex IS 'As this series tells it.';
COMMENT ON COLUMN series.age_years IS 'Age at the study, years.';
COMMENT ON COLUMN series.study_date IS 'As this series tells it.';
COMMENT ON COLUMN series.study_description IS 'From the archive''s public record, never from a header.';
COMMENT ON COLUMN series.series_date IS 'Often shifted by the archive.';
COMMENT ON COLUMN series.series_description IS 'From the archive''s public record, never from a header.';
COMMENT ON COLUMN series.series_number IS 'Number of the series within its study.';
COMMENT ON COLUMN series.protocol_name IS 'From the archive''s public record, never from a header.';
COMMENT ON COLUMN series.modality IS 'MR, as a rule.';
COMMENT ON COLUMN series.body_part IS 'As the archive tells it: most brain series do not say BRAIN.';
COMMENT ON COLUMN series.sequence IS 'T1, T1CE, T2, FLAIR, DWI ...; null where it cannot be told.';
COMMENT ON COLUMN series.manufacturer IS 'Of the scanner.';
COMMENT ON COLUMN series.manufacturer_model IS 'Of the scanner.';
COMMENT ON COLUMN series.software_versions IS 'Of the scanner.';
COMMENT ON COLUMN series.field_strength_tesla IS 'Tesla.';
COMMENT ON COLUMN series.echo_time_ms IS 'Milliseconds.';
COMMENT ON COLUMN series.repetition_time_ms IS 'Milliseconds.';
COMMENT ON COLUMN series.inversion_time_ms IS 'Milliseconds.';
COMMENT ON COLUMN series.flip_angle_deg IS 'Degrees.';
COMMENT ON COLUMN series.plane IS 'Acquired plane, from geometry alone.';
COMMENT ON COLUMN series.text_plane IS 'Plane that the description claims, where it claims one.';
COMMENT ON COLUMN series.obliquity_deg IS 'Angle between the slice normal and its main axis, degrees.';
COMMENT ON COLUMN series.rows IS 'Acquired matrix.';
COMMENT ON COLUMN series.columns IS 'Acquired matrix.';
COMMENT ON COLUMN series.slice_count IS 'Acquired slices of one volume.';
COMMENT ON COLUMN series.volume_count IS 'Volumes in the series: echoes, directions, times.';
COMMENT ON COLUMN series.row_spacing_mm IS 'Distance between rows, millimetres.';
COMMENT ON COLUMN series.column_spacing_mm IS 'Distance between columns, millimetres.';
COMMENT ON COLUMN series.slice_spacing_mm IS 'Distance between slice centres, millimetres.';
COMMENT ON COLUMN series.slice_thickness_mm IS 'Nominal, millimetres.';
COMMENT ON COLUMN series.slice_gaps IS 'Places where a slice is missing.';
COMMENT ON COLUMN series.slice_duplicates IS 'Identical slices that were dropped.';
COMMENT ON COLUMN series.window_low IS 'Modality value shown as 0, of volume 0.';
COMMENT ON COLUMN series.window_high IS 'Modality value shown as 255, of volume 0.';
COMMENT ON COLUMN series.transfer_syntax IS 'UID of the encoding it arrived in.';
COMMENT ON COLUMN series.license_name IS 'Licence it may be passed on under.';
COMMENT ON COLUMN series.license_url IS 'Text of the licence.';
COMMENT ON COLUMN series.citation_url IS 'What to cite.';
COMMENT ON COLUMN series.source_url IS 'Where the archive shows it.';
COMMENT ON COLUMN series.raw_key IS 'Object with the bytes as received.';
COMMENT ON COLUMN series.raw_sha256 IS 'Of the bytes as received.';
COMMENT ON COLUMN series.sidecar_key IS 'Object that tells how the packs were made.';
COMMENT ON COLUMN series.profile IS 'Normalization profile.';
COMMENT ON COLUMN series.extra IS 'Allow-listed tags and archive fields that have no column yet.';
COMMENT ON COLUMN series.published_at IS
'When the newest run that carried this series was published; a run published earlier never replaces it.';

COMMENT ON TABLE pack IS 'One slice pack: a zip of stored JPEGs of one volume in one plane.';
COMMENT ON COLUMN pack.pack_id IS 'Stable hash of series UID, volume and plane.';
COMMENT ON COLUMN pack.series_id IS 'The series it was made of.';
COMMENT ON COLUMN pack.volume IS '0-based volume within the series.';
COMMENT ON COLUMN pack.plane IS 'Plane its slices show.';
COMMENT ON COLUMN pack.acquired IS 'False: a reformat of the acquired plane.';
COMMENT ON COLUMN pack.object_key IS 'Where the pack is.';
COMMENT ON COLUMN pack.pack_bytes IS 'Size of the pack, bytes.';
COMMENT ON COLUMN pack.sha256 IS 'Of the pack: equal packs have equal slices, so a replay skips them.';
COMMENT ON COLUMN pack.slice_count IS 'Slices in the pack.';
COMMENT ON COLUMN pack.width IS 'Pixels.';
COMMENT ON COLUMN pack.height IS 'Pixels.';
COMMENT ON COLUMN pack.pixel_width_mm IS 'Millimetres.';
COMMENT ON COLUMN pack.pixel_height_mm IS 'Millimetres.';
COMMENT ON COLUMN pack.slice_spacing_mm IS 'Distance between slice centres, millimetres.';

COMMENT ON TABLE slice IS 'Where each JPEG lies inside its pack: one slice is one range GET.';
COMMENT ON COLUMN slice.pack_id IS 'The pack it lies in.';
COMMENT ON COLUMN slice.byte_offset IS 'Of the first byte of the JPEG in the pack.';
COMMENT ON COLUMN slice.crc32 IS 'CRC-32 of the JPEG, as in a zip directory.';
COMMENT ON COLUMN slice.slice_index IS '0-based, by increasing R, A or S.';
COMMENT ON COLUMN slice.byte_length IS 'Of the JPEG.';
COMMENT ON COLUMN slice.position_mm IS 'Centre of the slice along R, A or S, millimetres.';

COMMENT ON TABLE label IS
'What somebody says about a slice or a whole series. No foreign keys: a label may arrive before the series it is of.';
COMMENT ON COLUMN label.series_id IS 'Stable hash of the series UID.';
COMMENT ON COLUMN label.pack_id IS 'Pack of the labelled slice; null: the label is of the whole series.';
COMMENT ON COLUMN label.slice_index IS 'Slice within the pack; null: the label is of the whole series.';
COMMENT ON COLUMN label.tumor IS 'True: tumour. False: explicitly none.';
COMMENT ON COLUMN label.source IS 'collection, mask, reader or model:<version>.';
COMMENT ON COLUMN label.published_at IS 'When the newest run that carried this label was published.';

COMMENT ON TABLE reject IS 'What could not be used, and why. Nothing is dropped without a row here.';
COMMENT ON COLUMN reject.reject_id IS 'Stable hash of archive, collection, series UID, code, step and object key.';
COMMENT ON COLUMN reject.archive IS 'Where it came from.';
COMMENT ON COLUMN reject.collection IS 'The collection it came with.';
COMMENT ON COLUMN reject.series_uid IS 'As claimed: not always a valid UID.';
COMMENT ON COLUMN reject.code IS 'Stable code of the reason.';
COMMENT ON COLUMN reject.step IS 'manifest, stage or normalize.';
COMMENT ON COLUMN reject.detail IS 'For people; free of header values.';
COMMENT ON COLUMN reject.object_key IS 'Where the bytes are kept, if there are any.';
COMMENT ON COLUMN reject.fatal IS 'False: single files were left out and the series is catalogued all the same.';
COMMENT ON COLUMN reject.published_at IS 'When the newest run that carried this reject was published.';

COMMENT ON TABLE ingest_run IS 'Every published run that was loaded, with its own counts.';
COMMENT ON COLUMN ingest_run.run_id IS 'Stable hash of step and run.';
COMMENT ON COLUMN ingest_run.step IS 'ingest or normalize.';
COMMENT ON COLUMN ingest_run.run IS 'Name of the run, unique within its step.';
COMMENT ON COLUMN ingest_run.published_key IS 'Object that lists what the run made.';
COMMENT ON COLUMN ingest_run.published_sha256 IS 'Of that object: the same bytes are not loaded again.';
COMMENT ON COLUMN ingest_run.published_at IS 'When the run was published, by the object store''s clock.';
COMMENT ON COLUMN ingest_run.series_count IS 'Series the run carried.';
COMMENT ON COLUMN ingest_run.pack_count IS 'Packs the run carried.';
COMMENT ON COLUMN ingest_run.slice_count IS 'Slices the run carried.';
COMMENT ON COLUMN ingest_run.label_count IS 'Labels the run carried.';
COMMENT ON COLUMN ingest_run.reject_count IS 'Rejects the run carried.';

COMMENT ON TABLE facet IS 'Counts a filter value, refreshed by every load: a front page never counts.';
COMMENT ON COLUMN facet.facet IS 'Name of the filter, or total.';
COMMENT ON COLUMN facet.value IS 'Value of the filter; empty for the total and for unknown.';
COMMENT ON COLUMN facet.series_count IS 'Series with that value.';
COMMENT ON COLUMN facet.subject_count IS 'Subjects with that value.';
COMMENT ON COLUMN facet.slice_count IS 'Slices with that value.';

COMMENT ON TABLE named_query IS 'The six predefined queries and their counts, refreshed by every load.';
COMMENT ON COLUMN named_query.name IS 'As it stands in the address /Images/<name>.';
COMMENT ON COLUMN named_query.plane IS 'Plane its slices show.';
COMMENT ON COLUMN named_query.tumor IS 'True: slices with a tumour. False: slices explicitly without one.';
COMMENT ON COLUMN named_query.position IS 'Place in the list.';
COMMENT ON COLUMN named_query.slice_count IS 'Slices it answers.';
COMMENT ON COLUMN named_query.series_count IS 'Series with at least one such slice.';
COMMENT ON COLUMN named_query.subject_count IS 'Subjects with at least one such slice.';

-- migrate:down

SELECT 1;
