"""What can tell images at one place apart: what kind each is, and when it was taken.

`Traits` are properties of a whole volume (echo, diffusion weighting, time point); `Timing` orders images that have the
same traits. Read from classic headers here and from functional groups of enhanced files in `dicom.frames`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final, NamedTuple

from braingranary.dicom import private_elements as private
from braingranary.dicom import tags
from braingranary.dicom.elements import Elements
from braingranary.dicom.header.vocabulary import image_kind

_GE_IMAGE_KINDS: Final = ("magnitude", "phase", "real", "imaginary")
_GE_B_VALUE_CODING: Final = 100_000  # GE adds multiples of 1e9 to mark another coding of the value
_PRIVATE: Final = (
    private.SIEMENS_B_VALUE,
    private.SIEMENS_B_DIRECTION,
    private.PHILIPS_B_VALUE,
    *private.PHILIPS_B_DIRECTION,
    private.GE_B_VALUE,
    *private.GE_B_DIRECTION,
    private.GE_IMAGE_KIND,
    private.UIH_B_VALUE,
    private.UIH_B_DIRECTION,
    private.PHILIPS_PHASE_NUMBER,
    private.PHILIPS_LABEL_TYPE,
)


class Traits(NamedTuple):
    """What can tell two images at one place apart, in the order in which volumes are sorted."""

    image_kind: str | None = None
    echo_time_ms: float | None = None
    inversion_time_ms: float | None = None
    b_value: float | None = None
    b_direction: tuple[float, float, float] | None = None
    temporal_position: int | None = None
    scan_direction: tuple[float, ...] | None = None
    """Diffusion direction along the axes of the scan, not of the patient: good to tell volumes apart alone."""
    echo_number: int | None = None
    phase_number: int | None = None
    """Of a heart cycle or of a train of readouts."""
    label_type: str | None = None
    """Of arterial spin labelling: LABEL or CONTROL."""
    dimensions: tuple[int, ...] | None = None
    """What else the file itself counts: an enhanced file's dimension indices, those of space left out."""
    acquisition: int | None = None


class Timing(NamedTuple):
    """What orders images that have the same traits."""

    time_s: float | None = None
    """When it was acquired, in seconds: since year 1 where the file tells the date, otherwise since midnight."""
    trigger_time_ms: float | None = None
    instance_number: tuple[int, int] | None = None
    """Instance number of the file, and number of the frame in it."""
    content_time_s: float | None = None
    """When the file was made: scanners may write images in another order than they took them."""
    instance_uid: str = ""
    """SOP instance UID and number of the frame in it; empty where the file has none."""


def classic_traits(elements: Elements) -> Traits:
    """The traits of a classic single-frame image."""
    tag = dict(zip(_PRIVATE, elements.private(*_PRIVATE), strict=True))
    b_value = elements.number(tags.DIFFUSION_B_VALUE)
    direction = elements.numbers(tags.DIFFUSION_GRADIENT_ORIENTATION)
    if b_value is None:
        b_value = elements.number(tag[private.SIEMENS_B_VALUE])
        direction = direction or elements.numbers(tag[private.SIEMENS_B_DIRECTION])
    if b_value is None:
        b_value = elements.number(tag[private.PHILIPS_B_VALUE])
        direction = direction or _each(elements, [tag[each] for each in private.PHILIPS_B_DIRECTION])
    scan_direction: tuple[float, ...] = ()
    if b_value is None and (ge := elements.number(tag[private.GE_B_VALUE])) is not None:
        b_value = ge % _GE_B_VALUE_CODING
        scan_direction = _each(elements, [tag[each] for each in private.GE_B_DIRECTION])
    if b_value is None:
        b_value = elements.number(tag[private.UIH_B_VALUE])
        scan_direction = scan_direction or elements.numbers(tag[private.UIH_B_DIRECTION])[:3]
    kinds = (*elements.texts(tags.IMAGE_TYPE)[2:], *elements.texts(tags.COMPLEX_IMAGE_COMPONENT))
    return Traits(
        image_kind=image_kind(kinds) or _ge_image_kind(elements.integer(tag[private.GE_IMAGE_KIND])),
        echo_time_ms=rounded(elements.number(tags.ECHO_TIME)),
        inversion_time_ms=rounded(elements.number(tags.INVERSION_TIME)),
        b_value=rounded(b_value),
        b_direction=ras_direction(direction),
        temporal_position=elements.integer(tags.TEMPORAL_POSITION_IDENTIFIER),
        scan_direction=tuple(round(value, 4) for value in scan_direction) or None,
        echo_number=elements.integer(tags.ECHO_NUMBERS),
        phase_number=elements.integer(tag[private.PHILIPS_PHASE_NUMBER]),
        label_type=elements.text(tag[private.PHILIPS_LABEL_TYPE]),
        acquisition=elements.integer(tags.ACQUISITION_NUMBER),
    )


