"""Segmentations: a staged SEG labels the slices of the images it was drawn on, and hostile ones are told."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, SegmentationStorage

from braingranary.dicom.reader import read_series
from braingranary.errors import Code, RejectedInput
from braingranary.normalization.batch import normalize_batch
from braingranary.normalization.labels.mask import mask_labels
from braingranary.normalization.labels.segmentation import read_segmentation
from braingranary.normalization.parts import PartResult
from braingranary.normalization.plan import pending
from braingranary.normalization.profile import DEFAULT_PROFILE
from braingranary.normalization.publish import publish
from braingranary.normalization.series import normalize_series
from braingranary.storage import keys
from braingranary.storage.store import ObjectStore
from tests.unit.normalization import phantom

IMAGE_UID, SEG_UID = f"{phantom.ROOT}.1", f"{phantom.ROOT}.2"
SHAPE, SPACING_MM = (20, 32, 40), (6.0, 5.0, 4.0)
FIRST, LAST = 7, 11  # slices that hold tumour
BOX = (slice(FIRST, LAST + 1), slice(10, 14), slice(25, 30))


def item(**values: Any) -> Dataset:
    dataset = Dataset()
    for name, value in values.items():
        setattr(dataset, name, value)
    return dataset


def segmentation(*, label: str = "Neoplasm", bits: int = 1, cosines: Any = phantom.AXIAL, **changes: Any) -> Dataset:
    """A SEG on the grid of the phantom's images: one frame a marked slice, as PS3.3 A.51 asks."""
    affine = phantom.grid_affine(cosines, SHAPE, SPACING_MM)
    mask = np.zeros(SHAPE, np.uint8)
    mask[BOX] = 1
    frames = range(FIRST, LAST + 1)
    positions = [affine @ np.array([number, 0.0, 0.0, 1.0]) for number in frames]
    pixels = np.packbits(mask[FIRST : LAST + 1].ravel(), bitorder="little") if bits == 1 else mask[FIRST : LAST + 1]
    dataset = item(
        SOPClassUID=SegmentationStorage,
        SOPInstanceUID=f"{SEG_UID}.1",
        SeriesInstanceUID=SEG_UID,
        StudyInstanceUID=f"{phantom.ROOT}.77",
        Modality="SEG",
        SegmentationType="BINARY",
        ReferencedSeriesSequence=Sequence([item(SeriesInstanceUID=IMAGE_UID)]),
        SegmentSequence=Sequence([item(SegmentNumber=1, SegmentLabel=label)]),
        NumberOfFrames=len(frames),
        Rows=SHAPE[1],
        Columns=SHAPE[2],
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        BitsAllocated=bits,
        BitsStored=bits,
        HighBit=bits - 1,
        PixelRepresentation=0,
        PixelData=pixels.tobytes(),
        SharedFunctionalGroupsSequence=Sequence(
            [
                item(
                    PixelMeasuresSequence=Sequence([item(PixelSpacing=list(SPACING_MM[1:]))]),
                    PlaneOrientationSequence=Sequence([item(ImageOrientationPatient=[*cosines[0], *cosines[1]])]),
                    SegmentIdentificationSequence=Sequence([item(ReferencedSegmentNumber=1)]),
                )
            ]
        ),
        PerFrameFunctionalGroupsSequence=Sequence(
            item(PlanePositionSequence=Sequence([item(ImagePositionPatient=[-p[0], -p[1], p[2]])])) for p in positions
        ),
    )
    dataset["PixelData"].VR = "OB"
    for name, value in changes.items():
        setattr(dataset, name, value)
    return dataset


def as_file(dataset: Dataset) -> bytes:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def images(cosines: Any = phantom.AXIAL) -> phantom.Files:
    return phantom.dicom_files(IMAGE_UID, cosines=cosines, shape=SHAPE, spacing_mm=SPACING_MM)


def marked(rows: Any, plane: str) -> list[int]:
    return [row["slice_index"] for row in rows if row["plane"] == plane and row["tumor"]]


