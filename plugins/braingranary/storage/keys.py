"""Object keys: the only place where one is made, so that no text from an archive can ever leave its prefix.

Layout (see docs/architecture.md):
    raw/<archive>/<collection>/<series_uid>/<sha256>.zip (or .nii.gz, .nii) and .receipt.json, canonical.json
    wanted/<archive>/<collection>/<series_uid>.json          announced and not yet staged, with the attempts at it
    dismissed/<archive>/<collection>/<series_uid>.json       a person's decision that it is not wanted
    withdrawn/<archive>/<collection>/<series_uid>.json       the archive does not list it any more, since when
    normalized/<profile>/<series_uid>/<volume>-<plane>.zip, sidecar.json, <volume>.nii.gz
    again/<profile>/<series_uid>.txt                         series to normalize once more: the raw key
    quarantine/<archive>/<collection>/<series_uid>/<code>-<sha256>.bin and .json
    runs/<step>/<run>/<name>                                 manifests, results and published row files
    models/<version>/<sha256>.safetensors and .figures.json  weights of the registered detectors, figures about them
    models/active.json                                       which version is active
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from braingranary.errors import Code, RejectedInput
from braingranary.records import Plane

RAW_EXTENSIONS: Final = {"application/zip": ".zip", "application/gzip": ".nii.gz", "application/x-nifti": ".nii"}
"""How the key of a raw object ends, by its media type: a zip of DICOM files, or a NIfTI."""
UID_LENGTH_MAX: Final = 64  # DICOM PS3.5 chapter 9
_UID: Final = re.compile(r"[0-9]+(\.[0-9]+)+\Z", re.ASCII)
_SHA256: Final = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)
_SAFE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._+=()-]{0,119}\Z", re.ASCII)


def checked_uid(uid: str) -> str:
    """`uid` itself when it is a DICOM UID by form; raises RejectedInput(UID_INVALID) otherwise."""
    if len(uid) > UID_LENGTH_MAX or not _UID.match(uid):
        raise RejectedInput(Code.UID_INVALID, f"not a DICOM UID ({len(uid)} characters)")
    return uid


def segment(text: str) -> str:
    """One key segment that names `text`: as it is where it is harmless, otherwise a readable stem and a hash.

    The result has no slash, no control character, no leading dot and at most 120 characters; different texts give
    different segments.
    """
    if _SAFE.match(text) and not text.endswith((" ", ".")) and "~" not in text:
        return text
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", text[:40]).strip("-") or "x"
    return f"{stem}~{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:24]}"


def raw_archive_prefix(archive: str) -> str:
    """Everything received from one archive."""
    return f"raw/{segment(archive)}/"


def raw_collection_prefix(archive: str, collection: str) -> str:
    """Everything received of one collection."""
    return f"{raw_archive_prefix(archive)}{segment(collection)}/"


def raw_prefix(archive: str, collection: str, series_uid: str) -> str:
    """Everything received for one series."""
    return f"{raw_collection_prefix(archive, collection)}{checked_uid(series_uid)}/"


def raw_object(archive: str, collection: str, series_uid: str, sha256: str, media_type: str = "application/zip") -> str:
    """The bytes of a series exactly as the archive sent them; raises RejectedInput(KEY_INVALID) for another type."""
    extension = RAW_EXTENSIONS.get(media_type)
    if extension is None:
        raise RejectedInput(Code.KEY_INVALID, f"nothing is staged as {media_type}")
    return f"{raw_prefix(archive, collection, series_uid)}{_checked_sha256(sha256)}{extension}"


def is_raw_object(key: str) -> bool:
    """Whether `key` ends as the raw object of a series does, and not as a receipt."""
    return key.endswith(tuple(RAW_EXTENSIONS.values()))


def receipt(raw_key: str) -> str:
    """The receipt that stands beside a raw object."""
    for extension in RAW_EXTENSIONS.values():
        if raw_key.endswith(extension):
            return f"{raw_key.removesuffix(extension)}.receipt.json"
    raise RejectedInput(Code.KEY_INVALID, "not the key of a raw object")


def canonical(archive: str, collection: str, series_uid: str) -> str:
    """The receipt of the zip that speaks for a series: written once, so that two runs cannot both be the first."""
    return f"{raw_prefix(archive, collection, series_uid)}canonical.json"


WANTED_PREFIX: Final = "wanted/"
"""Everything wanted, of all archives."""


def wanted_prefix(archive: str) -> str:
    """Everything wanted from one archive."""
    return f"{WANTED_PREFIX}{segment(archive)}/"


def wanted_collection_prefix(archive: str, collection: str) -> str:
    """Everything wanted of one collection."""
    return f"{wanted_prefix(archive)}{segment(collection)}/"


def wanted(archive: str, collection: str, series_uid: str) -> str:
    """What is known of a series that an archive announced and that is not staged yet."""
    return f"{wanted_collection_prefix(archive, collection)}{checked_uid(series_uid)}.json"


def dismissed_prefix(archive: str) -> str:
    """Every series of one archive that a person has dismissed."""
    return f"dismissed/{segment(archive)}/"


def dismissed(archive: str, collection: str, series_uid: str) -> str:
    """A person's decision that a series is not wanted, whatever its archive announces."""
    return f"{dismissed_prefix(archive)}{segment(collection)}/{checked_uid(series_uid)}.json"


