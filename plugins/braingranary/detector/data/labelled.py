"""Labelled slices for training and judging: every reader under one folder, split by patient, never by slice.

The folder holds `slices/lgg` with its slices.csv, and `nifti/` with `brain_tumor_progression`, `ixi`, `ptbp_healthy`.
The MNI152 template comes from nilearn's wheel and is only ever used to test. What is absent is left out; nothing at all
is an error.

Splits: LGG as its slices.csv has them. Elsewhere they stand here, by patient, so that an evaluation can say who was
never seen. Healthy heads have no lesion; training implants some (`lesions`), so that the source cannot tell the label.

Out: `LabelledSlice`, pictures shown as people see them (axial: anterior up), one picture a contrast on one grid.
Fails with ConfigurationError where no data is found, with RejectedInput where a table or a picture is damaged.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from braingranary.errors import Code, ConfigurationError, RejectedInput
from braingranary.imaging.intensity import to_grey
from braingranary.imaging.planes import acquired_stack, reformatted_stacks
from braingranary.imaging.volume import Volume
from braingranary.records import Plane

LGG_CONTRASTS = ("t1", "flair", "t1c")
"""Order of the R, G and B channels of slices/lgg."""
SPLITS = {
    "brain_tumor_progression": {"01": "train", "02": "train", "03": "train", "04": "val", "05": "test", "06": "test"},
    "ixi": {"IXI012": "train", "IXI015": "test"},
    "ptbp_healthy": {f"ptbp_{n:02}": "train" if n <= 5 else "val" if n == 6 else "test" for n in range(1, 9)},
    "mni152": {"mni152": "test"},
}
SMALLEST_HEAD_FRACTION = 0.06
"""A slice of a healthy volume is used when at least this part of it is head: air around the head teaches nothing."""
HEAD_GREY = 25
"""Grey level of the 8-bit window above which a pixel counts as head here."""
MASK_LEVEL = 0.5
SMALLEST_LESION_PX = 10
"""A slice of a volume counts as tumour from this many mask pixels on; fewer, and not none, is left out as doubtful."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LabelledSlice:
    """One place in one head, in every contrast there is, with its truth."""

    source: str
    site: str
    patient: str
    split: str
    """train, val or test; the same for every slice of a patient."""
    series: str
    """Which volume of the patient."""
    index: int
    position: float
    """0 at the first slice (lowest, most posterior or leftmost of R, A, S) to 1 at the last."""
    plane: Plane
    contrasts: tuple[str, ...]
    pictures: NDArray[Any]
    """(contrasts, rows, columns), uint8 or float32."""
    mask: NDArray[np.bool_]
    """(rows, columns): where the tumour is; all False where there is none."""

    @property
    def tumor(self) -> bool:
        """Whether the published mask marks tumour here."""
        return bool(self.mask.any())


def read_all(folder: Path) -> Iterator[LabelledSlice]:
    """Every slice of every source present under `folder`, sources in a fixed order."""
    found = False
    for reader in (read_lgg, read_progression, read_healthy):
        for item in reader(folder):
            found = True
            yield item
    if not found:
        raise ConfigurationError(Code.TRAINING_DATA_INVALID, "the folder of training data holds no known source")


def read_lgg(folder: Path) -> Iterator[LabelledSlice]:
    """slices/lgg: three co-registered contrasts a slice, sites DU, HT, EZ..., splits as in slices.csv."""
    root = folder / "slices" / "lgg"
    table = root / "slices.csv"
    if not table.is_file():
        return
    with table.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    last = {row["patient"]: int(row["slice"]) for row in rows}
    for row in rows:
        path = root / row["image"]
        keep = [
            n for n, missing in enumerate((row["pre_missing"] == "1", False, row["post_missing"] == "1")) if not missing
        ]
        pictures = _picture(path).transpose(2, 0, 1)[keep]
        mask = np.zeros(pictures.shape[1:], dtype=np.bool_)
        if row["tumor"] == "1":
            mask = _lgg_mask(path, mask.shape)
        index = int(row["slice"])
        yield LabelledSlice(
            source="lgg",
            site=row["site"],
            patient=row["patient"],
            split=row["split"],
            series=row["patient"],
            index=index,
            position=(index - 1) / max(last[row["patient"]] - 1, 1),
            plane=Plane.AXIAL,
            contrasts=tuple(LGG_CONTRASTS[n] for n in keep),
            pictures=pictures,
            mask=mask,
        )


def read_progression(folder: Path) -> Iterator[LabelledSlice]:
    """nifti/brain_tumor_progression: post-contrast T1 and the enhancing tumour's mask, two visits a patient."""
    for patient, split in SPLITS["brain_tumor_progression"].items():
        for visit in ("Pre", "Post"):
            scan = folder / "nifti" / "brain_tumor_progression" / patient / f"{visit}_Scan_T1.nii.gz"
            if scan.is_file():
                yield from volume_slices(
                    read_nifti(scan),
                    read_nifti(scan.with_name(f"{visit}_Mask.nii.gz")),
                    Origin(
                        source="brain_tumor_progression", patient=patient, split=split, contrast="t1c", series=visit
                    ),
                    planes=(Plane.AXIAL,),
                )