@pytest.mark.parametrize("bits", [1, 8])
def test_read_segmentation_points_are_the_marked_voxels(bits: int) -> None:
    found = read_segmentation([("1.dcm", as_file(segmentation(bits=bits)))])
    assert found.series_uid == IMAGE_UID
    affine = phantom.grid_affine(phantom.AXIAL, SHAPE, SPACING_MM)
    index = np.argwhere(_box())
    assert np.allclose(np.sort(found.points_mm, axis=0), np.sort(index @ affine[:3, :3].T + affine[:3, 3], axis=0))


def _box() -> NDArray[np.bool_]:
    mask = np.zeros(SHAPE, dtype=np.bool_)
    mask[BOX] = True
    return mask


@pytest.mark.parametrize(
    ("cosines", "plane"),
    [(phantom.AXIAL, "axial"), (phantom.CORONAL, "coronal"), (phantom.SAGITTAL, "sagittal")],
)
def test_mask_labels_mark_the_slices_that_hold_tumour_in_every_plane(cosines: Any, plane: str) -> None:
    made = normalize_series(read_series(images(cosines)), phantom.receipt_of(IMAGE_UID, b"zip"), DEFAULT_PROFILE)
    points = read_segmentation([("1.dcm", as_file(segmentation(cosines=cosines)))]).points_mm
    rows = mask_labels(made.sidecar, points)
    assert {row["source"] for row in rows} == {"mask"}
    assert len(rows) == made.rows.counts()["slices"]
    depth = made.sidecar.volumes[0].packs[0].slices
    first_slice_first = marked(rows, plane) == list(range(FIRST, LAST + 1))
    last_slice_first = marked(rows, plane) == list(range(depth - 1 - LAST, depth - FIRST))
    # Slices follow R, A or S; the phantom's are stacked along L (sagittal), P (coronal) or S (axial).
    assert first_slice_first if plane == "axial" else last_slice_first
    for other in {"axial", "coronal", "sagittal"} - {plane}:
        assert len(marked(rows, other)) in (4, 5)


def test_mask_labels_of_points_outside_say_nothing() -> None:
    made = normalize_series(read_series(images()), phantom.receipt_of(IMAGE_UID, b"zip"), DEFAULT_PROFILE)
    assert mask_labels(made.sidecar, np.full((4, 3), 9000.0)) == ()


def test_read_segmentation_of_an_organ_marks_no_tumour() -> None:
    assert read_segmentation([("1.dcm", as_file(segmentation(label="Brain stem")))]).points_mm.shape == (0, 3)


with disable_value_validation():
    HOSTILE: dict[str, tuple[dict[str, Any], Code]] = {
        "frames claimed": ({"NumberOfFrames": 2_000_000_000}, Code.PIXEL_DATA_MISMATCH),
        "no frames": ({"NumberOfFrames": 0}, Code.PIXEL_DATA_MISMATCH),
        "short pixels": ({"PixelData": b"\1\0"}, Code.PIXEL_DATA_MISMATCH),
        "no reference": ({"ReferencedSeriesSequence": Sequence([])}, Code.GEOMETRY_MISSING),
        "reference is a path": (
            {"ReferencedSeriesSequence": Sequence([item(SeriesInstanceUID="1.2/../3")])},
            Code.UID_INVALID,
        ),
        "no geometry": ({"SharedFunctionalGroupsSequence": Sequence([Dataset()])}, Code.GEOMETRY_MISSING),
        "too few groups": ({"PerFrameFunctionalGroupsSequence": Sequence([Dataset()])}, Code.GEOMETRY_MISSING),
        "another object": ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.4"}, Code.MODALITY_UNSUPPORTED),
    }


@pytest.mark.parametrize("name", HOSTILE)
def test_read_segmentation_hostile_claims_are_rejected_with_a_code(name: str) -> None:
    changes, code = HOSTILE[name]
    with pytest.raises(RejectedInput) as caught:
        read_segmentation([("1.dcm", as_file(segmentation(**changes)))])
    assert caught.value.code is code


