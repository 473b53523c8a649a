"""A head that no flip or turn leaves unchanged, as classic DICOM files and as a staged series."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage

from braingranary.records import Json, Receipt, SeriesRecord
from braingranary.storage import keys
from braingranary.storage.store import ObjectStore

Files = list[tuple[str, bytes]]
STAGED_AT = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
ROOT = "1.2.826.0.1.3680043.8.498"

# row and column cosines (LPS) of the plain planes, and the direction in which slices are stacked
AXIAL = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
CORONAL = ((1, 0, 0), (0, 0, -1), (0, 1, 0))
SAGITTAL = ((0, 1, 0), (0, 0, -1), (1, 0, 0))


def head_at(r: NDArray[np.float64], a: NDArray[np.float64], s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Signal 0 to 1000 at points in RAS+ millimetres: an egg with a bright nose, right eye and crown of their own."""
    brain = (r / 70) ** 2 + (a / 85) ** 2 + (s / 75) ** 2 < 1
    signal = np.where(brain, 500 + 150 * np.cos(r / 6) * np.cos(a / 7) * np.cos(s / 8), 0.0)
    for (x, y, z), radius, level in (((0, 80, -10), 14, 900), ((35, 60, 0), 9, 1000), ((10, 0, 70), 10, 800)):
        signal = np.where((r - x) ** 2 + (a - y) ** 2 + (s - z) ** 2 < radius**2, level, signal)
    return signal


def sampled(
    affine: NDArray[np.float64], shape: tuple[int, int, int], *, noise: float = 8.0, seed: int = 1
) -> NDArray[np.uint16]:
    """The head on a grid: `affine` maps (slice, row, column) to RAS+; Rician noise as of a magnitude image."""
    index = np.indices(shape, dtype=np.float64)
    r, a, s = np.einsum("ij,j...->i...", affine[:3, :3], index) + affine[:3, 3].reshape(3, 1, 1, 1)
    rng = np.random.default_rng(seed)
    real, imaginary = rng.normal(0, noise, (2, *shape))
    signal = np.hypot(head_at(r, a, s) + real, imaginary)
    return np.asarray(np.rint(signal), dtype=np.uint16)


def grid_affine(
    cosines: Sequence[Sequence[float]], shape: tuple[int, int, int], spacing_mm: tuple[float, float, float]
) -> NDArray[np.float64]:
    """RAS+ affine of a grid centred on the head: `cosines` are row, column and slice directions in LPS."""
    row, column, stack = (np.array(axis, dtype=np.float64) for axis in cosines)
    steps = np.stack([stack * spacing_mm[0], column * spacing_mm[1], row * spacing_mm[2]], axis=1)
    lps = np.eye(4)
    lps[:3, :3] = steps
    lps[:3, 3] = -steps @ ((np.array(shape) - 1) / 2)
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ lps


def dicom_files(
    uid: str,
    *,
    cosines: Sequence[Sequence[float]] = AXIAL,
    shape: tuple[int, int, int] = (24, 64, 64),
    spacing_mm: tuple[float, float, float] = (7.0, 3.0, 3.0),
    tags: Mapping[str, object] | None = None,
    seed: int = 1,
) -> Files:
    """One series of classic MR files named 00000001.dcm and up."""
    affine = grid_affine(cosines, shape, spacing_mm)
    voxels = sampled(affine, shape, seed=seed)
    row, column, _ = cosines
    files = []
    for number in range(shape[0]):
        position = affine @ np.array([number, 0.0, 0.0, 1.0])
        dataset = _header(uid, number, tags or {})
        dataset.ImageOrientationPatient = [float(value) for value in (*row, *column)]
        dataset.ImagePositionPatient = [f"{-position[0]:.6g}", f"{-position[1]:.6g}", f"{position[2]:.6g}"]
        dataset.PixelSpacing = [spacing_mm[1], spacing_mm[2]]
        dataset.SliceThickness = spacing_mm[0]
        dataset.Rows, dataset.Columns = shape[1:]
        dataset.PixelData = voxels[number].tobytes()
        buffer = io.BytesIO()
        dataset.save_as(buffer, enforce_file_format=True)
        files.append((f"{number + 1:08d}.dcm", buffer.getvalue()))
    return files


def _header(uid: str, number: int, tags: Mapping[str, object]) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = MRImageStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID(f"{uid}.{number + 1}")
    dataset.SeriesInstanceUID, dataset.StudyInstanceUID = uid, f"{ROOT}.77"
    dataset.FrameOfReferenceUID = f"{ROOT}.78"
    dataset.Modality, dataset.PatientID, dataset.PatientName = "MR", "secret^id", "Secret^Name"
    dataset.Manufacturer, dataset.ManufacturerModelName = "SIEMENS", "Avanto"
    dataset.SeriesNumber, dataset.InstanceNumber = 4, number + 1
    dataset.SeriesDescription = "t1 mprage"
    dataset.ScanningSequence, dataset.EchoTime, dataset.RepetitionTime = "GR", 3.0, 2000.0
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 0
    for name, value in tags.items():
        setattr(dataset, name, value)
    return dataset


def zipped(files: Files) -> bytes:
    """A zip as an archive sends it: a licence, the images, nothing else."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in [("LICENSE", b"CC BY 4.0"), *files]:
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def receipt_of(
    uid: str,
    data: bytes,
    *,
    collection: str = "Phantoms",
    modality: str = "MR",
    extra: Mapping[str, Json] | None = None,
    media_type: str = "application/zip",
) -> Receipt:
    """The receipt of one raw object."""
    sha256 = hashlib.sha256(data).hexdigest()
    record = SeriesRecord(
        archive="tcia",
        collection=collection,
        series_uid=uid,
        study_uid=f"{ROOT}.77",
        subject_id="P-001",
        modality=modality,
        series_description="phantom head",
        extra=extra or {},
    )
    return Receipt(
        record=record,
        raw_key=keys.raw_object("tcia", collection, uid, sha256, media_type),
        sha256=sha256,
        zip_bytes=len(data),
        image_count=1,
        image_bytes=len(data),
        md5_verified=0,
        staged_at=STAGED_AT,
        media_type=media_type,
    )


def stage(
    store: ObjectStore,
    uid: str,
    data: bytes,
    *,
    collection: str = "Phantoms",
    modality: str = "MR",
    media_type: str = "application/zip",
) -> str:
    """Put a raw object and its receipt where staging puts them; the raw key."""
    receipt = receipt_of(uid, data, collection=collection, modality=modality, media_type=media_type)
    store.put(receipt.raw_key, data)
    store.put(keys.receipt(receipt.raw_key), TypeAdapter(Receipt).dump_json(receipt))
    return receipt.raw_key


def listing(store: ObjectStore, prefix: str) -> dict[str, str]:
    """Every object under `prefix` with the hash of its bytes."""
    return {info.key: hashlib.sha256(store.get(info.key)).hexdigest() for info in store.list(prefix)}
