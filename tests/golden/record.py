"""Golden hashes: what normalization made when somebody last looked at it, kept as SHA-256 and never as pixels.

`check(name, hashes)` compares with `tests/golden/<name>.json`. The bytes depend on the library versions written in that
file; with other versions a difference may be theirs, and the message says so. After an intended change, look at the
sheets (they are written to the folder named by GRANARY_GOLDEN_SHEETS), then run the test with GRANARY_GOLDEN=write.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from braingranary.dicom.reader import read_series
from braingranary.imaging import jpeg
from braingranary.imaging.contact_sheet import contact_sheet, to_png
from braingranary.imaging.slicepack import checked_slice
from braingranary.normalization.encode import EncodedVolume, PlanePack, encode_volume
from braingranary.normalization.profile import DEFAULT_PROFILE

FOLDER = Path(__file__).resolve().parent
LIBRARIES = ("numpy", "pillow", "simplejpeg")
SHEET_TILES = 16
SHEET_TILE_PIXELS = 200


def encoded(files: Iterable[tuple[str, bytes]]) -> EncodedVolume:
    """The first volume of a series, normalized with the default profile."""
    return encode_volume(read_series(files).volumes[0], DEFAULT_PROFILE)


def members(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Names and bytes of a series' files."""
    return ((path.name, path.read_bytes()) for path in sorted(folder.iterdir()))


def sheet(pack: PlanePack) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """A contact sheet of a pack's JPEGs as a viewer sees them."""
    data = pack.pack.data
    ranges = ((data[entry.offset : entry.offset + entry.length], entry) for entry in pack.pack.entries)
    slices = np.stack([jpeg.decode(checked_slice(read, entry)) for read, entry in ranges])
    aspect = pack.spacing_mm[1] / pack.spacing_mm[2]
    return contact_sheet(slices, tiles_max=SHEET_TILES, tile_pixels=SHEET_TILE_PIXELS, pixel_aspect=aspect)


def sheet_hash(name: str, pack: PlanePack) -> str:
    """SHA-256 of the sheet's pixels (the PNG's own bytes hang on zlib's version); writes the PNG where asked to."""
    picture = sheet(pack)
    folder = os.environ.get("GRANARY_GOLDEN_SHEETS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / f"{name}_{pack.plane}.png").write_bytes(to_png(picture))
    shape = "x".join(map(str, picture.shape))
    return hashlib.sha256(shape.encode() + b"\n" + np.ascontiguousarray(picture).tobytes()).hexdigest()


def check(name: str, hashes: Mapping[str, str]) -> None:
    """Compare `hashes` with the golden ones; an AssertionError names what differs."""
    path = FOLDER / f"{name}.json"
    versions = {library: version(library) for library in LIBRARIES}
    if os.environ.get("GRANARY_GOLDEN") == "write":
        looked_at = datetime.now(UTC).date().isoformat()
        golden = {
            "looked_at": looked_at,
            "made_with": versions,
            "profile": DEFAULT_PROFILE.name,
            "sha256": dict(hashes),
        }
        path.write_text(json.dumps(golden, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        return
    golden = json.loads(path.read_text(encoding="utf-8"))
    expected: dict[str, str] = golden["sha256"]
    assert golden["profile"] == DEFAULT_PROFILE.name, "the default profile has a new name: make the hashes anew"
    different = sorted(key for key in expected.keys() | hashes.keys() if expected.get(key) != hashes.get(key))
    print(f"golden {name}: compared={len(hashes)} different={len(different)}")
    assert not different, f"{different} differ from {path.name} (made with {golden['made_with']}, this is {versions})"
