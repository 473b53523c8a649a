"""How bright each tissue is under each MR weighting: the tables that turn tissue codes into signal.

The numbers are plausible, not measured: T1 shows white matter bright and fluid dark, T2 the other way round, FLAIR is
T2 with fluid silenced, and T1 after contrast agent lights up the rim of a tumour. Scale: T1 white matter near 490.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """Signal of each tissue, arbitrary units, and the pulse sequence's usual physics (milliseconds, degrees)."""

    name: str
    brain: tuple[tuple[float, float], ...]
    """Points (template intensity, signal), linear in between."""
    fluid: float
    bone: float
    muscle: float
    scalp: float
    capsule: float
    tumour_core: float
    tumour_ring: float
    oedema: float
    echo_time_ms: float
    repetition_time_ms: float
    inversion_time_ms: float | None
    flip_angle_deg: float
    scanning_sequence: tuple[str, ...]
    sequence_name: str

    def brain_table(self) -> NDArray[np.float32]:
        """Signal of template intensities 0..255, shape (256,), float32."""
        codes, signal = zip(*self.brain, strict=True)
        return np.asarray(np.interp(np.arange(256), codes, signal), dtype=np.float32)


T1: Final = Contrast(
    name="T1",
    brain=((0, 0), (255, 560)),
    fluid=110, bone=35, muscle=240, scalp=640, capsule=900,
    tumour_core=170, tumour_ring=260, oedema=300,
    echo_time_ms=2.98, repetition_time_ms=2300.0, inversion_time_ms=900.0, flip_angle_deg=9.0,
    scanning_sequence=("GR", "IR"), sequence_name="*tfl3d1_16ns",
)  # fmt: skip
T1CE: Final = Contrast(
    name="T1CE",
    brain=((0, 0), (255, 560)),
    fluid=120, bone=40, muscle=290, scalp=660, capsule=900,
    tumour_core=160, tumour_ring=670, oedema=330,
    echo_time_ms=3.1, repetition_time_ms=1900.0, inversion_time_ms=900.0, flip_angle_deg=9.0,
    scanning_sequence=("GR", "IR"), sequence_name="*tfl3d1_16ns",
)  # fmt: skip
T2: Final = Contrast(
    name="T2",
    brain=((0, 900), (28, 900), (80, 860), (120, 680), (165, 430), (222, 270), (255, 230)),
    fluid=860, bone=30, muscle=150, scalp=420, capsule=700,
    tumour_core=760, tumour_ring=520, oedema=640,
    echo_time_ms=96.0, repetition_time_ms=5200.0, inversion_time_ms=None, flip_angle_deg=150.0,
    scanning_sequence=("SE",), sequence_name="*tse2d1_15",
)  # fmt: skip
FLAIR: Final = Contrast(
    name="FLAIR",
    brain=((0, 60), (28, 60), (80, 120), (120, 320), (165, 430), (222, 320), (255, 290)),
    fluid=80, bone=30, muscle=180, scalp=400, capsule=650,
    tumour_core=380, tumour_ring=600, oedema=640,
    echo_time_ms=120.0, repetition_time_ms=9000.0, inversion_time_ms=2500.0, flip_angle_deg=150.0,
    scanning_sequence=("SE", "IR"), sequence_name="*tir2d1_16",
)  # fmt: skip
