"""The Cancer Imaging Archive, or any server that speaks its NBIA REST API v4.

Goes in: a base address and queries. Comes out: records, and the zip of a series as it streams. What NBIA does that one
must know: nothing found is 200 with an empty body; nulls are left out; a proxy may answer 200 with a page; the zip has
no Content-Length and ends early, well-formed, when the server fails. Fails with TransientFailure (ARCHIVE_UNAVAILABLE,
ARCHIVE_ANSWER_INVALID, DOWNLOAD_STALLED), RejectedInput (ARCHIVE_REFUSED, ADDRESS_FORBIDDEN) after its retries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from types import TracebackType
from typing import Any, Final, Self

import httpx

from braingranary.archives.addresses import AddressPolicy, GuardedTransport, checked_url
from braingranary.archives.base import Query
from braingranary.archives.failures import failure_of_status
from braingranary.archives.retries import Politeness, retrying
from braingranary.archives.tcia.records import NBIA_DATE, parse_rows, series_record
from braingranary.errors import Code, RejectedInput, TransientFailure
from braingranary.records import SeriesRecord
from braingranary.storage.keys import checked_uid

TCIA_URL: Final = "https://nbia.cancerimagingarchive.net/nbia-api/services/v4/"
NLST_URL: Final = "https://nlst.cancerimagingarchive.net/nbia-api/services/v4/"
NLST_COLLECTION: Final = "NLST"
ANSWER_BYTES_MAX: Final = 512 * 1024 * 1024  # about 500,000 records; the largest collection has 70,000
METADATA_UIDS_MAX: Final = 10_000  # what TCIA's own clients send at once
_USER_AGENT: Final = "BrainGranary"


@dataclass(frozen=True, slots=True, kw_only=True)
class TciaSettings:
    """Where the archive is and how it is treated. `connections`: about four is what public archives ask for."""

    base_url: str = TCIA_URL
    nlst_url: str | None = None
    """Base address for the collection NLST; by default TCIA's own host for it, where `base_url` is TCIA's."""
    name: str = "tcia"
    connections: int = 4
    policy: AddressPolicy = field(default_factory=AddressPolicy)
    """Private addresses are refused unless it trusts them: `AddressPolicy.trusting(base_url)` for one's own server."""
    politeness: Politeness = field(default_factory=Politeness)


