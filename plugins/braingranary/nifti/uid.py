"""UIDs for files that have none: derived from where a file stands, so that the same file has the same UID for ever."""

from __future__ import annotations

import uuid
from typing import Final

_NAMESPACE: Final = uuid.UUID("6b1f4c1e-6d5a-5c0e-9a53-0d7f1a6b2c11")  # never changed: every UID made here hangs on it


def derived_uid(archive: str, collection: str, subject: str, path: str = "") -> str:
    """A DICOM UID `2.25.<UUID as an integer>` (PS3.5 annex B.2), the UUID being version 5 of the four texts.

    Args:
        archive: name of the archive.
        collection: name of the collection in it.
        subject: the archive's name of the subject.
        path: path of the file within the collection, parts joined by `/`; empty for the study of the subject.

    """
    name = "\x1f".join((archive, collection, subject, path))
    return f"2.25.{uuid.uuid5(_NAMESPACE, name).int}"
