"""NIfTI on request: the volumes of one staged series as .nii.gz files beside its slice packs.

Most people take slices, so no voxels are written unless somebody asks. Goes in: the store, a raw key and the name of
the profile whose packs they belong to. Comes out: the keys that were written, one a volume; the same input gives the
same bytes, so a repetition changes nothing. Fails with RejectedInput where the series cannot be read, or its raw object
is not the one that was verified, before anything is written.
"""

from __future__ import annotations

from braingranary.nifti.writer import to_nifti
from braingranary.normalization.raw import parse_raw_key, raw_file, read_receipt
from braingranary.normalization.readers import read_staged
from braingranary.storage import keys
from braingranary.storage.store import ObjectStore


def write_volumes(store: ObjectStore, raw_key: str, profile: str) -> tuple[str, ...]:
    """Write every volume of the series at `raw_key`, axes nearest to RAS+, stored values as they are."""
    receipt = read_receipt(store, parse_raw_key(raw_key))
    with raw_file(store, receipt) as file:
        images = read_staged(file, receipt)
    written = []
    for number, read in enumerate(images.volumes):
        key = keys.nifti(profile, receipt.record.series_uid, number)
        store.put(key, to_nifti(read.volume))
        written.append(key)
    return tuple(written)
