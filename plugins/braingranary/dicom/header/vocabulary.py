"""Controlled vocabularies: the only words that a header's text is allowed to turn into.

Free text (descriptions, protocol names) may name a patient, so it is read here and nothing but a word of these lists
ever comes out: the sequence (T1, FLAIR ...), the plane that the text claims, contrast, the maker, the model. Pure
functions over text; nothing here fails, None means that nothing was recognised.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from braingranary.records import Plane


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_IMAGE_KINDS: Final = {
    "M": "magnitude",
    "MAGNITUDE": "magnitude",
    "P": "phase",
    "PHASE": "phase",
    "PHASE MAP": "phase",
    "R": "real",
    "REAL": "real",
    "I": "imaginary",
    "IMAGINARY": "imaginary",
    "ADC": "adc",
    "FA": "fa",
    "TRACE": "trace",
    "TRACEW": "trace",
    "EXP": "exponential",
    "EADC": "exponential",
    "MPR": "reformat",
    "MNIP": "minimum_projection",
    "MIN IP": "minimum_projection",
    "PROJECTION IMAGE": "projection",
    "SUBTRACTION": "subtraction",
    "SUB": "subtraction",
    "T1 MAP": "t1_map",
    "T2 MAP": "t2_map",
    "T2_STAR MAP": "t2star_map",
    "W": "water",
    "WATER": "water",
    "F": "fat",
    "FAT": "fat",
    "IP": "in_phase",
    "IN_PHASE": "in_phase",
    "OP": "out_phase",
    "OUT_PHASE": "out_phase",
}
_IMAGE_KIND_STEM: Final = re.compile(r"(M|P|R|I)_(FFE|SE|IR|B0|B1|PCA|TSE)\Z")

# order matters: the first pattern that is found decides
_SEQUENCES: Final = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("LOCALIZER", r"\b(localizer|localiser|scout|survey|loc)\b|3.?plane"),
        ("ADC", r"\b(adc|apparent diffusion)"),
        ("FA", r"\b(fa|fractional aniso\w*)\b"),
        ("DWI", r"\b(dwi|dti|diff(usion)?|ep2d diff|trace|tracew|hardi|noddi)\b|diffusion"),
        ("PERFUSION", r"\b(perf(usion)?|dsc|dce|asl|pasl|pcasl|cbf|cbv|mtt|ttp)\b"),
        ("BOLD", r"\b(bold|fmri|rest(ing)?|rsfmri)\b"),
        ("TOF", r"\b(tof|mra|angio\w*|venogram|mrv)\b"),
        ("SWI", r"\b(swi|swan|susc\w*|venbold)\b"),
        ("FIELDMAP", r"\b(field ?map|fieldmapping|b0 ?map|gre field)\b"),
        ("FLAIR", r"flair|dark.?fluid|\btirm\b"),
        ("T2STAR", r"t2 ?(\*|star|st\b)|\b(t2w? ?(gre|ffe)|hemo|flash 2d t2|medic|t2fl2d)\b"),
        ("STIR", r"\bstir\b"),
        ("T1", r"t1|mp ?rage|mp2rage|\b(spgr|bravo|fspgr|tfl|tfe|flash|vibe|flash3d|mpr|sag 3d ir)\b"),
        ("PD", r"\b(pd|proton ?dens\w*|pdw)\b"),
        ("T2", r"t2|\b(haste|ciss|fiesta|space|blade|propeller|frfse)\b"),
    )
)
_CONTRAST: Final = re.compile(
    r"\b(post|ce|gd|gad|gado\w*|contrast|km|c\+|mdc|dotarem|magnevist|multihance|gadavist|gk)\b"
    r"|\+ ?(c|gd|gad|k)\b|t1ce|t1c\b|t1gd|\bwith ?contrast|w ?/ ?(c|gd)\b"
)
_NO_CONTRAST: Final = re.compile(
    r"\b(pre|non|no|without|w ?/ ?o|ohne|native|nativ)\b|precontrast|noncontrast|\bpre ?gd\b"
)
_PLANES: Final = (
    (Plane.AXIAL, re.compile(r"\b(ax|axial|axi|axe|tra|trans|transv\w*|tr)\b|\bax(?=t[12])|(?<=[^a-z])axial")),
    (Plane.CORONAL, re.compile(r"\b(cor|coronal|corr|coro)\b")),
    (Plane.SAGITTAL, re.compile(r"\b(sag|sagittal|sagital|sg)\b|\bsag(?=3d|t[12])")),
)
_MANUFACTURERS: Final = (
    ("Siemens", ("siemens",)),
    ("GE", ("ge medical", "ge healthcare", "general electric")),
    ("Philips", ("philips",)),
    ("Canon", ("canon", "toshiba")),
    ("Hitachi", ("hitachi",)),
    ("Fujifilm", ("fujifilm",)),
    ("Hologic", ("hologic",)),
    ("Bruker", ("bruker",)),
    ("Agilent", ("agilent", "varian")),
    ("United Imaging", ("uih", "united imaging")),
    ("Esaote", ("esaote",)),
    ("Marconi", ("marconi", "picker")),
    ("Elscint", ("elscint",)),
    ("Hyperfine", ("hyperfine",)),
)
_MODELS: Final = (
    "Prisma_fit",
    "Skyra_fit",
    "Avanto_fit",
    "Prisma",
    "Skyra",
    "Verio",
    "Aera",
    "Avanto",
    "TrioTim",
    "Trio",
    "Espree",
    "Symphony",
    "SymphonyTim",
    "Sonata",
    "Allegra",
    "Harmony",
    "Vision",
    "Biograph_mMR",
    "Vida",
    "Lumina",
    "Sola",
    "Altea",
    "Amira",
    "Essenza",
    "Spectra",
    "Terra",
    "Cima.X",
    "Connectom",
    "MAGNETOM",
    "Ingenia Elition X",
    "Ingenia Ambition X",
    "Ingenia CX",
    "Ingenia",
    "Achieva dStream",
    "Achieva",
    "Intera",
    "Gyroscan",
    "Panorama",
    "Ingenuity",
    "Signa HDxt",
    "Signa HDx",
    "Signa Excite",
    "SIGNA Premier",
    "SIGNA Architect",
    "SIGNA Artist",
    "SIGNA Pioneer",
    "SIGNA Voyager",
    "SIGNA PET/MR",
    "GENESIS_SIGNA",
    "SIGNA",
    "DISCOVERY MR750w",
    "DISCOVERY MR750",
    "DISCOVERY MR450",
    "Optima MR450w",
    "Optima MR360",
    "Brivo",
    "Titan",
    "Vantage",
    "Galan",
    "Orian",
    "Oasis",
    "Echelon",
    "Airis",
    "BioSpec",
    "PharmaScan",
    "uMR",
)
_MODEL_QUALIFIERS: Final = re.compile(r"\b(MAGNETOM|Fit)\b", re.IGNORECASE)
_SOFTWARE: Final = (
    re.compile(r"(syngo MR (?:[A-Z]{1,2}\d{1,3}[A-Z]?|\d{4}[A-Z]|XA\d{2}[A-Z]?))(?!\w)"),
    re.compile(r"(\d{1,2}(?:\.\d{1,3}){1,3})\Z"),
    re.compile(r"(\d{2}\\LX\\MR Software release:[A-Z]{2}\d{2}\.\d)"),
    re.compile(r"(ParaVision \d{1,3}(?:\.\d{1,2}){0,2})\Z"),
)
_BODY_PARTS: Final = _words(
    "BRAIN HEAD SKULL NECK HEADNECK SPINE CSPINE TSPINE LSPINE ORBIT ORBITS IAC FACE PITUITARY SELLA WHOLEBODY CHEST"
    " ABDOMEN PELVIS BREAST PROSTATE KNEE SHOULDER HIP HEART LIVER EXTREMITY PHANTOM"
)
_BODY_PART_ALIASES: Final = {
    "HEAD_NECK": "HEADNECK",
    "HEAD & NECK": "HEADNECK",
    "HEADANDNECK": "HEADNECK",
    "HEAD NECK": "HEADNECK",
    "CEREBRAL": "BRAIN",
    "HEADBRAIN": "BRAIN",
    "HEAD BRAIN": "BRAIN",
}
IMAGE_TYPE_WORDS: Final = _words(
    "ORIGINAL DERIVED PRIMARY SECONDARY MIXED NONE M P R I ND NORM DIS2D DIS3D MOSAIC FM FIL MFSPLIT FFE SE IR M_FFE"
    " M_SE M_IR P_FFE P_SE R_FFE I_FFE R_IR PHASE MAGNITUDE REAL IMAGINARY MIP MPR CSA LOCALIZER OTHER ADC FA TRACEW"
    " AVERAGE DIFFUSION T1 T2 T2_STAR PROTON_DENSITY VOLUME AXIAL REFORMATTED PERFUSION SUB RESAMPLED MEAN TTEST"
    " DERIVED_MAP PROPELLER ADDITION SUBTRACTION MULTI_ECHO_SUM W F IP OP NORMALIZED"
)


def image_kind(values: Iterable[str]) -> str | None:
    """Kind of image by values 3 and on of Image Type or Frame Type: magnitude, phase, adc, ..."""
    for value in values:
        word = value.strip().upper()
        found = _IMAGE_KINDS.get(word)
        if found is None and (stem := _IMAGE_KIND_STEM.match(word)):
            found = _IMAGE_KINDS[stem[1]]
        if found is not None:
            return found
    return None


def sequence_of(texts: Iterable[str], *, contrast: bool | None) -> str | None:
    """Sequence that the texts name, the first text that names one deciding; T1 with contrast is T1CE."""
    for text in texts:
        flat = flattened(text)
        for name, pattern in _SEQUENCES:
            if pattern.search(flat):
                return "T1CE" if name == "T1" and contrast else name
    return None


def contrast_of(texts: Iterable[str]) -> bool | None:
    """Whether the texts say that contrast agent was given; None where they say nothing."""
    for text in texts:
        flat = flattened(text)
        if _NO_CONTRAST.search(flat):
            return False
        if _CONTRAST.search(flat):
            return True
    return None


def plane_of_text(texts: Iterable[str]) -> Plane | None:
    """Plane that the texts claim; None where they claim none or several."""
    for text in texts:
        flat = flattened(text)
        found = [plane for plane, pattern in _PLANES if pattern.search(flat)]
        if len(found) == 1:
            return found[0]
        if found:
            return None
    return None


def manufacturer_of(text: str | None) -> str | None:
    """The maker under one spelling."""
    lowered = (text or "").lower()
    for name, stems in _MANUFACTURERS:
        if any(lowered.startswith(stem) for stem in stems):
            return name
    return None


def model_of(text: str | None) -> str | None:
    """The scanner model as the list above spells it, the longest that the text starts with."""
    bare = _MODEL_QUALIFIERS.sub("", text or "").strip().lower()
    known = sorted(_MODELS, key=len, reverse=True)
    return next((model for model in known if bare.startswith(model.lower())), None)


def software_of(texts: Iterable[str]) -> str | None:
    """The software version, where a value has the form that a maker gives it."""
    for text in texts:
        for pattern in _SOFTWARE:
            if found := pattern.match(text):
                return found[1]
    return None


def body_part_of(text: str | None) -> str | None:
    """The body part as one of the defined terms."""
    word = (text or "").upper()
    word = _BODY_PART_ALIASES.get(word, word)
    return word if word in _BODY_PARTS else None


def flattened(text: str) -> str:
    """Lower case with separators as spaces, so that word boundaries work."""
    return re.sub(r"[^a-z0-9*+/]+", " ", text[:256].lower()).strip()
