"""What a DICOM header tells, as far as it may leave: traits of volumes, and the de-identified facts of a series."""
