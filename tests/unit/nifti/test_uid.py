"""UIDs of files that have none."""

from __future__ import annotations

from braingranary.nifti.uid import derived_uid
from braingranary.storage.keys import checked_uid


def test_derived_uid_is_a_dicom_uid_that_never_changes() -> None:
    uid = derived_uid("hcp", "HCP_1200", "100307", "unprocessed/3T/T1w_MPR1/100307_3T_T1w_MPR1.nii.gz")
    assert checked_uid(uid) == "2.25.4382451310828961159634259967645750191"


def test_derived_uid_differs_with_every_part() -> None:
    parts = ("folder", "Heads", "S1", "a/b.nii.gz")
    others = {
        derived_uid(*(part + "x" if at == number else part for at, part in enumerate(parts))) for number in range(4)
    }
    assert len(others | {derived_uid(*parts), derived_uid("folder", "Heads", "S1a", "/b.nii.gz")}) == 6