def classic_timing(elements: Elements) -> Timing:
    """When a classic single-frame image was taken."""
    acquired = elements.text(tags.ACQUISITION_DATE_TIME)
    instance = elements.integer(tags.INSTANCE_NUMBER)
    uid = elements.text(tags.SOP_INSTANCE_UID)
    return Timing(
        time_s=first_known(
            seconds_of(elements.text(tags.ACQUISITION_TIME), elements.text(tags.ACQUISITION_DATE)),
            seconds_of_date_time(acquired),
        ),
        trigger_time_ms=elements.number(tags.TRIGGER_TIME),
        instance_number=None if instance is None else (instance, 0),
        content_time_s=seconds_of(elements.text(tags.CONTENT_TIME), elements.text(tags.CONTENT_DATE)),
        instance_uid="" if uid is None else f"{uid}#0",
    )


def seconds_of(time: str | None, day: str | None) -> float | None:
    """Seconds of a DICOM time (HHMMSS.FFFFFF, also with colons) on a DICOM date; None where there is no time."""
    digits, _, fraction = (time or "").replace(":", "").partition(".")
    if not (digits.isascii() and digits.isdigit() and len(digits) in (2, 4, 6)):
        return None
    hours, minutes, seconds = (int(digits[at : at + 2] or "0") for at in (0, 2, 4))
    part = float(f"0.{fraction}") if fraction.isascii() and fraction.isdigit() else 0.0
    return _day_number(day) * 86_400.0 + hours * 3600 + minutes * 60 + seconds + part


def seconds_of_date_time(text: str | None) -> float | None:
    """Seconds of a DICOM date time (YYYYMMDDHHMMSS.FFFFFF with an offset that is not looked at)."""
    plain = (text or "").partition("+")[0].partition("-")[0]
    return seconds_of(plain[8:], plain[:8])


def first_known(*values: float | None) -> float | None:
    """The first value that is not None."""
    return next((value for value in values if value is not None), None)


def rounded(value: float | None) -> float | None:
    """`value` as it is told of a volume: to three decimals."""
    return None if value is None else round(value, 3)


def ras_direction(numbers: Sequence[float]) -> tuple[float, float, float] | None:
    """A gradient direction from LPS to RAS+; None where there is none (b = 0)."""
    if len(numbers) != 3 or not 0.5 < sum(value * value for value in numbers) < 2.0:
        return None
    x, y, z = (round(value, 4) + 0.0 for value in numbers)
    return -x + 0.0, -y + 0.0, z


def _each(elements: Elements, numbers: Sequence[int]) -> tuple[float, ...]:
    return tuple(value for number in numbers for value in elements.numbers(number)[:1])


def _ge_image_kind(told: int | None) -> str | None:
    return _GE_IMAGE_KINDS[told] if told is not None and 0 <= told < len(_GE_IMAGE_KINDS) else None


def _day_number(day: str | None) -> int:
    digits = (day or "").replace(".", "")[:8]
    if len(digits) != 8 or not (digits.isascii() and digits.isdigit()):
        return 0
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:])).toordinal()
    except ValueError:
        return 0
