"""The allow-list: what of a header may leave raw/, and in which form.

In: kept elements of one representative file. Out: a `SeriesHeader` of numbers, dates and words of controlled
vocabularies. A value that is not on a list stays behind, so a name typed into a protocol field cannot reach the
catalogue, a pack, a log line or an object key. Never fails: what is unusable is left out.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Final

from braingranary.dicom import tags
from braingranary.dicom.elements import Elements
from braingranary.dicom.header.vocabulary import (
    IMAGE_TYPE_WORDS,
    body_part_of,
    contrast_of,
    manufacturer_of,
    model_of,
    plane_of_text,
    sequence_of,
    software_of,
)
from braingranary.imaging.series import SeriesHeader
from braingranary.records import Json

AGE_YEARS_MAX: Final = 90.0
"""Ages above 89 identify people and are told as 90 (HIPAA safe harbour, 45 CFR 164.514(b)(2)(i)(C))."""

_AGE: Final = re.compile(r"(\d{3})([DWMY])\Z")
_YEARS: Final = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}
_INT32_MAX: Final = 2**31 - 1
_NUMBERS: Final = {
    "NumberOfAverages": tags.NUMBER_OF_AVERAGES,
    "ImagingFrequency": tags.IMAGING_FREQUENCY,
    "NumberOfPhaseEncodingSteps": tags.NUMBER_OF_PHASE_ENCODING_STEPS,
    "EchoTrainLength": tags.ECHO_TRAIN_LENGTH,
    "PercentSampling": tags.PERCENT_SAMPLING,
    "PercentPhaseFieldOfView": tags.PERCENT_PHASE_FIELD_OF_VIEW,
    "PixelBandwidth": tags.PIXEL_BANDWIDTH,
    "SpacingBetweenSlices": tags.SPACING_BETWEEN_SLICES,
}
_WORDS: Final = {
    "SequenceVariant": (tags.SEQUENCE_VARIANT, frozenset(("SK", "MTC", "SS", "TRSS", "SP", "MP", "OSP", "NONE"))),
    "ScanOptions": (
        tags.SCAN_OPTIONS,
        frozenset(("PER", "RG", "CG", "PPG", "FC", "PFF", "PFP", "SP", "FS", "WE", "SFS", "IR")),
    ),
    "InPlanePhaseEncodingDirection": (tags.IN_PLANE_PHASE_ENCODING, frozenset(("ROW", "COL", "COLUMN"))),
    "PatientPosition": (
        tags.PATIENT_POSITION,
        frozenset(("HFS", "HFP", "HFDR", "HFDL", "FFS", "FFP", "FFDR", "FFDL")),
    ),
}
_SCANNING_SEQUENCES: Final = frozenset(("SE", "IR", "GR", "EP", "RM"))


def deidentified_header(elements: Elements) -> SeriesHeader:
    """The header of the series that `elements` belong to, as far as it may be told."""
    # the description is the maker's or technician's summary; the protocol name says less, the sequence name least
    texts = [
        text
        for tag in (tags.SERIES_DESCRIPTION, tags.PROTOCOL_NAME, tags.SEQUENCE_NAME)
        if (text := elements.text(tag)) is not None
    ]
    contrast = _contrast(elements, texts)
    return SeriesHeader(
        modality="MR",
        sequence=sequence_of(texts, contrast=contrast),
        contrast=contrast,
        text_plane=plane_of_text(texts),
        body_part=body_part_of(elements.text(tags.BODY_PART_EXAMINED)),
        manufacturer=manufacturer_of(elements.text(tags.MANUFACTURER)),
        manufacturer_model=model_of(elements.text(tags.MANUFACTURER_MODEL_NAME)),
        software_versions=software_of(elements.texts(tags.SOFTWARE_VERSIONS)),
        field_strength_tesla=_field_strength(elements.number(tags.MAGNETIC_FIELD_STRENGTH)),
        echo_time_ms=_timing(elements, tags.ECHO_TIME, tags.MR_ECHO_SEQUENCE, tags.EFFECTIVE_ECHO_TIME),
        repetition_time_ms=_timing(elements, tags.REPETITION_TIME, tags.MR_TIMING_SEQUENCE, tags.REPETITION_TIME),
        inversion_time_ms=_timing(elements, tags.INVERSION_TIME, tags.MR_MODIFIER_SEQUENCE, tags.INVERSION_TIMES),
        flip_angle_deg=_timing(elements, tags.FLIP_ANGLE, tags.MR_TIMING_SEQUENCE, tags.FLIP_ANGLE),
        slice_thickness_mm=_timing(elements, tags.SLICE_THICKNESS, tags.PIXEL_MEASURES_SEQUENCE, tags.SLICE_THICKNESS),
        sex=_word(elements.text(tags.PATIENT_SEX), frozenset("MFO")),
        age_years=_age_years(elements.text(tags.PATIENT_AGE)),
        study_date=_date(elements.text(tags.STUDY_DATE)),
        series_date=_date(elements.text(tags.SERIES_DATE)) or _date(elements.text(tags.ACQUISITION_DATE_TIME)),
        series_number=_int32(elements.integer(tags.SERIES_NUMBER)),
        image_type=tuple(value for value in elements.texts(tags.IMAGE_TYPE) if value in IMAGE_TYPE_WORDS),
        scanning_sequence=tuple(v for v in elements.texts(tags.SCANNING_SEQUENCE) if v in _SCANNING_SEQUENCES),
        acquisition_type=_word(elements.text(tags.MR_ACQUISITION_TYPE), frozenset(("2D", "3D"))),
        extra=_extra(elements),
    )


def _contrast(elements: Elements, texts: list[str]) -> bool | None:
    told = contrast_of(texts)
    if told is not None:
        return told
    agent = elements.text(tags.CONTRAST_BOLUS_AGENT)
    if agent is not None:
        return agent.strip().lower() not in ("no", "none", "n", "without", "0")
    return True if elements.items(tags.CONTRAST_BOLUS_AGENT_SEQUENCE) else None


def _extra(elements: Elements) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for name, tag in _NUMBERS.items():
        number = elements.number(tag)
        if number is not None:
            found[name] = number
    for name, (tag, allowed) in _WORDS.items():
        words: list[Json] = [word for word in elements.texts(tag) if word in allowed]
        if words:
            found[name] = words
    matrix: list[Json] = [number for number in elements.numbers(tags.ACQUISITION_MATRIX)[:4] if 0 <= number < 65536]
    if len(matrix) == 4:
        found["AcquisitionMatrix"] = matrix
    return found


def _timing(elements: Elements, tag: int, group: int, nested: int) -> float | None:
    """A number of the data set itself, else of the functional group `group` (first frame, then shared)."""
    number = elements.number(tag)
    if number is None:
        for holder in (tags.PER_FRAME_FUNCTIONAL_GROUPS, tags.SHARED_FUNCTIONAL_GROUPS):
            number = elements.item(holder).item(group).number(nested)
            if number is not None:
                break
    return number if number is not None and 0 <= number < 1e6 else None


def _field_strength(value: float | None) -> float | None:
    """Tesla; some writers give gauss."""
    if value is None or value <= 0:
        return None
    tesla = value / 10_000 if value > 100 else value
    return tesla if tesla < 30 else None


def _age_years(text: str | None) -> float | None:
    found = _AGE.match(text or "")
    return None if found is None else min(float(found[1]) * _YEARS[found[2]], AGE_YEARS_MAX)


def _date(text: str | None) -> date | None:
    digits = (text or "")[:8]
    if len(digits) != 8 or not (digits.isascii() and digits.isdigit()):
        return None
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None


def _word(text: str | None, allowed: frozenset[str]) -> str | None:
    return text if text in allowed else None


def _int32(value: int | None) -> int | None:
    return value if value is not None and 0 <= value <= _INT32_MAX else None