class TciaArchive:
    """The client; safe for use by as many threads as `connections`. Close it, or use it as a context manager."""

    sends_md5: Final = True

    def __init__(self, settings: TciaSettings | None = None) -> None:
        self._settings = settings or TciaSettings()
        base = f"{checked_url(self._settings.base_url, self._settings.policy).rstrip('/')}/"
        nlst = self._settings.nlst_url or (NLST_URL if base == TCIA_URL else base)
        self._base, self._nlst = base, f"{checked_url(nlst, self._settings.policy).rstrip('/')}/"
        polite = self._settings.politeness
        self._client = httpx.Client(
            transport=GuardedTransport(self._settings.policy, connections=self._settings.connections),
            timeout=httpx.Timeout(polite.read_timeout_s, connect=polite.connect_timeout_s),
            # Bytes must arrive as they are hashed, so no transfer compression; no redirect is ever followed.
            headers={"User-Agent": _USER_AGENT, "Accept-Encoding": "identity"},
            follow_redirects=False,
            trust_env=False,
        )

    @property
    def name(self) -> str:
        """The archive's name in keys and catalogue."""
        return self._settings.name

    @property
    def connections(self) -> int:
        """Parallel downloads."""
        return self._settings.connections

    @property
    def politeness(self) -> Politeness:
        """Waits, attempts and deadlines."""
        return self._settings.politeness

    def series(self, query: Query) -> Iterator[SeriesRecord]:
        """Records that `query` wants; see Archive. Repeated UIDs are passed on once."""
        seen: set[str] = set()
        for record in self._candidates(query):
            if query.wants(record) and record.series_uid not in seen:
                seen.add(record.series_uid)
                yield record

    def collections(self) -> list[str]:
        """Names of the collections."""
        return [str(row["Collection"]) for row in self._rows("getCollectionValues", {}) if row.get("Collection")]

    @contextmanager
    def fetch(self, record: SeriesRecord) -> Iterator[Iterator[bytes]]:
        """The zip of one series; one attempt. Raises RejectedInput(UID_INVALID, ARCHIVE_REFUSED), TransientFailure."""
        parameters = {
            "SeriesInstanceUID": checked_uid(record.series_uid),
            "NewFileNames": "Yes",
            "IncludeMD5": "yes",
        }
        with self._answer("GET", f"{self._base_of(record.collection)}getImage", params=parameters) as answer:
            yield _translated(answer.iter_raw())

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # asking

    def _candidates(self, query: Query) -> Iterator[SeriesRecord]:
        """Records of the narrowest question that the API answers; `Query.wants` does the rest."""
        if query.series_uids:
            yield from self._by_uid(query)
        elif query.released_from is not None:
            # The API's date is exclusive, ours is not.
            day = (query.released_from - timedelta(days=1)).strftime(NBIA_DATE)
            for base in self._bases(query):
                yield from self._records(base, self._rows("getUpdatedSeries", {"fromDate": day}, base=base))
        else:
            for collection in query.collections or (None,):
                for patient in query.patients or (None,):
                    wanted = {"Collection": collection, "PatientID": patient}
                    for modality in query.modalities or (None,):
                        parameters = {**wanted, "Modality": modality}
                        told = {name: value for name, value in parameters.items() if value is not None}
                        base = self._base_of(collection)
                        yield from self._records(base, self._rows("getSeries", told, base=base))

    def _by_uid(self, query: Query) -> Iterator[SeriesRecord]:
        for base in self._bases(query):
            for start in range(0, len(query.series_uids), METADATA_UIDS_MAX):
                uids = [checked_uid(uid) for uid in query.series_uids[start : start + METADATA_UIDS_MAX]]
                rows = self._rows("getSeriesMetadata", {"list": ",".join(uids)}, base=base, method="POST")
                yield from self._records(base, rows)

    def _bases(self, query: Query) -> tuple[str, ...]:
        """NLST has a host of its own, asked only when its collection is."""
        return tuple(dict.fromkeys(self._base_of(name) for name in query.collections)) or (self._base,)

    def _base_of(self, collection: str | None) -> str:
        return self._nlst if collection == NLST_COLLECTION else self._base

    def _records(self, base: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[SeriesRecord]:
        for row in rows:
            record = series_record(row, archive=self.name, source_url=base)
            yield record

    def _rows(
        self, endpoint: str, parameters: Mapping[str, str], *, base: str | None = None, method: str = "GET"
    ) -> list[Mapping[str, Any]]:
        """The rows of a metadata endpoint; an answer of nothing is confirmed by asking once more."""
        rows = self._rows_once(endpoint, parameters, base=base, method=method)
        if rows:
            return rows
        # Nothing found is an empty answer here, and so is many a fault of a proxy or of the database behind it.
        self._settings.politeness.sleep(self._settings.politeness.wait_min_s)
        return self._rows_once(endpoint, parameters, base=base, method=method)

    def _rows_once(
        self, endpoint: str, parameters: Mapping[str, str], *, base: str | None, method: str
    ) -> list[Mapping[str, Any]]:
        """The rows of one answer, asked for again while the archive fails and that may help."""
        url = f"{base or self._base}{endpoint}"
        for attempt in retrying(self._settings.politeness):
            with attempt:
                if method == "POST":
                    sent = self._answer("POST", url, data=dict(parameters))
                else:
                    sent = self._answer("GET", url, params=dict(parameters))
                with sent as answer:
                    return parse_rows(_whole(answer))
        return []

    @contextmanager
    def _answer(self, method: str, url: str, **request: Any) -> Iterator[httpx.Response]:
        """An answer with status 200 that is no page; everything else is an error."""
        with _mapped(Code.ARCHIVE_UNAVAILABLE), self._client.stream(method, url, **request) as answer:
            _check(answer)
            yield answer


def _check(answer: httpx.Response) -> None:
    if answer.status_code != 200:
        raise failure_of_status(answer.status_code, _retry_after_s(answer))
    if "html" in answer.headers.get("Content-Type", "").lower():
        raise TransientFailure(Code.ARCHIVE_ANSWER_INVALID, "a page instead of an answer")


def _retry_after_s(answer: httpx.Response) -> float | None:
    """Seconds of Retry-After; its date form is rare enough to be met with our own backoff."""
    try:
        return float(answer.headers.get("Retry-After", ""))
    except ValueError:
        return None


@contextmanager
def _mapped(code: Code) -> Iterator[None]:
    """httpx's errors as TransientFailure: on the wire everything may be better next time."""
    try:
        yield
    except httpx.TimeoutException as error:
        raise TransientFailure(Code.DOWNLOAD_STALLED, f"the archive is silent ({type(error).__name__})") from error
    except httpx.HTTPError as error:
        raise TransientFailure(code, f"the connection failed ({type(error).__name__})") from error


def _translated(chunks: Iterator[bytes]) -> Iterator[bytes]:
    with _mapped(Code.ARCHIVE_UNAVAILABLE):
        yield from chunks


def _whole(answer: httpx.Response) -> bytes:
    """All of a metadata answer, within reason; inflated where a proxy packed it although nobody asked for that."""
    body = bytearray()
    for chunk in answer.iter_bytes():
        body += chunk
        if len(body) > ANSWER_BYTES_MAX:
            raise RejectedInput(Code.ARCHIVE_REFUSED, f"an answer of more than {ANSWER_BYTES_MAX} bytes")
    return bytes(body)