def test_read_segmentation_byte_flips_raise_only_our_errors() -> None:
    whole = as_file(segmentation())
    rng = np.random.default_rng(11)
    refused = 0
    for _ in range(300):
        broken = bytearray(whole)
        for place in rng.integers(0, len(whole), 4):
            broken[place] = rng.integers(0, 256)
        try:
            read_segmentation([("1.dcm", bytes(broken))])
        except RejectedInput:
            refused += 1
    assert refused > 0


@pytest.mark.stack
def test_normalize_batch_segmentation_labels_the_series_it_refers_to(object_store: ObjectStore) -> None:
    image = phantom.stage(object_store, IMAGE_UID, phantom.zipped(images()))
    mask = phantom.stage(object_store, SEG_UID, phantom.zipped([("1.dcm", as_file(segmentation()))]), modality="SEG")
    part = normalize_batch(object_store, [mask, image], DEFAULT_PROFILE, "run")
    assert part.rows["series"] == 1
    assert part.rows["rejects"] == 0
    labels = _labels(object_store, part)
    assert marked(labels, "axial") == list(range(FIRST, LAST + 1))
    object_store.delete(f"normalized/v1/{IMAGE_UID}/sidecar.json")
    alone = normalize_batch(object_store, [mask], DEFAULT_PROFILE, "before the images are normalized")
    assert _labels(object_store, alone) == labels


@pytest.mark.stack
def test_normalize_batch_segmentation_without_its_images_is_a_reject(object_store: ObjectStore) -> None:
    mask = phantom.stage(object_store, SEG_UID, phantom.zipped([("1.dcm", as_file(segmentation()))]), modality="SEG")
    part = normalize_batch(object_store, [mask], DEFAULT_PROFILE, "run")
    assert (part.rows["rejects"], part.rows["labels"]) == (1, 0)
    assert part.awaited == {mask: f"raw/tcia/Phantoms/{IMAGE_UID}/"}


@pytest.mark.stack
def test_pending_segmentation_before_its_images_is_taken_again_once_they_are_staged(object_store: ObjectStore) -> None:
    mask = phantom.stage(object_store, SEG_UID, phantom.zipped([("1.dcm", as_file(segmentation()))]), modality="SEG")
    ingested(object_store, "monday", [mask])
    early = normalize_batch(object_store, [mask], DEFAULT_PROFILE, "early")
    publish(object_store, "early", DEFAULT_PROFILE, [early])
    assert pending(object_store, DEFAULT_PROFILE) == ()  # nothing it waits for has come
    image = phantom.stage(object_store, IMAGE_UID, phantom.zipped(images()))
    ingested(object_store, "tuesday", [image])
    both = [series.raw_key for series in pending(object_store, DEFAULT_PROFILE)]
    assert both == sorted([image, mask])
    late = normalize_batch(object_store, both, DEFAULT_PROFILE, "late")
    assert (late.rows["rejects"], late.awaited) == (0, {})
    assert marked(_labels(object_store, late), "axial") == list(range(FIRST, LAST + 1))
    publish(object_store, "late", DEFAULT_PROFILE, [late])
    assert pending(object_store, DEFAULT_PROFILE) == ()


@pytest.mark.stack
def test_normalize_batch_segmentation_of_another_collection_labels_nothing(object_store: ObjectStore) -> None:
    image = phantom.stage(object_store, IMAGE_UID, phantom.zipped(images()))
    data = phantom.zipped([("1.dcm", as_file(segmentation()))])
    mask = phantom.stage(object_store, SEG_UID, data, collection="Elsewhere", modality="SEG")
    part = normalize_batch(object_store, [mask, image], DEFAULT_PROFILE, "run")
    assert (part.rows["series"], part.rows["rejects"], part.rows["labels"]) == (1, 1, 0)


def ingested(store: ObjectStore, run: str, raw_keys: list[str]) -> None:
    store.put(keys.run_object("ingest", run, "published.json"), json.dumps({"raw_keys": raw_keys}).encode())


def _labels(store: ObjectStore, part: PartResult) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = pq.read_table(io.BytesIO(store.get(part.tables["labels"]))).to_pylist()
    return rows
