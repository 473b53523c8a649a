"""Reading hostile DICOM: budgets first, then elements, pixels, geometry and the de-identified header of a series."""
