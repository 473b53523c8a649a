"""What every archive is to the rest of the library: records of the wanted series, and the bytes of one of them.

An archive is one module that offers an `ArchiveKind` to `archives.registry`. Everything else uses it through these
protocols, so that staging and ingest know no archive by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final, Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from braingranary.archives.connection import ArchiveConnection
from braingranary.archives.retries import Politeness
from braingranary.errors import Code, ConfigurationError
from braingranary.records import SeriesRecord

DEFAULT_MODALITIES: Final = ("MR",)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseInterval:
    """The dates of release that a DAG run is for; `before` is not in it."""

    start: date
    before: date


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


class IngestParams(BaseModel):
    """The Params that every ingest DAG has; an archive's own class adds its own and makes its query of them."""

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True)

    limit: int | None = None
    released_from: date | None = None
    released_before: date | None = None
    look_back_days: int = 0

    def released(self, interval: ReleaseInterval | None) -> tuple[date | None, date | None]:
        """First date of release and the first that is too late: those of the form, else of the interval.

        A run's interval begins `look_back_days` earlier than it is scheduled for; what is staged already costs nothing.
        """
        if self.released_from or self.released_before or interval is None:
            return self.released_from, self.released_before
        return interval.start - timedelta(days=self.look_back_days), interval.before


ParamsT = TypeVar("ParamsT", bound=IngestParams)


def checked_params(model: type[ParamsT], params: Mapping[str, Any]) -> ParamsT:
    """`params` as `model`; raises ConfigurationError(CONFIGURATION_INVALID) naming the fields that are wrong."""
    try:
        return model.model_validate(dict(params))
    except ValidationError as error:
        names = ", ".join(".".join(map(str, item["loc"])) for item in error.errors())
        raise ConfigurationError(Code.CONFIGURATION_INVALID, f"the form is wrong: {names}") from None


class ArchiveQuery(Protocol):
    """What the query of every archive has."""

    @property
    def limit(self) -> int | None:
        """How many series are wanted at most, the first by UID; None where all are."""


QueryT = TypeVar("QueryT", bound=ArchiveQuery)
QueryT_contra = TypeVar("QueryT_contra", bound=ArchiveQuery, contravariant=True)


class Archive(Protocol[QueryT_contra]):
    """An archive of imaging series, open for questions."""

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

    def series(self, query: QueryT_contra) -> Iterator[SeriesRecord]:
        """Records that `query` wants, in no order; UIDs are as the archive wrote them, hostile ones included.

        Raises TransientFailure, RejectedInput(ARCHIVE_REFUSED, ADDRESS_FORBIDDEN), ConfigurationError.
        """

    def fetch(self, record: SeriesRecord) -> AbstractContextManager[Iterator[bytes]]:
        """The bytes of one series as they arrive, of `record.media_type`; each attempt is one call.

        Raises as `series` does.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveKind(Generic[QueryT]):
    """How archives of one kind are opened and asked."""

    kind: str
    """Lower-case word, such as `tcia`; its Connection is `granary_<kind>`."""
    open: Callable[[ArchiveConnection], AbstractContextManager[Archive[QueryT]]]
    query: Callable[[Mapping[str, Any], ReleaseInterval | None, ArchiveConnection], QueryT | None]
    """The query of one DAG run from its Params, its interval and its Connection.

    None where a scheduled run has nothing to look at. Raises ConfigurationError, RejectedInput for wrong Params.
    """

    @property
    def connection(self) -> str:
        """Name of the Airflow Connection."""
        return f"granary_{self.kind}"
