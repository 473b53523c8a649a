"""Private elements of the makers: looked up by their private creator, wherever it put its block (PS3.5 section 7.8.1).

A private element has no fixed number: its creator reserves a block of a group, (gggg,0010-00FF), and the element lies
in that block. So an element is named here by group, creator and low byte, and `Elements.private` finds it through the
creators of its data set.
"""

from __future__ import annotations

from typing import Final, NamedTuple

_BLOCKS: Final = range(0x10, 0x100)


class PrivateElement(NamedTuple):
    """One private element by the names of its maker."""

    group: int
    creator: str
    element: int
    """Low byte of the element number, within the creator's block."""
    vr: str
    """Value representation, for implicit VR and for UN."""


SIEMENS_MOSAIC_COUNT: Final = PrivateElement(0x0019, "SIEMENS MR HEADER", 0x0A, "US")
SIEMENS_B_VALUE: Final = PrivateElement(0x0019, "SIEMENS MR HEADER", 0x0C, "IS")
SIEMENS_B_DIRECTION: Final = PrivateElement(0x0019, "SIEMENS MR HEADER", 0x0E, "FD")
SIEMENS_CSA_IMAGE: Final = PrivateElement(0x0029, "SIEMENS CSA HEADER", 0x10, "OB")
GE_B_VALUE: Final = PrivateElement(0x0043, "GEMS_PARM_01", 0x39, "IS")
GE_IMAGE_KIND: Final = PrivateElement(0x0043, "GEMS_PARM_01", 0x2F, "SS")
"""0 magnitude, 1 phase, 2 real, 3 imaginary."""
GE_B_DIRECTION: Final = tuple(PrivateElement(0x0019, "GEMS_ACQU_01", low, "DS") for low in (0xBB, 0xBC, 0xBD))
PHILIPS_B_VALUE: Final = PrivateElement(0x2001, "Philips Imaging DD 001", 0x03, "FL")
PHILIPS_PHASE_NUMBER: Final = PrivateElement(0x2001, "Philips Imaging DD 001", 0x08, "IS")
PHILIPS_B_DIRECTION: Final = tuple(
    PrivateElement(0x2005, "Philips MR Imaging DD 001", low, "FL") for low in (0xB0, 0xB1, 0xB2)
)
PHILIPS_LABEL_TYPE: Final = PrivateElement(0x2005, "Philips MR Imaging DD 005", 0x29, "CS")
"""LABEL or CONTROL, of arterial spin labelling."""
UIH_B_VALUE: Final = PrivateElement(0x0065, "Image Private Header", 0x09, "FD")
UIH_B_DIRECTION: Final = PrivateElement(0x0065, "Image Private Header", 0x37, "FD")
UIH_GRID_COUNT: Final = PrivateElement(0x0065, "Image Private Header", 0x50, "DS")
UIH_GRID_SLICES: Final = PrivateElement(0x0065, "Image Private Header", 0x51, "SQ")
"""One item a slice, with its Image Position (Patient)."""

_ALL: Final = (
    SIEMENS_MOSAIC_COUNT,
    SIEMENS_B_VALUE,
    SIEMENS_B_DIRECTION,
    SIEMENS_CSA_IMAGE,
    GE_B_VALUE,
    GE_IMAGE_KIND,
    *GE_B_DIRECTION,
    PHILIPS_B_VALUE,
    PHILIPS_PHASE_NUMBER,
    *PHILIPS_B_DIRECTION,
    PHILIPS_LABEL_TYPE,
    UIH_B_VALUE,
    UIH_B_DIRECTION,
    UIH_GRID_COUNT,
    UIH_GRID_SLICES,
)

KEPT: Final = frozenset(
    {each.group << 16 | block << 8 | each.element for each in _ALL for block in _BLOCKS}
    | {each.group << 16 | block for each in _ALL for block in _BLOCKS}
)
"""Numbers that the elements above and the creators of their groups can have."""
SEQUENCES: Final = frozenset(
    each.group << 16 | block << 8 | each.element for each in _ALL if each.vr == "SQ" for block in _BLOCKS
)
"""Numbers that the sequences among them can have."""
_REPRESENTATIONS: Final = {(each.group, each.element): each.vr for each in _ALL if each.vr != "SQ"}


def representation(number: int) -> str:
    """The value representation of the private element `number`, whatever its block; UN where it is none of these."""
    if number & 0xFF00 == 0:
        return "LO" if number >> 16 & 1 else "UN"
    return _REPRESENTATIONS.get((number >> 16, number & 0xFF), "UN")