def read_healthy(folder: Path) -> Iterator[LabelledSlice]:
    """Healthy T1 volumes of ixi, ptbp_healthy and the MNI152 template; those with isotropic voxels in all 3 planes."""
    ixi, ptbp = (sorted((folder / "nifti" / name).glob("*.nii.gz")) for name in ("ixi", "ptbp_healthy"))
    volumes = [("ixi", path.name.split("-")[0], path) for path in ixi]
    volumes += [("ptbp_healthy", path.name.removesuffix("_t1.nii.gz"), path) for path in ptbp]
    template = _mni152()
    if volumes and template is not None:
        volumes.append(("mni152", "mni152", template))
    for source, patient, path in volumes:
        origin = Origin(
            source=source, patient=patient, split=SPLITS[source].get(patient, "test"), contrast="t1", series="t1"
        )
        # The slabs of ptbp_healthy are a few thick slices: across them there is nothing to see.
        planes = (Plane.AXIAL,) if source == "ptbp_healthy" else tuple(Plane)
        yield from volume_slices(read_nifti(path), None, origin, planes=planes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a volume comes from."""

    source: str
    patient: str
    split: str
    contrast: str
    series: str


def volume_slices(
    volume: Volume, mask: Volume | None, origin: Origin, *, planes: tuple[Plane, ...]
) -> Iterator[LabelledSlice]:
    """The slices of a volume that hold enough head, windowed and turned for display as the catalogue does it."""
    if mask is not None and mask.voxels.shape != volume.voxels.shape:
        raise RejectedInput(Code.TRAINING_DATA_INVALID, f"a mask of {origin.source} has another shape than its scan")
    grey, _ = to_grey(volume)
    shown = _stacks(grey, volume)
    truths = {} if mask is None else _stacks(np.asarray(mask.voxels > MASK_LEVEL), volume)
    for plane in planes:
        stack = shown[plane]
        for index, picture in enumerate(stack):
            truth = truths[plane][index] if truths else np.zeros(picture.shape, dtype=np.bool_)
            if (picture > HEAD_GREY).mean() < SMALLEST_HEAD_FRACTION or 0 < truth.sum() < SMALLEST_LESION_PX:
                continue
            yield LabelledSlice(
                source=origin.source,
                site=origin.source,
                patient=origin.patient,
                split=origin.split,
                series=f"{origin.patient}/{origin.series}/{plane}",
                index=index,
                position=index / max(len(stack) - 1, 1),
                plane=plane,
                contrasts=(origin.contrast,),
                pictures=np.ascontiguousarray(picture)[None],
                mask=np.ascontiguousarray(truth),
            )


def read_nifti(path: Path) -> Volume:
    """A NIfTI file as a volume; its last axis counts slices, as the format has it."""
    try:
        image = nibabel.nifti1.Nifti1Image.from_filename(path)
        voxels = np.asarray(image.dataobj)
        affine = np.asarray(image.affine, dtype=np.float64)
    except (OSError, ValueError, nibabel.filebasedimages.ImageFileError) as error:
        raise RejectedInput(Code.TRAINING_DATA_INVALID, f"{path.name} is no readable NIfTI volume") from error
    if voxels.ndim != 3:
        raise RejectedInput(Code.TRAINING_DATA_INVALID, f"{path.name} is no 3-D volume")
    return Volume(voxels=voxels.transpose(2, 1, 0), affine=affine[:, [2, 1, 0, 3]])


def _stacks(voxels: NDArray[Any], volume: Volume) -> dict[Plane, NDArray[Any]]:
    """All slices of every plane, as shown."""
    acquired = acquired_stack(voxels, volume.affine)
    others = reformatted_stacks(voxels, volume.affine, slices=max(voxels.shape))
    return {stack.plane: stack.slices for stack in (acquired, *others)}


def _picture(path: Path) -> NDArray[np.uint8]:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except OSError as error:
        raise RejectedInput(Code.TRAINING_DATA_INVALID, f"{path.name} is no readable picture") from error


def _lgg_mask(path: Path, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The PNG beside the slice."""
    beside = list(path.parent.glob(f"{path.stem}_*.png"))
    if len(beside) != 1:
        raise RejectedInput(Code.TRAINING_DATA_INVALID, f"{path.name} is marked tumour and has no single mask")
    with Image.open(beside[0]) as image:
        mask = np.asarray(image.convert("L")) > 127
    if mask.shape != shape:
        raise RejectedInput(Code.TRAINING_DATA_INVALID, f"the mask of {path.name} has another shape")
    return mask


def _mni152() -> Path | None:
    """Nilearn's T1 template inside its installed wheel, found without importing nilearn."""
    spec = find_spec("nilearn")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "datasets" / "data" / "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"
    return path if path.is_file() else None
