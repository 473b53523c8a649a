"""BrainGranary: brain MRI from archives to a searchable, scored catalogue."""
