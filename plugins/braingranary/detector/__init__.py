"""The tumour detector: trained, calibrated, audited and run here; the only room that imports torch."""
