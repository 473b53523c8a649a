"""A small archive that speaks NBIA v4 over a folder of DICOM, faults included: for demos and tests.

`SampleArchive(folder)` serves from threads of this process; `python -m braingranary.devstack.sample_archive --folder F`
serves until it is ended.
"""

from __future__ import annotations

from braingranary.devstack.sample_archive.faults import Fault, FaultRule
from braingranary.devstack.sample_archive.server import SampleArchive

__all__ = ["Fault", "FaultRule", "SampleArchive"]
