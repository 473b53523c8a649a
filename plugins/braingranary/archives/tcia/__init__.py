"""The Cancer Imaging Archive, and every server that speaks its NBIA REST API."""