def withdrawn_prefix(archive: str, collection: str) -> str:
    """Marks of the series of one collection that its archive does not list any more."""
    return f"withdrawn/{segment(archive)}/{segment(collection)}/"


def withdrawn(archive: str, collection: str, series_uid: str) -> str:
    """The mark of one series that its archive does not list any more."""
    return f"{withdrawn_prefix(archive, collection)}{checked_uid(series_uid)}.json"


def quarantine(archive: str, collection: str, series_uid: str, code: Code, sha256: str) -> str:
    """Where unusable bytes are kept; the series UID may be hostile here, so it is made a safe segment."""
    return f"{quarantine_prefix(archive, collection, series_uid, code)}{_checked_sha256(sha256)}.bin"


def quarantine_prefix(archive: str, collection: str, series_uid: str, code: Code) -> str:
    """Everything of one series that is kept for one reason."""
    return f"quarantine/{segment(archive)}/{segment(collection)}/{segment(series_uid)}/{code}-"


def quarantine_note(archive: str, collection: str, series_uid: str, code: Code, sha256: str) -> str:
    """What is told of unusable bytes that stay where they are."""
    return f"{quarantine(archive, collection, series_uid, code, sha256).removesuffix('.bin')}.json"


def normalized_prefix(profile: str, series_uid: str) -> str:
    """Everything made of one series under one profile."""
    return f"normalized/{segment(profile)}/{checked_uid(series_uid)}/"


def slice_pack(profile: str, series_uid: str, volume: int, plane: Plane) -> str:
    """The slice pack of one volume in one plane."""
    return f"{normalized_prefix(profile, series_uid)}{volume:03d}-{plane}.zip"


def nifti(profile: str, series_uid: str, volume: int) -> str:
    """The voxels of one volume as a compressed RAS+ file, where somebody asked for one."""
    return f"{normalized_prefix(profile, series_uid)}{volume:03d}.nii.gz"


def sidecar(profile: str, series_uid: str) -> str:
    """The JSON that tells how the packs beside it were made."""
    return f"{normalized_prefix(profile, series_uid)}sidecar.json"


def again_prefix(profile: str) -> str:
    """Every mark of a series that is to be normalized once more under one profile."""
    return f"again/{segment(profile)}/"


def again(profile: str, series_uid: str) -> str:
    """The mark that a series is to be normalized once more."""
    return f"{again_prefix(profile)}{checked_uid(series_uid)}.txt"


PUBLISHED_NAME: Final = "published.json"


def runs_prefix(step: str) -> str:
    """Everything of all runs of a step."""
    return f"runs/{segment(step)}/"


def run_object(step: str, run: str, name: str) -> str:
    """A small object of one run: `name` may hold slashes between safe segments."""
    return f"{runs_prefix(step)}{segment(run)}/{'/'.join(segment(part) for part in name.split('/'))}"


def part_object(step: str, run: str, part: str, name: str) -> str:
    """An object of one part of a run; nobody reads it before the run's list of parts names the part."""
    return run_object(step, run, f"parts/{part}/{name}")


def published(step: str, run: str) -> str:
    """The one list of a run's parts, written once by a conditional PUT."""
    return run_object(step, run, PUBLISHED_NAME)


def run_json(step: str, run: str) -> str:
    """What a run is to do, written once by whoever plans it."""
    return run_object(step, run, "run.json")


def weights(version: str, sha256: str) -> str:
    """The weights file of one version of the detector."""
    return f"models/{segment(version)}/{_checked_sha256(sha256)}.safetensors"


def figures(version: str, sha256: str) -> str:
    """The figures of the evaluation that was registered with a weights file."""
    return f"{weights(version, sha256).removesuffix('.safetensors')}.figures.json"


def active_model() -> str:
    """Which version of the detector is active, told for a rebuilt catalogue."""
    return "models/active.json"


def _checked_sha256(sha256: str) -> str:
    if not _SHA256.match(sha256):
        raise RejectedInput(Code.KEY_INVALID, "not a sha256 in hexadecimal")
    return sha256
