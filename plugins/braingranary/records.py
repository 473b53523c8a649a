"""The plain records that cross a room's border: frozen, typed, JSON-ready, free of any framework.

Everything here is a value. Times are UTC. Text that can identify a patient never enters a record: the archives'
records are public pseudonyms, and headers pass `dicom.header.deidentify` first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from typing_extensions import TypeAliasType

from braingranary.errors import Code

Json = TypeAliasType("Json", "str | int | float | bool | list[Json] | dict[str, Json] | None")


class Plane(StrEnum):
    """Anatomical plane of an image, decided by geometry alone."""

    AXIAL = "axial"
    CORONAL = "coronal"
    SAGITTAL = "sagittal"


class Species(StrEnum):
    """Whose head it is: archives hold dogs, mice and phantoms as well as people."""

    HUMAN = "human"
    DOG = "dog"
    MOUSE = "mouse"
    RAT = "rat"
    PHANTOM = "phantom"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesRecord:
    """What an archive says about one series before a byte of it is fetched. Every archive fact is optional."""

    archive: str
    collection: str
    series_uid: str
    study_uid: str
    subject_id: str
    modality: str
    species: Species = Species.HUMAN
    image_count: int | None = None
    total_bytes: int | None = None
    series_date: date | None = None
    series_description: str | None = None
    series_number: int | None = None
    protocol_name: str | None = None
    body_part: str | None = None
    study_date: date | None = None
    study_description: str | None = None
    sex: str | None = None
    age_years: float | None = None
    manufacturer: str | None = None
    manufacturer_model: str | None = None
    software_versions: str | None = None
    released: date | None = None
    license_name: str | None = None
    license_url: str | None = None
    citation_url: str | None = None
    source_url: str | None = None
    media_type: str = "application/zip"
    """How its bytes are sent; see `Receipt.media_type`."""
    extra: Mapping[str, Json] = field(default_factory=dict)
    """Archive fields with no column of their own, under the archive's names; kept for a later schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Proof that a series was staged whole: written beside the raw object, after the object became visible."""

    record: SeriesRecord
    raw_key: str
    sha256: str
    zip_bytes: int
    image_count: int
    image_bytes: int
    md5_verified: int
    """How many images matched the MD5 that the archive sent along (0 where it sends none)."""
    staged_at: datetime
    media_type: str = "application/zip"
    """Of the raw object: `application/zip` (DICOM files), `application/gzip` (.nii.gz) or `application/x-nifti`."""
    content_sha256: str = ""
    """SHA-256 over the images' sorted MD5s: equal for equal images however they were zipped and named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """One series (or one file of it) that could not be used, and why; a row of the catalogue."""

    archive: str
    collection: str
    series_uid: str
    code: Code
    step: str
    """The step that rejected: `manifest`, `stage` or `normalize`."""
    detail: str
    """For people; free of header values."""
    object_key: str | None = None
    """Where the bytes are kept under quarantine/ or raw/, if there are any."""
    fatal: bool = True
    """False where only single files were left out and the series is in the catalogue all the same."""


def stable_id(*parts: str | int) -> int:
    """A positive 63-bit number that depends on `parts` alone, for use as a primary key.

    Sequences would give other ids on every rebuild; with these, two loads of the same rows end in the same tables
    whatever came between. 10 million rows collide with a probability of about 5e-6, and a unique constraint on the
    natural key turns a collision into an error instead of a mix-up.
    """
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
