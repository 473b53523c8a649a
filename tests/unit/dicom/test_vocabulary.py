"""Words that a series' own texts turn into, on descriptions as scanners and technicians write them."""

from __future__ import annotations

import pytest

from braingranary.dicom.header import vocabulary
from braingranary.records import Plane


@pytest.mark.parametrize(
    ("text", "sequence"),
    [
        ("t1_mpr_tra_gk_v4", "T1"),
        ("ADNI_Sag3D MPRAGE", "T1"),
        ("AX T1 SE", "T1"),
        ("SAG 3D BRAVO", "T1"),
        ("Ax T2 FLAIR", "FLAIR"),
        ("t2_tirm_tra_dark-fluid", "FLAIR"),
        ("T2 TSE COR", "T2"),
        ("ep2d_diff_3scan_trace", "DWI"),
        ("Apparent Diffusion Coefficient (mm?/s)", "ADC"),
        ("Ax DWI b1000", "DWI"),
        ("T2* GRE", "T2STAR"),
        ("AX T2 GRE", "T2STAR"),
        ("SWI_Images", "SWI"),
        ("PD AX", "PD"),
        ("STIR cor", "STIR"),
        ("3D TOF", "TOF"),
        ("pCASL perfusion", "PERFUSION"),
        ("rest bold", "BOLD"),
        ("3-plane loc", "LOCALIZER"),
        ("gre_field_mapping", "FIELDMAP"),
        ("Doe Jane", None),
        ("", None),
    ],
)
def test_sequence_of_usual_descriptions(text: str, sequence: str | None) -> None:
    assert vocabulary.sequence_of([text], contrast=None) == sequence


def test_sequence_of_t1_with_contrast_is_t1ce() -> None:
    assert vocabulary.sequence_of(["AX T1"], contrast=True) == "T1CE"
    assert vocabulary.sequence_of(["AX FLAIR"], contrast=True) == "FLAIR"


def test_sequence_of_first_text_that_names_one_decides() -> None:
    assert vocabulary.sequence_of(["head", "t2 ax", "t1"], contrast=None) == "T2"


@pytest.mark.parametrize(
    ("text", "contrast"),
    [
        ("AX T1 POST", True),
        ("T1 +C", True),
        ("t1_mpr_sag_KM", True),
        ("T1 Gd axial", True),
        ("AX T1 PRE", False),
        ("T1 pre contrast", False),
        ("T1 w/o contrast", False),
        ("t1 axial", None),
    ],
)
def test_contrast_of_usual_descriptions(text: str, contrast: bool | None) -> None:
    assert vocabulary.contrast_of([text]) is contrast


@pytest.mark.parametrize(
    ("text", "plane"),
    [
        ("Ax T1", Plane.AXIAL),
        ("t2_tse_tra", Plane.AXIAL),
        ("AXT2", Plane.AXIAL),
        ("T2 COR", Plane.CORONAL),
        ("ADNI_Sag3D MPRAGE", Plane.SAGITTAL),
        ("SAG T1", Plane.SAGITTAL),
        ("t1_mpr", None),
        ("sag cor tra", None),
        ("max intensity", None),
    ],
)
def test_plane_of_text_usual_descriptions(text: str, plane: Plane | None) -> None:
    assert vocabulary.plane_of_text([text]) is plane


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("SIEMENS", "Siemens"),
        ("Siemens Healthineers", "Siemens"),
        ("GE MEDICAL SYSTEMS", "GE"),
        ("Philips Medical Systems", "Philips"),
        ("TOSHIBA_MEC", "Canon"),
        ("Doe", None),
        (None, None),
    ],
)
def test_manufacturer_of_one_spelling(text: str | None, name: str | None) -> None:
    assert vocabulary.manufacturer_of(text) == name


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("MAGNETOM Prisma Fit", "Prisma"),
        ("Prisma_fit", "Prisma_fit"),
        ("TrioTim", "TrioTim"),
        ("SIGNA HDxt", "Signa HDxt"),
        ("DISCOVERY MR750w", "DISCOVERY MR750w"),
        ("Ingenia Elition X", "Ingenia Elition X"),
        ("Doe's scanner", None),
    ],
)
def test_model_of_known_models(text: str, model: str | None) -> None:
    assert vocabulary.model_of(text) == model


@pytest.mark.parametrize(
    ("text", "version"),
    [("syngo MR E11", "syngo MR E11"), ("5.7.1", "5.7.1"), ("syngo MR 2004A", "syngo MR 2004A"), ("Doe 5.7", None)],
)
def test_software_of_known_forms(text: str, version: str | None) -> None:
    assert vocabulary.software_of([text]) == version
