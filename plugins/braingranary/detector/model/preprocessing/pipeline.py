"""From any 2-D picture to what the network sees: the one way of training, Spark and HTTP, under an id.

A web user's picture has any size, window and border; a catalogue's slice has the profile's. Both are cropped to the
head, padded to a square, resized to `INPUT_SIDE_PX` and given a common tone. Training inserts its augmentation between
the two halves, geometry (`Preprocessing.frame_of` with `frame.cut`) and intensity (`tone.normalize`).

An id never changes what it stands for. A better way gets an id of its own, and models are judged anew through it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from braingranary.detector.model.preprocessing.foreground_box import box_of_foreground
from braingranary.detector.model.preprocessing.frame import MARGIN_FRACTION, BoxFinder, Frame, cut, frame_around
from braingranary.detector.model.preprocessing.head_box import box_of_head
from braingranary.detector.model.preprocessing.picture import Picture, Plane32, checked, is_blank
from braingranary.detector.model.preprocessing.tone import normalize

INPUT_SIDE_PX: Final = 128


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Prepared:
    """One picture as the network sees it, and where it came from."""

    plane: Plane32
    """(S, S) float32; the same S for every picture of one preprocessing."""
    frame: Frame
    """Maps results on the plane back onto the picture."""
    blank: bool
    """Nothing to see: one value everywhere. Such a picture is declined without asking the network."""


Prepare = Callable[[Picture], Prepared]
"""A preprocessing as scoring knows it; raises RejectedInput for a picture that is not usable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """One way from pictures to planes of `INPUT_SIDE_PX` a side and 0..`tone.TONE_CEILING`."""

    id: str
    find_box: BoxFinder

    def prepare(self, picture: Picture) -> Prepared:
        """Check, frame, cut and normalize one picture; raises RejectedInput as `picture.checked` does."""
        values = checked(picture)
        frame = self.frame_of(values)
        square = cut(values, frame, INPUT_SIDE_PX)
        return Prepared(plane=normalize(square), frame=frame, blank=is_blank(square))

    def frame_of(self, values: Plane32, margin_fraction: float = MARGIN_FRACTION) -> Frame:
        """The square around the head in (rows, columns) float32, with a margin."""
        return frame_around(values, self.find_box, margin_fraction)


FOREGROUND_BOX: Final = Preprocessing(id="foreground-box-1", find_box=box_of_foreground)
"""Of detector-2 to detector-4."""
HEAD_BOX: Final = Preprocessing(id="head-box-1", find_box=box_of_head)
"""Of detector-5, and what training uses today."""
