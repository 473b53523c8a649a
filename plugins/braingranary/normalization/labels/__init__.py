"""Tumour labels of series and slices: by collection, and by the masks that archives publish as DICOM segmentations."""
