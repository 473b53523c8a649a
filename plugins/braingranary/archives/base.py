"""What every archive is to the rest of the library: records of the wanted series, and the bytes of one of them.

An archive is made by its own module (`archives.tcia`) and used through this protocol only, so that staging and ingest
know no archive by name. An archive that serves loose files hands them over as one zip of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from typing import Final, Protocol

from braingranary.archives.retries import Politeness
from braingranary.records import SeriesRecord

DEFAULT_MODALITIES: Final = ("MR",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which series are wanted. Fields narrow together; an empty one does not narrow.

    `released_from` is in the interval of release dates and `released_before` is not, so that the intervals of
    consecutive runs are disjoint and complete. `series_uids` come in the caller's order; the answer is in order of UID.
    """

    collections: tuple[str, ...] = ()
    patients: tuple[str, ...] = ()
    modalities: tuple[str, ...] = DEFAULT_MODALITIES
    series_uids: tuple[str, ...] = ()
    released_from: date | None = None
    released_before: date | None = None
    limit: int | None = None

    def wants(self, record: SeriesRecord) -> bool:
        """Whether `record` passes every field but `limit`. A record without release date is in no interval."""
        dated = self.released_from is not None or self.released_before is not None
        return (
            (not self.collections or record.collection in self.collections)
            and (not self.patients or record.subject_id in self.patients)
            and (not self.modalities or record.modality in self.modalities)
            and (not self.series_uids or record.series_uid in self.series_uids)
            and (not dated or record.released is not None)
            and (self.released_from is None or record.released is None or record.released >= self.released_from)
            and (self.released_before is None or record.released is None or record.released < self.released_before)
        )


class Archive(Protocol):
    """An archive of imaging series."""

    @property
    def name(self) -> str:
        """Its name in keys and in the catalogue."""

    @property
    def connections(self) -> int:
        """How many series may be fetched at once."""

    @property
    def politeness(self) -> Politeness:
        """How patiently it is asked again, and how long one series may take."""

    @property
    def sends_md5(self) -> bool:
        """Whether every zip ends with md5hashes.csv, so that a zip without it is a short one."""

    def series(self, query: Query) -> Iterator[SeriesRecord]:
        """Records that `query` wants, in no order; UIDs are as the archive wrote them, hostile ones included.

        Raises TransientFailure, RejectedInput(ARCHIVE_REFUSED, ADDRESS_FORBIDDEN), ConfigurationError.
        """

    def fetch(self, record: SeriesRecord) -> AbstractContextManager[Iterator[bytes]]:
        """The zip of one series as it arrives; each attempt is one call. Raises as `series` does."""
