"""The demo's built-in sample: a real average head cut into DICOM series as scanners would send them.

Made from the MNI152 template in the nilearn wheel (a demo-only dependency), so `make demo` needs no scan and no
download. The tumours in it are synthetic and marked so in their headers. Use `build(folder)`.
"""

from braingranary.devstack.sample_head.build import SampleSeries, SampleSummary, build, expected_series

__all__ = ["SampleSeries", "SampleSummary", "build", "expected_series"]
